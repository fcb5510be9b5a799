/* Bytes of a pipe, cut into lines. Sans-IO. */
#ifndef TOOLS_MCP_LINES_H
#define TOOLS_MCP_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/mcp/buffer.h"
#include "tools/mcp/outline.h"

/* One line without its end, valid and writable during the call, a NUL behind
 * it; NULL: one of `count` bytes was skipped, for it was longer than allowed or
 * memory was out; `outline` has what was in it. [loop] */
typedef void lines_fn(void *arg, char *line, size_t count);

/* Zeroed but for `limit_bytes` it is ready. */
struct lines {
    size_t limit_bytes;
    struct buffer line;
    size_t bytes; /* of the line so far */
    bool skipping;
    struct outline outline; /* of the line that is being skipped */
};

/* Takes bytes; `on_line` comes for each line that ends in them, and must not
 * free the lines. [loop] */
void lines_feed(struct lines *lines, const char *bytes, size_t count,
                lines_fn *on_line, void *arg);

/* Frees what is in it. [any] */
void lines_fini(struct lines *lines);

#endif
