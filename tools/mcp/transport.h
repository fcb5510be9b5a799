/* What carries messages to an MCP server and back: a child's pipes, or HTTP.
 *
 * A transport never calls back from inside one of its functions, and nothing
 * after `on_closed`. */
#ifndef TOOLS_MCP_TRANSPORT_H
#define TOOLS_MCP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "tools/mcp/outline.h"
#include "tools/mcp/setup.h"

enum transport_end {
    TRANSPORT_DIED,    /* starting it again may help */
    TRANSPORT_REFUSED, /* somebody has to change something first */
    TRANSPORT_MEMORY,  /* it took more memory than it may */
};

enum transport_failure {
    TRANSPORT_FAILED,       /* the request has no answer and will get none */
    TRANSPORT_UNAUTHORIZED, /* the same, and the server wants other headers */
    TRANSPORT_OVERLONG,     /* its answer is too long, and would be again */
    TRANSPORT_SESSION_LOST, /* the server knows the session no more; the
                             * request was not looked at */
};

/* All [loop]. Texts are valid during the call. */
struct transport_events {
    void *arg;
    /* Bytes of one message, writable, a NUL behind them. */
    void (*on_message)(void *arg, char *bytes, size_t count);
    /* One of `bytes` bytes was skipped: it was longer than allowed, or memory
     * was out. */
    void (*on_overlong)(void *arg, const struct outline *outline, size_t bytes);
    /* The request of that id, as it was sent, failed. */
    void (*on_failure)(void *arg, uint64_t id, enum transport_failure failure,
                       const char *why);
    /* The server is gone for all requests. At most once. */
    void (*on_end)(void *arg, enum transport_end how, const char *why);
    /* It is closed and gone. */
    void (*on_closed)(void *arg);
};

enum transport_order {
    TRANSPORT_ANY,     /* may overtake others */
    TRANSPORT_IN_TURN, /* nothing sent later leaves before it arrived */
};

struct transport;

struct transport_ops {
    void (*send)(struct transport *transport, uint64_t id, char *text,
                 enum transport_order order);
    void (*forget)(struct transport *transport, uint64_t id);
    void (*ready)(struct transport *transport, const char *version);
    void (*restart)(struct transport *transport);
    void (*close)(struct transport *transport);
};

/* The begin of each transport. */
struct transport {
    const struct transport_ops *ops;
};

/* Makes the one that the setup asks for. NULL: `why` says what has to be
 * changed. [loop] */
struct transport *transport_open(uv_loop_t *loop, const struct setup *setup,
                                 const struct transport_events *events,
                                 char *why, size_t why_size);

/* Sends a malloc'ed text, which it takes. `id` is the request's in it, 0: none
 * is. [loop] */
static inline void
transport_send(struct transport *transport, uint64_t id, char *text,
               enum transport_order order)
{
    transport->ops->send(transport, id, text, order);
}

/* Nobody waits for the answer to that request any more. [loop] */
static inline void
transport_forget(struct transport *transport, uint64_t id)
{
    transport->ops->forget(transport, id);
}

/* The server has been told that it is initialized, in this revision (a
 * literal) of the protocol. [loop] */
static inline void
transport_ready(struct transport *transport, const char *version)
{
    transport->ops->ready(transport, version);
}

/* A new session begins with the next message. [loop] */
static inline void
transport_restart(struct transport *transport)
{
    transport->ops->restart(transport);
}

/* Ends the server as the protocol says, at most 5 s; then on_closed comes and
 * it frees itself. [loop] */
static inline void
transport_close(struct transport *transport)
{
    transport->ops->close(transport);
}

#endif
