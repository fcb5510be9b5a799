/* Chunks, the input clock, the gate, holding, draining: step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/capture/mic.h"

static const struct vr_format mono16 = {16000, 1};
static const struct capture_config plain = {.model_rate_hz = 16000,
                                            .connect_buffer_ms = 5000};
static struct mic mic;

static int
setup(void **state)
{
    (void)state;
    mic_open(&mic, mono16, plain, 0);
    capture_begin(mic.capture, mic.now_ns);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    mic_close(&mic);
    return 0;
}

/* Samples [from, to) of the chunk are frames from `frame` on. */
static void
assert_frames(const struct capture_chunk *chunk, size_t from, size_t to,
              uint64_t frame)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(chunk->samples[i], mic_sample(frame + i - from));
}

static void
assert_silence(const struct capture_chunk *chunk, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(chunk->samples[i], 0);
}

/* Lets the producer begin, so that silence ends. */
static void
write_and_poll_one(void)
{
    mic_write(&mic, 512);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.kind, CAPTURE_AUDIO);
    mic_poll_nothing(&mic);
}

static void
test_chunks_are_cut_exactly(void **state)
{
    (void)state;
    mic_write(&mic, 511);
    mic_poll_nothing(&mic);
    mic_write(&mic, 514);
    for (uint64_t at = 0; at < 1024; at += 512) {
        struct capture_chunk chunk = mic_poll(&mic);
        assert_int_equal(chunk.kind, CAPTURE_AUDIO);
        assert_int_equal(chunk.from_frame, at);
        assert_int_equal(chunk.to_frame, at + 512);
        assert_int_equal(chunk.sent_frames, 512);
        assert_int_equal(chunk.inserted_count, 0);
        assert_frames(&chunk, 0, 512, at);
    }
    mic_poll_nothing(&mic);
    assert_int_equal(mic_account(&mic).pending, 1025);
}

static void
test_sent_is_what_the_caller_says(void **state)
{
    (void)state;
    mic_write(&mic, 4 * 512);
    struct capture_chunk a = mic_poll(&mic), b = mic_poll(&mic);
    struct capture_chunk c = mic_poll(&mic), d = mic_poll(&mic);
    capture_chunk_sent(mic.capture, &a);
    assert_int_equal(mic_account(&mic).sent, 512);
    capture_chunk_sent(mic.capture, &c);
    capture_chunk_sent(mic.capture, &b);
    assert_int_equal(mic_account(&mic).sent, 3 * 512);
    assert_int_equal(capture_chunks_dropped(mic.capture), 512);
    capture_chunk_sent(mic.capture, &d);
    assert_int_equal(mic_account(&mic).sent, 3 * 512);
    assert_int_equal(mic_account(&mic).lost, 512);
    assert_int_equal(mic.lost[CAPTURE_LOSS_UNSENT], 512);
    mic_balance(&mic);
}

static void
test_silence_waits_for_the_gap(void **state)
{
    (void)state;
    write_and_poll_one();
    mic.now_ns += MS(299);
    mic_poll_nothing(&mic);
    mic.now_ns += MS(2);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.kind, CAPTURE_SILENCE);
    assert_int_equal(chunk.inserted_count, 512);
    assert_int_equal(chunk.from_frame, chunk.to_frame);
    assert_silence(&chunk, 0, 512);
    assert_int_equal(mic.starved, 1);
    assert_true(capture_is_starved(mic.capture));
    mic_poll_nothing(&mic);
}

static void
test_silence_runs_in_real_time_and_is_never_caught_up(void **state)
{
    (void)state;
    write_and_poll_one();
    mic.now_ns += MS(400);
    mic_poll(&mic);
    for (int i = 0; i < 20; i++) {
        mic_poll_nothing(&mic);
        uint64_t due = capture_deadline_ns(mic.capture, mic.now_ns);
        assert_int_equal(due, mic.now_ns + MS(32));
        mic.now_ns = due - 1;
        mic_poll_nothing(&mic);
        mic.now_ns = due;
        assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
    }
    mic.now_ns += MS(3200);
    mic_poll(&mic);
    mic_poll_nothing(&mic);
    assert_int_equal(mic_account(&mic).inserted_samples, 22 * 512);
    assert_int_equal(mic_account(&mic).inserted_spans, 1);
}

static void
test_a_late_poll_keeps_the_average(void **state)
{
    (void)state;
    write_and_poll_one();
    mic.now_ns += MS(400);
    mic_poll(&mic);
    uint64_t begin = mic.now_ns;
    mic.now_ns += MS(40);
    mic_poll(&mic);
    assert_int_equal(capture_deadline_ns(mic.capture, mic.now_ns),
                     begin + MS(64));
}

static void
test_silence_stops_at_the_first_real_frame(void **state)
{
    (void)state;
    write_and_poll_one();
    mic.now_ns += MS(400);
    mic_poll(&mic);
    mic_write(&mic, 1);
    mic.now_ns += MS(32);
    mic_poll_nothing(&mic);
    assert_int_equal(mic.resumed, 1);
    assert_false(capture_is_starved(mic.capture));
    mic_write(&mic, 511);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.from_frame, 512);
    assert_frames(&chunk, 0, 512, 512);
}

static void
test_a_partial_chunk_is_filled_up_when_silence_starts(void **state)
{
    (void)state;
    write_and_poll_one();
    mic_write(&mic, 100);
    mic_poll_nothing(&mic);
    mic.now_ns += MS(301);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.kind, CAPTURE_AUDIO);
    assert_int_equal(chunk.from_frame, 512);
    assert_int_equal(chunk.to_frame, 612);
    assert_int_equal(chunk.inserted_at, 100);
    assert_int_equal(chunk.inserted_count, 412);
    assert_frames(&chunk, 0, 100, 512);
    assert_silence(&chunk, 100, 512);
    mic_poll_nothing(&mic);
    mic.now_ns += MS(32);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
}

static void
test_no_producer_means_silence_at_once(void **state)
{
    (void)state;
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
    mic_poll_nothing(&mic);
    mic_write(&mic, 512);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_AUDIO);
}

static void
test_backlog_is_sent_in_order_before_any_silence(void **state)
{
    (void)state;
    mic_write(&mic, 20 * 512);
    mic.now_ns += MS(5000);
    for (uint64_t at = 0; at < 20 * 512; at += 512)
        assert_int_equal(mic_poll(&mic).from_frame, at);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
}

static void
test_the_gate_closes_at_the_next_frame(void **state)
{
    (void)state;
    mic_write(&mic, 600);
    capture_gate(mic.capture, true);
    mic_write(&mic, 500);
    capture_gate(mic.capture, false);
    mic_write(&mic, 1000);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_frames(&chunk, 0, 512, 0);
    chunk = mic_poll(&mic);
    assert_int_equal(chunk.kind, CAPTURE_AUDIO);
    assert_int_equal(chunk.sent_frames, 88);
    assert_int_equal(chunk.gated_frames, 424);
    assert_int_equal(chunk.to_frame, 1024);
    assert_frames(&chunk, 0, 88, 512);
    assert_silence(&chunk, 88, 512);
    chunk = mic_poll(&mic);
    assert_int_equal(chunk.gated_frames, 76);
    assert_silence(&chunk, 0, 76);
    assert_frames(&chunk, 76, 512, 1100);
    assert_int_equal(mic_account(&mic).gated, 500);
}

static void
test_gate_and_mute_are_two(void **state)
{
    (void)state;
    capture_mute(mic.capture, true);
    capture_gate(mic.capture, true);
    mic_write(&mic, 512);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.kind, CAPTURE_GATED);
    assert_int_equal(chunk.gated_frames, 512);
    assert_int_equal(chunk.inserted_count, 0);
    assert_silence(&chunk, 0, 512);
    capture_gate(mic.capture, false);
    mic_write(&mic, 512);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_GATED);
    capture_mute(mic.capture, false);
    mic_write(&mic, 512);
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_AUDIO);
}

static void
test_without_a_stream_the_newest_is_kept(void **state)
{
    (void)state;
    struct capture_chunk chunk;
    capture_hold(mic.capture, mic.now_ns);
    mic_write(&mic, 4 * 16000);
    assert_false(capture_poll(mic.capture, mic.now_ns, &chunk));
    assert_int_equal(capture_hold(mic.capture, mic.now_ns), 0);
    mic_write(&mic, 2 * 16000);
    assert_int_equal(capture_hold(mic.capture, mic.now_ns), 16000);
    mic_write(&mic, 1000);
    assert_int_equal(capture_begin(mic.capture, mic.now_ns), 1000);
    assert_int_equal(mic.lost[CAPTURE_LOSS_WAITING], 17000);
    mic_balance(&mic);
    chunk = mic_poll(&mic);
    assert_int_equal(chunk.from_frame, 17000);
    assert_frames(&chunk, 0, 512, 17000);
}

static void
test_a_held_partial_chunk_goes_on(void **state)
{
    (void)state;
    mic_write(&mic, 100);
    mic_poll_nothing(&mic);
    capture_hold(mic.capture, mic.now_ns);
    mic_write(&mic, 412);
    capture_begin(mic.capture, mic.now_ns);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_frames(&chunk, 0, 512, 0);
}

static void
test_what_is_overwritten_is_lost_and_told(void **state)
{
    (void)state;
    uint64_t capacity = ring_host_capacity_frames(mic.ring);
    mic_write(&mic, (size_t)capacity + 3000);
    mic_balance(&mic);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_true(mic.lost[CAPTURE_LOSS_LAPPED] >= 3000);
    assert_int_equal(chunk.from_frame, mic.lost[CAPTURE_LOSS_LAPPED]);
    assert_frames(&chunk, 0, 512, chunk.from_frame);
}

static void
test_drain_pads_the_last_chunk(void **state)
{
    (void)state;
    struct capture_chunk chunk;
    mic_write(&mic, 700);
    assert_true(capture_drain(mic.capture, mic.now_ns, &chunk));
    assert_frames(&chunk, 0, 512, 0);
    mic_write(&mic, 5000);
    assert_true(capture_drain(mic.capture, mic.now_ns, &chunk));
    assert_int_equal(chunk.sent_frames, 188);
    assert_int_equal(chunk.inserted_count, 324);
    assert_frames(&chunk, 0, 188, 512);
    assert_false(capture_drain(mic.capture, mic.now_ns, &chunk));
    assert_false(capture_poll(mic.capture, mic.now_ns, &chunk));
    assert_int_equal(capture_deadline_ns(mic.capture, mic.now_ns), UINT64_MAX);
    mic_balance(&mic);
    capture_begin(mic.capture, mic.now_ns);
    assert_int_equal(mic_poll(&mic).from_frame, 700);
}

static void
test_drain_of_nothing(void **state)
{
    (void)state;
    struct capture_chunk chunk;
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
    assert_false(capture_drain(mic.capture, mic.now_ns, &chunk));
    assert_false(capture_drain(mic.capture, mic.now_ns, &chunk));
}

static void
test_arm(void **state)
{
    (void)state;
    mic_write(&mic, 100);
    mic_poll_nothing(&mic);
    assert_false(capture_arm(mic.capture));
    mic_write(&mic, 412);
    assert_true(capture_arm(mic.capture));
    mic_poll(&mic);
    mic_poll_nothing(&mic);
    assert_false(capture_arm(mic.capture));
    capture_hold(mic.capture, mic.now_ns);
    assert_false(capture_arm(mic.capture));
}

static void
test_deadline_of_live_audio(void **state)
{
    (void)state;
    write_and_poll_one();
    uint64_t gap = mic.now_ns + MS(300), due;
    while ((due = capture_deadline_ns(mic.capture, mic.now_ns)) ==
           mic.now_ns + 2 * MS(32)) {
        mic.now_ns = due;
        mic_poll_nothing(&mic);
    }
    assert_true(due <= gap && due > gap - 2 * MS(32));
    mic.now_ns = due - 1;
    mic_poll_nothing(&mic);
    mic.now_ns = due;
    assert_int_equal(mic_poll(&mic).kind, CAPTURE_SILENCE);
}

static void
test_capture_time_of_the_newest_frame(void **state)
{
    (void)state;
    int16_t frames[768] = {0};
    uint64_t stamp = mic.now_ns - MS(10);
    assert_int_equal(vr_write(mic.writer, frames, 768, stamp), VR_OK);
    mic.written += 768;
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.captured_ns, stamp - MS(16));
}

static void
test_configurations_that_cannot_be(void **state)
{
    (void)state;
    static const struct capture_ops none;
    struct capture_config bad[] = {
        {.ring = mic.ring, .model_rate_hz = 48000},
        {.ring = mic.ring, .model_rate_hz = 0},
        {.ring = mic.ring, .model_rate_hz = 16000, .chunk_ms = 9},
        {.ring = mic.ring, .model_rate_hz = 16000, .chunk_ms = 101},
    };
    for (size_t i = 0; i < 4; i++)
        assert_null(capture_new(&bad[i], &none, NULL));
    struct capture *nothing = NULL;
    capture_free(&nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_chunks_are_cut_exactly),
        TEST(test_sent_is_what_the_caller_says),
        TEST(test_silence_waits_for_the_gap),
        TEST(test_silence_runs_in_real_time_and_is_never_caught_up),
        TEST(test_a_late_poll_keeps_the_average),
        TEST(test_silence_stops_at_the_first_real_frame),
        TEST(test_a_partial_chunk_is_filled_up_when_silence_starts),
        TEST(test_no_producer_means_silence_at_once),
        TEST(test_backlog_is_sent_in_order_before_any_silence),
        TEST(test_the_gate_closes_at_the_next_frame),
        TEST(test_gate_and_mute_are_two),
        TEST(test_without_a_stream_the_newest_is_kept),
        TEST(test_a_held_partial_chunk_goes_on),
        TEST(test_what_is_overwritten_is_lost_and_told),
        TEST(test_drain_pads_the_last_chunk),
        TEST(test_drain_of_nothing),
        TEST(test_arm),
        TEST(test_deadline_of_live_audio),
        TEST(test_capture_time_of_the_newest_frame),
        TEST(test_configurations_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
