/* The client of one running MCP server: its handshake, its list of tools, the
 * calls. */
#ifndef TOOLS_MCP_CLIENT_H
#define TOOLS_MCP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "tools/mcp/catalog.h"
#include "tools/mcp/setup.h"
#include "tools/mcp/transport.h"

struct client;

/* All [loop]. Texts and JSON are valid during the call. None comes from inside
 * a function of the client. */
struct client_events {
    void *arg;
    /* The server can be used, its tools are in the catalog. Again after its
     * session was lost. */
    void (*on_ready)(void *arg);
    /* The catalog has become another. */
    void (*on_tools)(void *arg);
    /* A call ended: its result, or else why there is none. */
    void (*on_answer)(void *arg, uint64_t call, const cJSON *result,
                      const char *why);
    void (*on_progress)(void *arg, uint64_t call, const cJSON *params);
    /* The server is gone or unusable; all calls have been answered. Once; then
     * only client_close() makes sense. */
    void (*on_down)(void *arg, enum transport_end how, const char *why);
    void (*on_closed)(void *arg);
};

/* Starts it; what it lists goes into `catalog`. The setup and the catalog must
 * outlive it. NULL: `why` says what has to be changed. For client_close().
 * [loop] */
struct client *client_open(uv_loop_t *loop, const struct setup *setup,
                           struct catalog *catalog,
                           const struct client_events *events, char *why,
                           size_t why_size);

/* Calls a tool by the server's name for it. Returns the call's number; 0 if
 * memory is out or too many are open. [loop] */
uint64_t client_call(struct client *client, const char *name,
                     const cJSON *arguments, bool progress);

/* Tells the server that nobody waits for a call: it is not answered to us any
 * more. [loop] */
void client_cancel(struct client *client, uint64_t call, const char *reason);

/* Ends the server; on_closed comes and it frees itself. Open calls are not
 * answered. [loop] */
void client_close(struct client *client);

#endif
