#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/voxring.h"
#include "tests/death/stall.h"

/* How long this thread was ready without running, so far; 0 where the kernel
 * does not say. The file is of the process that opened it. */
static uint64_t
run_delay_ns(void)
{
    static pid_t owner;
    static int fd = -1;
    unsigned long long ran, waited;
    char text[96];
    ssize_t n;

    if (owner != getpid()) {
        if (fd >= 0)
            close(fd);
        fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        owner = getpid();
    }
    n = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : -1;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return sscanf(text, "%llu %llu", &ran, &waited) == 2 ? waited : 0;
}

struct stall
stall_begin(void)
{
    return (struct stall){.delay_ns = run_delay_ns(), .begin_ns = vr_now_ns()};
}

uint64_t
stall_since(const struct stall *stall, uint64_t since_ns)
{
    uint64_t now_ns = vr_now_ns();
    uint64_t wall_ns = now_ns > since_ns ? now_ns - since_ns : 0;
    uint64_t delay_ns = run_delay_ns() - stall->delay_ns;

    return wall_ns > delay_ns ? wall_ns - delay_ns : 0;
}

uint64_t
stall_end(const struct stall *stall, uint64_t since_ns)
{
    return stall_since(stall,
                       stall->begin_ns > since_ns ? stall->begin_ns : since_ns);
}
