/* How long a call of a survivor took, as far as the ring is to blame.
 *
 * A call is timed from its beginning, or from the news that it waited for if
 * that came later, to its return. What the kernel says that the thread was
 * ready and another one had the processor (run_delay of
 * /proc/PID/task/TID/schedstat) is taken off: a busy machine is no stall. What
 * is left may still be an accident (a virtual machine that stood still), so
 * whoever judges repeats the step: a stall that is real comes again. */
#ifndef TESTS_DEATH_STALL_H
#define TESTS_DEATH_STALL_H

#include <stdint.h>

#define STALL_LIMIT_NS UINT64_C(100000000)

struct stall {
    uint64_t begin_ns, delay_ns;
};

/* A call begins. [any] */
struct stall stall_begin(void);

/* It has returned: how long it took, counted from since_ns at the earliest.
 * [any] */
uint64_t stall_end(const struct stall *stall, uint64_t since_ns);

/* As stall_end(), but counted from since_ns even if that was before the call.
 * [any] */
uint64_t stall_since(const struct stall *stall, uint64_t since_ns);

#endif
