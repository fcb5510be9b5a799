/* One HTTP request to an MCP server and what comes back for it: JSON, a stream
 * of events, or an error. */
#ifndef TOOLS_MCP_EXCHANGE_H
#define TOOLS_MCP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>
#include <uv.h>

#include "tools/mcp/buffer.h"
#include "tools/mcp/headers.h"
#include "tools/mcp/sse.h"

#define EXCHANGE_SESSION_BYTES 256

enum exchange_kind {
    EXCHANGE_POST,
    EXCHANGE_LISTEN, /* GET: what the server says by itself */
    EXCHANGE_DELETE, /* the session's end */
};

enum exchange_type {
    EXCHANGE_OTHER,
    EXCHANGE_JSON,
    EXCHANGE_STREAM,
};

struct exchange {
    struct exchange *next;
    void *owner;
    enum exchange_kind kind;
    uint64_t id; /* the request in it; 0: none */
    char *text;  /* what is posted */
    bool in_turn;
    bool answered; /* nobody waits for it any more */
    bool closing;
    bool had_session; /* it was sent in one */
    unsigned attempts;
    uv_timer_t timer; /* when to go on with a stream that broke off, or to
                       * break one off */
    /* the transfer; NULL between two of them */
    CURL *easy;
    struct headers headers;
    /* what came */
    enum exchange_type type;
    bool overlong;
    char session[EXCHANGE_SESSION_BYTES];
    struct buffer inbox;
    struct sse sse;
};

/* What goes along with each request. */
struct exchange_terms {
    const char *url;
    const char *headers_file; /* NULL: none */
    const char *session;      /* "": none */
    const char *version;      /* of the protocol; NULL: not agreed on yet */
};

/* Makes its transfer, ready to be started. False: `why` says why not. [loop]
 */
bool exchange_prepare(struct exchange *exchange,
                      const struct exchange_terms *terms, char *why,
                      size_t why_size);

/* The status of the answer so far; 0: there is none yet. [loop] */
long exchange_status(const struct exchange *exchange);

/* What to tell about an answer that is none, or about how the connection
 * failed. [loop] */
void exchange_explain(struct exchange *exchange, CURLcode code, char *why,
                      size_t why_size);

/* Frees the transfer, which must have been stopped, and what it got, but not
 * where in a stream of events it stands. [loop] */
void exchange_reset(struct exchange *exchange);

/* Frees it, whose timer must be closed. [loop] */
void exchange_free(struct exchange **exchange);

#endif
