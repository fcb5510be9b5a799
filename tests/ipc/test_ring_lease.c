/* Who holds a ring, and for how long: as long as its process lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ipc/harness.h"

static int16_t samples[4096];

static void
expect_in(const char *text, const char *word)
{
    if (strstr(text, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, word);
}

static void
test_second_producer_is_told_of_the_first(void **state)
{
    struct ring_host *host = harness_host("l1", VR_RING_IN, 16000, 1, 0);
    struct peer *first = peer_start(), *second = peer_start();
    struct ring_peer who;
    char pid[32];
    const char *reply;

    (void)state;
    ring_host_producer(host, &who);
    assert_int_equal(who.state, RING_PEER_NONE);
    assert_string_equal(peer_ask(first, "writer l1 kitchen-mic"), "VR_OK ");
    reply = peer_ask(second, "writer l1 thief");
    expect_in(reply, "VR_BUSY");
    expect_in(reply, "\"kitchen-mic\"");
    snprintf(pid, sizeof pid, "pid %d", (int)first->pid);
    expect_in(reply, pid);
    ring_host_producer(host, &who);
    assert_int_equal(who.state, RING_PEER_PRESENT);
    assert_int_equal(who.pid, first->pid);
    assert_string_equal(who.name, "kitchen-mic");
    assert_string_equal(peer_ask(first, "close"), "VR_OK ");
    assert_false(ring_host_has_producer(host));
    assert_string_equal(peer_ask(second, "writer l1 heir"), "VR_OK ");
    peer_end(&first);
    peer_end(&second);
    ring_host_close(&host);
}

static void
test_stopped_producer_keeps_the_ring(void **state)
{
    struct ring_host *host = harness_host("l2", VR_RING_IN, 16000, 1, 0);
    struct peer *first = peer_start(), *second = peer_start();
    struct ring_peer who;
    const char *reply;

    (void)state;
    assert_string_equal(peer_ask(first, "writer l2 mic"), "VR_OK ");
    peer_kill(&first, SIGSTOP);
    reply = peer_ask(second, "writer l2 thief");
    expect_in(reply, "VR_BUSY");
    expect_in(reply, "stopped");
    expect_in(reply, "SIGCONT");
    ring_host_producer(host, &who);
    assert_int_equal(who.state, RING_PEER_STOPPED);
    peer_kill(&first, SIGCONT);
    assert_string_equal(peer_ask(first, "write 160"), "VR_OK ");
    assert_int_equal(ring_host_readable(host), 160);
    peer_end(&first);
    peer_end(&second);
    ring_host_close(&host);
}

static void
test_killed_producer_leaves_at_once(void **state)
{
    struct ring_host *host = harness_host("l3", VR_RING_IN, 16000, 1, 1 << 16);
    struct peer *next = peer_start();
    struct ring_host_span span;
    uint64_t position = 0;
    size_t n;

    (void)state;
    for (int round = 0; round < 10; round++) {
        struct peer *mic = peer_start();
        assert_string_equal(peer_ask(mic, "writer l3 mic"), "VR_OK ");
        expect_in(peer_ask(mic, "flood 331"), "VR_OK");
        while (ring_host_readable(host) < 1000)
            sched_yield();
        /* In the middle of a write, most likely. */
        peer_kill(&mic, SIGKILL);
        assert_false(ring_host_has_producer(host));
        assert_string_equal(peer_ask(next, "writer l3 next"), "VR_OK ");
        assert_string_equal(peer_ask(next, "write 160"), "VR_OK ");
        assert_string_equal(peer_ask(next, "close"), "VR_OK ");
        do {
            n = ring_host_peek(host, samples, 4096, &span);
            assert_int_equal(span.position, position + span.lost_frames);
            assert_int_equal(harness_right(samples, span.position, n, 1), n);
            ring_host_advance(host, n);
            position = ring_host_position(host);
        } while (n > 0);
    }
    assert_false(ring_host_damaged(host));
    peer_end(&next);
    ring_host_close(&host);
}

static void
test_one_player(void **state)
{
    struct ring_host *host = harness_host("l4", VR_RING_OUT, 24000, 1, 0);
    struct peer *first = peer_start(), *second = peer_start();
    struct ring_peer who;
    const char *reply;

    (void)state;
    assert_string_equal(peer_ask(first, "reader l4 loudspeaker 1 0"), "VR_OK ");
    reply = peer_ask(second, "reader l4 other 1 0");
    expect_in(reply, "VR_BUSY");
    expect_in(reply, "\"loudspeaker\"");
    assert_string_equal(peer_ask(second, "reader l4 listener 0 0"), "VR_OK ");
    assert_int_equal(ring_host_reader_count(host), 2);
    ring_host_player(host, &who);
    assert_int_equal(who.state, RING_PEER_PRESENT);
    assert_string_equal(who.name, "loudspeaker");
    peer_kill(&first, SIGKILL);
    assert_false(ring_host_has_player(host));
    assert_int_equal(ring_host_reader_count(host), 1);
    assert_string_equal(peer_ask(second, "close"), "VR_OK ");
    assert_string_equal(peer_ask(second, "reader l4 heir 1 0"), "VR_OK ");
    assert_true(ring_host_has_player(host));
    peer_end(&second);
    ring_host_close(&host);
}

/* A killed reader that slept costs the writer nothing. */
static void
test_killed_sleeper_is_no_burden(void **state)
{
    struct ring_host *host = harness_host("l5", VR_RING_OUT, 24000, 1, 0);
    struct peer *gone = peer_start(), *healthy = peer_start();

    (void)state;
    assert_string_equal(peer_ask(gone, "reader l5 gone 0 0"), "VR_OK ");
    assert_string_equal(peer_ask(healthy, "reader l5 healthy 0 0"), "VR_OK ");
    peer_tell(gone, "wait 15000");
    peer_kill(&gone, SIGKILL);
    peer_tell(healthy, "wait 15000");
    ring_host_write(host, samples, 100);
    assert_string_equal(peer_hear(healthy), "VR_OK ");
    peer_end(&healthy);
    ring_host_close(&host);
}

/* A child tells by its exit what its calls returned. */
static int
child_says(struct vr_writer *w, struct vr_reader *r)
{
    struct vr_reader_stats stats;
    void *room;
    int wrong = 0;

    wrong += vr_write(w, samples, 10, 0) != VR_STATE;
    wrong += vr_reserve(w, 10, &room) != 0;
    wrong += vr_space(w) != 0;
    wrong += vr_wait_space(w, 1, 10) != VR_STATE;
    wrong += vr_read(r, samples, 10, NULL) != VR_STATE;
    wrong += vr_wait(r, 10) != VR_STATE;
    wrong += vr_played(r, 1) != VR_STATE;
    vr_reader_stats(r, &stats, sizeof stats);
    wrong += stats.attached != 0;
    vr_writer_close(&w);
    vr_reader_close(&r);
    return wrong;
}

/* fork, or a clone that runs no handlers; the child waits for its word. */
static pid_t
make_child(bool raw, struct vr_writer *w, struct vr_reader *r, int wait_fd)
{
    pid_t child = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    char byte;

    assert_true(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (raw)
        _exit(child_says(w, r));
    _exit(read(wait_fd, &byte, 1) == 1 ? child_says(w, r) : 99);
}

static void
forked_child_keeps_nothing(bool raw)
{
    struct ring_host *in = harness_host("l6", VR_RING_IN, 16000, 1, 0);
    struct ring_host *out = harness_host("l6", VR_RING_OUT, 16000, 1, 0);
    struct vr_writer *w = harness_writer("l6");
    struct vr_reader *r =
        harness_reader("l6", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    int go[2], status = -1;
    pid_t child;

    assert_int_equal(pipe(go), 0);
    child = make_child(raw, w, r, go[0]);
    assert_int_equal(vr_write(w, samples, 10, 0), VR_OK);
    vr_writer_close(&w);
    vr_reader_close(&r);
    if (raw)
        assert_int_equal(waitpid(child, &status, 0), child);
    /* With fork, the child lives, and yet both leases are free. */
    w = harness_writer("l6");
    r = harness_reader("l6", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    if (!raw) {
        assert_int_equal(write(go[1], "", 1), 1);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(ring_host_has_producer(in));
    assert_true(ring_host_has_player(out));
    vr_writer_close(&w);
    vr_reader_close(&r);
    close(go[0]);
    close(go[1]);
    ring_host_close(&in);
    ring_host_close(&out);
}

static void
test_forked_child_keeps_nothing(void **state)
{
    (void)state;
    forked_child_keeps_nothing(false);
}

static void
test_raw_clone_finds_out_by_itself(void **state)
{
    (void)state;
    forked_child_keeps_nothing(true);
}

/* A child of the gateway does not keep its rings alive. */
static void
test_forked_child_of_the_gateway(void **state)
{
    struct ring_host *host = harness_host("l7", VR_RING_IN, 16000, 1, 0);
    int go[2], status = -1;
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(go), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    ring_host_close(&host);
    host = harness_host("l7", VR_RING_IN, 16000, 1, 0);
    close(go[1]);
    close(go[0]);
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    ring_host_close(&host);
}

/* The name that people see cannot be an escape sequence. */
static void
test_names_are_printable(void **state)
{
    struct ring_host *host = harness_host("l8", VR_RING_IN, 16000, 1, 0);
    struct vr_options options = harness_options();
    struct ring_peer who;
    struct vr_writer *w;

    (void)state;
    options.name = "\033[2Jm\xc3\xbcll, a name that is far too long for it";
    assert_int_equal(vr_writer_open(&w, "l8", &options, NULL, 0), VR_OK);
    ring_host_producer(host, &who);
    assert_string_equal(who.name, "?[2Jm??ll, a name that is far too long ");
    vr_writer_close(&w);
    ring_host_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_producer_is_told_of_the_first),
        cmocka_unit_test(test_stopped_producer_keeps_the_ring),
        cmocka_unit_test(test_killed_producer_leaves_at_once),
        cmocka_unit_test(test_one_player),
        cmocka_unit_test(test_killed_sleeper_is_no_burden),
        cmocka_unit_test(test_forked_child_keeps_nothing),
        cmocka_unit_test(test_raw_clone_finds_out_by_itself),
        cmocka_unit_test(test_forked_child_of_the_gateway),
        cmocka_unit_test(test_names_are_printable),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
