/* The end of a process at a chosen point: at a step of the ring (ring_step()),
 * at an instruction, or at any time. */
#ifndef TESTS_DEATH_DOOM_H
#define TESTS_DEATH_DOOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DOOM_STEPS 64

/* The nth time (from 1) that an operation passes the step `name`. */
struct doom_step {
    const char *name;
    unsigned nth;
};

struct doom_list {
    unsigned count;
    struct doom_step step[DOOM_STEPS];
};

/* Called by the dying, right before SIGKILL. */
typedef void doom_last_fn(void);

/* From now on, steps are written down in *list (shared memory). [any] */
void doom_record(struct doom_list *list);

/* From now on, this process kills itself at *step. [any] */
void doom_at(const struct doom_step *step, doom_last_fn *last);

/* Steps are nothing again, as they are at first. [any] */
void doom_off(void);

/* Calls `hook` at every step of any thread, or of none (NULL). [any] */
typedef void doom_hook_fn(const char *name);
void doom_hook(doom_hook_fn *hook);

/* Whether an operation that died at *step had passed `name`. [any] */
bool doom_passed(const struct doom_list *list, const struct doom_step *step,
                 const char *name);

/* Waits for the end. True if it was SIGKILL; false if the child exited with 0,
 * not having reached its step. Anything else fails the lane. [any] */
bool doom_reap(pid_t pid);

/* SIGKILL after delay_ns, then as doom_reap(). [any] */
void doom_kill_after(pid_t pid, uint64_t delay_ns);

/* For the child: stops, to be run instruction by instruction from here, and
 * called again where the operation is over. [any] */
void doom_trace_mark(void);

enum doom_trace { DOOM_TRACED, DOOM_TOO_SHORT, DOOM_NO_PTRACE };

/* Runs a child, which calls doom_trace_mark(), by `instructions` and kills it
 * there, or at the end of the operation if it has fewer. [any] */
enum doom_trace doom_kill_at(pid_t pid, unsigned instructions);

#endif
