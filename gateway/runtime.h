/* The runtime folder, where sockets, doorbells and rings.json live, and who may
 * enter it. Its default path is ring_host_runtime_dir()'s. */
#ifndef GATEWAY_RUNTIME_H
#define GATEWAY_RUNTIME_H

#include <stddef.h>

#include "ipc/status.h"

/* Makes the folder, for the owner only, or, with a `group` (NULL: none), for
 * its members to enter. Its parent must exist. A folder that is there already
 * must be ours, no link, and writable by nobody else. On failure `problem`
 * says what was wrong and what to do. [loop] */
enum vr_status runtime_prepare(const char *path, const char *group,
                               char *problem, size_t problem_size) VR_NODISCARD;

/* Lets the owner only, or the group's members too, connect to the socket of a
 * bound ipc:// endpoint. [loop] */
enum vr_status runtime_share(const char *endpoint, const char *group,
                             char *problem, size_t problem_size) VR_NODISCARD;

/* Makes an ipc:// endpoint's path free to bind: what a dead process left is
 * taken away. VR_BUSY if a process listens there (libzmq would take it over
 * silently), VR_INVALID if the path is no socket. [loop] */
enum vr_status runtime_clear(const char *endpoint, char *problem,
                             size_t problem_size) VR_NODISCARD;

/* Takes the socket of a bound endpoint away, which libzmq leaves behind. Call it
 * before zmq_close(), while the name is surely ours. [loop] */
void runtime_remove(const char *endpoint);

/* Lets this process have as many descriptors as it is allowed to, 65536 at
 * most: libzmq aborts a process that has none left when a client connects, and
 * who may connect may do so again and again. [loop] */
void runtime_raise_descriptors(void);

#endif
