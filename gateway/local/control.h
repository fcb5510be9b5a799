/* The control socket: a Unix socket on which tests add faults and ask for
 * statistics while the endpoint runs. */
#ifndef GATEWAY_LOCAL_CONTROL_H
#define GATEWAY_LOCAL_CONTROL_H

#include <stddef.h>
#include <uv.h>

#include "gateway/local/command.h"
#include "gateway/local/jsonlog.h"

struct control;

/* Most clients at once; one more is turned away. */
#define CONTROL_CLIENTS_MAX 16

struct control_config {
    struct command_target target;
    const struct jsonlog *log;
    /* After each line: faults may have changed. */
    void (*on_change)(void *arg);
    void *arg;
};

/* Listens on `path`, mode 0600; a socket that nobody listens on any more is
 * replaced. NULL with the reason in `problem`. [loop] */
struct control *control_new(uv_loop_t *loop, const char *path,
                            const struct control_config *config, char *problem,
                            size_t problem_size);

/* Unlinks the socket and drops the clients; freed by the loop. Accepts NULL
 * inside, NULLs the caller's pointer. [loop] */
void control_stop(struct control **control);

#endif
