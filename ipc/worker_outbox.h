/* From any thread to the one that steps. */
#ifndef IPC_WORKER_OUTBOX_H
#define IPC_WORKER_OUTBOX_H

#include "ipc/worker_state.h"

/* Takes a malloc'ed message (NULL: nothing) and wakes the stepper. Under the
 * lock. [any] */
void worker_outbox_put(struct vr_worker *worker, char *text);

/* The same for what may be lost: dropped when many wait, or when no gateway is
 * there. Under the lock. [any] */
void worker_outbox_try(struct vr_worker *worker, char *text);

/* Takes the oldest message, the caller's by free(); NULL: none. Under the
 * lock. [any] */
char *worker_outbox_take(struct vr_worker *worker);

/* Puts it back at the front. Under the lock. [any] */
void worker_outbox_return(struct vr_worker *worker, char *text);

/* Forgets all. Under the lock. [any] */
void worker_outbox_clear(struct vr_worker *worker);

/* Ends the stepper's wait. Safe in a signal handler. [any] */
void worker_outbox_wake(const struct vr_worker *worker);

#endif
