/* Going back, what is remembered for it, and how fast what waited goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "gateway/capture/fates.h"
#include "tests/capture/mic.h"

#define CHUNK 512

static const struct vr_format mono16 = {16000, 1};
static const struct capture_config plain = {.model_rate_hz = 16000,
                                            .connect_buffer_ms = 60000};
static struct mic mic;

static int
setup(void **state)
{
    (void)state;
    mic_open(&mic, mono16, plain, 0);
    capture_begin(mic.capture, mic.now_ns);
    mic_poll(&mic);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    mic_close(&mic);
    return 0;
}

static void
assert_frames(const struct capture_chunk *chunk, uint64_t frame)
{
    assert_int_equal(chunk->from_frame, frame);
    for (size_t i = 0; i < CHUNK; i++)
        assert_int_equal(chunk->samples[i], mic_sample(frame + i));
}

/* The next chunk holds exactly the frames from `frame` on. */
static struct capture_chunk
poll_frames(uint64_t frame)
{
    struct capture_chunk chunk = mic_poll(&mic);
    assert_frames(&chunk, frame);
    return chunk;
}

static uint64_t
rewind_to(uint64_t frame)
{
    uint64_t at = capture_rewind(mic.capture, frame, mic.now_ns);
    assert_int_equal(capture_next_frame(mic.capture), at);
    mic_balance(&mic);
    return at;
}

static void
test_what_was_not_sent_is_pending_again(void **state)
{
    (void)state;
    mic_write(&mic, 4 * CHUNK + 100);
    struct capture_chunk first = poll_frames(0);
    capture_chunk_sent(mic.capture, &first);
    poll_frames(CHUNK);
    poll_frames(2 * CHUNK);
    assert_int_equal(capture_next_frame(mic.capture), 3 * CHUNK);
    assert_int_equal(rewind_to(CHUNK), CHUNK);
    assert_int_equal(mic_account(&mic).pending, 3 * CHUNK + 100);
    mic_poll_nothing(&mic);
    capture_begin(mic.capture, mic.now_ns);
    for (uint64_t at = CHUNK; at < 4 * CHUNK; at += CHUNK) {
        struct capture_chunk chunk = poll_frames(at);
        assert_int_equal(chunk.resent_frames, 0);
        capture_chunk_sent(mic.capture, &chunk);
    }
    assert_int_equal(mic_account(&mic).sent, 4 * CHUNK);
    assert_int_equal(mic_account(&mic).resent, 0);
    assert_int_equal(mic_account(&mic).lost, 0);
}

static void
test_what_was_sent_is_resent_not_sent(void **state)
{
    (void)state;
    struct capture_chunk chunk;
    mic_write(&mic, 6 * CHUNK);
    for (uint64_t at = 0; at < 4 * CHUNK; at += CHUNK) {
        chunk = poll_frames(at);
        capture_chunk_sent(mic.capture, &chunk);
    }
    /* Twice over the same frames, and into the middle of a chunk. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rewind_to(3 * CHUNK + 100), 3 * CHUNK + 100);
        capture_begin(mic.capture, mic.now_ns);
        chunk = poll_frames(3 * CHUNK + 100);
        assert_int_equal(chunk.resent_frames, i ? CHUNK : CHUNK - 100);
        assert_int_equal(chunk.sent_frames, CHUNK);
        capture_chunk_sent(mic.capture, &chunk);
        assert_int_equal(mic_account(&mic).sent, 4 * CHUNK + 100);
    }
    assert_int_equal(mic_account(&mic).resent, CHUNK - 100 + CHUNK);
    chunk = poll_frames(4 * CHUNK + 100);
    assert_int_equal(chunk.resent_frames, 0);
    capture_chunk_sent(mic.capture, &chunk);
    assert_int_equal(mic_account(&mic).sent, 5 * CHUNK + 100);
}

static void
test_chunks_of_the_old_stream_mean_nothing(void **state)
{
    (void)state;
    mic_write(&mic, 2 * CHUNK);
    struct capture_chunk a = poll_frames(0), b = poll_frames(CHUNK);
    rewind_to(0);
    capture_chunk_sent(mic.capture, &b);
    assert_int_equal(mic_account(&mic).sent, 0);
    capture_begin(mic.capture, mic.now_ns);
    poll_frames(0);
    capture_chunk_sent(mic.capture, &a);
    assert_int_equal(mic_account(&mic).sent, 0);
    assert_int_equal(capture_chunks_dropped(mic.capture), CHUNK);
    assert_int_equal(mic_account(&mic).lost, CHUNK);
}

static void
test_the_first_unsent_frame(void **state)
{
    (void)state;
    assert_int_equal(capture_unsent_frame(mic.capture), 0);
    mic_write(&mic, CHUNK);
    capture_mute(mic.capture, true);
    mic_write(&mic, 100);
    capture_mute(mic.capture, false);
    mic_write(&mic, 4 * CHUNK);
    struct capture_chunk chunk = mic_poll(&mic);
    mic_poll(&mic);
    assert_int_equal(capture_unsent_frame(mic.capture), 0);
    capture_chunk_sent(mic.capture, &chunk);
    /* Muted frames wait for nothing. */
    assert_int_equal(capture_unsent_frame(mic.capture), CHUNK + 100);
    chunk = mic_poll(&mic);
    capture_chunk_sent(mic.capture, &chunk);
    assert_int_equal(capture_unsent_frame(mic.capture), 3 * CHUNK);
    mic_poll(&mic);
    capture_chunks_dropped(mic.capture);
    assert_int_equal(capture_unsent_frame(mic.capture), 4 * CHUNK);
    rewind_to(0);
    assert_int_equal(capture_unsent_frame(mic.capture), 0);
}

static void
test_never_beyond_what_is_in_chunks(void **state)
{
    (void)state;
    mic_write(&mic, CHUNK + 200);
    struct capture_chunk chunk = poll_frames(0);
    capture_chunk_sent(mic.capture, &chunk);
    mic_poll_nothing(&mic);
    assert_int_equal(rewind_to(UINT64_MAX), CHUNK);
    assert_int_equal(mic_account(&mic).pending, 200);
    assert_int_equal(mic_account(&mic).lost, 0);
}

static void
test_what_is_not_gone_back_to_is_lost(void **state)
{
    (void)state;
    mic_write(&mic, 3 * CHUNK);
    poll_frames(0);
    poll_frames(CHUNK);
    assert_int_equal(rewind_to(CHUNK + 12), CHUNK + 12);
    assert_int_equal(mic.lost[CAPTURE_LOSS_UNSENT], CHUNK + 12);
    /* Lost once is lost: going back further passes over it. */
    assert_int_equal(rewind_to(0), CHUNK + 12);
    capture_begin(mic.capture, mic.now_ns);
    poll_frames(CHUNK + 12);
    assert_int_equal(mic_account(&mic).lost, CHUNK + 12);
}

static void
test_dropped_frames_are_passed_over(void **state)
{
    (void)state;
    mic_write(&mic, 4 * CHUNK);
    struct capture_chunk chunk = poll_frames(0);
    capture_chunk_sent(mic.capture, &chunk);
    poll_frames(CHUNK);
    capture_chunks_dropped(mic.capture);
    rewind_to(CHUNK - 100);
    capture_begin(mic.capture, mic.now_ns);
    chunk = mic_poll(&mic);
    assert_int_equal(chunk.from_frame, CHUNK - 100);
    assert_int_equal(chunk.to_frame, 3 * CHUNK - 100);
    assert_int_equal(chunk.resent_frames, 100);
    assert_int_equal(chunk.samples[99], mic_sample(CHUNK - 1));
    assert_int_equal(chunk.samples[100], mic_sample(2 * CHUNK));
}

static void
test_gated_stays_gated(void **state)
{
    (void)state;
    mic_write(&mic, 100);
    capture_mute(mic.capture, true);
    mic_write(&mic, 200);
    capture_mute(mic.capture, false);
    mic_write(&mic, 2000);
    for (int pass = 0; pass < 3; pass++) {
        struct capture_chunk chunk = mic_poll(&mic);
        assert_int_equal(chunk.gated_frames, 200);
        for (size_t i = 0; i < CHUNK; i++)
            assert_int_equal(chunk.samples[i],
                             i >= 100 && i < 300 ? 0 : mic_sample(i));
        capture_chunk_sent(mic.capture, &chunk);
        mic_poll(&mic);
        assert_int_equal(mic_account(&mic).gated, 200);
        assert_int_equal(rewind_to(0), 0);
        capture_begin(mic.capture, mic.now_ns);
    }
    assert_int_equal(mic_account(&mic).sent, CHUNK - 200);
    assert_int_equal(mic_account(&mic).resent, 2 * (CHUNK - 200));
}

static void
test_resent_frames_that_are_lapped_are_not_lost(void **state)
{
    (void)state;
    struct capture_chunk chunk = {0};
    uint64_t capacity = ring_host_capacity_frames(mic.ring);
    mic_write(&mic, 20 * CHUNK);
    for (uint64_t at = 0; at < 10 * CHUNK; at += CHUNK)
        chunk = poll_frames(at);
    capture_chunk_sent(mic.capture, &chunk);
    rewind_to(0);
    capture_begin(mic.capture, mic.now_ns);
    mic_write(&mic, capacity);
    chunk = mic_poll(&mic);
    assert_true(chunk.from_frame >= 20 * CHUNK);
    assert_int_equal(mic.lost[CAPTURE_LOSS_LAPPED],
                     chunk.from_frame - 10 * CHUNK);
    assert_int_equal(mic_account(&mic).sent, 10 * CHUNK);
    /* Now too late for what was given and is overwritten. */
    mic_write(&mic, capacity);
    uint64_t oldest = ring_host_head(mic.ring) - capacity;
    assert_int_equal(rewind_to(0), oldest);
    assert_int_equal(mic_account(&mic).lost, oldest - 10 * CHUNK);
    assert_int_equal(mic.lost[CAPTURE_LOSS_UNSENT], CHUNK);
}

/* Whatever is forgotten, nothing is heard that should not be. */
static void
test_going_back_stops_at_what_is_forgotten(void **state)
{
    (void)state;
    static bool closed[FATES_MAX * 80];
    struct capture_chunk chunk;
    for (uint64_t i = 0; i < 2 * FATES_MAX + 100; i++) {
        capture_gate(mic.capture, i % 2);
        memset(closed + mic.written, i % 2, 20);
        mic_write(&mic, 20);
        while (capture_poll(mic.capture, mic.now_ns, &chunk))
            capture_chunk_sent(mic.capture, &chunk);
    }
    uint64_t at = rewind_to(0);
    assert_true(at >= 100 * 20 && at <= 104 * 20);
    capture_begin(mic.capture, mic.now_ns);
    while (capture_poll(mic.capture, mic.now_ns, &chunk))
        for (uint64_t f = chunk.from_frame; f < chunk.to_frame; f++)
            assert_int_equal(chunk.samples[f - chunk.from_frame],
                             closed[f] ? 0 : mic_sample(f));
    mic_balance(&mic);
}

static void
test_reading_again_is_no_producer(void **state)
{
    (void)state;
    mic_write(&mic, 2 * CHUNK);
    poll_frames(0);
    poll_frames(CHUNK);
    mic_poll_nothing(&mic);
    mic.now_ns += MS(400);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
    assert_int_equal(mic.starved, 2);
    assert_int_equal(mic.resumed, 1);
    rewind_to(CHUNK);
    capture_begin(mic.capture, mic.now_ns);
    poll_frames(CHUNK);
    mic.now_ns += MS(50);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
    assert_int_equal(mic.starved, 2);
    assert_int_equal(mic.resumed, 1);
    mic_write(&mic, 10);
    mic_poll_nothing(&mic);
    assert_int_equal(mic.resumed, 2);
}

static void
test_keep_is_what_is_kept(void **state)
{
    (void)state;
    mic_write(&mic, 5 * 16000);
    struct capture_chunk chunk = mic_poll(&mic);
    capture_chunk_sent(mic.capture, &chunk);
    rewind_to(0);
    capture_keep(mic.capture, 5000);
    assert_int_equal(capture_hold(mic.capture, mic.now_ns), 0);
    /* What was sent may go without being lost. */
    mic_write(&mic, 1000);
    assert_int_equal(capture_hold(mic.capture, mic.now_ns), 1000 - CHUNK);
    assert_int_equal(capture_next_frame(mic.capture), 1000);
    capture_keep(mic.capture, 1000);
    assert_int_equal(capture_hold(mic.capture, mic.now_ns), 4 * 16000);
    assert_int_equal(mic_account(&mic).sent, CHUNK);
}

static void
test_a_ring_in_use_is_not_gone_back_in(void **state)
{
    (void)state;
    static const struct capture_ops none;
    struct capture_config config = plain;
    config.ring = mic.ring;
    mic_write(&mic, 1000);
    mic_poll(&mic);
    capture_free(&mic.capture);
    mic.capture = capture_new(&config, &none, NULL);
    assert_int_equal(capture_rewind(mic.capture, 0, mic.now_ns), 512);
}

static void
test_a_damaged_ring_is_waited_for(void **state)
{
    (void)state;
    struct capture_chunk chunk = {0};
    mic_write(&mic, 6 * CHUNK);
    for (uint64_t at = 0; at < 4 * CHUNK; at += CHUNK)
        chunk = poll_frames(at);
    capture_chunk_sent(mic.capture, &chunk);
    rewind_to(2 * CHUNK);
    capture_begin(mic.capture, mic.now_ns);
    assert_int_equal(shm_unlink(ring_host_name(mic.ring)), 0);
    assert_true(ring_host_check(mic.ring));
    mic.now_ns += MS(5000);
    mic_poll_nothing(&mic);
    assert_false(capture_arm(mic.capture));
    assert_true(capture_deadline_ns(mic.capture, mic.now_ns) > mic.now_ns);
    assert_int_equal(ring_host_recreate(mic.ring, NULL, 0), VR_OK);
    capture_poll(mic.capture, mic.now_ns, &chunk);
    assert_int_equal(mic_account(&mic).sent, 4 * CHUNK);
    assert_int_equal(mic_account(&mic).lost, 2 * CHUNK);
    assert_int_equal(mic_account(&mic).resent, 0);
    assert_int_equal(rewind_to(0), 6 * CHUNK);
}

/* ---- the pace ---- */

/* Polls until there is nothing; returns how many frames came. */
static uint64_t
poll_all(void)
{
    struct capture_chunk chunk;
    uint64_t frames = 0;
    while (capture_poll(mic.capture, mic.now_ns, &chunk)) {
        frames += chunk.sent_frames;
        capture_chunk_sent(mic.capture, &chunk);
    }
    return frames;
}

static void
test_what_waited_goes_out_at_a_pace(void **state)
{
    (void)state;
    capture_hold(mic.capture, mic.now_ns);
    mic_write(&mic, 8 * 16000);
    capture_begin(mic.capture, mic.now_ns);
    uint64_t sent = poll_all(), begin_ns = mic.now_ns;
    assert_true(sent <= 3 * 16000 && sent > 3 * 16000 - CHUNK);
    while (sent < 8 * 16000) {
        uint64_t due = capture_deadline_ns(mic.capture, mic.now_ns);
        assert_false(capture_arm(mic.capture));
        assert_true(due > mic.now_ns && due < mic.now_ns + MS(17));
        mic.now_ns = due;
        uint64_t got = poll_all();
        assert_true(got > 0);
        sent += got;
        assert_true(sent <= 3 * 16000 + (due - begin_ns) * 32 / 1000000 + 1);
    }
    uint64_t took_ns = mic.now_ns - begin_ns;
    assert_true(took_ns > MS(2480) && took_ns < MS(2520));
    /* Caught up: what comes now, however much, comes at once. */
    mic_write(&mic, 5 * 16000);
    assert_true(poll_all() > 5 * 16000 - CHUNK);
}

static void
test_time_without_polls_makes_no_greater_burst(void **state)
{
    (void)state;
    mic_write(&mic, 9 * 16000);
    assert_true(poll_all() > 8 * 16000);
    rewind_to(0);
    capture_begin(mic.capture, mic.now_ns);
    assert_true(poll_all() > 3 * 16000 - CHUNK);
    mic.now_ns += MS(60000);
    uint64_t sent = poll_all();
    assert_true(sent <= 3 * 16000 && sent > 3 * 16000 - CHUNK);
}

static void
test_draining_is_not_held_back(void **state)
{
    (void)state;
    struct capture_chunk chunk;
    capture_hold(mic.capture, mic.now_ns);
    mic_write(&mic, 6 * 16000);
    capture_begin(mic.capture, mic.now_ns);
    uint64_t frames = 0;
    while (capture_drain(mic.capture, mic.now_ns, &chunk))
        frames += chunk.sent_frames;
    assert_int_equal(frames, 6 * 16000);
}

/* ---- fates ---- */

static void
test_fates_against_an_array(void **state)
{
    (void)state;
    static uint8_t truth[20000];
    static struct fates fates;
    uint32_t seed = 7, end = 0;
    fates_init(&fates, 0);
    for (int i = 0; i < 6000; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t from = (seed >> 8) % 19000;
        uint32_t to = from + (seed >> 24) % (i % 100 ? 20 : 3000);
        enum fate fate = i % 3 ? FATE_GATED : FATE_LOST;
        uint64_t marked = 0;
        from = from > fates.floor ? from : (uint32_t)fates.floor;
        for (uint32_t f = from; f < to; f++) {
            marked += truth[f] == FATE_NONE;
            if (truth[f] == FATE_NONE)
                truth[f] = fate;
        }
        if (to > from)
            assert_int_equal(fates_mark(&fates, from, to, fate), marked);
        assert_true(fates.count <= FATES_MAX);
        for (uint64_t f = fates.floor; f < 20000; f = end) {
            uint64_t until;
            assert_int_equal(fates_at(&fates, f, &until), truth[f]);
            for (end = (uint32_t)f; end < until && end < 20000; end++)
                assert_int_equal(truth[end], truth[f]);
        }
    }
    assert_true(fates.floor > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_not_sent_is_pending_again),
        TEST(test_what_was_sent_is_resent_not_sent),
        TEST(test_chunks_of_the_old_stream_mean_nothing),
        TEST(test_the_first_unsent_frame),
        TEST(test_never_beyond_what_is_in_chunks),
        TEST(test_what_is_not_gone_back_to_is_lost),
        TEST(test_dropped_frames_are_passed_over),
        TEST(test_gated_stays_gated),
        TEST(test_resent_frames_that_are_lapped_are_not_lost),
        TEST(test_going_back_stops_at_what_is_forgotten),
        TEST(test_reading_again_is_no_producer),
        TEST(test_keep_is_what_is_kept),
        TEST(test_a_ring_in_use_is_not_gone_back_in),
        TEST(test_a_damaged_ring_is_waited_for),
        TEST(test_what_waited_goes_out_at_a_pace),
        TEST(test_time_without_polls_makes_no_greater_burst),
        TEST(test_draining_is_not_held_back),
        cmocka_unit_test(test_fates_against_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
