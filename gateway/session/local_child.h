/* voxring-local as a child of voxringd, for --local: started with fresh
 * credentials that nobody else knows, and found by the line it prints. */
#ifndef GATEWAY_SESSION_LOCAL_CHILD_H
#define GATEWAY_SESSION_LOCAL_CHILD_H

#include <stddef.h>
#include <uv.h>

#include "gateway/bedrock/credentials.h"

struct local_child;

struct local_child_config {
    uv_loop_t *loop;
    const char *program;    /* path of voxring-local */
    const char *state_dir;  /* for its certificate; exists */
    const char *script;     /* NULL: its built-in one */
    const char *ear;        /* none, script, real; NULL: its default */
    const char *time_scale; /* NULL: real time */
    const char *port;       /* NULL: any */
};

struct local_child_ops {
    /* It listens; `endpoint` and `ca_file` live as long as the child. */
    void (*on_listening)(void *arg, const char *endpoint, const char *ca_file);
    /* It ended, or could not start: `why` is a sentence. Not after
     * local_child_stop(). */
    void (*on_exit)(void *arg, const char *why);
};

/* Starts it. NULL on failure, `problem` says why. [loop] */
struct local_child *local_child_start(const struct local_child_config *config,
                                      const struct local_child_ops *ops,
                                      void *arg, char *problem,
                                      size_t problem_size);

/* What the endpoint expects. Lives as long as the child. [loop] */
const struct credentials *local_child_credentials(const struct local_child *c);

/* Ends it; its handles close on the loop, which must turn until then. Accepts
 * NULL inside. [loop] */
void local_child_stop(struct local_child **child);

#endif
