/* What became of frames of the input ring other than being sent: the memory
 * that keeps them from being sent when they are read again. */
#ifndef GATEWAY_CAPTURE_FATES_H
#define GATEWAY_CAPTURE_FATES_H

#include <stddef.h>
#include <stdint.h>

/* Spans remembered: a change every 150 ms in a ring of 40 s. */
#define FATES_MAX 256

enum fate {
    FATE_NONE,  /* nothing was marked */
    FATE_GATED, /* nobody was to listen */
    FATE_LOST
};

struct fates_span {
    uint64_t from, to;
    enum fate fate;
};

/* The members belong to fates.c, but anybody may read `floor`: what was before
 * it is forgotten. */
struct fates {
    uint64_t floor;
    size_t count;
    struct fates_span spans[FATES_MAX]; /* ascending, apart */
};

/* Nothing is marked from frame `floor` on. [rt] */
void fates_init(struct fates *fates, uint64_t floor);

/* Gives this fate to those of the frames [from, to) that have none; returns how
 * many. When there is no room the oldest span is forgotten, which raises the
 * floor to its end. [rt] */
uint64_t fates_mark(struct fates *fates, uint64_t from, uint64_t to,
                    enum fate fate);

/* How many of the frames [from, to) have a fate; from >= floor. [rt] */
uint64_t fates_count(const struct fates *fates, uint64_t from, uint64_t to);

/* The fate of a frame that is not before the floor; *end is the next one for
 * which it is different, UINT64_MAX if there is none. [rt] */
enum fate fates_at(const struct fates *fates, uint64_t frame, uint64_t *end);

/* Where the floor may be after one more mark. [rt] */
uint64_t fates_next_floor(const struct fates *fates);

#endif
