/* Damaged rings: what they take with them is lost, and told. */
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
static struct speaker sp;
static int16_t heard[HZ * 40];

static int
setup(void **state)
{
    (void)state;
    struct playback_config config = {.model_rate_hz = HZ,
                                     .queue_limit_ms = 10000};
    speaker_open(&sp, mono24, config, 8);
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

static struct playback_heard
heard_of(uint64_t response)
{
    struct playback_heard h;
    assert_true(playback_heard(sp.playback, response, sp.now_ns, &h));
    return h;
}

/* The player finds the ring that was made anew; it reads what was left of the
 * old one before that, which is thrown away here. */
static void
follow(void)
{
    struct vr_block block;
    enum vr_status status;
    do
        status = vr_read(sp.player, heard, HZ, &block);
    while (status != VR_CLOSED);
    while (vr_wait(sp.player, 1000) == VR_CLOSED)
        ;
    speaker_wait(&sp, 200);
}

static void
test_unheard_audio_is_lost_not_played(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    speaker_wait(&sp, 400);
    speaker_damage(&sp);
    speaker_wait(&sp, 0);
    struct playback_account a = speaker_account(&sp);
    assert_int_equal(a.played, FRAMES(400));
    assert_int_equal(a.lost, FRAMES(600));
    assert_int_equal(a.pending, 0);
    assert_string_equal(speaker_notes(&sp), "s1 l1");
    assert_int_equal(sp.lost_frames, FRAMES(600));
    playback_end(sp.playback, 1, sp.now_ns);
    assert_string_equal(speaker_notes(&sp), "f1");
    struct playback_heard h = heard_of(1);
    assert_true(h.heard_ms == 400 && h.lost_ms == 600 && h.received_ms == 1000);
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
    speaker_mend(&sp);
    assert_int_equal(speaker_account(&sp).lost, FRAMES(600));
}

/* Also when nobody asked between damage and repair. */
static void
test_a_repair_in_between_is_seen(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    speaker_damage(&sp);
    speaker_mend(&sp);
    speaker_say(&sp, 1, FRAMES(500));
    struct playback_account a = speaker_account(&sp);
    assert_int_equal(a.lost, FRAMES(1000));
    assert_int_equal(a.pending, FRAMES(500));
    speaker_wait(&sp, 500);
    playback_end(sp.playback, 1, sp.now_ns);
    struct playback_heard h = heard_of(1);
    assert_true(h.heard_ms == 500 && h.lost_ms == 1000);
    assert_string_equal(speaker_notes(&sp), "s1 l1 f1");
}

static void
test_what_comes_meanwhile_goes_into_the_new_ring(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    assert_int_equal(speaker_play(&sp, heard, FRAMES(300)), FRAMES(300));
    speaker_damage(&sp);
    speaker_say(&sp, 1, FRAMES(800));
    struct playback_account a = speaker_account(&sp);
    assert_int_equal(a.played, FRAMES(300));
    assert_int_equal(a.lost, FRAMES(700));
    assert_int_equal(a.queued, FRAMES(800));
    assert_true(playback_is_busy(sp.playback, sp.now_ns));
    speaker_wait(&sp, 1000);
    assert_int_equal(speaker_account(&sp).queued, FRAMES(800));
    speaker_mend(&sp);
    follow();
    assert_int_equal(speaker_account(&sp).queued, 0);
    assert_int_equal(speaker_play(&sp, heard, HZ), FRAMES(800));
    for (size_t i = 0; i < FRAMES(800); i++)
        assert_int_equal(heard[i], speaker_sample(FRAMES(1000) + i));
    playback_end(sp.playback, 1, sp.now_ns);
    assert_true(heard_of(1).heard_ms == 1100 && heard_of(1).lost_ms == 700);
    a = speaker_account(&sp);
    assert_int_equal(a.played, FRAMES(1100));
    assert_int_equal(a.lost, FRAMES(700));
    assert_string_equal(speaker_notes(&sp), "s1 l1 f1");
}

/* The room of the new ring is whole, whatever the player said of the old. */
static void
test_the_new_ring_has_its_room(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(7000));
    assert_int_equal(speaker_play(&sp, heard, FRAMES(100)), FRAMES(100));
    speaker_damage(&sp);
    speaker_mend(&sp);
    follow();
    speaker_say(&sp, 1, FRAMES(8000));
    assert_int_equal(speaker_account(&sp).queued, 0);
    assert_int_equal(speaker_account(&sp).lost, FRAMES(6900));
}

static void
test_no_ring_for_long_is_no_reason_to_wait(void **state)
{
    (void)state;
    speaker_damage(&sp);
    for (int i = 0; i < 20; i++) {
        speaker_say(&sp, 1, FRAMES(1000));
        speaker_wait(&sp, 500);
    }
    struct playback_account a = speaker_account(&sp);
    assert_int_equal(a.lost, a.received);
    assert_int_equal(a.played, 0);
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
    /* At most once a second. */
    assert_in_range(sp.note_count, 2, 10);
    playback_end(sp.playback, 1, sp.now_ns);
    speaker_wait(&sp, 2000);
    assert_int_equal(sp.lost_frames, a.lost);
    assert_int_equal(sp.notes[sp.note_count - 1].kind, 'f');
    assert_true(heard_of(1).heard_ms == 0);
    assert_true(playback_deadline_ns(sp.playback, sp.now_ns) == UINT64_MAX);
    speaker_mend(&sp);
    speaker_notes(&sp);
    speaker_say(&sp, 2, FRAMES(100));
    playback_end(sp.playback, 2, sp.now_ns);
    speaker_wait(&sp, 100);
    assert_string_equal(speaker_notes(&sp), "s2 f2");
    assert_int_equal(speaker_account(&sp).played, FRAMES(100));
}

/* Interrupted, it is told what was lost before it is told what is flushed. */
static void
test_interrupted_while_it_is_lost(void **state)
{
    (void)state;
    struct playback_cut cut;
    speaker_say(&sp, 1, FRAMES(1000));
    speaker_wait(&sp, 250);
    speaker_damage(&sp);
    speaker_say(&sp, 1, FRAMES(500));
    playback_interrupt(sp.playback, 1, sp.now_ns, &cut);
    assert_true(cut.heard_ms == 250);
    assert_int_equal(cut.flushed_frames, FRAMES(500));
    struct playback_account a = speaker_account(&sp);
    assert_int_equal(a.lost, FRAMES(750));
    assert_int_equal(a.flushed, FRAMES(500));
    assert_string_equal(speaker_notes(&sp), "s1 l1 x1");
}

/* Each is told of its own loss. */
static void
test_two_responses(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(1000));
    speaker_say(&sp, 2, FRAMES(1000));
    playback_end(sp.playback, 2, sp.now_ns);
    speaker_wait(&sp, 500);
    speaker_damage(&sp);
    speaker_wait(&sp, 0);
    assert_true(heard_of(1).heard_ms == 500 && heard_of(1).lost_ms == 500);
    assert_true(heard_of(2).heard_ms == 0 && heard_of(2).lost_ms == 1000);
    assert_string_equal(speaker_notes(&sp), "s1 l1 f1 l2 f2");
}

/* A player that spoke, keeps its lease and is stopped: its ring fills, then the
 * queue, then what is too much is lost and counted. */
static void
test_a_stopped_player(void **state)
{
    (void)state;
    speaker_say(&sp, 1, FRAMES(500));
    assert_int_equal(speaker_play(&sp, heard, FRAMES(100)), FRAMES(100));
    for (int i = 0; i < 30; i++) {
        speaker_say(&sp, 1, FRAMES(1000));
        speaker_wait(&sp, 1000);
    }
    struct playback_account a = speaker_account(&sp);
    assert_int_equal(a.queued, FRAMES(10000));
    assert_true(a.lost > 0 && a.lost < a.received);
    speaker_wait(&sp, 20000);
    assert_false(playback_is_busy(sp.playback, sp.now_ns));
    speaker_unplug(&sp);
    assert_true(playback_is_busy(sp.playback, sp.now_ns));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH_PLAYER(name) \
    cmocka_unit_test_setup_teardown(name, setup_with_player, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unheard_audio_is_lost_not_played),
        TEST(test_a_repair_in_between_is_seen),
        TEST_WITH_PLAYER(test_what_comes_meanwhile_goes_into_the_new_ring),
        TEST_WITH_PLAYER(test_the_new_ring_has_its_room),
        TEST(test_no_ring_for_long_is_no_reason_to_wait),
        TEST(test_interrupted_while_it_is_lost),
        TEST(test_two_responses),
        TEST_WITH_PLAYER(test_a_stopped_player),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
