/* What forked children must not keep: an OFD lock belongs to the open file
 * description, so a child that inherits the descriptor would hold a dead
 * parent's lease.
 *
 * A fork handler closes every registered descriptor in the child. exec closes
 * them too (O_CLOEXEC). A child that runs neither (raw clone) is found out by
 * a page that the kernel wipes in children, or by its pid where the kernel does
 * not, when it first calls. */
#ifndef IPC_RING_FORK_H
#define IPC_RING_FORK_H

#include <stdbool.h>

#define RING_FORK_FDS 2

struct ring_fork {
    struct ring_fork *next, *prev;
    int fd[RING_FORK_FDS]; /* -1: none */
    bool open;             /* registered; `next` belongs to the neighbours */
    bool forked;           /* in a child: everything is closed */
};

/* Between these two no other thread forks, so that a descriptor is opened and
 * registered at once. [any] */
void ring_fork_begin(void);
void ring_fork_end(void);

/* Registers *entry; between begin and end. [any] */
void ring_fork_add(struct ring_fork *entry);

/* Closes the descriptors and forgets *entry. [any] */
void ring_fork_remove(struct ring_fork *entry);

/* Whether this process is a child of the one that opened. Closes what it then
 * holds. No system call in the parent, save getpid where the kernel wipes no
 * pages. [rt] */
bool ring_fork_is_child(const struct ring_fork *entry);

#endif
