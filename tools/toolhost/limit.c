#include "tools/toolhost/limit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/toolhost/fence.h"

#define MIB (1024u * 1024)
/* Threads that are always there: two of libzmq, one for serial calls. */
#define FIXED_THREADS 3

static struct {
    uint64_t limit_bytes;
    uint64_t start_bytes; /* before there was a plugin */
    uint64_t wall_bytes;  /* where the kernel says no */
    uint64_t page_bytes;
} limit;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* This process's data in bytes, 0 if that cannot be known: the sixth number in
 * statm. Safe in a signal handler. */
static uint64_t
data_bytes(void)
{
    char text[256];
    uint64_t number = 0;
    unsigned field = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;

    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < n && field < 6; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            number = number * 10 + (uint64_t)(text[i] - '0');
            continue;
        }
        if (++field < 6)
            number = 0;
    }
    return field == 6 ? number * limit.page_bytes : 0;
}

size_t
limit_stack_bytes(void)
{
    pthread_attr_t attributes;
    size_t bytes = 0;

    if (pthread_getattr_default_np(&attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &bytes);
        pthread_attr_destroy(&attributes);
    }
    return bytes < MIB ? MIB : bytes;
}

static void
on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    /* a plugin that did not look what malloc() gave it */
    if (!fence_is_copy() && data_bytes() >= limit.wall_bytes / 10 * 9)
        fence_end(EXIT_MEMORY,
                  "the plugin crashed with its memory at the limit; raise "
                  "plugins.rules NAME.memory_mb if it needs more");
    /* the handler is gone: a fault happens again, what was sent is repeated */
    if (info->si_code <= 0)
        raise(number);
}

static void
catch_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT};
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_crash;
    action.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

void
limit_set(uint64_t bytes, unsigned threads_max)
{
    struct rlimit data;

    limit.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    if (SANITIZED || bytes == 0 || getrlimit(RLIMIT_DATA, &data) != 0)
        return;
    limit.limit_bytes = bytes;
    limit.start_bytes = data_bytes();
    limit.wall_bytes =
        limit.start_bytes + bytes + bytes / 4 +
        (uint64_t)(FIXED_THREADS + threads_max) * limit_stack_bytes();
    if (data.rlim_cur > limit.wall_bytes)
        data.rlim_cur = limit.wall_bytes;
    limit.wall_bytes = data.rlim_cur;
    if (setrlimit(RLIMIT_DATA, &data) != 0)
        perror("voxring-toolhost: cannot limit its memory");
    catch_crashes();
}

bool
limit_is_set(void)
{
    return limit.limit_bytes > 0;
}

_Noreturn void
limit_is_reached(void)
{
    fence_end(EXIT_MEMORY,
              "memory is out; raise plugins.rules NAME.memory_mb if the plugin "
              "needs more");
}

void
limit_check(unsigned threads)
{
    uint64_t own_bytes =
        limit.start_bytes +
        (uint64_t)(FIXED_THREADS + threads) * limit_stack_bytes();
    uint64_t bytes = data_bytes();
    char sentence[200];

    if (!limit_is_set() || bytes <= own_bytes ||
        bytes - own_bytes <= limit.limit_bytes)
        return;
    snprintf(sentence, sizeof sentence,
             "the plugin has %llu MiB of memory, its limit is %llu MiB; raise "
             "plugins.rules NAME.memory_mb if it needs more",
             (unsigned long long)((bytes - own_bytes) / MIB),
             (unsigned long long)(limit.limit_bytes / MIB));
    fence_end(EXIT_MEMORY, sentence);
}
