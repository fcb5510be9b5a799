#include "gateway/local/bytes.h"

#include <stdlib.h>
#include <string.h>

void
bytes_init(struct bytes *bytes, size_t limit)
{
    *bytes = (struct bytes){.limit = limit};
}

void
bytes_fini(struct bytes *bytes)
{
    free(bytes->data);
    bytes_init(bytes, bytes->limit);
}

void
bytes_clear(struct bytes *bytes)
{
    bytes->count = 0;
    bytes->failed = false;
}

uint8_t *
bytes_reserve(struct bytes *bytes, size_t count)
{
    if (bytes->failed || count > bytes->limit - bytes->count) {
        bytes->failed = true;
        return NULL;
    }
    size_t need = bytes->count + count;
    if (need > bytes->capacity || bytes->data == NULL) {
        size_t capacity = bytes->capacity ? bytes->capacity : 256;
        while (capacity < need)
            capacity *= 2;
        uint8_t *data = realloc(bytes->data, capacity);
        if (data == NULL) {
            bytes->failed = true;
            return NULL;
        }
        bytes->data = data;
        bytes->capacity = capacity;
    }
    return bytes->data + bytes->count;
}

bool
bytes_add(struct bytes *bytes, const void *data, size_t count)
{
    uint8_t *room = bytes_reserve(bytes, count);
    if (room == NULL)
        return false;
    if (count > 0)
        memcpy(room, data, count);
    bytes->count += count;
    return true;
}

bool
bytes_add_text(struct bytes *bytes, const char *text)
{
    return bytes_add(bytes, text, strlen(text));
}

void
bytes_drop(struct bytes *bytes, size_t count)
{
    if (count > bytes->count)
        count = bytes->count;
    if (count == 0)
        return;
    memmove(bytes->data, bytes->data + count, bytes->count - count);
    bytes->count -= count;
}
