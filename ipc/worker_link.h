/* The worker's connection: hello, heartbeat, what comes and goes. */
#ifndef IPC_WORKER_LINK_H
#define IPC_WORKER_LINK_H

#include "ipc/worker_state.h"

/* Makes socket, descriptors and what one waits on. VR_SYSTEM with errno, or
 * VR_INVALID for an endpoint that is none. [any] */
enum vr_status worker_link_open(struct vr_worker *worker) VR_NODISCARD;

/* Waits until until_ns (UINT64_MAX: for ever, 0: not at all) for something to
 * do, and does it; calls are noted, not run. VR_AGAIN if a signal handler ran.
 * [loop] */
enum vr_status worker_link_turn(struct vr_worker *worker, uint64_t until_ns);

/* Sends what waits, without waiting. [loop] */
void worker_link_flush(struct vr_worker *worker);

/* Says goodbye if there is somebody to say it to, and closes. In a forked child
 * only descriptors of its own. [loop] */
void worker_link_close(struct vr_worker *worker);

/* The first line of the token file, the caller's by free(). VR_NOT_FOUND or
 * VR_INVALID, with a sentence. [any] */
enum vr_status worker_link_read_token(const char *path, char **token, char *why,
                                      size_t why_bytes) VR_NODISCARD;

#endif
