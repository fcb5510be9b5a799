/* The tools that a worker offers. */
#ifndef IPC_WORKER_OFFER_H
#define IPC_WORKER_OFFER_H

#include "ipc/worker_state.h"

/* True if it is 1 to 64 of A-Z a-z 0-9 _ -. [any] */
bool worker_offer_is_name(const char *name);

/* By name, or NULL. Under the lock. [any] */
struct worker_offer *worker_offer_find(struct vr_worker *worker,
                                       const char *name);

/* The result of tools/list, the caller's by free(). Under the lock. [any] */
char *worker_offer_list(struct vr_worker *worker);

/* Frees all. [any] */
void worker_offer_fini(struct vr_worker *worker);

#endif
