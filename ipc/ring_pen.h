/* The writing hand of a ring: the producer's on `in`, the gateway's on `out`.
 *
 * Aeron's broadcast transmitter: say what will be overwritten (intent), write
 * it, publish it (head), and never look back. */
#ifndef IPC_RING_PEN_H
#define IPC_RING_PEN_H

#include "ipc/ring_map.h"

struct ring_pen {
    uint64_t head;   /* private copies: shared memory is never believed */
    uint64_t intent; /* never goes back; beyond head after a short commit */
};

/* The most frames of one publication, so that readers keep most of the ring
 * while it is written. [rt] */
static inline size_t
ring_pen_most(const struct ring_map *map)
{
    return (size_t)(map->header.capacity_frames / 8);
}

/* Announces that the places of the next `frames` frames, at most
 * ring_pen_most(), are about to change. [rt] */
void ring_pen_begin(struct ring_pen *pen, const struct ring_map *map,
                    size_t frames);

/* Publishes `frames` frames written since ring_pen_begin(). commit_ns 0: no
 * stamps. Ends with a full barrier, so that the caller may look for who waits;
 * sleeping readers are woken here. [rt] */
void ring_pen_end(struct ring_pen *pen, const struct ring_map *map,
                  size_t frames, uint64_t commit_ns, uint64_t captured_ns);

/* Begin, copy, end for at most ring_pen_most() frames. [rt] */
void ring_pen_write(struct ring_pen *pen, const struct ring_map *map,
                    const void *samples, size_t frames, uint64_t commit_ns,
                    uint64_t captured_ns);

/* After a full barrier: wakes the readers that sleep. [rt] */
void ring_pen_wake(const struct ring_map *map);

#endif
