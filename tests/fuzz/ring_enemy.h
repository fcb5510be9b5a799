/* Everything that a process with the gateway's uid can do to a ring from
 * outside. */
#ifndef TESTS_FUZZ_RING_ENEMY_H
#define TESTS_FUZZ_RING_ENEMY_H

#include "tests/fuzz/input.h"
#include "tests/fuzz/ring_ground.h"

struct enemy {
    char object[GROUND_PATH_BYTES]; /* in /dev/shm */
    char bell[GROUND_PATH_BYTES];   /* "" on `out` */
    int fd;                         /* -1: none */
    int bell_fd;
    uint64_t head; /* where the ring is, for values close to it */
    uint64_t first;
};

/* Turns on the ring `ring` of GROUND_SESSION. */
void enemy_begin(struct enemy *enemy, enum vr_ring ring);

/* Closes what it holds, and so frees its locks. */
void enemy_end(struct enemy *enemy);

/* One hostile act, as the input says. */
void enemy_act(struct enemy *enemy, struct input *in);

/* Takes away what cannot be taken away by the gateway: folders where files
 * should be. */
void enemy_clear_folders(const struct enemy *enemy);

/* A thread that writes hostile values all the time, seeded from the input. */
void enemy_hammer_start(struct enemy *enemy, struct input *in);
void enemy_hammer_stop(void);

#endif
