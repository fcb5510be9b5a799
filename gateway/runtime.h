/* The runtime folder: where sockets, doorbells and rings.json live.
 *
 * $XDG_RUNTIME_DIR/voxring, or /run/voxring as root, or /tmp/voxring-UID. */
#ifndef GATEWAY_RUNTIME_H
#define GATEWAY_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

/* Writes the default folder. VR_LIMIT if it does not fit. [any] */
enum vr_status runtime_default(char *path, size_t path_size) VR_NODISCARD;

/* Makes the folder (its parents must exist) with mode 0700, or, when `mode`
 * lets others than the owner in, 0710 or 0711, and gives it to `group` (NULL:
 * the owner's own). An existing folder must be ours, no link, and writable by
 * nobody else; `problem` says what was wrong and what to do. [loop] */
enum vr_status runtime_prepare(const char *path, const char *group,
                               uint32_t mode, char *problem,
                               size_t problem_size) VR_NODISCARD;

/* Gives a bound ipc:// endpoint's socket the permission bits `mode` and the
 * group. [loop] */
enum vr_status runtime_share(const char *endpoint, const char *group,
                             uint32_t mode, char *problem,
                             size_t problem_size) VR_NODISCARD;

#endif
