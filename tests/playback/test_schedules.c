/* Random schedules with a player that comes, goes and stops: the account
 * balances after every step, and what the player gets is what was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/playback/speaker.h"

#define HZ 16000

static struct speaker sp;
static int16_t frames[2 * HZ * 10];
static uint64_t speaking, finished, flushed;

/* A small generator of our own, so that a failure can be repeated. */
static uint32_t seed;

static uint32_t
next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Started, then finished or flushed, each once. */
static void
check_notes(void)
{
    for (size_t i = 0; i < sp.note_count; i++) {
        const struct note *n = &sp.notes[i];
        assert_true(n->notice.span.from_frame <= n->notice.span.to_frame);
        assert_true(n->notice.turn_id == n->notice.response_id + 100);
        finished += n->kind == 'f';
        flushed += n->kind == 'x';
    }
    sp.note_count = 0;
}

static void
interrupt(uint64_t response)
{
    struct playback_cut once, twice;
    struct playback_heard heard = {0};
    playback_interrupt(sp.playback, response, sp.now_ns, &once);
    playback_interrupt(sp.playback, response, sp.now_ns, &twice);
    assert_int_equal(twice.flushed_frames, 0);
    assert_true(once.heard_ms == twice.heard_ms);
    if (playback_heard(sp.playback, response, sp.now_ns, &heard))
        assert_true(heard.heard_ms <= heard.received_ms);
}

static void
step(void)
{
    switch (next(12)) {
    case 0:
        speaking++;
        break;
    case 1:
        playback_end(sp.playback, speaking - next(2), sp.now_ns);
        break;
    case 2:
        if (next(3) == 0)
            interrupt(speaking - next(2));
        break;
    case 3:
        if (!sp.player && next(4) == 0 && !ring_host_damaged(sp.ring))
            speaker_plug(&sp);
        break;
    case 4:
        if (sp.player && next(10) == 0)
            speaker_unplug(&sp);
        break;
    case 5:
        if (next(4) == 0 && !ring_host_damaged(sp.ring))
            speaker_damage(&sp);
        speaker_wait(&sp, next(500));
        if (ring_host_damaged(sp.ring) && next(3) == 0)
            speaker_mend(&sp);
        break;
    case 6:
    case 7:
    case 8:
        speaker_say(&sp, speaking - (next(10) == 0), next(HZ * 2));
        break;
    default:
        if (sp.player)
            speaker_play(&sp, frames, next(HZ * 2));
        else
            speaker_wait(&sp, next(2000));
    }
    assert_true(playback_deadline_ns(sp.playback, sp.now_ns) > sp.now_ns);
    check_notes();
    speaker_account(&sp);
}

static void
finish(void)
{
    struct playback_account a;
    if (ring_host_damaged(sp.ring))
        speaker_mend(&sp);
    if (sp.player)
        speaker_unplug(&sp);
    playback_end_all(sp.playback, sp.now_ns);
    while (playback_is_busy(sp.playback, sp.now_ns)) {
        uint64_t due = playback_deadline_ns(sp.playback, sp.now_ns);
        assert_true(due != UINT64_MAX);
        sp.now_ns = due;
        playback_tick(sp.playback, sp.now_ns);
    }
    check_notes();
    playback_account(sp.playback, sp.now_ns, &a);
    assert_int_equal(a.pending, 0);
    assert_true(a.played > 0 && a.flushed > 0 && a.lost > 0);
    assert_true(sp.lost_frames > 0 && sp.lost_frames <= a.lost);
    assert_true(finished > 0 && flushed > 0);
}

static void
run(struct vr_format format, uint32_t model_rate_hz, uint32_t first_seed)
{
    struct playback_config config = {.model_rate_hz = model_rate_hz,
                                     .queue_limit_ms = 4000};
    for (seed = first_seed; seed < first_seed + 10; seed++) {
        uint32_t this_seed = seed;
        speaker_open(&sp, format, config, 4);
        speaking = 2;
        finished = flushed = 0;
        for (int i = 0; i < 1000; i++)
            step();
        finish();
        speaker_close(&sp);
        seed = this_seed;
    }
}

static void
test_as_it_is(void **state)
{
    (void)state;
    run((struct vr_format){HZ, 1}, HZ, 1);
}

static void
test_stereo_resampled(void **state)
{
    (void)state;
    run((struct vr_format){48000, 2}, HZ, 100);
}

/* One player, one flush now and then: frame by frame, it hears the samples of
 * the responses that were not cut, in order, and nothing else after a cut. */
static void
test_the_player_hears_what_was_said(void **state)
{
    (void)state;
    struct playback_config config = {.model_rate_hz = HZ};
    speaker_open(&sp, (struct vr_format){HZ, 1}, config, 4);
    speaker_plug(&sp);
    for (uint64_t response = 1; response < 200; response++) {
        uint64_t first = sp.sent;
        size_t said = 1 + next(HZ * 8);
        speaker_say(&sp, response, said);
        bool cut = next(3) == 0;
        size_t left = cut ? next((uint32_t)said) : said;
        for (uint64_t at = first; left > 0;) {
            size_t n = speaker_play(&sp, frames, left < 999 ? left : 999);
            assert_true(n > 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(frames[i], speaker_sample(at + i));
            at += n;
            left -= n;
        }
        if (cut)
            interrupt(response);
        playback_end(sp.playback, response, sp.now_ns);
        assert_int_equal(speaker_play(&sp, frames, 1), 0);
        sp.note_count = 0;
    }
    struct playback_account a;
    playback_account(sp.playback, sp.now_ns, &a);
    assert_int_equal(a.pending, 0);
    assert_int_equal(a.received, sp.sent);
    speaker_close(&sp);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_is),
        cmocka_unit_test(test_stereo_resampled),
        cmocka_unit_test(test_the_player_hears_what_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
