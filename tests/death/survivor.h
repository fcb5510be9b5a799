/* Those who live on: processes that read or write from before a death until
 * after it, check every frame, and time every call. */
#ifndef TESTS_DEATH_SURVIVOR_H
#define TESTS_DEATH_SURVIVOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "ipc/voxring.h"
#include "tests/death/board.h"

/* For children: no options but the lane's folder. [any] */
struct vr_options survivor_options(void);

/* A reader of mono audio by ink_fill(), from the next frame on; its word is in
 * `card`. Returns when it is attached. [any] */
pid_t survivor_read(struct card *card, enum vr_ring ring, enum vr_role role);

/* A writer of stereo audio by ink_fill_serial(), which keeps the ring full.
 * Returns when it is attached. [any] */
pid_t survivor_write(struct card *card);

/* Waits until a reader has read up to `position` and sleeps. [any] */
void survivor_settle(const struct card *card, pid_t pid, uint64_t position);

/* Ends it, and waits for its end. Who waits is woken by `wake`. [any] */
void survivor_stop(struct card *card, pid_t pid);

/* A reader's word on the ring with `epoch`, if it is through with it or still
 * there. [any] */
bool survivor_record(const struct card *card, uint64_t epoch,
                     struct ring_record *record);

#endif
