/* Requests to the gateway that act on a conversation, and their answers. */
#ifndef IPC_WORKER_ASK_H
#define IPC_WORKER_ASK_H

#include "ipc/worker_state.h"

/* An answer with the id "ask-N", N here; takes `result`, NULL for an error.
 * [loop] */
void worker_ask_answered(struct vr_worker *worker, uint64_t id, cJSON *result,
                         int code, const char *message);

/* The gateway is gone: nobody will answer. Under the lock. [any] */
void worker_ask_fail_all(struct vr_worker *worker);

#endif
