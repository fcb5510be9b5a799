#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ipc/ring_futex.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define ODD_NS UINT64_C(10000000)

/* Far more than a ring has readers, and about 0.2 ms of work: anybody may put
 * thousands to sleep on a word. Who is left asleep looks by itself. */
#define WAKE_MOST 256

static struct timespec
to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
                             .tv_nsec = (long)(ns % NS_PER_S)};
}

uint64_t
vr_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

enum vr_status
ring_futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
    struct timespec t = to_timespec(timeout_ns);

    if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0) == 0)
        return VR_OK;
    if (errno == EAGAIN)
        return VR_OK;
    if (errno == EINTR)
        return VR_AGAIN;
    if (errno == ETIMEDOUT)
        return VR_TIMEOUT;
    /* The word cannot be slept on, as in an object that somebody truncated:
     * the caller's loop must not become a spin. */
    return ring_futex_sleep(timeout_ns < ODD_NS ? timeout_ns : ODD_NS) ==
                   VR_AGAIN
               ? VR_AGAIN
               : VR_OK;
}

void
ring_futex_wake(_Atomic uint32_t *word)
{
    /* Release, with the acquire of who is about to sleep: whoever reads the new
     * word sees the flag cleared that this wake is for, and sets it behind. */
    atomic_fetch_add_explicit(word, 1, memory_order_release);
    ring_futex_notify(word);
}

void
ring_futex_notify(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, WAKE_MOST, NULL, NULL, 0);
}

enum vr_status
ring_futex_sleep(uint64_t timeout_ns)
{
    struct timespec t = to_timespec(timeout_ns);

    return clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == EINTR ? VR_AGAIN
                                                                  : VR_TIMEOUT;
}

uint64_t
ring_futex_deadline_ns(int timeout_ms)
{
    if (timeout_ms < 0)
        return UINT64_MAX;
    return vr_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
}

uint64_t
ring_futex_slice_ns(uint64_t deadline_ns, uint64_t slice_ns)
{
    uint64_t now_ns;

    if (deadline_ns == UINT64_MAX)
        return slice_ns;
    now_ns = vr_now_ns();
    if (deadline_ns <= now_ns)
        return 0;
    return deadline_ns - now_ns < slice_ns ? deadline_ns - now_ns : slice_ns;
}
