/* Stands in the place of libc's functions: what is defined in the program wins
 * over libc and over the sanitizers' weak wrappers. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/ring_clock.h"

#define NS_PER_S UINT64_C(1000000000)

typedef int clock_fn(clockid_t clock, struct timespec *t);
typedef long syscall_fn(long number, ...);

static _Atomic uint64_t now_ns = 1000 * NS_PER_S;
static _Atomic uint64_t slept_ns;
static atomic_uint sleeps;

void
ring_clock_pass(uint64_t ns)
{
    atomic_fetch_add(&now_ns, ns);
}

void
ring_clock_mark(void)
{
    atomic_store(&slept_ns, 0);
    atomic_store(&sleeps, 0);
}

struct ring_clock_use
ring_clock_used(void)
{
    return (struct ring_clock_use){atomic_load(&slept_ns),
                                   atomic_load(&sleeps)};
}

static void
pass_asleep(const struct timespec *t)
{
    uint64_t ns = (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_nsec;

    atomic_fetch_add(&slept_ns, ns);
    ring_clock_pass(ns);
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
    static clock_fn *_Atomic real;
    uint64_t ns;

    if (clock != CLOCK_MONOTONIC) {
        if (!real)
            real = (clock_fn *)dlsym(RTLD_NEXT, "clock_gettime");
        return real(clock, t);
    }
    ns = atomic_load(&now_ns);
    *t = (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
                           .tv_nsec = (long)(ns % NS_PER_S)};
    return 0;
}

int
clock_nanosleep(clockid_t clock, int flags, const struct timespec *t,
                struct timespec *rest)
{
    (void)clock, (void)flags, (void)rest;
    atomic_fetch_add(&sleeps, 1);
    pass_asleep(t);
    return 0;
}

/* A wait is tried with no time, so that the kernel says what it thinks of the
 * word, and then passes. The fuzzer's own alarm is no news for the ring. */
static long
futex_wait(syscall_fn *real, long word, long seen, const struct timespec *t)
{
    static const struct timespec none;
    static bool prompt;
    long result;

    if (!prompt)
        prompt = prctl(PR_SET_TIMERSLACK, 1) == 0;
    do
        result = real(SYS_futex, word, (long)FUTEX_WAIT, seen, &none, NULL, 0L);
    while (result != 0 && errno == EINTR);
    atomic_fetch_add(&sleeps, 1);
    if (result != 0 && errno == ETIMEDOUT) {
        pass_asleep(t);
        errno = ETIMEDOUT;
    }
    return result;
}

long
syscall(long number, ...)
{
    static syscall_fn *_Atomic real;
    long a[6];
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (!real)
        real = (syscall_fn *)dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_futex && (a[1] & 127) == FUTEX_WAIT && a[3] != 0)
        return futex_wait(real, a[0], (int)a[2], (const struct timespec *)a[3]);
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
