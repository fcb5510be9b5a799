/* What the ring benches share: rings of their own under names that are unique
 * to the run, processes that end with it, and what is made of the samples.
 *
 * rig_run() keeps a process beside the bench that does nothing but take away
 * what it left, however it ended: by itself, by a crash, or by a signal. */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "ipc/ring_host.h"
#include "ipc/voxring.h"

/* 10 ms of the microphone. */
#define RIG_BLOCK_FRAMES 160
#define RIG_BLOCK_BYTES (RIG_BLOCK_FRAMES * sizeof(int16_t))

/* The runtime folder and the instance that this run's rings are named by; an
 * empty instance is that of the folder's gateway. */
static char rig_dir[256] = "/tmp/vr-bench-XXXXXX";
static char rig_instance[32];

static inline _Noreturn void
rig_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

/* ---- processes ---------------------------------------------------------- */

static inline void
rig_on_child_end(int number)
{
    static const char line[] = "bench: one of its processes has ended\n";
    (void)number;
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0)
        _exit(2);
    _exit(1);
}

/* From here on the end of a child is the end of this process: none shall end
 * before rig_end_children(). */
static inline void
rig_need_children(void)
{
    struct sigaction action = {.sa_handler = rig_on_child_end,
                               .sa_flags = SA_NOCLDSTOP};
    sigaction(SIGCHLD, &action, NULL);
}

/* As fork(), but the child is killed when this process ends. */
static inline pid_t
rig_fork(void)
{
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        rig_die("fork", "no further process can be made");
    if (!child) {
        signal(SIGCHLD, SIG_DFL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
            _exit(1);
    }
    return child;
}

#define RIG_CHILDREN 32

static pid_t rig_children[RIG_CHILDREN];
static size_t rig_child_count;

/* As rig_fork(), for a child that lives until rig_end_children(). */
static inline pid_t
rig_start(void)
{
    if (rig_child_count == RIG_CHILDREN)
        rig_die("fork", "RIG_CHILDREN is too small");
    pid_t child = rig_fork();
    if (child)
        rig_children[rig_child_count++] = child;
    return child;
}

/* Before the rings go away that they use. */
static inline void
rig_end_children(void)
{
    signal(SIGCHLD, SIG_DFL);
    for (; rig_child_count; rig_child_count--) {
        kill(rig_children[rig_child_count - 1], SIGKILL);
        waitpid(rig_children[rig_child_count - 1], NULL, 0);
    }
}

/* Zeroed memory that children share. */
static inline void *
rig_share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        rig_die("mmap", "no memory");
    return memory;
}

/* This process stays on the first CPU that it may use, or on all others. With
 * one CPU there is no choice. Children begin with their parent's. */
static inline void
rig_pin(bool first)
{
    cpu_set_t all, mine;
    if (sched_getaffinity(0, sizeof all, &all) || CPU_COUNT(&all) < 2)
        return;
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&mine);
    CPU_SET(cpu, &mine);
    CPU_CLR(cpu, &all);
    sched_setaffinity(0, sizeof all, first ? &mine : &all);
}

static inline void
rig_pause_ns(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / CLOCK_NS_PER_S),
                         .tv_nsec = (long)(ns % CLOCK_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* What this thread has spent of a CPU. */
static inline uint64_t
rig_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* What a pair of rig_cpu_ns() around something adds to it. */
static inline double
rig_cpu_cost_ns(void)
{
    uint64_t least_ns = UINT64_MAX;
    for (int i = 0; i < 50; i++) {
        uint64_t begin_ns = rig_cpu_ns(), took_ns = rig_cpu_ns() - begin_ns;
        least_ns = took_ns < least_ns ? took_ns : least_ns;
    }
    return (double)least_ns;
}

/* ---- rings -------------------------------------------------------------- */

static inline struct ring_host *
rig_host(const char *session, enum vr_ring ring)
{
    struct ring_host_config config = {
        .runtime_dir = rig_dir,
        .instance = rig_instance,
        .session = session,
        .ring = ring,
        .format = {.rate_hz = 16000, .channels = 1},
        .min_frames = 1 << 18};
    struct ring_host *host;
    char why[VR_ERROR_BYTES];
    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        rig_die("ring", why);
    return host;
}

static inline struct vr_writer *
rig_writer(const char *session)
{
    struct vr_options options = {.runtime_dir = rig_dir,
                                 .instance =
                                     *rig_instance ? rig_instance : NULL};
    struct vr_writer *writer;
    char why[VR_ERROR_BYTES];
    if (vr_writer_open(&writer, session, &options, why, sizeof why) != VR_OK)
        rig_die("writer", why);
    return writer;
}

static inline struct vr_reader *
rig_reader(const char *session, enum vr_ring ring, enum vr_role role,
           enum vr_start start)
{
    struct vr_options options = {.runtime_dir = rig_dir,
                                 .instance =
                                     *rig_instance ? rig_instance : NULL,
                                 .ring = ring,
                                 .role = role,
                                 .start = start};
    struct vr_reader *reader;
    char why[VR_ERROR_BYTES];
    if (vr_reader_open(&reader, session, &options, why, sizeof why) != VR_OK)
        rig_die("reader", why);
    return reader;
}

/* ---- samples ------------------------------------------------------------ */

static inline int
rig_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them; share is 0.5 for the median, 1 for the largest. */
static inline double
rig_percentile(double *samples, size_t count, double share)
{
    size_t at = (size_t)((double)count * share);
    qsort(samples, count, sizeof samples[0], rig_ascending);
    return samples[at < count ? at : count - 1];
}

static inline double
rig_median(double *samples, size_t count)
{
    return rig_percentile(samples, count, 0.5);
}

/* ---- the run ------------------------------------------------------------ */

/* Unlinks what in `folder` begins with `prefix`. */
static inline void
rig_sweep(const char *folder, const char *prefix)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (!strncmp(entry->d_name, prefix, strlen(prefix)))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static inline void
rig_clean(void)
{
    char prefix[sizeof rig_instance + 16];
    snprintf(prefix, sizeof prefix, "voxring-%s.", rig_instance);
    rig_sweep("/dev/shm", prefix);
    rig_sweep(rig_dir, "");
    rmdir(rig_dir);
}

/* Until the bench and all that it started are gone: its exit code, or 1. A
 * signal ends the bench, whose children end with it. */
static inline int
rig_watch(pid_t bench, const sigset_t *signals)
{
    int code = 1, status, number;
    for (;;) {
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended < 0)
            return code;
        if (ended == bench)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (!ended && !sigwait(signals, &number) && number != SIGCHLD)
            kill(bench, SIGKILL);
    }
}

/* Runs `bench` in a process and a folder of its own. Returns what main()
 * shall return. */
static inline int
rig_run(void (*bench)(void))
{
    sigset_t signals, old;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, &old);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!mkdtemp(rig_dir))
        rig_die(rig_dir, "cannot be made");
    snprintf(rig_instance, sizeof rig_instance, "bench-%ld", (long)getpid());
    pid_t child = rig_fork();
    if (!child) {
        rig_need_children();
        sigprocmask(SIG_SETMASK, &old, NULL);
        bench();
        exit(0);
    }
    int code = rig_watch(child, &signals);
    rig_clean();
    return code;
}

#endif
