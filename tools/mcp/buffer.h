/* Bytes that grow, up to what their owner lets in. */
#ifndef TOOLS_MCP_BUFFER_H
#define TOOLS_MCP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed it is empty. After a byte was added, bytes[count] is a NUL. */
struct buffer {
    char *bytes;
    size_t count;
    size_t capacity;
};

/* Adds `count` bytes; false, with nothing added, when memory is out. [any] */
bool buffer_add(struct buffer *buffer, const char *bytes, size_t count);

/* Empties it; gives memory back if it holds much. [any] */
void buffer_clear(struct buffer *buffer);

/* Frees what is in it and leaves it empty. [any] */
void buffer_fini(struct buffer *buffer);

#endif
