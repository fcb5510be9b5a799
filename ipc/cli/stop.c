#include "ipc/cli/stop.h"

#include <signal.h>
#include <time.h>

#include "ipc/voxring.h"

static volatile sig_atomic_t stopped;

static void
on_signal(int number)
{
    (void)number;
    stopped = 1;
}

void
stop_install(void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool
stop_wanted(void)
{
    return stopped != 0;
}

int
stop_slice_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = vr_now_ns();
    if (now_ns >= deadline_ns)
        return 0;
    uint64_t left_ms = (deadline_ns - now_ns + 999999) / 1000000;
    return left_ms < STOP_SLICE_MS ? (int)left_ms : STOP_SLICE_MS;
}

uint64_t
stop_deadline_ns(int64_t ms)
{
    return ms < 0 ? UINT64_MAX : vr_now_ns() + (uint64_t)ms * 1000000;
}

void
stop_sleep_until(uint64_t when_ns)
{
    while (!stop_wanted() && vr_now_ns() < when_ns) {
        uint64_t slice_ns = vr_now_ns() + STOP_SLICE_MS * UINT64_C(1000000);
        uint64_t until_ns = slice_ns < when_ns ? slice_ns : when_ns;
        struct timespec until = {
            .tv_sec = (time_t)(until_ns / 1000000000),
            .tv_nsec = (long)(until_ns % 1000000000),
        };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}
