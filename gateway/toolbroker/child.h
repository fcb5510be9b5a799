/* One voxring-toolhost process: its start, its output, its death.
 *
 * It leads a process group of its own, which is killed whole, has /dev/null as
 * standard input, one pipe as standard output and error (read here, line by
 * line, never faster than a bounded rate), a boot pipe as descriptor 3, and no
 * other descriptor. Its environment is a short list of harmless variables, and
 * what its settings add. What it forks dies with it. */
#ifndef GATEWAY_TOOLBROKER_CHILD_H
#define GATEWAY_TOOLBROKER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gateway/config.h"
#include "ipc/status.h"

struct child;
struct child_kin;

struct child_callbacks {
    void *arg;
    /* A line it wrote, control characters and all, without its newline. */
    void (*on_line)(void *arg, const char *line);
    /* So many lines were not told, because there were too many. */
    void (*on_lines_dropped)(void *arg, uint64_t count);
    /* It has ended and `how` says so: "it was killed by signal 11 (...)";
     * `status` is what it exited with, -1 if a signal ended it. */
    void (*on_exit)(void *arg, const char *how, int status);
    /* What child_measure() found. */
    void (*on_measured)(void *arg, const struct child_kin *kin);
    /* The last callback: nothing of it is left. */
    void (*on_closed)(void *arg);
};

/* Borrowed while child_start() runs. */
struct child_options {
    const char *program;
    const char *argument; /* its only one */
    /* "NAME=value", and "NAME" for what is to be passed on; NULL: none */
    const struct config_strings *env;
    const char *boot_json; /* one line, for the boot pipe */
    uint32_t stop_grace_ms;
};

/* Starts one. On failure *child is NULL, `why` holds a sentence, and no
 * callback will come. Callbacks are copied. [loop] */
enum vr_status child_start(struct child **child, uv_loop_t *loop,
                           const struct child_options *options,
                           const struct child_callbacks *callbacks, char *why,
                           size_t why_size) VR_NODISCARD;

/* Asks it to end: closes the boot pipe, SIGTERM, and after the grace SIGKILL.
 * Harmless if it has ended. [loop] */
void child_stop(struct child *child);

/* SIGKILL, at once. [loop] */
void child_kill(struct child *child);

/* Looks for the processes that it has started, where nothing waits, and has
 * on_measured() called, unless the child ends before. Does nothing while it
 * looks already. [loop] */
void child_measure(struct child *child);

/* Its process id, for messages. [loop] */
int child_pid(const struct child *child);

#endif
