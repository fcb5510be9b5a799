/* What the ring's fuzzers share: the input as a program, and everything that
 * a process with the gateway's uid can do to a ring from outside. */
#ifndef TESTS_FUZZ_RING_ENEMY_H
#define TESTS_FUZZ_RING_ENEMY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/voxring.h"

#define ENEMY_PATH_BYTES 192
#define ENEMY_CAPACITY 1024u /* the smallest ring there is */
#define ENEMY_RATE_HZ 8000u
#define ENEMY_SESSION "s"
#define ENEMY_NS_PER_MS UINT64_C(1000000)

/* Ends the run, with the place, unless `what` holds. */
#define must(what)                                 \
    do {                                           \
        if (!(what))                               \
            enemy_fail(__FILE__, __LINE__, #what); \
    } while (0)

_Noreturn void enemy_fail(const char *file, int line, const char *what);

/* ---- the input --------------------------------------------------------- */

struct input {
    const uint8_t *data;
    size_t left;
    uint64_t tail; /* what goes on behind the end, if tail_left */
    size_t tail_left;
};

/* Takes two bytes of the input as the seed of a random tail, if they are odd:
 * then a short input is a long program, too. */
struct input input_begin(const uint8_t *data, size_t bytes);

/* Whether there is more than zeros to come. */
bool input_more(const struct input *in);

/* The next bytes; zeros behind the end. */
uint8_t input_8(struct input *in);
uint16_t input_16(struct input *in);
uint64_t input_64(struct input *in);

/* ---- the runtime folder ------------------------------------------------ */

/* Makes this process' runtime folder (removed at exit) and installs the SIGBUS
 * guard over the fuzzer's own handlers, at the first call; takes away what the
 * last input left. Returns the folder. */
const char *enemy_up(void);

/* Of that folder. */
const char *enemy_instance(void);

/* ---- the enemy --------------------------------------------------------- */

struct enemy {
    char object[ENEMY_PATH_BYTES]; /* in /dev/shm */
    char bell[ENEMY_PATH_BYTES];   /* "" on `out` */
    int fd;                        /* -1: none */
    int bell_fd;
    uint64_t head; /* where the ring is, for values close to it */
    uint64_t first;
};

/* Turns on the ring `ring` of ENEMY_SESSION. */
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

/* ---- known audio ------------------------------------------------------- */

/* The sample at a position: another one in each lap. */
int16_t audio_sample(uint64_t position);

/* Fills, and compares. */
void audio_fill(int16_t *samples, uint64_t position, size_t frames);
bool audio_right(const int16_t *samples, uint64_t position, size_t frames);

#endif
