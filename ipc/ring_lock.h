/* Leases by the kernel: locks on single bytes of a ring's object that belong
 * to an open file description (F_OFD_SETLK) and so end with its last
 * descriptor, however its process ends. */
#ifndef IPC_RING_LOCK_H
#define IPC_RING_LOCK_H

#include <stdbool.h>

/* Takes the lock on byte `at`, without waiting. True if it is ours now.
 * [any] */
bool ring_lock_take(int fd, long at);

/* Keeps everybody from taking byte `at`, without seeming to hold it. True if
 * nobody holds it. [any] */
bool ring_lock_bar(int fd, long at);

/* Gives back all that the open file description of `fd` holds, also where a
 * child that was just forked still has a copy of the descriptor. [any] */
void ring_lock_free(int fd);

/* Whether anybody else's open file description holds byte `at`. True also when
 * that cannot be found out. [any] */
bool ring_lock_held(int fd, long at);

/* How many of the `count` bytes from `at` on are held by others. [any] */
unsigned ring_lock_count(int fd, long at, unsigned count);

#endif
