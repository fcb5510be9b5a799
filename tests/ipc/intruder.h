/* What a hostile process of the same user has of a ring: the object and the
 * doorbell, by name, and the object's header in its memory. Each fails the test
 * if it does not work. */
#ifndef TESTS_IPC_INTRUDER_H
#define TESTS_IPC_INTRUDER_H

#include "ipc/ring_layout.h"
#include "tests/ipc/harness.h"

#define INTRUDER_PATH_BYTES 128

/* The object as a file. */
void intruder_object(const struct ring_host *host,
                     char path[INTRUDER_PATH_BYTES]);

/* The doorbell of a session of the test's folder. */
void intruder_bell(const char *session, char path[INTRUDER_PATH_BYTES]);

/* The header, mapped; ends with intruder_unmap(). */
struct ring_layout *intruder_map(const struct ring_host *host);
void intruder_unmap(struct ring_layout *layout);

void intruder_truncate(const struct ring_host *host, long bytes);

/* Takes the pages of `bytes` bytes from `at` on away, and leaves the length. */
void intruder_punch(const struct ring_host *host, long at, long bytes);

#endif
