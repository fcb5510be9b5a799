/* Who holds a lease, as it says itself: pid and name, for people to read. The
 * lease proper is the kernel's (ring_lock). */
#ifndef IPC_RING_HOLDER_H
#define IPC_RING_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ring_layout.h"

struct ring_holder_card {
    uint32_t pid;
    bool stopped;               /* by SIGSTOP or a debugger */
    char name[RING_NAME_BYTES]; /* printable ASCII, never empty */
};

/* Puts our pid and `name` (NULL: the program's name) there. [any] */
void ring_holder_sign(_Atomic uint32_t *pid, _Atomic uint64_t *name_words,
                      const char *name);

/* Reads what stands there. [any] */
void ring_holder_read(struct ring_holder_card *card, _Atomic uint32_t *pid,
                      _Atomic uint64_t *name_words);

/* Whether the process of that pid is stopped; false if there is none, as with
 * pid 0. [any] */
bool ring_holder_is_stopped(uint32_t pid);

#endif
