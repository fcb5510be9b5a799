/* Rings of a gateway, in this process or in one of its own that can be
 * killed. */
#ifndef TESTS_CLI_HOSTED_H
#define TESTS_CLI_HOSTED_H

#include <sys/types.h>

#include "ipc/ring_host.h"
#include "ipc/ring_layout.h"

#define HOSTED_RATE_HZ 16000

/* Hosts a ring of `session` in program_dir. */
struct ring_host *hosted_ring(const char *session, enum vr_ring ring,
                              uint64_t frames);

/* A process that hosts both rings of `session`, which hold the sine, and does
 * nothing more. Ended by hosted_end(). */
pid_t hosted_process(const char *session);

/* kill(2); SIGKILL waits for the end, SIGSTOP until it is stopped. */
void hosted_kill(pid_t pid, int number);

/* Ends every process of hosted_process(), and removes what was left in
 * program_dir's instance; a cmocka tear-down. */
int hosted_end(void **state);

/* Samples of half of full scale: a peak of -6.0 dBFS and -9.0 dBFS RMS over
 * any whole number of milliseconds. */
void hosted_sine(int16_t *samples, size_t frames);

/* The header of a ring, mapped as a peer would; until hosted_unmap(). */
struct ring_layout *hosted_map(const char *object);
void hosted_unmap(struct ring_layout *layout);

/* "/voxring-INSTANCE.SESSION.in" of program_dir, until the fourth call after
 * it. */
const char *hosted_name(const char *session, enum vr_ring ring);

#endif
