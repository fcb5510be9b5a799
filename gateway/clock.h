/* Time, with its unit in every name.
 *
 * Timers and latencies use the monotonic clock; only signatures, event time
 * stamps and log lines use the wall clock. */
#ifndef GATEWAY_CLOCK_H
#define GATEWAY_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_MS 1000000ull
#define CLOCK_NS_PER_S 1000000000ull

/* Nanoseconds of CLOCK_MONOTONIC, the same clock in every process. [rt] */
static inline uint64_t
clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Seconds of the configuration; less than none is none. [rt] */
static inline uint64_t
clock_ns_of_s(double seconds)
{
    return seconds <= 0 ? 0 : (uint64_t)(seconds * 1e9);
}

/* Milliseconds since 1970-01-01 UTC. [rt] */
static inline int64_t
clock_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define CLOCK_UTC_BYTES 25

/* Now as "2026-01-01T00:00:00.000Z" (RFC 3339) and a NUL. [rt] */
void clock_utc_text(char text[CLOCK_UTC_BYTES]);

#endif
