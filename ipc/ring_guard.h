/* What survives SIGBUS: the mappings of rings, in a process that installed the
 * guard (vr_guard_install() in voxring.h). */
#ifndef IPC_RING_GUARD_H
#define IPC_RING_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Enters a mapping: SIGBUS in it, where the guard is installed, before or
 * after, puts private zeros in its place and sets *bus_error, which must live
 * until ring_guard_drop(). False when there are too many. [any] */
bool ring_guard_add(void *pages, size_t bytes, atomic_bool *bus_error);

/* Before the mapping goes. [any] */
void ring_guard_drop(const void *pages);

#endif
