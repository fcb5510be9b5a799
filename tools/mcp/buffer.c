#include "tools/mcp/buffer.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_BYTES 256
#define KEPT_BYTES ((size_t)64 * 1024)

static bool
reserve(struct buffer *buffer, size_t bytes)
{
    size_t capacity = buffer->capacity ? buffer->capacity : LEAST_BYTES;
    char *larger;

    while (capacity < bytes)
        capacity *= 2;
    if (capacity == buffer->capacity)
        return true;
    larger = realloc(buffer->bytes, capacity);
    if (!larger)
        return false;
    buffer->bytes = larger;
    buffer->capacity = capacity;
    return true;
}

bool
buffer_add(struct buffer *buffer, const char *bytes, size_t count)
{
    if (!reserve(buffer, buffer->count + count + 1))
        return false;
    if (count > 0)
        memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
    buffer->bytes[buffer->count] = '\0';
    return true;
}

void
buffer_clear(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES)
        buffer_fini(buffer);
    buffer->count = 0;
}

void
buffer_fini(struct buffer *buffer)
{
    free(buffer->bytes);
    memset(buffer, 0, sizeof *buffer);
}
