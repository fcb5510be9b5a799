/* A text/event-stream, cut into events (WHATWG HTML, 9.2 "Server-sent
 * events"). Sans-IO. */
#ifndef TOOLS_MCP_SSE_H
#define TOOLS_MCP_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/mcp/buffer.h"
#include "tools/mcp/outline.h"

/* A line, and an event's data, may have so many bytes. */
#define SSE_LIMIT_BYTES ((size_t)4 * 1024 * 1024)
#define SSE_ID_BYTES 1024

/* The data of one event of type "message", valid and writable during the
 * call, a NUL behind it; NULL: one of `count` bytes was skipped, for it was
 * longer than allowed or memory was out; `outline` has what was in it. [loop]
 */
typedef void sse_fn(void *arg, char *data, size_t count);

/* Zeroed it is at a stream's begin. */
struct sse {
    struct buffer line;
    struct buffer data;
    char id[SSE_ID_BYTES];      /* the last event's, "" if none had one */
    char next_id[SSE_ID_BYTES]; /* of the event that is being read */
    int64_t retry_ms;           /* that the server asked for; 0: it did not */
    bool begun;                 /* past a byte order mark */
    bool after_cr;
    bool has_data;
    bool foreign; /* an event of another type */
    /* the event is being skipped, with so many bytes of data till now */
    bool overlong;
    size_t data_bytes;
    struct outline outline;
    /* the line is; it is one of data */
    bool long_line;
    bool long_data;
};

/* Takes bytes; `on_event` comes for each event that ends in them, and must not
 * free the parser. [loop] */
void sse_feed(struct sse *sse, const char *bytes, size_t count,
              sse_fn *on_event, void *arg);

/* The stream ended: what is half read is dropped; `id` and `retry_ms` stay for
 * the stream that follows. [loop] */
void sse_end(struct sse *sse);

/* Frees what is in it. [any] */
void sse_fini(struct sse *sse);

#endif
