/* Time for the ring's fuzzers: CLOCK_MONOTONIC of the whole process stands
 * still until somebody sleeps or ring_clock_pass() is called, so an input
 * takes no time, goes the same way each time, and may last hours. */
#ifndef TESTS_FUZZ_RING_CLOCK_H
#define TESTS_FUZZ_RING_CLOCK_H

#include <stdint.h>

/* What was done since the last ring_clock_mark(). */
struct ring_clock_use {
    uint64_t slept_ns;
    unsigned sleeps; /* and waits on futexes, whether they slept or not */
};

/* Lets time go by. [any] */
void ring_clock_pass(uint64_t ns);

/* Begins to count anew. [any] */
void ring_clock_mark(void);

/* Since the last mark. [any] */
struct ring_clock_use ring_clock_used(void);

#endif
