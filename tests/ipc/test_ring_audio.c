/* Frames in, frames out: formats, positions, laps, pre-roll, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "tests/ipc/harness.h"

static int16_t in[2 * 65536], out[2 * 65536];

static void
write_frames(struct vr_writer *w, uint64_t position, size_t frames,
             uint32_t channels)
{
    harness_fill(in, position, frames, channels);
    assert_int_equal(vr_write(w, in, frames, 0), VR_OK);
}

static void
test_every_format(void **state)
{
    static const uint32_t rates[] = {8000, 16000, 24000, 48000};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (uint32_t channels = 1; channels <= 2; channels++) {
            struct ring_host *host =
                harness_host("format", VR_RING_IN, rates[i], channels, 0);
            struct vr_writer *w = harness_writer("format");
            struct vr_writer_stats stats;
            struct ring_host_span span;
            uint64_t position = 0;

            vr_writer_stats(w, &stats, sizeof stats);
            assert_int_equal(stats.format.rate_hz, rates[i]);
            assert_int_equal(stats.format.channels, channels);
            /* 37 does not divide the ring: every wrap is another one. */
            for (int round = 0; round < 500; round++) {
                write_frames(w, position, 37, channels);
                assert_int_equal(ring_host_peek(host, out, 100, &span), 37);
                assert_int_equal(span.position, position);
                assert_int_equal(span.lost_frames, 0);
                assert_int_equal(harness_right(out, position, 37, channels),
                                 37);
                ring_host_advance(host, 37);
                position += 37;
            }
            vr_writer_close(&w);
            ring_host_close(&host);
        }
}

static void
test_one_writer_many_readers(void **state)
{
    struct ring_host *host = harness_host("many", VR_RING_OUT, 24000, 1, 0);
    struct vr_reader *readers[40];
    uint64_t position = 0;

    (void)state;
    for (int i = 0; i < 40; i++)
        readers[i] = harness_reader(
            "many", VR_RING_OUT, i == 0 ? VR_PLAYER : VR_OTHER, VR_START_NOW);
    /* The ring has 31 slots for readers that are not the player; who comes
     * later reads without one. */
    assert_int_equal(ring_host_reader_count(host), 32);
    for (int round = 0; round < 50; round++) {
        harness_fill(in, position, 240, 1);
        assert_int_equal(ring_host_write(host, in, 240), position);
        for (int i = 0; i < 40; i++) {
            struct vr_block block;
            assert_int_equal(vr_read(readers[i], out, 1000, &block), VR_OK);
            assert_int_equal(block.frames, 240);
            assert_int_equal(block.position, position);
            assert_int_equal(harness_right(out, position, 240, 1), 240);
            assert_int_equal(vr_read(readers[i], out, 1000, &block), VR_AGAIN);
        }
        position += 240;
    }
    for (int i = 0; i < 40; i++)
        vr_reader_close(&readers[i]);
    assert_int_equal(ring_host_reader_count(host), 0);
    ring_host_close(&host);
}

static void
test_lapped_reader_is_told_exactly(void **state)
{
    struct ring_host *host = harness_host("lap", VR_RING_OUT, 16000, 2, 0);
    struct vr_reader *r =
        harness_reader("lap", VR_RING_OUT, VR_OTHER, VR_START_NOW);
    struct vr_reader_stats stats;
    struct vr_block block;
    uint64_t got = 0, lost = 0;
    enum vr_status status;

    (void)state;
    harness_fill(in, 0, 20000, 2);
    ring_host_write(host, in, 20000);
    assert_int_equal(vr_read(r, out, 100, &block), VR_LAPPED);
    assert_int_equal(block.frames, 0);
    assert_true(block.lost_frames >= 20000 - HARNESS_FRAMES);
    assert_int_equal(block.position, block.lost_frames);
    lost = block.lost_frames;
    while ((status = vr_read(r, out, 100, &block)) == VR_OK) {
        assert_int_equal(block.position, lost + got);
        assert_int_equal(
            harness_right(out, block.position, (size_t)block.frames, 2),
            block.frames);
        got += block.frames;
    }
    assert_int_equal(status, VR_AGAIN);
    assert_int_equal(got + lost, 20000);
    vr_reader_stats(r, &stats, sizeof stats);
    assert_int_equal(stats.lost_frames, lost);
    assert_int_equal(stats.read_frames, got);
    assert_int_equal(stats.position, 20000);
    assert_int_equal(stats.head, 20000);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_lapped_gateway_is_told_exactly(void **state)
{
    struct ring_host *host = harness_host("laps", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("laps");
    struct ring_host_span span;
    size_t n;

    (void)state;
    write_frames(w, 0, 1000, 1);
    assert_int_equal(ring_host_peek(host, out, 400, &span), 400);
    ring_host_advance(host, 400);
    write_frames(w, 1000, 30000, 1);
    assert_int_equal(ring_host_readable(host), 30600);
    n = ring_host_peek(host, out, 65536, &span);
    assert_true(span.lost_frames >= 30600 - HARNESS_FRAMES);
    assert_int_equal(span.position, 400 + span.lost_frames);
    assert_int_equal(span.position + n, 31000);
    assert_int_equal(harness_right(out, span.position, n, 1), n);
    ring_host_advance(host, n);
    ring_host_peek(host, out, 10, &span);
    assert_int_equal(span.lost_frames, 0);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_seek_rewinds_within_the_ring(void **state)
{
    struct ring_host *host = harness_host("seek", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("seek");
    struct ring_host_span span;

    (void)state;
    write_frames(w, 0, 6000, 1);
    assert_int_equal(ring_host_seek(host, 6000), 6000);
    assert_int_equal(ring_host_seek(host, 7000), 6000);
    assert_int_equal(ring_host_seek(host, 3000), 3000);
    assert_int_equal(ring_host_peek(host, out, 10, &span), 10);
    assert_int_equal(harness_right(out, 3000, 10, 1), 10);
    assert_int_equal(ring_host_seek(host, 5), 6000 - HARNESS_FRAMES);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_peek_at_moves_nothing(void **state)
{
    struct ring_host *host = harness_host("peekat", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("peekat");
    struct ring_host_span span;
    uint64_t oldest;
    size_t n;

    (void)state;
    write_frames(w, 0, 3000, 1);
    assert_int_equal(ring_host_seek(host, 2000), 2000);
    assert_int_equal(ring_host_peek_at(host, 500, out, 700, &span), 700);
    assert_int_equal(span.position, 500);
    assert_int_equal(harness_right(out, 500, 700, 1), 700);
    assert_int_equal(ring_host_peek_at(host, 2900, out, 700, &span), 100);
    assert_int_equal(ring_host_peek_at(host, 3000, out, 700, &span), 0);
    assert_int_equal(ring_host_peek_at(host, 3001, out, 700, &span), 0);
    assert_int_equal(ring_host_peek_at(host, UINT64_MAX, out, 700, &span), 0);
    assert_int_equal(span.lost_frames, 0);
    assert_int_equal(ring_host_position(host), 2000);
    write_frames(w, 3000, 6000, 1);
    oldest = 9000 - HARNESS_FRAMES;
    /* Lapped: told each time, to each who asks. */
    for (int i = 0; i < 2; i++) {
        n = ring_host_peek_at(host, 100, out, 65536, &span);
        assert_true(span.position >= oldest && span.position < 9000);
        assert_int_equal(span.lost_frames, span.position - 100);
        assert_int_equal(span.position + n, 9000);
        assert_int_equal(harness_right(out, span.position, n, 1), n);
    }
    assert_int_equal(ring_host_position(host), 2000);
    assert_int_equal(ring_host_peek_at(host, oldest, out, 50, &span), 50);
    assert_int_equal(harness_right(out, oldest, 50, 1), 50);
    assert_int_equal(ring_host_peek(host, out, 10, &span), 10);
    assert_int_equal(span.lost_frames, ring_host_position(host) - 2000);
    vr_writer_close(&w);
    ring_host_close(&host);
}

/* A reader that has gone back and is overtaken there is told. */
static void
test_a_rewound_gateway_may_be_lapped(void **state)
{
    struct ring_host *host = harness_host("relap", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("relap");
    struct ring_host_span span;

    (void)state;
    write_frames(w, 0, 5000, 1);
    assert_int_equal(ring_host_seek(host, 5000), 5000);
    assert_int_equal(ring_host_seek(host, 1000), 1000);
    write_frames(w, 5000, 500, 1);
    assert_int_equal(ring_host_peek(host, out, 100, &span), 100);
    assert_int_equal(span.position, 1000 + span.lost_frames);
    assert_true(span.position >= 5500 - HARNESS_FRAMES);
    assert_int_equal(ring_host_position(host), span.position);
    assert_int_equal(harness_right(out, span.position, 100, 1), 100);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_pre_roll(void **state)
{
    struct ring_host *host = harness_host("past", VR_RING_IN, 8000, 1, 0);
    struct vr_writer *w = harness_writer("past");
    struct vr_options options = harness_options();
    struct vr_reader *r;
    struct vr_block block;

    (void)state;
    write_frames(w, 0, 1000, 1);
    options.ring = VR_RING_IN;
    options.start = VR_START_PAST;
    options.past_frames = 300;
    assert_int_equal(vr_reader_open(&r, "past", &options, NULL, 0), VR_OK);
    assert_int_equal(vr_read(r, out, 1000, &block), VR_OK);
    assert_int_equal(block.position, 700);
    assert_int_equal(block.frames, 300);
    assert_int_equal(harness_right(out, 700, 300, 1), 300);
    vr_reader_close(&r);

    options.past_frames = 5000;
    assert_int_equal(vr_reader_open(&r, "past", &options, NULL, 0), VR_OK);
    assert_int_equal(vr_read(r, out, 5000, &block), VR_OK);
    assert_int_equal(block.position, 0);
    assert_int_equal(block.frames, 1000);
    vr_reader_close(&r);

    write_frames(w, 1000, 9000, 1);
    r = harness_reader("past", VR_RING_IN, VR_OTHER, VR_START_OLDEST);
    assert_int_equal(vr_read(r, out, 5000, &block), VR_OK);
    assert_int_equal(block.position, 10000 - HARNESS_FRAMES);
    assert_int_equal(block.frames, HARNESS_FRAMES);
    vr_reader_close(&r);

    r = harness_reader("past", VR_RING_IN, VR_OTHER, VR_START_NOW);
    assert_int_equal(vr_read(r, out, 5000, &block), VR_AGAIN);
    assert_int_equal(block.position, 10000);
    vr_reader_close(&r);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_reserve_and_commit(void **state)
{
    struct ring_host *host = harness_host("room", VR_RING_IN, 48000, 2, 0);
    struct vr_writer *w = harness_writer("room");
    struct ring_host_span span;
    uint64_t position = 0, captured_ns;
    void *room;
    size_t n;

    (void)state;
    assert_int_equal(vr_commit(w, 1, 0), VR_INVALID);
    for (int round = 0; round < 300; round++) {
        n = vr_reserve(w, 100, &room);
        assert_in_range(n, 1, 100);
        assert_int_equal(vr_reserve(w, 100, &room), 0);
        assert_int_equal(vr_write(w, in, 1, 0), VR_STATE);
        n = vr_commit(w, 0, 0) == VR_OK ? vr_reserve(w, 100, &room) : 0;
        harness_fill(room, position, n, 2);
        assert_int_equal(vr_commit(w, n + 1, 0), VR_INVALID);
        captured_ns = vr_now_ns();
        assert_int_equal(vr_commit(w, n > 1 ? n - 1 : n, captured_ns), VR_OK);
        n = n > 1 ? n - 1 : n;
        assert_int_equal(ring_host_peek(host, out, 200, &span), n);
        assert_int_equal(harness_right(out, position, n, 2), n);
        ring_host_advance(host, n);
        position += n;
    }
    vr_writer_close(&w);
    ring_host_close(&host);
}

/* What a short commit left damaged must not be read as good. */
static void
test_short_commit_voids_the_oldest(void **state)
{
    struct ring_host *host = harness_host("short", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("short");
    struct ring_host_span span;
    void *room;
    size_t n;

    (void)state;
    write_frames(w, 0, HARNESS_FRAMES, 1);
    n = vr_reserve(w, 100, &room);
    assert_int_equal(n, 100);
    memset(room, 0x55, 200);
    assert_int_equal(vr_commit(w, 0, 0), VR_OK);
    n = ring_host_peek(host, out, HARNESS_FRAMES, &span);
    assert_true(span.lost_frames >= 100);
    assert_int_equal(harness_right(out, span.position, n, 1), n);
    assert_int_equal(span.position + n, HARNESS_FRAMES);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_capture_time(void **state)
{
    struct ring_host *host = harness_host("time", VR_RING_IN, 16000, 1, 0);
    struct vr_writer *w = harness_writer("time");
    uint64_t now_ns = vr_now_ns(), position, captured_ns;

    (void)state;
    assert_int_equal(ring_host_last_commit_ns(host, now_ns), 0);
    assert_false(ring_host_captured(host, now_ns, &position, &captured_ns));
    assert_int_equal(vr_write(w, in, 160, now_ns + 7), VR_OK);
    assert_int_equal(ring_host_last_commit_ns(host, now_ns + 100), now_ns + 7);
    assert_true(
        ring_host_captured(host, now_ns + 100, &position, &captured_ns));
    assert_int_equal(position, 160);
    assert_int_equal(captured_ns, now_ns + 7);
    /* Without a stamp, the time of the call. */
    assert_int_equal(vr_write(w, in, 160, 0), VR_OK);
    assert_false(
        ring_host_captured(host, vr_now_ns(), &position, &captured_ns));
    assert_true(ring_host_last_commit_ns(host, vr_now_ns()) >= now_ns + 100);
    /* Times that cannot be are cut to what was seen. */
    now_ns = vr_now_ns();
    ring_host_last_commit_ns(host, now_ns);
    assert_int_equal(vr_write(w, in, 160, 5), VR_OK);
    assert_int_equal(ring_host_last_commit_ns(host, now_ns + 50), now_ns);
    assert_int_equal(vr_write(w, in, 160, UINT64_MAX), VR_OK);
    assert_false(
        ring_host_captured(host, now_ns + 90, &position, &captured_ns));
    assert_int_equal(ring_host_last_commit_ns(host, now_ns + 90), now_ns + 90);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
refuse_writer(const char *session, struct vr_options *options,
              enum vr_status expected, const char *word)
{
    char why[VR_ERROR_BYTES] = "";
    struct vr_writer *w;

    assert_int_equal(vr_writer_open(&w, session, options, why, sizeof why),
                     expected);
    assert_null(w);
    if (strstr(why, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, word);
}

static void
test_refusals_say_why(void **state)
{
    struct ring_host *host = harness_host("no", VR_RING_IN, 16000, 1, 0);
    struct vr_options options = harness_options();

    (void)state;
    options.format.rate_hz = 44100;
    refuse_writer("no", &options, VR_INVALID, "16000 Hz");
    options.format = (struct vr_format){0, 2};
    refuse_writer("no", &options, VR_INVALID, "convert");
    options.format = (struct vr_format){16000, 1};
    refuse_writer("nobody", &options, VR_NOT_FOUND, "voxringd");
    refuse_writer("../no", &options, VR_INVALID, "name");
    refuse_writer("", &options, VR_INVALID, "session");
    refuse_writer(NULL, &options, VR_INVALID, "session");
    options.instance = "a/b";
    refuse_writer("no", &options, VR_INVALID, "instance");
    options.instance = NULL;
    options.flags = 1;
    refuse_writer("no", &options, VR_INVALID, "flags");
    options.flags = 0;
    options.struct_bytes = 3;
    refuse_writer("no", &options, VR_INVALID, "struct_bytes");
    options.struct_bytes = 0;
    options.runtime_dir = "/nowhere/at/all";
    refuse_writer("no", &options, VR_NOT_FOUND, "/nowhere/at/all");
    ring_host_close(&host);
}

/* A caller built against a later header, and one against an earlier. */
static void
test_options_of_other_ages(void **state)
{
    struct ring_host *host = harness_host("age", VR_RING_IN, 16000, 1, 0);
    struct {
        struct vr_options known;
        uint64_t later;
    } newer = {.known = harness_options()};
    struct vr_options older = harness_options();
    struct vr_writer *w;

    (void)state;
    newer.known.struct_bytes = sizeof newer;
    assert_int_equal(vr_writer_open(&w, "age", &newer.known, NULL, 0), VR_OK);
    vr_writer_close(&w);
    newer.later = 1;
    refuse_writer("age", &newer.known, VR_VERSION, "newer");
    older.struct_bytes = offsetof(struct vr_options, format);
    older.format.rate_hz = 1;
    assert_int_equal(vr_writer_open(&w, "age", &older, NULL, 0), VR_OK);
    vr_writer_close(&w);
    ring_host_close(&host);
}

static void
test_reader_refusals(void **state)
{
    struct ring_host *host = harness_host("nor", VR_RING_IN, 16000, 1, 0);
    struct vr_options options = harness_options();
    struct vr_reader *r;

    (void)state;
    options.ring = VR_RING_IN;
    options.role = VR_PLAYER;
    assert_int_equal(vr_reader_open(&r, "nor", &options, NULL, 0), VR_INVALID);
    options.ring = VR_RING_OUT;
    options.marks_only = 1;
    assert_int_equal(vr_reader_open(&r, "nor", &options, NULL, 0), VR_INVALID);
    options.marks_only = 0;
    assert_int_equal(vr_reader_open(&r, "nor", &options, NULL, 0),
                     VR_NOT_FOUND);
    options.role = (enum vr_role)7;
    assert_int_equal(vr_reader_open(&r, "nor", &options, NULL, 0), VR_INVALID);
    r = harness_reader("nor", VR_RING_IN, VR_OTHER, VR_START_NOW);
    assert_int_equal(vr_played(r, 1), VR_STATE);
    vr_reader_close(&r);
    vr_reader_close(&r);
    ring_host_close(&host);
}

static void
test_capacity_rule(void **state)
{
    struct ring_host *host;

    (void)state;
    assert_int_equal(ring_host_min_frames(VR_RING_IN, 16000, 0), 160000);
    assert_int_equal(ring_host_min_frames(VR_RING_IN, 16000, 30000), 560000);
    assert_int_equal(ring_host_min_frames(VR_RING_OUT, 24000, 99), 2880000);
    host = harness_host("size", VR_RING_IN, 8000, 1,
                        ring_host_min_frames(VR_RING_IN, 8000, 0));
    assert_int_equal(ring_host_capacity_frames(host), 131072);
    ring_host_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format),
        cmocka_unit_test(test_one_writer_many_readers),
        cmocka_unit_test(test_lapped_reader_is_told_exactly),
        cmocka_unit_test(test_lapped_gateway_is_told_exactly),
        cmocka_unit_test(test_seek_rewinds_within_the_ring),
        cmocka_unit_test(test_peek_at_moves_nothing),
        cmocka_unit_test(test_a_rewound_gateway_may_be_lapped),
        cmocka_unit_test(test_pre_roll),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_short_commit_voids_the_oldest),
        cmocka_unit_test(test_capture_time),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_options_of_other_ages),
        cmocka_unit_test(test_reader_refusals),
        cmocka_unit_test(test_capacity_rule),
    };

    return cmocka_run_group_tests(tests, harness_up, harness_down);
}
