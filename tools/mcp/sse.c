#include "tools/mcp/sse.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MAX_MS INT64_C(3600000)

static void
add(struct sse *sse, struct buffer *buffer, const char *bytes, size_t count)
{
    if (sse->overlong)
        return;
    if (buffer->count + count > SSE_LIMIT_BYTES ||
        !buffer_add(buffer, bytes, count)) {
        sse->overlong = true;
        buffer_clear(buffer);
    }
}

static void
dispatch(struct sse *sse, sse_fn *on_event, void *arg)
{
    memcpy(sse->id, sse->next_id, sizeof sse->id);
    if (sse->overlong)
        on_event(arg, NULL, 0);
    else if (sse->has_data && sse->data.count > 0 && !sse->foreign)
        on_event(arg, sse->data.bytes, sse->data.count);
    buffer_clear(&sse->data);
    sse->has_data = sse->foreign = sse->overlong = false;
}

static void
take_data(struct sse *sse, const char *value, size_t count)
{
    if (sse->has_data)
        add(sse, &sse->data, "\n", 1);
    sse->has_data = true;
    add(sse, &sse->data, value, count);
}

static void
take_retry(struct sse *sse, const char *value)
{
    int64_t ms;

    if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value))
        return;
    ms = strlen(value) > 9 ? RETRY_MAX_MS : strtoll(value, NULL, 10);
    sse->retry_ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

/* A field; `line` ends with a NUL. */
static void
take_field(struct sse *sse, char *line, size_t count)
{
    char *colon = memchr(line, ':', count);
    char *value = colon ? colon + 1 : line + count;
    size_t value_bytes;

    if (colon)
        *colon = '\0';
    if (*value == ' ')
        value++;
    value_bytes = count - (size_t)(value - line);
    if (strcmp(line, "data") == 0) {
        take_data(sse, value, value_bytes);
    } else if (strcmp(line, "event") == 0) {
        sse->foreign = value_bytes > 0 && strcmp(value, "message") != 0;
    } else if (strcmp(line, "id") == 0) {
        /* one with a NUL in it does not count (the standard); nor does one
         * that goes into no header */
        if (strlen(value) == value_bytes && value_bytes < SSE_ID_BYTES)
            memcpy(sse->next_id, value, value_bytes + 1);
    } else if (strcmp(line, "retry") == 0) {
        take_retry(sse, value);
    }
}

static void
end_line(struct sse *sse, sse_fn *on_event, void *arg)
{
    if (sse->line.count == 0)
        dispatch(sse, on_event, arg);
    else
        take_field(sse, sse->line.bytes, sse->line.count);
    buffer_clear(&sse->line);
}

/* The bytes of a byte order mark at the very begin of the stream, which may
 * come in pieces: such a stream has its first field called so. */
static void
drop_mark(struct sse *sse)
{
    if (sse->begun)
        return;
    sse->begun = true;
    if (sse->line.count >= 3 &&
        memcmp(sse->line.bytes, "\xef\xbb\xbf", 3) == 0) {
        sse->line.count -= 3;
        memmove(sse->line.bytes, sse->line.bytes + 3, sse->line.count + 1);
    }
}

void
sse_feed(struct sse *sse, const char *bytes, size_t count, sse_fn *on_event,
         void *arg)
{
    size_t at = 0;

    while (at < count) {
        size_t from = at;
        if (sse->after_cr && bytes[at] == '\n') {
            sse->after_cr = false;
            at++;
            continue;
        }
        sse->after_cr = false;
        while (at < count && bytes[at] != '\n' && bytes[at] != '\r')
            at++;
        add(sse, &sse->line, bytes + from, at - from);
        if (at == count)
            return;
        sse->after_cr = bytes[at++] == '\r';
        drop_mark(sse);
        end_line(sse, on_event, arg);
    }
}

void
sse_end(struct sse *sse)
{
    buffer_clear(&sse->line);
    buffer_clear(&sse->data);
    memcpy(sse->next_id, sse->id, sizeof sse->id);
    sse->begun = sse->after_cr = sse->has_data = false;
    sse->foreign = sse->overlong = false;
}

void
sse_fini(struct sse *sse)
{
    buffer_fini(&sse->line);
    buffer_fini(&sse->data);
}
