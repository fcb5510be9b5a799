/* Notices that something in one of several folders has changed, whoever
 * changed it and however.
 *
 * The kernel tells at once (inotify). What it does not tell, because the
 * folder did not exist, its queue ran over, or another machine changed a
 * network file system, is found by asking to look now and then. */
#ifndef GATEWAY_TOOLBROKER_FOLDER_WATCH_H
#define GATEWAY_TOOLBROKER_FOLDER_WATCH_H

#include <stddef.h>

#include <uv.h>

#include "ipc/status.h"

struct folder_watch;

/* Watches folders that need not exist; the texts are copied. `on_look` is
 * called from the loop when they should be looked at, each `rescan_ms` at
 * least, `on_closed` once after folder_watch_close(). *watch is NULL on failure
 * (VR_NO_MEMORY); then neither will be called. [loop] */
enum vr_status folder_watch_open(struct folder_watch **watch, uv_loop_t *loop,
                                 const char *const *folders, size_t count,
                                 uint32_t rescan_ms, void (*on_look)(void *arg),
                                 void (*on_closed)(void *arg),
                                 void *arg) VR_NODISCARD;

/* Stops at once and sets *watch to NULL. Accepts NULL inside: then on_closed
 * is not called. [loop] */
void folder_watch_close(struct folder_watch **watch);

#endif
