#include "gateway/session/latency.h"

/* Four buckets to each doubling, the first one ends at 1 us. */
static size_t
bucket_of(uint64_t ns)
{
    uint64_t us4 = ns / 250;
    if (us4 < 4)
        return 0;
    unsigned top = 63u - (unsigned)__builtin_clzll(us4);
    size_t bucket = (top - 2) * 4 + ((us4 >> (top - 2)) & 3) + 1;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static uint64_t
upper_edge_ns(size_t bucket)
{
    if (bucket == 0)
        return 1000;
    if (bucket == LATENCY_BUCKETS - 1)
        return UINT64_MAX; /* whatever is longer */
    size_t doubling = (bucket - 1) / 4, quarter = (bucket - 1) % 4;
    return (uint64_t)(5 + quarter) * 250 << doubling;
}

void
latency_add(struct latency *l, uint64_t ns)
{
    l->buckets[bucket_of(ns)]++;
    l->count++;
    if (ns > l->max_ns)
        l->max_ns = ns;
}

uint64_t
latency_quantile_ns(const struct latency *l, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)l->count + 0.999999);
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->buckets[i];
        if (l->count && seen >= wanted)
            return upper_edge_ns(i) < l->max_ns ? upper_edge_ns(i) : l->max_ns;
    }
    return l->max_ns;
}
