/* What a peer may do without a wrong word: ring and wake without end, hold what
 * can be held, bear a name that a terminal obeys. Healthy parties around it are
 * never hurt, and pay nothing that grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"
#include "tests/ipc/scene.h"

static int16_t samples[2 * HARNESS_FRAMES];

/* ---- the doorbell ------------------------------------------------------ */

static int
open_bell(const char *session)
{
    char path[INTRUDER_PATH_BYTES];
    int fd;

    intruder_bell(session, path);
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static bool
rings(struct ring_host *host)
{
    struct pollfd wait = {.fd = ring_host_bell_fd(host), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

/* Frames arrive exactly, whatever is in the bell; one drain takes at most one
 * read, so it is over although the bell is never empty. */
static void
test_bell_rung_without_end_and_robbed(void **state)
{
    static struct scene s;
    char bytes[65536];
    int fd;

    (void)state;
    memset(bytes, 0, sizeof bytes);
    scene_guard();
    scene_open(&s, "bell");
    fd = open_bell("bell");
    for (int i = 0; i < 200; i++) {
        while (i % 2 == 0 && write(fd, bytes, sizeof bytes / 16) > 0)
            continue;
        assert_false(ring_host_arm(s.in, 160));
        assert_true(i % 2 != 0 || rings(s.in));
        ring_host_drain(s.in);
        assert_true(i % 2 != 0 || rings(s.in));
        while (i % 2 != 0 && read(fd, bytes, sizeof bytes) > 0)
            continue;
        scenes_flow(&s, 1, "a bell without end, or robbed");
    }
    assert_int_equal(scene_repair(&s), 0);
    close(fd);
    scene_close(&s);
    vr_guard_remove();
}

/* ---- those who only hold something ------------------------------------- */

static void
test_readers_who_never_read(void **state)
{
    static struct scene s;
    struct vr_reader *idle[40];
    struct vr_block block;
    uint64_t lost = 0, got = 0, wrote, at = 0;

    (void)state;
    scene_guard();
    scene_open(&s, "idle");
    /* More than there are slots: who has none reads as well. */
    for (int i = 0; i < 40; i++)
        idle[i] = harness_reader("idle", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    assert_int_equal(ring_host_reader_count(s.out), RING_SLOTS);
    wrote = 10 * HARNESS_FRAMES;
    for (; at < wrote; at += 512) {
        harness_fill(samples, at, 512, 1);
        assert_int_equal(ring_host_write(s.out, samples, 512), at);
        assert_int_equal(vr_read(s.voice, samples, 1000, &block), VR_OK);
        assert_int_equal(block.frames, 512);
        assert_int_equal(harness_right(samples, at, 512, 1), 512);
    }
    /* The last one has no slot; all that it did not read it is told. */
    while (vr_read(idle[39], samples, 1000, &block) != VR_AGAIN) {
        assert_int_equal(
            harness_right(samples, block.position, (size_t)block.frames, 1),
            block.frames);
        lost += block.lost_frames;
        got += block.frames;
    }
    assert_int_equal(got + lost, wrote);
    assert_true(got > HARNESS_FRAMES / 2);
    for (int i = 0; i < 40; i++)
        vr_reader_close(&idle[i]);
    assert_int_equal(ring_host_reader_count(s.out), 1);
    scene_close(&s);
    vr_guard_remove();
}

static void
check_stopped(enum vr_status status, const char *why)
{
    assert_int_equal(status, VR_BUSY);
    assert_non_null(strstr(why, "\"frozen\""));
    assert_non_null(strstr(why, "stopped"));
}

/* Both are told as stopped, to the gateway and to those who want the lease. */
static void
expect_told_as_stopped(struct ring_host *in, struct ring_host *out)
{
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES];
    struct ring_peer who;
    struct vr_reader *r;
    struct vr_writer *w;

    ring_host_producer(in, &who);
    assert_int_equal(who.state, RING_PEER_STOPPED);
    assert_string_equal(who.name, "frozen");
    ring_host_player(out, &who);
    assert_int_equal(who.state, RING_PEER_STOPPED);
    check_stopped(vr_writer_open(&w, "stop", &options, why, sizeof why), why);
    options.role = VR_PLAYER;
    check_stopped(vr_reader_open(&r, "stop", &options, why, sizeof why), why);
}

/* Five laps, which another reader hears whole. */
static void
write_past_the_stopped(struct ring_host *out, struct vr_reader *ear)
{
    struct vr_block block;

    for (uint64_t at = 0; at < 5 * HARNESS_FRAMES; at += 500) {
        harness_fill(samples, at, 500, 1);
        ring_host_write(out, samples, 500);
        assert_int_equal(vr_read(ear, samples, 500, &block), VR_OK);
        assert_int_equal(harness_right(samples, at, 500, 1), 500);
    }
    assert_int_equal(ring_host_played(out), 0);
}

static void
take_from(struct ring_host *in, uint64_t at, size_t frames)
{
    struct ring_host_span span;

    assert_int_equal(ring_host_peek(in, samples, 500, &span), frames);
    assert_int_equal(harness_right(samples, at, frames, 1), frames);
    ring_host_advance(in, frames);
}

/* Holders of both leases are stopped: told as such, in nobody's way but that of
 * those who want the lease, and at work again when they are continued. */
static void
test_stopped_holders(void **state)
{
    struct ring_host *in = harness_host("stop", VR_RING_IN, 16000, 1, 0);
    struct ring_host *out = harness_host("stop", VR_RING_OUT, 16000, 1, 0);
    struct peer *mic = peer_start(), *player = peer_start();
    struct vr_reader *ear =
        harness_reader("stop", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct vr_writer *w;

    (void)state;
    assert_string_equal(peer_ask(mic, "writer stop frozen"), "VR_OK ");
    assert_string_equal(peer_ask(player, "reader stop frozen 1 0"), "VR_OK ");
    assert_string_equal(peer_ask(mic, "write 200"), "VR_OK ");
    peer_kill(&mic, SIGSTOP);
    peer_kill(&player, SIGSTOP);
    expect_told_as_stopped(in, out);
    write_past_the_stopped(out, ear);
    take_from(in, 0, 200);
    assert_false(ring_host_check(in));
    assert_false(ring_host_check(out));
    peer_kill(&mic, SIGCONT);
    peer_kill(&player, SIGCONT);
    assert_string_equal(peer_ask(mic, "write 100"), "VR_OK ");
    take_from(in, 200, 100);
    assert_int_equal(strncmp(peer_ask(player, "read 100"), "VR_LAPPED", 9), 0);
    /* Ended while stopped: free at once. */
    peer_kill(&mic, SIGSTOP);
    peer_kill(&mic, SIGKILL);
    assert_false(ring_host_has_producer(in));
    w = harness_writer("stop");
    vr_writer_close(&w);
    peer_end(&player);
    vr_reader_close(&ear);
    ring_host_close(&in);
    ring_host_close(&out);
}

/* Names of those who hold something, as a peer writes them: for a terminal,
 * not for a person. */
static void
test_names_that_a_terminal_obeys(void **state)
{
    static const char evil[RING_NAME_BYTES] =
        "\x1b[2J\x1b]0;owned\x07\r\nroot@robot:~# \xff\xfe%s%n";
    static struct scene s;
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES] = "";
    struct ring_layout *peer;
    struct ring_peer who;
    struct vr_reader *r;

    (void)state;
    scene_guard();
    scene_open(&s, "names");
    peer = intruder_map(s.out);
    for (int i = 0; i < 32; i++)
        memcpy((void *)peer->slots[i].name, evil, sizeof evil);
    intruder_unmap(peer);
    ring_host_player(s.out, &who);
    options.role = VR_PLAYER;
    assert_int_equal(vr_reader_open(&r, "names", &options, why, sizeof why),
                     VR_BUSY);
    for (const char *c = why; *c != '\0'; c++)
        assert_in_range(*c, ' ', '~');
    for (const char *c = who.name; *c != '\0'; c++)
        assert_in_range(*c, ' ', '~');
    scenes_flow(&s, 1, "names");
    scene_close(&s);
    vr_guard_remove();
}

/* ---- the words that people sleep on ------------------------------------ */

struct waiters {
    pthread_t threads[500];
    _Atomic uint32_t *word;
    _Atomic uint32_t *sleepers;
    atomic_uint asleep, woken;
    atomic_bool stop;
};

static void *
sleep_on_word(void *arg)
{
    struct waiters *all = arg;
    struct timespec slice = {.tv_nsec = 100000000};

    atomic_fetch_add(&all->asleep, 1);
    while (!atomic_load(&all->stop)) {
        uint32_t seen = atomic_load(all->word);

        atomic_store(all->sleepers, 1);
        if (syscall(SYS_futex, all->word, FUTEX_WAIT, seen, &slice, NULL, 0) ==
            0)
            atomic_fetch_add(&all->woken, 1);
    }
    return NULL;
}

/* Hundreds who sleep where readers sleep, and again at once: the writer's work
 * is one call for all of them, and nobody's audio suffers. */
static void
test_crowd_on_the_futex(void **state)
{
    static struct waiters crowd;
    static struct scene s;
    struct ring_layout *peer;
    pthread_attr_t small;
    int count = 0;

    (void)state;
    scene_guard();
    scene_open(&s, "crowd");
    peer = intruder_map(s.out);
    crowd.word = &peer->wake_word;
    crowd.sleepers = &peer->sleepers;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (count < 500 && pthread_create(&crowd.threads[count], &small,
                                         sleep_on_word, &crowd) == 0)
        count++;
    while (atomic_load(&crowd.asleep) < (unsigned)count)
        sched_yield();
    for (int i = 0; i < 20; i++)
        scenes_flow(&s, 1, "a crowd on the word");
    atomic_store(&crowd.stop, true);
    for (int i = 0; i < count; i++)
        pthread_join(crowd.threads[i], NULL);
    assert_true(atomic_load(&crowd.woken) > 0);
    pthread_attr_destroy(&small);
    intruder_unmap(peer);
    scene_close(&s);
    vr_guard_remove();
}

struct waker {
    pthread_t thread;
    struct ring_layout *layout;
    atomic_bool stop;
    bool changes;
    uint64_t wakes;
};

static void *
wake_for_nothing(void *arg)
{
    struct waker *w = arg;

    while (!atomic_load(&w->stop)) {
        if (w->changes) {
            atomic_fetch_add(&w->layout->wake_word, 1);
            atomic_fetch_add(&w->layout->space_word, 1);
        }
        syscall(SYS_futex, &w->layout->wake_word, FUTEX_WAKE, 1000, NULL, NULL,
                0);
        syscall(SYS_futex, &w->layout->space_word, FUTEX_WAKE, 1000, NULL, NULL,
                0);
        w->wakes++;
    }
    return NULL;
}

static long
cpu_us(void)
{
    struct rusage use;

    getrusage(RUSAGE_THREAD, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000L +
           use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

/* Woken on and on for nothing, with the word the same or another: who waits
 * sleeps for nearly all of the time all the same. */
static void
wait_while_woken(bool changes)
{
    static struct scene s;
    struct waker waker = {.changes = changes};
    uint64_t begin_ns;
    long before_us, used_us, wall_us;

    scene_open(&s, "woken");
    harness_fill(samples, 0, HARNESS_FRAMES, 1);
    assert_int_equal(vr_write(s.mic, samples, HARNESS_FRAMES, 0), VR_OK);
    while (vr_read(s.ear, samples, HARNESS_FRAMES, NULL) != VR_AGAIN)
        continue;
    waker.layout = intruder_map(s.in);
    pthread_create(&waker.thread, NULL, wake_for_nothing, &waker);
    before_us = cpu_us();
    begin_ns = vr_now_ns();
    assert_int_equal(vr_wait(s.ear, 300), VR_TIMEOUT);
    assert_int_equal(vr_wait_space(s.mic, 100, 300), VR_TIMEOUT);
    used_us = cpu_us() - before_us;
    wall_us = (long)((vr_now_ns() - begin_ns) / 1000);
    atomic_store(&waker.stop, true);
    pthread_join(waker.thread, NULL);
    assert_true(waker.wakes > 0);
    if (used_us > wall_us / 3)
        fail_msg("who waited took %ld us of %ld", used_us, wall_us);
    intruder_unmap(waker.layout);
    scenes_flow(&s, 1, "woken for nothing");
    scene_close(&s);
}

static void
test_woken_for_nothing(void **state)
{
    (void)state;
    scene_guard();
    wait_while_woken(false);
    wait_while_woken(true);
    vr_guard_remove();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bell_rung_without_end_and_robbed),
        cmocka_unit_test(test_readers_who_never_read),
        cmocka_unit_test(test_stopped_holders),
        cmocka_unit_test(test_names_that_a_terminal_obeys),
        cmocka_unit_test(test_crowd_on_the_futex),
        cmocka_unit_test(test_woken_for_nothing),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
