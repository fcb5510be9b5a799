/* A histogram of short times: fixed memory, no allocation, about 19 % wide
 * buckets from 1 us to 10 s, one for what is longer. */
#ifndef GATEWAY_SESSION_LATENCY_H
#define GATEWAY_SESSION_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_BUCKETS 96

/* Zeroed is empty. */
struct latency {
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};

/* [rt] */
void latency_add(struct latency *latency, uint64_t ns);

/* The upper edge of the bucket that holds this share (0.99 for p99) of all
 * times, at most the largest seen; 0 if there are none. [loop] */
uint64_t latency_quantile_ns(const struct latency *latency, double share);

#endif
