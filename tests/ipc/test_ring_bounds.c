/* Words out of all bounds, and what they must not lead to. The fuzzers
 * (tests/fuzz/fuzz_ring_*) find such programs; here each is told in a few
 * lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ipc/intruder.h"

#define RATE_HZ 16000

static int16_t samples[HARNESS_FRAMES];

static void
recreate(struct ring_host *host)
{
    char why[VR_ERROR_BYTES] = "";

    if (ring_host_recreate(host, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
}

/* Reads until a status says that there is nothing more. */
static enum vr_status
read_out(struct vr_reader *reader)
{
    struct vr_block block;
    enum vr_status status = VR_OK;

    for (int i = 0; i < 20; i++) {
        status = vr_read(reader, samples, HARNESS_FRAMES, &block);
        assert_true(block.position <= RING_MAX_POSITION);
        if (status == VR_AGAIN || status == VR_CLOSED)
            return status;
    }
    fail_msg("the reader is kept busy by words that stand still");
    return status;
}

static void
test_flush_beyond_all_positions(void **state)
{
    struct ring_host *host = harness_host("far", VR_RING_OUT, RATE_HZ, 1, 0);
    struct vr_reader *player =
        harness_reader("far", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    struct ring_layout *l = intruder_map(host);
    struct vr_block block = {0};

    (void)state;
    l->flushes[1].to = UINT64_MAX - 1;
    l->flush_count = 1;
    l->head = UINT64_MAX;
    assert_int_equal(read_out(player), VR_AGAIN);
    assert_true(ring_host_check(host));
    recreate(host);
    harness_fill(samples, 0, 100, 1);
    ring_host_write(host, samples, 100);
    while (vr_read(player, samples, 100, &block) != VR_OK)
        harness_pause();
    assert_int_equal(harness_right(samples, 0, 100, 1), 100);
    intruder_unmap(l);
    vr_reader_close(&player);
    ring_host_close(&host);
}

static void
test_flush_words_of_an_in_ring(void **state)
{
    struct ring_host *host = harness_host("in", VR_RING_IN, RATE_HZ, 1, 0);
    struct ring_layout *l = intruder_map(host);

    (void)state;
    assert_false(ring_host_check(host));
    l->flush_count = 2;
    assert_true(ring_host_check(host));
    intruder_unmap(l);
    ring_host_close(&host);
}

static void
test_read_position_beyond_all(void **state)
{
    static const uint64_t values[] = {1, UINT64_MAX, RING_MAX_POSITION,
                                      UINT64_C(1) << 63,
                                      (UINT64_C(1) << 63) + 200};
    struct ring_host *host = harness_host("space", VR_RING_IN, RATE_HZ, 1, 0);
    struct vr_writer *mic = harness_writer("space");
    struct ring_layout *l = intruder_map(host);
    struct vr_writer_stats stats;

    (void)state;
    harness_fill(samples, 0, 100, 1);
    assert_int_equal(vr_write(mic, samples, 100, 0), VR_OK);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        l->read_position = values[i];
        vr_writer_stats(mic, &stats, sizeof stats);
        assert_true(stats.read_position <= stats.position);
        assert_true(vr_space(mic) <= HARNESS_FRAMES);
    }
    intruder_unmap(l);
    vr_writer_close(&mic);
    ring_host_close(&host);
}

/* The room between reserve and commit stays where it is, also when its gateway
 * has gone and a look at that is due. */
static void
test_room_outlives_its_gateway(void **state)
{
    struct ring_host *host = harness_host("room", VR_RING_IN, RATE_HZ, 1, 0);
    struct vr_writer *mic = harness_writer("room");
    struct vr_writer_stats stats = {0};
    uint64_t until_ns;
    void *room;

    (void)state;
    assert_int_equal(vr_reserve(mic, 100, &room), 100);
    ring_host_close(&host);
    until_ns = vr_now_ns() + 150000000;
    while (vr_now_ns() < until_ns) {
        harness_pause();
        vr_space(mic);
    }
    assert_int_equal(vr_wait_space(mic, 1, -1), VR_STATE);
    harness_fill(room, 0, 100, 1);
    assert_int_equal(vr_commit(mic, 100, 0), VR_OK);
    while (stats.lost_frames == 0) {
        harness_pause();
        vr_space(mic);
        vr_writer_stats(mic, &stats, sizeof stats);
    }
    assert_int_equal(stats.lost_frames, 100);
    vr_writer_close(&mic);
}

/* A gateway may pass over what died with the old object without reading it. */
static void
test_advance_over_what_a_repair_lost(void **state)
{
    struct ring_host *host = harness_host("over", VR_RING_IN, RATE_HZ, 1, 0);
    struct vr_writer *mic = harness_writer("over");

    (void)state;
    harness_fill(samples, 0, 1000, 1);
    assert_int_equal(vr_write(mic, samples, 1000, 0), VR_OK);
    assert_int_equal(ring_host_readable(host), 1000);
    recreate(host);
    ring_host_advance(host, 10);
    assert_int_equal(ring_host_position(host), 10);
    assert_false(ring_host_check(host));
    vr_writer_close(&mic);
    ring_host_close(&host);
}

/* Else some millions of lies would bring the ring to the end of all
 * positions, for ever. */
static void
test_head_no_faster_than_memory(void **state)
{
    struct ring_host *host = harness_host("fast", VR_RING_IN, RATE_HZ, 1, 0);
    struct ring_layout *l = intruder_map(host);
    uint64_t head = 0;

    (void)state;
    for (int i = 0; i < 100 && !ring_host_damaged(host); i++) {
        head += UINT64_C(1) << 40;
        l->intent = head;
        l->head = head;
        assert_true(ring_host_head(host) <= head);
    }
    assert_true(ring_host_damaged(host));
    assert_true(ring_host_head(host) < RING_MAX_POSITION / 1000);
    intruder_unmap(l);
    ring_host_close(&host);
}

/* In a child: the guard over the default action, and a SIGBUS of kill(2). */
static int
status_after(void (*handler)(int))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGBUS, handler);
        if (vr_guard_install() != VR_OK)
            _exit(2);
        kill(getpid(), SIGBUS);
        _exit(3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
test_sent_sigbus_does_what_it_did(void **state)
{
    int status = status_after(SIG_DFL);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = status_after(SIG_IGN);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flush_beyond_all_positions),
        cmocka_unit_test(test_flush_words_of_an_in_ring),
        cmocka_unit_test(test_read_position_beyond_all),
        cmocka_unit_test(test_room_outlives_its_gateway),
        cmocka_unit_test(test_advance_over_what_a_repair_lost),
        cmocka_unit_test(test_head_no_faster_than_memory),
        cmocka_unit_test(test_sent_sigbus_does_what_it_did),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
