/* Server-sent events (WHATWG HTML, "Interpreting an event stream"): bytes in,
 * the data of each event out. Names, ids and retry times are skipped, because
 * A2A uses none of them. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_SSE_H
#define TOOLS_PLUGINS_AGENT_SEARCH_SSE_H

#include <stdbool.h>
#include <stddef.h>

/* Takes one event's data, `bytes` of them and a NUL behind; valid during the
 * call. Returns whether to go on. */
typedef bool sse_event_fn(void *arg, const char *data, size_t bytes);

enum sse_verdict {
    SSE_MORE,     /* give it more */
    SSE_ENOUGH,   /* the callback wants no more */
    SSE_TOO_LARGE /* an event or a line beyond the limit, or no memory */
};

struct sse {
    sse_event_fn *on_event;
    void *arg;
    size_t limit_bytes;
    char *line, *data;
    size_t line_bytes, line_room_bytes, data_bytes, data_room_bytes;
    bool has_data;   /* the event has a data line, perhaps an empty one */
    bool after_cr;   /* a line feed now belongs to the last line's end */
    bool first_line; /* it may begin with a byte order mark */
    enum sse_verdict verdict;
};

/* A parser at the stream's begin. No line and no event's data may be larger
 * than limit_bytes. Give it back with sse_fini(). [any] */
void sse_init(struct sse *sse, size_t limit_bytes, sse_event_fn *on_event,
              void *arg);

/* Frees what it holds. [any] */
void sse_fini(struct sse *sse);

/* Takes the next bytes, cut anywhere. After another verdict than SSE_MORE it
 * takes no more and says the same again. An event that the end of the stream
 * cuts off is no event. [any] */
enum sse_verdict sse_feed(struct sse *sse, const char *bytes, size_t n);

#endif
