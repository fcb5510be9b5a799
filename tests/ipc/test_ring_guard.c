/* SIGBUS in a client: with vr_guard_install() a ring cut short is a ring that
 * has gone, and never audio; without it libvoxring changes no signal handling,
 * and such a ring ends the process that touches it, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"
#include "tests/ipc/scene.h"

#define HALF (RING_HEADER_BYTES + HARNESS_FRAMES)
#define WHOLE (RING_HEADER_BYTES + 2 * HARNESS_FRAMES)
#define LIMIT_NS UINT64_C(10000000000)

static int16_t samples[2 * HARNESS_FRAMES];

static bool
within(uint64_t since_ns)
{
    return vr_now_ns() - since_ns < LIMIT_NS;
}

/* ---- a producer -------------------------------------------------------- */

enum call { WRITE, COMMIT, SPACE, WAIT_SPACE, STATS, CALLS };

static enum vr_status
commit(struct vr_writer *w, size_t frames)
{
    void *room;

    if (vr_reserve(w, frames, &room) < frames)
        return VR_CLOSED;
    memcpy(room, samples, 2 * frames);
    return vr_commit(w, frames, 0);
}

static void
call_writer(struct vr_writer *w, enum call call)
{
    struct vr_writer_stats stats;

    switch (call) {
    case COMMIT:
        commit(w, 100);
        break;
    case SPACE:
        assert_in_range(vr_space(w), 0, HARNESS_FRAMES);
        break;
    case WAIT_SPACE:
        vr_wait_space(w, HARNESS_FRAMES, 1);
        break;
    case STATS:
        vr_writer_stats(w, &stats, sizeof stats);
        break;
    default:
        vr_write(w, samples, 100, 0);
    }
}

/* Writes known audio until that is said of it; the position of the last. */
static uint64_t
write_until(struct vr_writer *w, bool attached)
{
    uint64_t since_ns = vr_now_ns();
    struct vr_writer_stats stats;
    enum vr_status status;

    do {
        assert_true(within(since_ns));
        harness_pause();
        vr_space(w);
        vr_writer_stats(w, &stats, sizeof stats);
        harness_fill(samples, stats.position, 100, 1);
        status = vr_write(w, samples, 100, 0);
        if (status != VR_OK)
            assert_non_null(strstr(vr_writer_error(w), "/voxring-"));
    } while ((status == VR_OK) != attached);
    return stats.position;
}

/* All that arrives is right; what was overwritten or taken is in *lost. */
static uint64_t
take_right(struct ring_host *host, uint64_t *lost)
{
    struct ring_host_span span;
    uint64_t got = 0;
    size_t n;

    do {
        n = ring_host_peek(host, samples, HARNESS_FRAMES, &span);
        assert_int_equal(harness_right(samples, span.position, n, 1), n);
        *lost += span.lost_frames;
        ring_host_advance(host, n);
        got += n;
    } while (n > 0);
    return got;
}

/* The gateway has read nothing when the ring is cut: then what was written is
 * lost or arrives, and the producer knows how much. */
static void
cut_under_writer(long bytes, enum call call)
{
    struct ring_host *host = harness_host("cutin", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("cutin");
    struct vr_writer_stats stats;
    uint64_t lost = 0, got;

    harness_fill(samples, 0, 300, 1);
    assert_int_equal(vr_write(w, samples, 300, 0), VR_OK);
    assert_int_equal(ring_host_readable(host), 300);
    intruder_truncate(host, bytes);
    call_writer(w, call);
    write_until(w, false);
    assert_true(ring_host_check(host));
    assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
    write_until(w, true);
    got = take_right(host, &lost);
    assert_true(got >= 100);
    /* As far as the gateway had seen the head. */
    assert_int_equal(lost, 300);
    vr_writer_stats(w, &stats, sizeof stats);
    assert_int_equal(stats.lost_frames + got, stats.written_frames);
    assert_int_equal(stats.attached, 1);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_ring_cut_under_a_producer(void **state)
{
    static const long sizes[] = {0, 1, 2048, RING_HEADER_BYTES, HALF};

    (void)state;
    scene_guard();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        cut_under_writer(sizes[i], (enum call)(i % CALLS));
    for (int call = 0; call < CALLS; call++)
        cut_under_writer(0, (enum call)call);
    vr_guard_remove();
}

/* The room is the caller's: its own store meets the hole. */
static void
test_ring_cut_between_reserve_and_commit(void **state)
{
    struct ring_host *host = harness_host("cutres", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("cutres");
    struct vr_writer_stats stats;
    uint64_t lost = 0;
    void *room;

    (void)state;
    scene_guard();
    assert_int_equal(vr_reserve(w, 100, &room), 100);
    intruder_truncate(host, 0);
    memset(room, 1, 200);
    assert_int_equal(vr_commit(w, 100, 0), VR_OK);
    /* The next call knows. */
    assert_int_not_equal(vr_write(w, samples, 50, 0), VR_OK);
    assert_non_null(strstr(vr_writer_error(w), "/voxring-"));
    vr_writer_stats(w, &stats, sizeof stats);
    assert_int_equal(stats.lost_frames, 150);
    assert_true(ring_host_check(host));
    assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
    write_until(w, true);
    assert_true(take_right(host, &lost) >= 100);
    vr_writer_close(&w);
    ring_host_close(&host);
    vr_guard_remove();
}

/* ---- a reader ---------------------------------------------------------- */

static uint32_t
attach_count(const struct vr_reader *r, bool *attached)
{
    struct vr_reader_stats stats;

    vr_reader_stats(r, &stats, sizeof stats);
    *attached = stats.attached != 0;
    return stats.attach_count;
}

/* All that it is given is right, whatever happens. */
static enum vr_status
read_right(struct vr_reader *r, size_t frames)
{
    struct vr_block block;
    enum vr_status status = vr_read(r, samples, frames, &block);

    assert_int_equal(
        harness_right(samples, block.position, (size_t)block.frames, 1),
        block.frames);
    return status;
}

/* Reads until that ring has gone. */
static void
read_to_the_end(struct vr_reader *r)
{
    uint64_t since_ns = vr_now_ns();
    bool attached;

    while (attach_count(r, &attached) == 1 && attached) {
        assert_true(within(since_ns));
        vr_wait(r, 100);
        read_right(r, 2 * HARNESS_FRAMES);
    }
    assert_non_null(strstr(vr_reader_error(r), "/voxring-"));
}

static void
read_anew(struct vr_reader *r, struct ring_host *host)
{
    uint64_t since_ns = vr_now_ns(), head = ring_host_head(host), got = 0;
    struct vr_block block;

    harness_fill(samples, head, 200, 1);
    ring_host_write(host, samples, 200);
    while (got < 200) {
        assert_true(within(since_ns));
        vr_wait(r, 100);
        if (vr_read(r, samples, 500, &block) != VR_OK)
            continue;
        assert_int_equal(block.position, head + got);
        assert_int_equal(
            harness_right(samples, block.position, (size_t)block.frames, 1),
            block.frames);
        got += block.frames;
    }
}

static void
call_reader(struct vr_reader *r, int call)
{
    struct vr_reader_stats stats;

    switch (call % 4) {
    case 0:
        read_right(r, 50);
        break;
    case 1:
        assert_int_not_equal(vr_wait(r, 0), VR_STATE);
        break;
    case 2:
        assert_int_equal(vr_played(r, 50), VR_OK);
        break;
    default:
        vr_reader_stats(r, &stats, sizeof stats);
        assert_true(stats.position <= stats.head);
    }
}

static void
cut_under_reader(long bytes, int call)
{
    struct ring_host *host = harness_host("cutout", VR_RING_OUT, 16000, 1, 0);
    struct vr_reader *r =
        harness_reader("cutout", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    struct vr_block block;

    harness_fill(samples, 0, 3000, 1);
    ring_host_write(host, samples, 3000);
    assert_int_equal(vr_read(r, samples, 100, &block), VR_OK);
    intruder_truncate(host, bytes);
    call_reader(r, call);
    if (bytes < RING_HEADER_BYTES)
        read_to_the_end(r);
    assert_true(ring_host_check(host));
    assert_int_equal(ring_host_recreate(host, NULL, 0), VR_OK);
    if (bytes >= RING_HEADER_BYTES)
        read_to_the_end(r);
    read_anew(r, host);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_ring_cut_under_a_reader(void **state)
{
    static const long sizes[] = {0, 1, 2048, RING_HEADER_BYTES, HALF};

    (void)state;
    scene_guard();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int call = 0; call < 4; call++)
            cut_under_reader(sizes[i], call);
    vr_guard_remove();
}

/* ---- whose signal it is ------------------------------------------------ */

static volatile sig_atomic_t hosts_own;
static char *hosts_page;

static void
on_sigbus_of_the_host(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    assert_ptr_equal(info->si_addr, hosts_page);
    hosts_own++;
    mmap(hosts_page, 4096, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* A fault that is about no ring. */
static void
fault(void)
{
    int fd = memfd_create("other", MFD_CLOEXEC);

    hosts_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(hosts_page, MAP_FAILED);
    *(volatile char *)hosts_page = 1;
    munmap(hosts_page, 4096);
    close(fd);
}

static void
take_for_the_host(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus_of_the_host,
                               .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
    hosts_own = 0;
}

static bool
is_the_hosts(void)
{
    struct sigaction now;

    assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
    return (now.sa_flags & SA_SIGINFO) != 0 &&
           now.sa_sigaction == on_sigbus_of_the_host;
}

static void
test_the_hosts_handler_keeps_what_is_its_own(void **state)
{
    (void)state;
    scene_guard();
    vr_guard_remove();
    take_for_the_host();
    assert_int_equal(vr_guard_install(), VR_OK);
    assert_int_equal(vr_guard_install(), VR_OK);
    assert_false(is_the_hosts());
    fault();
    assert_int_equal(hosts_own, 1);
    cut_under_writer(0, WRITE);
    cut_under_reader(0, 0);
    assert_int_equal(hosts_own, 1);
    vr_guard_remove();
    assert_true(is_the_hosts());
    fault();
    assert_int_equal(hosts_own, 2);
    vr_guard_remove();
    assert_true(is_the_hosts());
    signal(SIGBUS, SIG_DFL);
}

static void
test_a_later_handler_is_left_alone(void **state)
{
    struct sigaction ours;

    (void)state;
    scene_guard();
    assert_int_equal(sigaction(SIGBUS, NULL, &ours), 0);
    take_for_the_host();
    vr_guard_remove();
    assert_true(is_the_hosts());
    /* It may pass on to us: no circle. */
    assert_int_equal(vr_guard_install(), VR_OK);
    assert_true(is_the_hosts());
    fault();
    assert_int_equal(hosts_own, 1);
    /* It goes, and gives back what it found. */
    assert_int_equal(sigaction(SIGBUS, &ours, NULL), 0);
    cut_under_writer(0, WRITE);
    /* Or somebody clears it: asked again, the guard is there again. */
    signal(SIGBUS, SIG_DFL);
    assert_int_equal(vr_guard_install(), VR_OK);
    cut_under_reader(0, 0);
    vr_guard_remove();
    assert_int_equal(sigaction(SIGBUS, NULL, &ours), 0);
    assert_ptr_equal(ours.sa_handler, SIG_DFL);
}

/* ---- without the guard ------------------------------------------------- */

#define SIGNALS 65

struct signals {
    void (*handler[SIGNALS])(int);
    int flags[SIGNALS];
    sigset_t mask;
};

static void
look_at_signals(struct signals *s)
{
    struct sigaction action;

    memset(s, 0, sizeof *s);
    for (int i = 1; i < SIGNALS; i++) {
        if (sigaction(i, NULL, &action) != 0)
            continue;
        s->handler[i] = action.sa_handler;
        s->flags[i] = action.sa_flags;
    }
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &s->mask), 0);
}

static struct signals signals_before;

static void
check_signals(const char *call)
{
    struct signals now;

    look_at_signals(&now);
    if (memcmp(&now, &signals_before, sizeof now) != 0)
        fail_msg("%s changed the handling of a signal", call);
}

#define CHECKED(call)         \
    do {                      \
        call;                 \
        check_signals(#call); \
    } while (0)

static void
test_no_call_changes_any_signal(void **state)
{
    struct ring_host *in = harness_host("calm", VR_RING_IN, 16000, 1, 0);
    struct ring_host *out = harness_host("calm", VR_RING_OUT, 16000, 1, 0);
    struct vr_writer_stats said;
    struct vr_reader_stats heard;
    struct vr_options options = harness_options();
    struct vr_writer *w, *second;
    struct vr_block block;
    struct vr_reader *r;
    void *room;

    (void)state;
    look_at_signals(&signals_before);
    CHECKED(w = harness_writer("calm"));
    CHECKED(r = harness_reader("calm", VR_RING_OUT, VR_PLAYER, VR_START_NOW));
    CHECKED(assert_int_equal(vr_writer_open(&second, "calm", &options, NULL, 0),
                             VR_BUSY));
    CHECKED(vr_write(w, samples, 100, 0));
    CHECKED(vr_reserve(w, 100, &room));
    CHECKED(vr_commit(w, 100, 0));
    CHECKED(vr_space(w));
    CHECKED(vr_wait_space(w, HARNESS_FRAMES, 1));
    CHECKED(vr_writer_stats(w, &said, sizeof said));
    CHECKED(vr_wait(r, 1));
    ring_host_write(out, samples, 100);
    CHECKED(vr_read(r, samples, 100, &block));
    CHECKED(vr_played(r, 50));
    CHECKED(vr_reader_stats(r, &heard, sizeof heard));
    /* And when the gateway goes, is not there, and comes back. */
    ring_host_close(&in);
    ring_host_close(&out);
    CHECKED(write_until(w, false));
    CHECKED(read_to_the_end(r));
    CHECKED(vr_wait(r, 1));
    in = harness_host("calm", VR_RING_IN, 16000, 1, 0);
    CHECKED(write_until(w, true));
    CHECKED(vr_writer_close(&w));
    CHECKED(vr_reader_close(&r));
    CHECKED(vr_now_ns());
    ring_host_close(&in);
}

/* In a child: opens, says so, and goes on when it is told to. */
static void
unguarded(int ready, int go, bool reads)
{
    char byte = 0;
    struct vr_writer *w = NULL;
    struct vr_reader *r = NULL;
    struct vr_block block;

    signal(SIGBUS, SIG_DFL);
    if (reads)
        r = harness_reader("doomed", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    else
        w = harness_writer("doomed");
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(2);
    if (reads)
        vr_read(r, samples, 100, &block);
    else
        vr_write(w, samples, 100, 0);
    _exit(0);
}

static void
end_one_by_truncation(struct ring_host *host, bool reads)
{
    int ready[2], go[2], status = 0;
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        unguarded(ready[1], go[0], reads);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    intruder_truncate(host, 0);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
}

/* The gateway and everybody else are guarded here, and go on. */
static void
test_unguarded_only_who_touches_it_ends(void **state)
{
    static struct scene other;
    struct ring_host *in, *out;
    struct vr_writer *w;

    (void)state;
    scene_guard();
    scene_open(&other, "other");
    in = harness_host("doomed", VR_RING_IN, 16000, 1, 0);
    out = harness_host("doomed", VR_RING_OUT, 16000, 1, 0);
    end_one_by_truncation(in, false);
    end_one_by_truncation(out, true);
    scenes_flow(&other, 1, "beside the dead");
    assert_true(ring_host_check(in));
    assert_true(ring_host_check(out));
    assert_int_equal(ring_host_recreate(in, NULL, 0), VR_OK);
    assert_int_equal(ring_host_recreate(out, NULL, 0), VR_OK);
    /* Their leases ended with them. */
    w = harness_writer("doomed");
    assert_int_equal(vr_write(w, samples, 10, 0), VR_OK);
    assert_int_equal(ring_host_readable(in), 10);
    vr_writer_close(&w);
    ring_host_close(&in);
    ring_host_close(&out);
    scene_close(&other);
    vr_guard_remove();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_call_changes_any_signal),
        cmocka_unit_test(test_unguarded_only_who_touches_it_ends),
        cmocka_unit_test(test_ring_cut_under_a_producer),
        cmocka_unit_test(test_ring_cut_between_reserve_and_commit),
        cmocka_unit_test(test_ring_cut_under_a_reader),
        cmocka_unit_test(test_the_hosts_handler_keeps_what_is_its_own),
        cmocka_unit_test(test_a_later_handler_is_left_alone),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
