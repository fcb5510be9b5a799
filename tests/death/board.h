/* What the processes of a lane tell each other, in memory that they share. */
#ifndef TESTS_DEATH_BOARD_H
#define TESTS_DEATH_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "tests/death/doom.h"

#define BOARD_CARDS 3
#define BOARD_RINGS 16

/* What a reader made of one ring object, from its first to its last frame. */
struct ring_record {
    uint64_t epoch, first, end, read, lost, skipped, flushes;
};

/* One survivor's. It writes all but stop, until and news_ns. */
struct card {
    _Atomic uint32_t waiting; /* in vr_wait(), or near it */
    _Atomic uint32_t stop;
    _Atomic uint64_t until;    /* end there; 0: at stop */
    _Atomic uint64_t news_ns;  /* what it waits for came then; 0: not yet */
    _Atomic uint64_t worst_ns; /* its longest stall since the lane asked */
    _Atomic uint64_t epoch,
        position; /* of the ring it has now; epoch 0: none */

    /* A reader's. records[n % BOARD_RINGS], the newest still open. */
    _Atomic uint32_t record_count;
    struct ring_record records[BOARD_RINGS];

    /* A writer's. */
    _Atomic uint64_t written, lost;
};

struct board {
    struct card card[BOARD_CARDS];
    struct doom_list steps;
    _Atomic uint64_t worst_ns; /* as the cards': of whoever has none */

    _Atomic uint32_t phase;  /* of victim and lane, as they agree */
    _Atomic uint64_t sure;   /* frames that the victim had published */
    _Atomic uint64_t dye_at; /* a dyed write of dye_frames there */
    _Atomic uint64_t dye_frames;
    _Atomic uint64_t up_ns; /* the gateway is up since then; 0: it is not */

    /* The gateway's, of the one that lived last. What it was about to do is
     * said before, and what it did after. */
    _Atomic uint64_t in_next;    /* serial behind the newest frame read */
    _Atomic uint64_t in_gaps;    /* serials that no gateway has read */
    _Atomic uint64_t in_passed;  /* of these, those that the gateway counted */
    _Atomic uint64_t in_reading; /* frames of an advance on its way */
    _Atomic uint64_t in_unsure;  /* of those, by gateways that were killed */
    _Atomic uint64_t out_epoch;  /* 0: unknown */
    _Atomic uint64_t out_first, out_head, out_flushes;
    _Atomic uint64_t out_writing;  /* frames of a write on its way */
    _Atomic uint64_t out_flushing; /* 1: a flush is on its way */
    _Atomic uint32_t out_rushed;   /* readers were not waited for */
};

#endif
