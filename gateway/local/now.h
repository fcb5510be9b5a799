/* The two clocks, read together: timeouts use the monotonic one, signatures
 * and log lines the wall clock. */
#ifndef GATEWAY_LOCAL_NOW_H
#define GATEWAY_LOCAL_NOW_H

#include <stdint.h>
#include <time.h>

struct now {
    uint64_t mono_ms;
    int64_t wall_ms; /* since 1970-01-01 UTC */
};

/* [any] */
static inline struct now
now_read(void)
{
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct now){(uint64_t)mono.tv_sec * 1000 +
                            (uint64_t)mono.tv_nsec / 1000000,
                        (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

#endif
