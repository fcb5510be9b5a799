/* Sentences about errors: what was wrong, where, and what to do. */
#ifndef IPC_RING_WHY_H
#define IPC_RING_WHY_H

#include <stddef.h>

#include "ipc/status.h"

/* Writes a sentence to `why`, cut to fit (NULL or 0 bytes: nowhere), and
 * returns `status`, so that a failure is one statement. [any] */
enum vr_status ring_why(char *why, size_t why_bytes, enum vr_status status,
                        const char *format, ...) VR_PRINTF(4, 5);

#endif
