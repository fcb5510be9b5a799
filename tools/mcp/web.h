/* libcurl's transfers on libuv's loop. */
#ifndef TOOLS_MCP_WEB_H
#define TOOLS_MCP_WEB_H

#include <stdbool.h>

#include <curl/curl.h>
#include <uv.h>

struct web;

/* Unlike libcurl's own callbacks these may start and stop transfers. [loop] */
struct web_events {
    void *arg;
    /* Transfers may have got bytes. */
    void (*on_bytes)(void *arg);
    /* The transfer is over and no longer one of ours. */
    void (*on_done)(void *arg, CURL *easy, CURLcode code);
    void (*on_closed)(void *arg);
};

/* NULL when memory is out; for web_close(). [loop] */
struct web *web_open(uv_loop_t *loop, const struct web_events *events);

/* Begins a transfer, whose handle stays the caller's. False: it cannot. [loop]
 */
bool web_start(struct web *web, CURL *easy);

/* Breaks a transfer off; nothing happens if there is none. Not in a callback of
 * libcurl. [loop] */
void web_stop(struct web *web, CURL *easy);

/* Ends it; on_closed comes and it frees itself. All transfers must have been
 * stopped. [loop] */
void web_close(struct web *web);

#endif
