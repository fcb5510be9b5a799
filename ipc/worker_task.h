/* The calls that a worker has, from tools/call to the answer. */
#ifndef IPC_WORKER_TASK_H
#define IPC_WORKER_TASK_H

#include "ipc/worker_state.h"

/* Takes a tools/call with `id` (JSON), or answers why not. [loop] */
void worker_task_add(struct vr_worker *worker, const char *id,
                     const cJSON *params);

/* notifications/cancelled for `id`. [loop] */
void worker_task_cancel(struct vr_worker *worker, const char *id);

/* Gives back every call not begun. [loop] */
void worker_task_drain(struct vr_worker *worker);

/* Nobody waits for any of them: the gateway is gone. Under the lock. [any] */
void worker_task_orphan_all(struct vr_worker *worker);

/* Runs the oldest call that may run now; false if there is none. [any] */
bool worker_task_run(struct vr_worker *worker);

/* A thread of the library: runs calls until closing; arg is the worker.
 * [any] */
void *worker_task_main(void *arg);

/* The progressToken of an open call as JSON, the caller's by free(); NULL if it
 * is over. [any] */
char *worker_task_name(struct vr_worker *worker, uint64_t token);

/* Frees all. [any] */
void worker_task_fini(struct vr_worker *worker);

#endif
