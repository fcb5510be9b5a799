/* What rings and their doorbells are called, and where gateways keep their
 * sockets. */
#ifndef IPC_RING_NAME_H
#define IPC_RING_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/status.h"

#define RING_INSTANCE_BYTES 49
#define RING_OBJECT_BYTES 128
#define RING_PATH_BYTES PATH_MAX

/* Where POSIX shared memory objects are seen as files. */
#define RING_SHM_DIR "/dev/shm"
#define RING_FILE_BYTES (sizeof RING_SHM_DIR + RING_OBJECT_BYTES)

/* VR_INVALID with the reason unless `session` may be a session's name (see
 * VR_SESSION_MAX). [any] */
enum vr_status ring_name_check(const char *session, char *why,
                               size_t why_bytes) VR_NODISCARD;

/* The instance: `given` if not NULL, or a hash of the canonical path of
 * runtime_dir. VR_INVALID: `given` is not made of letters, digits, '-' and '_';
 * VR_NOT_FOUND: no such folder. [any] */
enum vr_status ring_name_instance(char instance[RING_INSTANCE_BYTES],
                                  const char *given, const char *runtime_dir,
                                  char *why, size_t why_bytes) VR_NODISCARD;

/* "/voxring-INSTANCE.SESSION.in". Both were checked before. [any] */
void ring_name_object(char object[RING_OBJECT_BYTES], const char *instance,
                      const char *session, enum vr_ring ring);

/* "/dev/shm/voxring-INSTANCE.SESSION.in", of that object. [any] */
void ring_name_file(char path[RING_FILE_BYTES], const char *object);

/* "RUNTIME_DIR/SESSION.in.bell"; VR_LIMIT if that is too long. [any] */
enum vr_status ring_name_bell(char path[RING_PATH_BYTES],
                              const char *runtime_dir,
                              const char *session) VR_NODISCARD;

/* The session whose doorbell a file of that name is; false if it is none's.
 * [any] */
bool ring_name_of_bell(char session[VR_SESSION_MAX + 1], const char *file);

/* The place of runtime folder number `index`, in the order in which they are
 * tried: the one named by the environment, the user's, the system's, the one
 * of last resort. False past the last. A place that the environment does not
 * give is "". [any] */
int ring_name_dir(unsigned index, char *path, size_t path_bytes);

#endif
