/* Where in the input ring listening stops and starts again. Changes are made
 * at the frame that comes next, and take effect when reading gets there. */
#ifndef GATEWAY_CAPTURE_GATE_H
#define GATEWAY_CAPTURE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes that may wait between the reader and the producer. */
#define GATE_EDGES_MAX 16

struct gate_edge {
    uint64_t position;
    bool closed;
};

/* Zeroed is open. The members belong to gate.c. */
struct gate {
    bool closed;                            /* where the reader is */
    struct gate_edge edges[GATE_EDGES_MAX]; /* alternating, ascending */
    size_t count;
};

/* Closed, or open, from `position` on, which never goes back. If too many
 * changes wait, the oldest open stretch becomes a closed one: nothing is heard
 * that should not be. [rt] */
void gate_set(struct gate *gate, bool closed, uint64_t position);

/* The reader is at `position`: whether it is closed there. [rt] */
bool gate_at(struct gate *gate, uint64_t position);

/* Frames from `position` on, which gate_at() was asked about, for which the
 * answer stays the same; at most `frames`. [rt] */
size_t gate_run(const struct gate *gate, uint64_t position, size_t frames);

#endif
