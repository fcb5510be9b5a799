/* What dead gateways left: whose it was is what the kernel's lock says. */
#ifndef IPC_RING_SWEEP_H
#define IPC_RING_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ipc/status.h"

/* Takes the open object of a dead gateway for removal: until `fd` is closed no
 * gateway and no other remover has it, and to clients it looks as dead as it
 * is. False if somebody does have it. [any] */
bool ring_sweep_take(int fd);

/* Removes the object of that name if no gateway holds it, while holding its
 * lock. VR_OK: the name is free, or was a moment ago; VR_AGAIN: somebody else
 * is at it; VR_BUSY: a living, or stopped, gateway's; VR_DENIED: not ours to
 * open or remove. [any] */
enum vr_status ring_sweep_object(const char *object, char *why,
                                 size_t why_bytes) VR_NODISCARD;

/* Removes whatever has that name, held or not: for a gateway whose ring had it
 * and whose runtime folder's lock says that there is no other. False, with
 * errno, if it cannot. [loop] */
bool ring_sweep_force(const char *object);

/* Whether that is a FIFO of ours or of `owner`. [any] */
bool ring_sweep_is_bell(const char *path, uid_t owner);

/* Removes the doorbell of `session` from the folder if ring_sweep_is_bell(); the caller knows that its ring is dead. True if it did. [any] */
bool ring_sweep_bell(const char *runtime_dir, const char *session, uid_t owner);

#endif
