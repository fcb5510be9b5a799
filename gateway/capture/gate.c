#include <string.h>

#include "gateway/capture/gate.h"

static void
remove_edges(struct gate *gate, size_t at, size_t count)
{
    gate->count -= count;
    memmove(gate->edges + at, gate->edges + at + count,
            (gate->count - at) * sizeof *gate->edges);
}

static bool
closed_at_end(const struct gate *gate)
{
    return gate->count ? gate->edges[gate->count - 1].closed : gate->closed;
}

void
gate_set(struct gate *gate, bool closed, uint64_t position)
{
    if (closed_at_end(gate) == closed)
        return;
    if (gate->count && gate->edges[gate->count - 1].position == position) {
        gate->count--;
        return;
    }
    if (gate->count == GATE_EDGES_MAX)
        remove_edges(gate, gate->edges[0].closed ? 1 : 0, 2);
    gate->edges[gate->count++] = (struct gate_edge){position, closed};
}

bool
gate_at(struct gate *gate, uint64_t position)
{
    while (gate->count && gate->edges[0].position <= position) {
        gate->closed = gate->edges[0].closed;
        remove_edges(gate, 0, 1);
    }
    return gate->closed;
}

size_t
gate_run(const struct gate *gate, uint64_t position, size_t frames)
{
    if (gate->count && gate->edges[0].position - position < frames)
        return (size_t)(gate->edges[0].position - position);
    return frames;
}
