/* HTTP with an agent: one request at a time, which can be stopped, whose answer
 * is bounded, and which may be a stream of server-sent events. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_EXCHANGE_H
#define TOOLS_PLUGINS_AGENT_SEARCH_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/plugins/agent_search/headers.h"
#include "tools/plugins/agent_search/sse.h"

struct exchange;

/* Whether the request is to be given up. */
typedef bool exchange_stop_fn(void *arg);

struct exchange_request {
    const char *url;
    const char *body;              /* JSON to post; NULL: a GET */
    const struct headers *headers; /* NULL: none of the agent's */
    const char *ca_file;           /* NULL: the system's */
    const char *version;           /* A2A-Version */
    uint64_t deadline_ns;          /* CLOCK_MONOTONIC */
    exchange_stop_fn *is_stopped;  /* asked five times a second; NULL: never */
    sse_event_fn *on_event;        /* NULL: takes no stream */
    void *arg;                     /* of both */
};

enum exchange_end {
    EXCHANGE_DONE,    /* an answer; look at its status */
    EXCHANGE_ENOUGH,  /* on_event wanted no more */
    EXCHANGE_STOPPED, /* is_stopped said so */
    EXCHANGE_LATE,    /* the deadline has passed */
    EXCHANGE_FAILED   /* no whole answer: see why */
};

struct exchange_response {
    enum exchange_end end;
    long status;     /* HTTP's; 0 if none came */
    bool is_stream;  /* it was events, which on_event got */
    unsigned events; /* how many of them */
    char *body;      /* what was no stream, ended by a NUL; NULL if empty */
    size_t body_bytes;
    char why[200]; /* for EXCHANGE_FAILED, the end of a sentence */
};

/* A client with its own connections, for one thread. NULL without memory. The
 * caller's to exchange_free(). [any] */
struct exchange *exchange_new(void);

/* Closes its connections; NULLs the caller's pointer. [any] */
void exchange_free(struct exchange **exchange);

/* Does a request and waits for its end. The response is the caller's to
 * exchange_response_fini(). Redirections are not followed. [any] */
void exchange_run(struct exchange *exchange,
                  const struct exchange_request *request,
                  struct exchange_response *response);

/* Frees what is in it. [any] */
void exchange_response_fini(struct exchange_response *response);

/* Nanoseconds of CLOCK_MONOTONIC. [any] */
uint64_t exchange_now_ns(void);

#endif
