/* The bridge's end at the gateway: a worker as tools/README.md describes it. */
#ifndef TOOLS_MCP_WORKER_H
#define TOOLS_MCP_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <uv.h>

struct worker;

/* All [loop]. Ids and tokens are JSON texts; everything is valid during the
 * call. */
struct worker_events {
    void *arg;
    void (*on_list)(void *arg, const char *id);
    /* `token` NULL: nobody wants to hear of progress. */
    void (*on_call)(void *arg, const char *id, const char *name,
                    const cJSON *arguments, const char *token);
    void (*on_cancel)(void *arg, const char *id, const char *reason);
    /* The gateway does not want this worker. Once. */
    void (*on_refused)(void *arg, const char *why);
    void (*on_closed)(void *arg);
};

/* Connects; says nothing yet. `token` NULL: none. A `remote` one, which is
 * nobody's child, shows each second that it lives, and says hello again
 * whenever the gateway does not know it. Texts must outlive it. NULL: `why`
 * says why not. For worker_close(). [loop] */
struct worker *worker_open(uv_loop_t *loop, const char *endpoint,
                           const char *name, const char *token, bool remote,
                           const struct worker_events *events, char *why,
                           size_t why_size);

/* Says hello; `refusal` NULL, or why there are no tools. [loop] */
void worker_hello(struct worker *worker, const char *refusal);

/* Sends a malloc'ed text, which it takes; NULL is ignored. [loop] */
void worker_send(struct worker *worker, char *text);

/* The same, if not too much waits; false: it was freed. [loop] */
bool worker_try(struct worker *worker, char *text);

/* Sends what waits, as far as it goes at once, and closes; a remote one says
 * goodbye. on_closed comes and it frees itself. [loop] */
void worker_close(struct worker *worker);

#endif
