#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/batch.h"
#include "gateway/sonic/utf8.h"

void
sonic_batch_init(struct sonic_batch *batch)
{
    memset(batch, 0, sizeof *batch);
}

void
sonic_batch_fini(struct sonic_batch *batch)
{
    free(batch->text);
    free(batch->starts);
    sonic_batch_init(batch);
}

void
sonic_batch_clear(struct sonic_batch *batch)
{
    sonic_batch_truncate(batch, 0);
}

size_t
sonic_batch_count(const struct sonic_batch *batch)
{
    return batch->count;
}

const char *
sonic_batch_event(const struct sonic_batch *batch, size_t index, size_t *bytes)
{
    assert(index < batch->count);
    size_t start = batch->starts[index];
    size_t end =
        index + 1 < batch->count ? batch->starts[index + 1] : batch->text_bytes;
    if (bytes)
        *bytes = end - start - 1;
    return batch->text + start;
}

void
sonic_batch_truncate(struct sonic_batch *batch, size_t count)
{
    if (count >= batch->count)
        return;
    batch->text_bytes = batch->starts[count];
    batch->count = count;
}

static bool
reserve_text(struct sonic_batch *batch, size_t more)
{
    size_t need = batch->text_bytes + more;
    if (need <= batch->text_capacity)
        return true;
    size_t capacity = need < 512 ? 512 : need + need / 2;
    char *text = realloc(batch->text, capacity);
    if (!text)
        return false;
    batch->text = text;
    batch->text_capacity = capacity;
    return true;
}

static bool
reserve_start(struct sonic_batch *batch)
{
    if (batch->count < batch->capacity)
        return true;
    size_t capacity = batch->capacity ? 2 * batch->capacity : 8;
    size_t *starts = realloc(batch->starts, capacity * sizeof *starts);
    if (!starts)
        return false;
    batch->starts = starts;
    batch->capacity = capacity;
    return true;
}

enum vr_status
sonic_batch_append(struct sonic_batch *batch, const char *json, size_t bytes)
{
    size_t clean_bytes = sonic_utf8_clean(json, bytes, NULL);
    if (!reserve_text(batch, clean_bytes + 1) || !reserve_start(batch))
        return VR_NO_MEMORY;
    char *to = batch->text + batch->text_bytes;
    sonic_utf8_clean(json, bytes, to);
    to[clean_bytes] = '\0';
    batch->starts[batch->count++] = batch->text_bytes;
    batch->text_bytes += clean_bytes + 1;
    return VR_OK;
}
