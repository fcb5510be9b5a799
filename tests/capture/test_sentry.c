/* The user's voice as capture hears it, and the sentry that wakes by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/capture/mic.h"

#define SECOND 16000
#define LOUD 4000

static const struct vr_format mono16 = {16000, 1};
static const struct capture_config plain = {.model_rate_hz = 16000,
                                            .connect_buffer_ms = 5000};
static struct mic mic;

static int
setup(void **state)
{
    (void)state;
    mic_open(&mic, mono16, plain, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    mic_close(&mic);
    return 0;
}

static struct capture_speech
speech(void)
{
    struct capture_speech s;
    capture_speech(mic.capture, &s);
    return s;
}

static void
poll_all(void)
{
    struct capture_chunk chunk;
    while (capture_poll(mic.capture, mic.now_ns, &chunk))
        capture_chunk_sent(mic.capture, &chunk);
    mic_balance(&mic);
}

static bool
sentry(void)
{
    bool woken = capture_sentry(mic.capture, mic.now_ns);
    mic_balance(&mic);
    return woken;
}

static void
assert_near(uint64_t frame, uint64_t want, uint64_t off)
{
    if (frame + off < want || frame > want + off)
        fail_msg("frame %lu, not %lu", frame, want);
}

/* ---- speech in what is sent ---- */

static void
test_speech_is_told_once(void **state)
{
    (void)state;
    capture_begin(mic.capture, mic.now_ns);
    mic_write_tone(&mic, SECOND / 2, 0);
    mic_write_tone(&mic, SECOND, LOUD);
    poll_all();
    assert_int_equal(mic.speeches, 1);
    assert_true(speech().speaking);
    assert_near(speech().start_frame, SECOND / 2, 160);
    /* Read again, and yet not told again. */
    capture_rewind(mic.capture, 0, mic.now_ns);
    capture_begin(mic.capture, mic.now_ns);
    mic_write_tone(&mic, SECOND, 0);
    poll_all();
    assert_int_equal(mic.speeches, 1);
    assert_int_equal(mic.speech_ends, 1);
    assert_false(speech().speaking);
    assert_near(speech().end_frame, 3 * SECOND / 2, 160);
    assert_int_equal(speech().end_frame, mic.speech_to[0]);
    assert_int_equal(speech().ended_ns, mic.now_ns);
    assert_in_range(speech().loud_ms, 980, 1020);
    capture_rewind(mic.capture, 0, mic.now_ns);
    capture_begin(mic.capture, mic.now_ns);
    poll_all();
    assert_int_equal(mic.speeches, 1);
}

static void
test_gated_audio_is_no_speech(void **state)
{
    (void)state;
    capture_begin(mic.capture, mic.now_ns);
    capture_gate(mic.capture, true);
    mic_write_tone(&mic, SECOND, LOUD);
    poll_all();
    capture_gate(mic.capture, false);
    assert_int_equal(mic.speeches, 0);
    mic_write_tone(&mic, SECOND, LOUD);
    poll_all();
    assert_int_equal(mic.speeches, 1);
    assert_near(mic.speech_from[0], SECOND, 160);
}

static void
test_a_producer_that_stops_ends_speech(void **state)
{
    (void)state;
    capture_begin(mic.capture, mic.now_ns);
    mic_write_tone(&mic, SECOND, LOUD);
    poll_all();
    assert_true(speech().speaking);
    for (int i = 0; i < 30; i++) {
        mic.now_ns = capture_deadline_ns(mic.capture, mic.now_ns);
        poll_all();
    }
    assert_false(speech().speaking);
    assert_near(speech().end_frame, SECOND, 160);
}

/* ---- the sentry ---- */

static void
test_quiet_is_gated_but_for_the_pre_roll(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        mic_write_tone(&mic, SECOND / 10, 0);
        assert_false(sentry());
    }
    struct capture_account a = mic_account(&mic);
    assert_int_equal(a.pending, SECOND * 430 / 1000);
    assert_int_equal(a.gated, 2 * SECOND - a.pending);
    assert_int_equal(a.lost + a.sent, 0);
    /* The next stream begins with what was kept. */
    capture_begin(mic.capture, mic.now_ns);
    mic_write_tone(&mic, SECOND, 0);
    assert_int_equal(mic_poll(&mic).from_frame, a.gated);
}

static void
test_speech_wakes_with_pre_roll(void **state)
{
    (void)state;
    for (uint32_t step = 77; step < 2 * SECOND; step = step * 3) {
        mic_close(&mic);
        mic_open(&mic, mono16, plain, 0);
        bool woken = false;
        for (uint64_t at = 0; at < 3 * SECOND && !woken; at += step) {
            mic_write_tone(&mic, step, at < 3 * SECOND / 2 ? 0 : LOUD);
            woken = sentry();
        }
        assert_true(woken);
        assert_int_equal(mic.speeches, 1);
        assert_true(mic.speech_from[0] + 160 >= 3 * SECOND / 2);
        uint64_t from = mic.speech_from[0] - SECOND * 3 / 10;
        assert_int_equal(ring_host_position(mic.ring), from);
        assert_int_equal(capture_next_frame(mic.capture), from);
        assert_int_equal(mic_account(&mic).gated, from);
        /* It stays so, and what follows is kept. */
        mic_write_tone(&mic, SECOND, LOUD);
        assert_true(sentry());
        assert_int_equal(capture_next_frame(mic.capture), from);
        capture_hold(mic.capture, mic.now_ns);
        assert_true(sentry());
        capture_begin(mic.capture, mic.now_ns);
        poll_all();
        assert_int_equal(mic.speeches, 1);
        assert_true(speech().speaking);
        assert_false(sentry());
    }
}

static void
test_what_waits_for_the_stream_has_a_limit(void **state)
{
    (void)state;
    mic_write_tone(&mic, SECOND, LOUD);
    assert_true(sentry());
    assert_int_equal(capture_next_frame(mic.capture), 0);
    mic_write_tone(&mic, 6 * SECOND, LOUD);
    assert_true(sentry());
    assert_int_equal(mic_account(&mic).pending, 5 * SECOND);
    assert_int_equal(mic.lost[CAPTURE_LOSS_WAITING], 2 * SECOND);
}

static void
test_muted_the_sentry_sleeps_on(void **state)
{
    (void)state;
    mic_write_tone(&mic, SECOND, 0);
    capture_mute(mic.capture, true);
    mic_write_tone(&mic, SECOND, LOUD);
    assert_false(sentry());
    capture_mute(mic.capture, false);
    uint64_t open_at = mic.written;
    mic_write_tone(&mic, SECOND, LOUD);
    assert_true(sentry());
    /* The pre-roll reaches into what was muted: that stays silent. */
    capture_begin(mic.capture, mic.now_ns);
    assert_true(capture_next_frame(mic.capture) < open_at);
    for (int i = 0; i < 9; i++) {
        struct capture_chunk chunk = mic_poll(&mic);
        for (uint64_t f = chunk.from_frame; f < chunk.to_frame; f++)
            if (f < open_at)
                assert_int_equal(chunk.samples[f - chunk.from_frame], 0);
    }
}

static void
test_speech_that_went_on_before_does_not_count(void **state)
{
    (void)state;
    capture_begin(mic.capture, mic.now_ns);
    mic_write_tone(&mic, SECOND, LOUD);
    poll_all();
    mic_write_tone(&mic, SECOND, LOUD);
    assert_true(speech().speaking);
    assert_false(sentry());
    mic_write_tone(&mic, SECOND, 0);
    assert_false(sentry());
    assert_false(speech().speaking);
    mic_write_tone(&mic, SECOND, LOUD);
    assert_true(sentry());
    assert_int_equal(mic.speeches, 2);
}

static void
test_half_a_chunk_has_no_future(void **state)
{
    (void)state;
    capture_begin(mic.capture, mic.now_ns);
    mic_write_tone(&mic, SECOND + 100, 0);
    poll_all();
    uint64_t sent = mic_account(&mic).sent;
    assert_true(sent < SECOND + 100);
    assert_false(sentry());
    assert_int_equal(mic_account(&mic).gated, SECOND + 100 - sent);
    assert_int_equal(mic_account(&mic).pending, 0);
}

static void
test_the_bell_rings_when_it_is_worth_it(void **state)
{
    (void)state;
    assert_false(sentry());
    assert_false(capture_arm(mic.capture));
    mic_write_tone(&mic, SECOND * 39 / 1000, 0);
    assert_false(capture_arm(mic.capture));
    mic_write_tone(&mic, SECOND / 1000, 0);
    assert_true(capture_arm(mic.capture));
    assert_false(sentry());
    assert_false(capture_arm(mic.capture));
    uint64_t due = capture_deadline_ns(mic.capture, mic.now_ns);
    assert_true(due > mic.now_ns && due <= mic.now_ns + MS(1000));
    struct capture_chunk chunk;
    assert_false(capture_poll(mic.capture, mic.now_ns, &chunk));
}

static void
test_a_lapped_sentry_tells_so(void **state)
{
    (void)state;
    uint64_t capacity = ring_host_capacity_frames(mic.ring);
    mic_write_tone(&mic, SECOND, 0);
    assert_false(sentry());
    mic_write_tone(&mic, (size_t)capacity + SECOND, 0);
    assert_false(sentry());
    assert_true(mic.lost[CAPTURE_LOSS_LAPPED] >= SECOND);
    assert_int_equal(mic_account(&mic).lost, mic.lost[CAPTURE_LOSS_LAPPED]);
    mic_write_tone(&mic, SECOND, LOUD);
    assert_true(sentry());
}

static void
test_changes_of_the_gate_without_number(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        capture_gate(mic.capture, i % 2);
        mic_write_tone(&mic, 3, 0);
        if (i % 10 == 9)
            assert_false(sentry());
    }
    capture_begin(mic.capture, mic.now_ns);
    poll_all();
    capture_rewind(mic.capture, 0, mic.now_ns);
    mic_balance(&mic);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_speech_is_told_once),
        TEST(test_gated_audio_is_no_speech),
        TEST(test_a_producer_that_stops_ends_speech),
        TEST(test_quiet_is_gated_but_for_the_pre_roll),
        TEST(test_speech_wakes_with_pre_roll),
        TEST(test_what_waits_for_the_stream_has_a_limit),
        TEST(test_muted_the_sentry_sleeps_on),
        TEST(test_speech_that_went_on_before_does_not_count),
        TEST(test_half_a_chunk_has_no_future),
        TEST(test_the_bell_rings_when_it_is_worth_it),
        TEST(test_a_lapped_sentry_tells_so),
        TEST(test_changes_of_the_gate_without_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
