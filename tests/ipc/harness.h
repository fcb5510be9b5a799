/* What the ring tests share: a gateway folder that nobody else has, known
 * audio, and peers in processes of their own. */
#ifndef TESTS_IPC_HARNESS_H
#define TESTS_IPC_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/ring_host.h"
#include "ipc/voxring.h"

#define HARNESS_FRAMES 4096
#define HARNESS_DIR_BYTES 64

/* The runtime folder of this test, made by harness_up(). */
extern char harness_dir[HARNESS_DIR_BYTES];

/* cmocka set-up and tear-down of a group: the folder, and after the tests no
 * process, object or file is left, whatever failed. */
int harness_up(void **state);
int harness_down(void **state);

/* A host ring with HARNESS_FRAMES frames, or as many as `frames` (0). Fails
 * the test if that does not work. */
struct ring_host *harness_host(const char *session, enum vr_ring ring,
                               uint32_t rate_hz, uint32_t channels,
                               uint64_t frames);

/* A millisecond, in loops around what has no event to wait for. */
void harness_pause(void);

/* All-zero options but for the runtime folder. */
struct vr_options harness_options(void);

/* Fails the test if it cannot be opened. */
struct vr_writer *harness_writer(const char *session);
struct vr_reader *harness_reader(const char *session, enum vr_ring ring,
                                 enum vr_role role, enum vr_start start);

/* The sample of `channel` at `position`: another one in each lap. */
int16_t harness_sample(uint64_t position, uint32_t channel);

/* Fills `samples` with the frames from `position` on. */
void harness_fill(int16_t *samples, uint64_t position, size_t frames,
                  uint32_t channels);

/* How many leading frames are as harness_fill() makes them. */
size_t harness_right(const int16_t *samples, uint64_t position, size_t frames,
                     uint32_t channels);

/* Whether the process has that object in its memory. */
bool harness_maps(pid_t pid, const char *object);

/* A peer_ring process: one line to it, one line back. */
struct peer {
    pid_t pid;
    int to, from;
    char reply[1024];
};

/* Starts one, in harness_dir. Fails the test if it does not answer. */
struct peer *peer_start(void);

/* Starts another program that speaks as peer_ring does; its path is relative
 * to the test's own folder. */
struct peer *peer_start_program(const char *program);

/* Sends a command and returns its reply, which lives until the next. */
const char *peer_ask(struct peer *peer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sends a command whose reply is not awaited; later, awaits it. */
void peer_tell(struct peer *peer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *peer_hear(struct peer *peer);

/* kill(2), then, if it is SIGKILL, waits for the end and forgets the peer; if
 * it is SIGSTOP, waits until it has stopped. */
void peer_kill(struct peer **peer, int signal);

/* Ends it in order. */
void peer_end(struct peer **peer);

#endif
