/* A flush is an event, told once to everybody, wherever they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/ipc/harness.h"

static int16_t samples[65536];

static void
host_write(struct ring_host *host, size_t frames)
{
    harness_fill(samples, ring_host_head(host), frames, 1);
    ring_host_write(host, samples, frames);
}

static void
expect_frames(struct vr_reader *r, uint64_t position, uint64_t frames)
{
    struct vr_block block;

    assert_int_equal(vr_read(r, samples, (size_t)frames, &block), VR_OK);
    assert_int_equal(block.position, position);
    assert_int_equal(block.frames, frames);
    assert_int_equal(harness_right(samples, position, (size_t)frames, 1),
                     frames);
}

static void
expect_flush(struct vr_reader *r, uint64_t to, uint64_t turn, uint64_t skipped,
             uint64_t position)
{
    struct vr_block block;

    assert_int_equal(vr_wait(r, 1000), VR_OK);
    assert_int_equal(vr_read(r, samples, 1000, &block), VR_FLUSHED);
    assert_int_equal(block.frames, 0);
    assert_int_equal(block.flush_to, to);
    assert_int_equal(block.flush_turn, turn);
    assert_int_equal(block.skipped_frames, skipped);
    assert_int_equal(block.position, position);
}

static void
test_told_once_wherever_the_reader_is(void **state)
{
    struct ring_host *host = harness_host("f1", VR_RING_OUT, 24000, 1, 0);
    struct vr_reader *behind =
        harness_reader("f1", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    struct vr_reader *ahead =
        harness_reader("f1", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct vr_block block;

    (void)state;
    host_write(host, 1000);
    expect_frames(behind, 0, 200);
    expect_frames(ahead, 0, 1000);
    assert_true(ring_host_flush(host, 800, 41));
    expect_flush(behind, 800, 41, 600, 800);
    expect_flush(ahead, 800, 41, 0, 1000);
    expect_frames(behind, 800, 200);
    assert_int_equal(vr_read(behind, samples, 10, &block), VR_AGAIN);
    assert_int_equal(vr_read(ahead, samples, 10, &block), VR_AGAIN);
    assert_int_equal(vr_wait(ahead, 0), VR_TIMEOUT);
    vr_reader_close(&behind);
    vr_reader_close(&ahead);
    ring_host_close(&host);
}

static void
test_flush_only_grows(void **state)
{
    struct ring_host *host = harness_host("f2", VR_RING_OUT, 24000, 1, 0);
    struct vr_reader *r =
        harness_reader("f2", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct vr_block block;

    (void)state;
    assert_false(ring_host_flush(host, 0, 1));
    assert_false(ring_host_flush(host, 10, 1));
    host_write(host, 1000);
    assert_true(ring_host_flush(host, 500, 1));
    assert_false(ring_host_flush(host, 500, 2));
    assert_false(ring_host_flush(host, 400, 3));
    expect_flush(r, 500, 1, 500, 500);
    /* Beyond head is head: what is not written cannot be void. */
    assert_true(ring_host_flush(host, 9999, 4));
    assert_int_equal(ring_host_flush_to(host), 1000);
    host_write(host, 10);
    /* Two at once are one: the newest. */
    assert_true(ring_host_flush(host, 1005, 5));
    expect_flush(r, 1005, 5, 505, 1005);
    expect_frames(r, 1005, 5);
    assert_int_equal(vr_read(r, samples, 10, &block), VR_AGAIN);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_recorder_is_told_and_not_moved(void **state)
{
    struct ring_host *host = harness_host("f3", VR_RING_OUT, 24000, 1, 0);
    struct vr_options options = harness_options();
    struct vr_reader *r;

    (void)state;
    host_write(host, 600);
    assert_true(ring_host_flush(host, 300, 6));
    options.marks_only = 1;
    options.start = VR_START_OLDEST;
    assert_int_equal(vr_reader_open(&r, "f3", &options, NULL, 0), VR_OK);
    expect_frames(r, 0, 100);
    assert_true(ring_host_flush(host, 600, 7));
    expect_flush(r, 600, 7, 0, 100);
    expect_frames(r, 100, 500);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_old_flush_is_no_news_but_holds(void **state)
{
    struct ring_host *host = harness_host("f4", VR_RING_OUT, 24000, 1, 0);
    struct vr_reader *r;

    (void)state;
    host_write(host, 600);
    assert_true(ring_host_flush(host, 400, 8));
    r = harness_reader("f4", VR_RING_OUT, VR_PLAYER, VR_START_OLDEST);
    expect_frames(r, 400, 200);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_flush_wakes_sleepers(void **state)
{
    struct ring_host *host = harness_host("f5", VR_RING_OUT, 24000, 1, 0);
    struct peer *peer = peer_start();

    (void)state;
    assert_string_equal(peer_ask(peer, "reader f5 lips 0 0"), "VR_OK ");
    host_write(host, 500);
    assert_string_equal(peer_ask(peer, "read 500"), "VR_OK 0 500 500 0 0 0");
    peer_tell(peer, "wait 15000");
    assert_true(ring_host_flush(host, 500, 77));
    assert_string_equal(peer_hear(peer), "VR_OK ");
    assert_string_equal(peer_ask(peer, "read 500"),
                        "VR_FLUSHED 500 0 0 0 500 77");
    peer_end(&peer);
    ring_host_close(&host);
}

static void
test_played_position(void **state)
{
    struct ring_host *host = harness_host("f6", VR_RING_OUT, 24000, 1, 0);
    struct vr_reader *player =
        harness_reader("f6", VR_RING_OUT, VR_PLAYER, VR_START_NOW);
    struct ring_host_faults faults;

    (void)state;
    host_write(host, 1000);
    assert_int_equal(ring_host_played(host), 0);
    expect_frames(player, 0, 700);
    assert_int_equal(vr_played(player, 300), VR_OK);
    assert_int_equal(ring_host_played(host), 300);
    assert_int_equal(vr_played(player, 200), VR_OK);
    assert_int_equal(ring_host_played(host), 300);
    /* Nobody plays what he has not read. */
    assert_int_equal(vr_played(player, 5000), VR_OK);
    assert_int_equal(ring_host_played(host), 700);
    assert_int_equal(ring_host_lap_frames(host, 700), HARNESS_FRAMES - 300);
    assert_int_equal(ring_host_lap_frames(host, 2000), HARNESS_FRAMES);
    host_write(host, 2 * HARNESS_FRAMES);
    assert_int_equal(ring_host_lap_frames(host, 700), 0);
    ring_host_faults(host, &faults);
    assert_int_equal(faults.count[RING_FAULT_PLAYED], 0);
    vr_reader_close(&player);
    assert_int_equal(ring_host_played(host), 700);
    ring_host_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_once_wherever_the_reader_is),
        cmocka_unit_test(test_flush_only_grows),
        cmocka_unit_test(test_recorder_is_told_and_not_moved),
        cmocka_unit_test(test_old_flush_is_no_news_but_holds),
        cmocka_unit_test(test_flush_wakes_sleepers),
        cmocka_unit_test(test_played_position),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
