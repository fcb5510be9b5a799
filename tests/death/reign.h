/* The time of one gateway: it hosts both rings of a session for the survivors
 * of the gateway before, proves that everything works, that nothing was left,
 * and that the loss is what the survivors have counted. */
#ifndef TESTS_DEATH_REIGN_H
#define TESTS_DEATH_REIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/ring_host.h"

/* Cards of the board. */
enum { REIGN_PLAYER, REIGN_OTHER, REIGN_WRITER, REIGN_SURVIVORS };
extern pid_t reign_survivors[REIGN_SURVIVORS];

/* What is known of the out ring of the gateway before. */
struct reign_past {
    uint64_t epoch, first, head, writing, flushes, flushing;
    bool rushed;
};

struct reign {
    struct ring_host *in, *out;
    struct reign_past past;
    uint64_t in_began;  /* of the object, if it was re-created */
    bool may_jump;      /* the next frames read need not follow the last */
    uint64_t in_frames; /* read */
};

/* Sweeps, makes both rings and the index: all that a gateway does before it can
 * serve. [any] */
void reign_start(struct reign *reign);

/* Says that it can, and what it has. [any] */
void reign_up(struct reign *reign);

/* Both of these, timed, after a look at what the last gateway said. [any] */
void reign_begin(struct reign *reign);

/* A round of more than both rings hold, with all survivors: every frame right
 * and in order; then a flush; then the accounts, and what is left in /dev/shm
 * and in the runtime folder. Now and then both rings are re-created, too, and
 * the round is played again. [any] */
void reign_prove(struct reign *reign);

/* All survivors have all, and sleep. [any] */
void reign_settle(struct reign *reign);

/* One operation each; what is said about it is on the board. [any] */
void reign_arm(struct reign *reign);
size_t reign_read(struct reign *reign);
void reign_write(struct reign *reign);
void reign_flush(struct reign *reign);
void reign_recreate(struct reign *reign);
void reign_close(struct reign *reign);

#endif
