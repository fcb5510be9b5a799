/* Writing, interrupting, what was heard, with and without a player. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/playback/speaker.h"

#define HZ 24000
#define FRAMES(ms) ((size_t)(ms) * (HZ / 1000))

static const struct vr_format mono24 = {HZ, 1};
static const struct playback_config plain = {.model_rate_hz = HZ};
static struct speaker sp;
static int16_t heard[HZ * 40];

static int
setup(void **state)
{
    (void)state;
    speaker_open(&sp, mono24, plain, 8);
    return 0;
}

static int
setup_with_player(void **state)
{
    setup(state);
    speaker_plug(&sp);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    speaker_close(&sp);
    return 0;
}

static struct playback_cut
interrupt(uint64_t response)
{
    struct playback_cut cut;
    playback_interrupt(sp.playback, response, sp.now_ns, &cut);
    speaker_account(&sp);
    return cut;
}

static struct playback_heard
heard_of(uint64_t response)
{
    struct playback_heard h;
    assert_true(playback_heard(sp.playback, response, sp.now_ns, &h));
    return h;
}

/* Plays `frames` frames; they must be the samples from `sample` on. */
static void
play(size_t frames, uint64_t sample)
{
    assert_int_equal(speaker_play(&sp, heard, frames), frames);
    for (size_t i = 0; i < frames; i++)
        assert_int_equal(heard[i], speaker_sample(sample + i));
}

static void
play_nothing(void)
{
    assert_int_equal(speaker_play(&sp, heard, 1), 0);
}

static void
test_audio_goes_to_the_player(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(500));
    assert_string_equal(speaker_notes(&sp), "s1");
    play(FRAMES(500), 0);
    assert_string_equal(speaker_notes(&sp), "");
    playback_end(sp.playback, 1, sp.now_ns);
    assert_string_equal(speaker_notes(&sp), "f1");
    assert_int_equal(speaker_account(&sp).played, FRAMES(500));
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
    struct playback_span span;
    assert_true(playback_span(sp.playback, 1, &span));
    assert_int_equal(span.from_frame, 0);
    assert_int_equal(span.to_frame, FRAMES(500));
    assert_false(playback_span(sp.playback, 2, &span));
}

static void
test_responses_follow_each_other(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(100));
    speaker_say(&sp, 2, FRAMES(200));
    assert_string_equal(speaker_notes(&sp), "s1");
    play(FRAMES(99), 0);
    assert_string_equal(speaker_notes(&sp), "");
    play(FRAMES(51), FRAMES(99));
    assert_string_equal(speaker_notes(&sp), "f1 s2");
    assert_true(heard_of(2).heard_ms == 50);
    assert_true(heard_of(1).heard_ms == 100);
    playback_end_all(sp.playback, sp.now_ns);
    play(FRAMES(150), FRAMES(150));
    assert_string_equal(speaker_notes(&sp), "f2");
}

static void
test_interruption_flushes_to_the_end_of_that_response(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    play(FRAMES(300), 0);
    speaker_say(&sp, 2, FRAMES(100));
    speaker_notes(&sp);
    struct playback_cut cut = interrupt(1);
    assert_true(cut.heard_ms == 300);
    assert_false(cut.estimated);
    assert_int_equal(cut.flush_to, FRAMES(1000));
    assert_int_equal(cut.flushed_frames, FRAMES(700));
    assert_int_equal(sp.notes[0].kind, 'x');
    assert_int_equal(sp.notes[0].notice.turn_id, 101);
    assert_int_equal(sp.notes[0].notice.span.from_frame, FRAMES(300));
    assert_int_equal(sp.notes[0].notice.span.to_frame, FRAMES(1000));
    assert_string_equal(speaker_notes(&sp), "x1 s2");
    play(FRAMES(100), FRAMES(1000));
    play_nothing();
    assert_int_equal(speaker_account(&sp).flushed, FRAMES(700));
    assert_int_equal(speaker_account(&sp).played, FRAMES(400));
}

static void
test_interruption_is_idempotent(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    play(FRAMES(300), 0);
    interrupt(1);
    uint64_t flush_to = ring_host_flush_to(sp.ring);
    speaker_say(&sp, 2, FRAMES(500));
    play(FRAMES(200), FRAMES(1000));
    struct playback_cut cut = interrupt(1);
    assert_true(cut.heard_ms == 300);
    assert_int_equal(cut.flushed_frames, 0);
    assert_int_equal(ring_host_flush_to(sp.ring), flush_to);
    play(FRAMES(300), FRAMES(1200));
    assert_string_equal(speaker_notes(&sp), "s1 x1 s2");
}

static void
test_late_audio_is_not_written(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(100));
    interrupt(1);
    speaker_say(&sp, 1, FRAMES(400));
    assert_int_equal(ring_host_head(sp.ring), FRAMES(100));
    assert_int_equal(speaker_account(&sp).flushed, FRAMES(500));
    assert_int_equal(speaker_account(&sp).received, FRAMES(500));
    assert_true(heard_of(1).received_ms == 500);
    play_nothing();
}

static void
test_a_response_interrupted_before_its_audio_has_none(void **state)
{
    (void)state;
    struct playback_cut cut = interrupt(7);
    assert_true(cut.heard_ms == 0);
    assert_int_equal(cut.flush_to, 0);
    speaker_say(&sp, 7, FRAMES(100));
    assert_int_equal(ring_host_head(sp.ring), 0);
    assert_string_equal(speaker_notes(&sp), "");
}

static void
test_interruption_after_the_end(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(100));
    playback_end(sp.playback, 1, sp.now_ns);
    play(FRAMES(100), 0);
    struct playback_cut cut = interrupt(1);
    assert_true(cut.heard_ms == 100);
    assert_int_equal(cut.flushed_frames, 0);
    assert_int_equal(ring_host_flush_to(sp.ring), 0);
    assert_string_equal(speaker_notes(&sp), "s1 f1");
}

static void
test_older_unheard_audio_goes_too(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(100));
    speaker_say(&sp, 2, FRAMES(100));
    play(FRAMES(40), 0);
    interrupt(2);
    assert_true(heard_of(1).heard_ms == 40);
    assert_true(heard_of(2).heard_ms == 0);
    assert_string_equal(speaker_notes(&sp), "s1 x1 x2");
    play_nothing();
}

static void
test_a_response_may_go_on_after_its_end(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(100));
    playback_end(sp.playback, 1, sp.now_ns);
    play(FRAMES(100), 0);
    speaker_say(&sp, 1, FRAMES(100));
    assert_string_equal(speaker_notes(&sp), "s1 f1 s1");
    play(FRAMES(50), FRAMES(100));
    assert_true(interrupt(1).heard_ms == 150);
    assert_string_equal(speaker_notes(&sp), "x1");
}

/* ---- faster than real time ---- */

static void
test_what_does_not_fit_waits(void **state)
{
    (void)state;
    size_t capacity = (size_t)ring_host_capacity_frames(sp.ring);
    size_t all = capacity + FRAMES(3000);
    speaker_say(&sp, 1, all);
    playback_end(sp.playback, 1, sp.now_ns);
    assert_int_equal(ring_host_head(sp.ring), capacity);
    assert_int_equal(speaker_account(&sp).queued, FRAMES(3000));
    struct playback_span span;
    assert_true(playback_span(sp.playback, 1, &span));
    assert_int_equal(span.to_frame, all);
    for (size_t at = 0; at < all; at += FRAMES(1000)) {
        size_t n = all - at < FRAMES(1000) ? all - at : FRAMES(1000);
        play(n, at);
    }
    assert_string_equal(speaker_notes(&sp), "s1 f1");
    assert_int_equal(speaker_account(&sp).lost, 0);
    assert_int_equal(speaker_account(&sp).played, all);
}

static void
test_interruption_empties_the_queue(void **state)
{
    (void)state;
    size_t capacity = (size_t)ring_host_capacity_frames(sp.ring);
    speaker_say(&sp, 1, capacity + FRAMES(2000));
    speaker_say(&sp, 2, FRAMES(500));
    assert_int_equal(speaker_account(&sp).queued, FRAMES(2500));
    play(FRAMES(1000), 0);
    struct playback_cut cut = interrupt(1);
    assert_true(cut.heard_ms == 1000);
    assert_int_equal(cut.flush_to, capacity + FRAMES(1000));
    assert_int_equal(cut.flushed_frames, capacity + FRAMES(1000));
    assert_int_equal(speaker_account(&sp).queued, 0);
    play(FRAMES(500), capacity + FRAMES(2000));
    play_nothing();
}

static void
test_a_full_queue_loses_the_newest(void **state)
{
    (void)state;
    struct playback_config small = {.model_rate_hz = HZ,
                                    .queue_limit_ms = 1000};
    speaker_close(&sp);
    speaker_open(&sp, mono24, small, 8);
    speaker_plug(&sp);
    size_t capacity = (size_t)ring_host_capacity_frames(sp.ring);
    speaker_say(&sp, 1, capacity + FRAMES(1500));
    assert_int_equal(speaker_account(&sp).lost, FRAMES(500));
    assert_int_equal(speaker_account(&sp).queued, FRAMES(1000));
    assert_string_equal(speaker_notes(&sp), "s1 o1");
    play(FRAMES(500), 0);
    speaker_say(&sp, 1, FRAMES(700));
    assert_string_equal(speaker_notes(&sp), "o1");
    assert_int_equal(speaker_account(&sp).lost, FRAMES(700));
}

/* ---- without a player ---- */

static void
test_the_clock_stands_in_for_a_player(void **state)
{
    (void)state;
    speaker_wait(&sp, 5000);
    speaker_say(&sp, 1, FRAMES(1000));
    playback_end(sp.playback, 1, sp.now_ns);
    assert_string_equal(speaker_notes(&sp), "s1");
    uint64_t due = playback_deadline_ns(sp.playback, sp.now_ns);
    assert_int_equal(due, sp.now_ns + MS(1000));
    speaker_wait(&sp, 400);
    assert_true(heard_of(1).heard_ms == 400);
    assert_true(heard_of(1).estimated);
    assert_true(playback_is_busy(sp.playback, sp.now_ns));
    speaker_wait(&sp, 600);
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
    assert_true(sp.notes[0].notice.estimated);
    assert_string_equal(speaker_notes(&sp), "f1");
    assert_int_equal(playback_deadline_ns(sp.playback, sp.now_ns), UINT64_MAX);
}

static void
test_estimated_interruption(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    speaker_wait(&sp, 250);
    struct playback_cut cut = interrupt(1);
    assert_true(cut.heard_ms == 250);
    assert_true(cut.estimated);
    assert_int_equal(cut.flush_to, FRAMES(1000));
    speaker_say(&sp, 2, FRAMES(100));
    speaker_wait(&sp, 50);
    assert_true(heard_of(2).heard_ms == 50);
}

static void
test_without_a_player_the_queue_follows_the_clock(void **state)
{
    (void)state;
    size_t capacity = (size_t)ring_host_capacity_frames(sp.ring);
    speaker_say(&sp, 1, capacity + FRAMES(1000));
    assert_int_equal(speaker_account(&sp).queued, FRAMES(1000));
    assert_int_equal(playback_deadline_ns(sp.playback, sp.now_ns),
                     sp.now_ns + MS(100));
    speaker_wait(&sp, 600);
    assert_int_equal(speaker_account(&sp).queued, FRAMES(400));
    speaker_wait(&sp, 600);
    assert_int_equal(speaker_account(&sp).queued, 0);
}

static void
test_a_player_that_comes_late_and_leaves(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(2000));
    speaker_wait(&sp, 1800);
    speaker_plug(&sp);
    speaker_say(&sp, 2, FRAMES(1000));
    play(FRAMES(300), FRAMES(2000));
    assert_true(heard_of(2).heard_ms == 300);
    assert_false(heard_of(2).estimated);
    speaker_unplug(&sp);
    assert_true(heard_of(2).estimated);
    assert_true(heard_of(2).heard_ms >= 300);
    speaker_wait(&sp, 1000);
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
}

static void
test_a_player_that_left_just_now(void **state)
{
    (void)state;
    speaker_plug(&sp);
    speaker_say(&sp, 1, FRAMES(1000));
    play(FRAMES(100), 0);
    assert_false(heard_of(1).estimated);
    vr_reader_close(&sp.player);
    struct playback_cut cut = interrupt(1);
    assert_true(cut.estimated);
    assert_true(cut.heard_ms == 100);
}

/* A player that reads and never says what it played must not stop the robot
 * from talking, nor from listening. */
static void
test_a_player_that_says_nothing(void **state)
{
    (void)state;
    size_t capacity = (size_t)ring_host_capacity_frames(sp.ring);
    speaker_say(&sp, 1, capacity + FRAMES(2000));
    for (int i = 0; i < 200; i++)
        speaker_wait(&sp, 100);
    assert_int_equal(speaker_account(&sp).queued, 0);
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
    speaker_say(&sp, 2, FRAMES(500));
    assert_int_equal(speaker_account(&sp).queued, 0);
}

static void
test_a_player_that_stops_is_waited_for(void **state)
{
    (void)state;
    size_t capacity = (size_t)ring_host_capacity_frames(sp.ring);
    speaker_say(&sp, 1, capacity + FRAMES(2000));
    play(FRAMES(1000), 0);
    speaker_wait(&sp, 60000);
    assert_int_equal(speaker_account(&sp).queued, FRAMES(1000));
    play(FRAMES(1000), FRAMES(1000));
    assert_int_equal(speaker_account(&sp).queued, 0);
}

/* ---- formats ---- */

static void
test_stereo_holds_the_same_twice(void **state)
{
    (void)state;
    speaker_close(&sp);
    speaker_open(&sp, (struct vr_format){HZ, 2}, plain, 8);
    speaker_plug(&sp);
    speaker_say(&sp, 1, 5000);
    assert_int_equal(speaker_play(&sp, heard, 5000), 5000);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(heard[i], speaker_sample(i / 2));
}

static void
test_every_rate_keeps_every_sample(void **state)
{
    (void)state;
    static const uint32_t ring_rates[] = {8000, 16000, 24000, 48000};
    static const uint32_t model_rates[] = {8000, 16000, 24000};
    for (size_t i = 0; i < 12; i++) {
        uint64_t ring_hz = ring_rates[i % 4], model_hz = model_rates[i / 4];
        struct playback_config config = {.model_rate_hz = (uint32_t)model_hz};
        speaker_close(&sp);
        speaker_open(&sp, (struct vr_format){(uint32_t)ring_hz, 1}, config, 8);
        speaker_say(&sp, 1, 12345);
        speaker_say(&sp, 2, 777);
        playback_end(sp.playback, 2, sp.now_ns);
        uint64_t first = (12345 * ring_hz + model_hz - 1) / model_hz;
        uint64_t second = (777 * ring_hz + model_hz - 1) / model_hz;
        struct playback_span span;
        assert_true(playback_span(sp.playback, 1, &span));
        assert_int_equal(span.to_frame, first);
        assert_true(playback_span(sp.playback, 2, &span));
        assert_int_equal(span.from_frame, first);
        assert_int_equal(span.to_frame, first + second);
        speaker_account(&sp);
    }
}

static void
test_late_audio_is_counted_at_the_rings_rate(void **state)
{
    (void)state;
    struct playback_config config = {.model_rate_hz = 24000};
    speaker_close(&sp);
    speaker_open(&sp, (struct vr_format){16000, 1}, config, 8);
    interrupt(1);
    for (int i = 0; i < 3000; i++)
        speaker_say(&sp, 1, 1);
    assert_int_equal(speaker_account(&sp).flushed, 2000);
}

static void
test_configurations_that_cannot_be(void **state)
{
    (void)state;
    static const struct playback_ops none;
    struct playback_config bad = {.ring = sp.ring, .model_rate_hz = 44100};
    assert_null(playback_new(&bad, &none, NULL));
    struct playback *nothing = NULL;
    playback_free(&nothing);
}

static void
test_old_responses_are_forgotten_first(void **state)
{
    (void)state;
    struct playback_span span;
    for (uint64_t id = 1; id <= 100; id++) {
        speaker_say(&sp, id, FRAMES(10));
        playback_end(sp.playback, id, sp.now_ns);
        play(FRAMES(10), (id - 1) * FRAMES(10));
        sp.note_count = 0;
    }
    assert_true(playback_span(sp.playback, 100, &span));
    assert_true(playback_span(sp.playback, 69, &span));
    assert_false(playback_span(sp.playback, 68, &span));
}

#define ALONE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define WITH_PLAYER(name) \
    cmocka_unit_test_setup_teardown(name, setup_with_player, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLAYER(test_audio_goes_to_the_player),
        WITH_PLAYER(test_responses_follow_each_other),
        WITH_PLAYER(test_interruption_flushes_to_the_end_of_that_response),
        WITH_PLAYER(test_interruption_is_idempotent),
        WITH_PLAYER(test_late_audio_is_not_written),
        WITH_PLAYER(test_a_response_interrupted_before_its_audio_has_none),
        WITH_PLAYER(test_interruption_after_the_end),
        WITH_PLAYER(test_older_unheard_audio_goes_too),
        WITH_PLAYER(test_a_response_may_go_on_after_its_end),
        WITH_PLAYER(test_what_does_not_fit_waits),
        WITH_PLAYER(test_interruption_empties_the_queue),
        WITH_PLAYER(test_a_full_queue_loses_the_newest),
        ALONE(test_the_clock_stands_in_for_a_player),
        ALONE(test_estimated_interruption),
        ALONE(test_without_a_player_the_queue_follows_the_clock),
        ALONE(test_a_player_that_comes_late_and_leaves),
        ALONE(test_a_player_that_left_just_now),
        WITH_PLAYER(test_a_player_that_says_nothing),
        WITH_PLAYER(test_a_player_that_stops_is_waited_for),
        WITH_PLAYER(test_stereo_holds_the_same_twice),
        ALONE(test_every_rate_keeps_every_sample),
        ALONE(test_late_audio_is_counted_at_the_rings_rate),
        ALONE(test_configurations_that_cannot_be),
        WITH_PLAYER(test_old_responses_are_forgotten_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
