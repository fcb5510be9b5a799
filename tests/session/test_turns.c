/* What the model says, as a session tells it: turns, responses, barge-in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "tests/session/rig.h"

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* The rest of the ring, as a listener reads it: frames, or flushes told. */
static size_t
read_out(unsigned *flushes)
{
    int16_t samples[4800];
    size_t frames = 0;
    struct vr_block block;
    for (;;) {
        enum vr_status status = vr_read(rig.player, samples, 4800, &block);
        if (status == VR_AGAIN)
            return frames;
        if (status == VR_FLUSHED)
            (*flushes)++;
        else if (status == VR_OK)
            frames += block.frames;
        else
            fail_msg("%s", vr_status_text(status));
    }
}

static double
out_frames(const char *member)
{
    cJSON *stats = session_stats(rig.session);
    double value =
        jsonx_number(cJSON_GetObjectItem(stats, "output_frames"), member, -1);
    cJSON_Delete(stats);
    return value;
}

/* ---- turns ---- */

static void
test_turn_is_told_in_order(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_speech(true);
    rig_speech(false);
    rig_user_says(&rig, "what time");
    rig_user_says(&rig, "is it");
    rig_plans(&rig, "It is noon.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 40);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    assert_string_equal(fake_bus_story(),
                        "speech:started speech:ended user(what time) "
                        "user(is it) start:1 plan(It is noon.) "
                        "said(It is noon.) end:1:complete turn:1 ");
    const cJSON *turn = fake_bus_last("turn", NULL, NULL);
    assert_string_equal(jsonx_text(turn, "user_text", ""), "what time is it");
    assert_string_equal(jsonx_text(turn, "assistant_text", ""), "It is noon.");
    const cJSON *latency = cJSON_GetObjectItem(turn, "latency");
    assert_non_null(
        cJSON_GetObjectItem(latency, "end_of_speech_to_first_audio_seconds"));
    assert_string_equal(
        jsonx_text(fake_bus_last("speech", "phase", "ended"), "turn", ""), "1");
    assert_int_equal(fake_bus_count("playback", "phase", "finished"), 1);
}

static void
test_audio_block_with_no_audio_ends_its_turn(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "hm");
    uint64_t audio = rig_audio_begins(&rig);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    assert_string_equal(fake_bus_story(),
                        "user(hm) start:1 end:1:complete turn:1 ");
}

static void
test_answer_in_the_middle_of_a_close_is_interrupted(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "talk");
    rig_plans(&rig, "Once upon");
    rig_audio(rig_audio_begins(&rig), 100);
    session_close(rig.session);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_string_equal(fake_bus_story(),
                        "user(talk) start:1 plan(Once upon) state:closing "
                        "end:1:interrupted turn:1 state:closed ");
}

static void
test_lost_stream_ends_what_is_open(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "talk");
    rig_plans(&rig, "Once upon");
    fake_stream_refuse();
    assert_string_equal(fake_bus_story(), "user(talk) start:1 plan(Once upon) "
                                          "error:AccessDeniedException "
                                          "end:1:error turn:1 state:failed ");
}

static void
test_unknown_events_change_nothing(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    fake_stream_say("{\"event\":{\"somethingNew\":{\"x\":[1,2]}}}");
    fake_stream_say("{\"event\":{}}");
    fake_stream_say("not JSON");
    fake_stream_say("{\"event\":{\"textOutput\":{\"content\":7}}}");
    fake_stream_say("{\"event\":{\"contentEnd\":{\"stopReason\":\"ODD\"}}}");
    fake_stream_say("{\"event\":{\"audioOutput\":{\"content\":\"!\"}}}");
    fake_stream_say("{\"event\":{\"usageEvent\":null}}");
    assert_string_equal(fake_bus_story(), "");
    assert_int_equal(session_state(rig.session), SESSION_streaming);
}

static void
test_empty_words_of_the_user_are_none(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "");
    session_close(rig.session);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_string_equal(fake_bus_story(), "state:closing state:closed ");
}

static void
test_late_final_texts_find_their_response(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    for (int i = 1; i <= 2; i++) {
        rig_user_says(&rig, "next");
        rig_plans(&rig, i == 1 ? "First one." : "Second one.");
        if (i == 2)
            rig_said(&rig, "First one.", "PARTIAL_TURN");
        uint64_t audio = rig_audio_begins(&rig);
        rig_audio(audio, 20);
        rig_content_ends(audio, "AUDIO", "END_TURN");
    }
    rig_said(&rig, "Second one.", "PARTIAL_TURN");
    assert_int_equal(fake_bus_count("response", "phase", "started"), 2);
    assert_int_equal(fake_bus_count("response", "phase", "ended"), 2);
    for (size_t i = 0; i < fake_news_count; i++) {
        const cJSON *d = fake_news[i].data;
        if (strcmp(fake_news[i].type, "transcript") == 0 &&
            strcmp(jsonx_text(d, "stage", ""), "final") == 0 &&
            strcmp(jsonx_text(d, "role", ""), "assistant") == 0)
            assert_string_equal(
                jsonx_text(d, "response", ""),
                strstr(jsonx_text(d, "text", ""), "First") ? "1" : "2");
    }
}

/* ---- barge-in ---- */

enum signal { MARKER = 1, STOP = 2, SPEECH = 4 };

/* Every order of one, two or three different signals. */
static const int orders[][3] = {
    {MARKER},
    {STOP},
    {SPEECH},
    {MARKER, STOP},
    {STOP, MARKER},
    {MARKER, SPEECH},
    {SPEECH, MARKER},
    {STOP, SPEECH},
    {SPEECH, STOP},
    {MARKER, STOP, SPEECH},
    {MARKER, SPEECH, STOP},
    {STOP, MARKER, SPEECH},
    {STOP, SPEECH, MARKER},
    {SPEECH, MARKER, STOP},
    {SPEECH, STOP, MARKER},
};
#define ORDER_COUNT (sizeof orders / sizeof orders[0])

static void
signal_by(enum signal signal)
{
    if (signal == MARKER)
        rig_marker(&rig);
    else if (signal == STOP)
        rig_said(&rig, "Once", "INTERRUPTED");
    else
        rig_speech(true);
}

static void
tell_a_story(bool generated, uint64_t *audio)
{
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    *audio = rig_audio_begins(&rig);
    rig_audio(*audio, 10000);
    if (generated)
        rig_content_ends(*audio, "AUDIO", "END_TURN");
}

static void
barge_in(int set, const int *order, bool generated)
{
    char settings[160];
    uint64_t audio;
    int seen = 0;
    unsigned flushes = 0;
    snprintf(settings, sizeof settings, "{\"interrupt_on\":[%s%s%s]}",
             set & MARKER ? "\"marker\"" : "",
             set & STOP ? set & MARKER ? ",\"stop_reason\"" : "\"stop_reason\""
                        : "",
             set & SPEECH ? set & (MARKER | STOP) ? ",\"speech_start\""
                                                  : "\"speech_start\""
                          : "");
    rig_begin(&rig, settings);
    tell_a_story(generated, &audio);
    for (int i = 0; i < 3 && order[i]; i++) {
        signal_by((enum signal)order[i]);
        seen |= order[i];
    }
    bool cut = (seen & set) != 0;
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), cut);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), cut);
    read_out(&flushes);
    assert_int_equal(flushes, cut);
    double received = out_frames("received");
    rig_audio(audio, 100); /* late, of the same block */
    assert_true(out_frames("received") > received);
    assert_int_equal(read_out(&flushes) == 0, cut);
    if (cut) { /* what comes next is heard */
        rig_user_says(&rig, "another one");
        rig_plans(&rig, "There was a king.");
        rig_audio(rig_audio_begins(&rig), 100);
        assert_int_equal(read_out(&flushes), 2400);
        assert_int_equal(flushes, 1);
    }
    session_close(rig.session);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_int_equal(fake_bus_count("response", "phase", "started"),
                     fake_bus_count("response", "phase", "ended"));
    rig_assert_balanced(&rig);
    rig_close(&rig);
}

static void
test_every_signal_in_every_order(void **state)
{
    (void)state;
    for (int set = 1; set < 8; set++) {
        for (size_t i = 0; i < ORDER_COUNT; i++) {
            barge_in(set, orders[i], false);
            barge_in(set, orders[i], true);
        }
    }
    rig_open(&rig, NULL);
}

static void
test_signals_twice_cut_once(void **state)
{
    uint64_t audio;
    (void)state;
    rig_begin(
        &rig,
        "{\"interrupt_on\":[\"marker\",\"stop_reason\",\"speech_start\"]}");
    tell_a_story(false, &audio);
    for (int i = 0; i < 5; i++) {
        rig_speech(true);
        rig_marker(&rig);
        rig_content_ends(audio, "AUDIO", "INTERRUPTED");
    }
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), 1);
    assert_int_equal(fake_bus_count("response", "phase", "ended"), 1);
}

static void
test_late_sign_spares_the_next_answer(void **state)
{
    uint64_t first, second;
    unsigned flushes = 0;
    (void)state;
    rig_begin(&rig, NULL);
    tell_a_story(false, &first);
    rig_marker(&rig);
    rig_user_says(&rig, "no, the other one");
    rig_plans(&rig, "There was a king.");
    second = rig_audio_begins(&rig);
    rig_audio(second, 100);
    read_out(&flushes);
    assert_int_equal(flushes, 1);
    rig_content_ends(first, "AUDIO", "INTERRUPTED");
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), 1);
    rig_audio(second, 100);
    assert_int_equal(read_out(&flushes), 2400);
    rig_content_ends(second, "AUDIO", "INTERRUPTED");
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), 2);
    assert_non_null(fake_bus_last("interruption", "response", "2"));
}

static void
test_words_over_a_finished_answer_cut_it(void **state)
{
    uint64_t audio;
    (void)state;
    rig_begin(&rig, NULL);
    tell_a_story(true, &audio);
    rig_speech(true);
    rig_user_says(&rig, "stop");
    assert_int_equal(fake_bus_count("interruption", "reason", "user_text"), 1);
    const cJSON *turn = fake_bus_last("turn", "turn", "1");
    assert_non_null(turn);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(turn, "interrupted")));
}

static void
test_silence_is_not_interrupted(void **state)
{
    (void)state;
    rig_begin(
        &rig,
        "{\"interrupt_on\":[\"marker\",\"stop_reason\",\"speech_start\"]}");
    rig_marker(&rig);
    rig_speech(true);
    rig_user_says(&rig, "hello");
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), 0);
}

static void
test_control_interrupts_what_is_said(void **state)
{
    double heard_ms = -1;
    uint64_t audio;
    unsigned flushes = 0;
    (void)state;
    rig_begin(&rig, NULL);
    assert_int_equal(session_interrupt(rig.session, &heard_ms), VR_STATE);
    tell_a_story(false, &audio);
    rig_run(&rig, 60);
    assert_int_equal(session_interrupt(rig.session, &heard_ms), VR_OK);
    assert_in_range((int)heard_ms, 20, 10000);
    read_out(&flushes);
    assert_int_equal(flushes, 1);
    assert_int_equal(session_interrupt(rig.session, &heard_ms), VR_STATE);
    rig_plans(&rig, "The rest is not heard.");
    uint64_t rest = rig_audio_begins(&rig);
    rig_audio(rest, 100);
    assert_int_equal(read_out(&flushes), 0);
    rig_content_ends(rest, "AUDIO", "END_TURN");
    rig_user_says(&rig, "and now");
    rig_plans(&rig, "Here I am.");
    rig_audio(rig_audio_begins(&rig), 100);
    assert_int_equal(read_out(&flushes), 2400);
    assert_int_equal(fake_bus_count("response", "phase", "started"), 2);
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), 1);
}

static void
test_contents_of_an_old_stream_mean_nothing(void **state)
{
    uint64_t audio;
    unsigned flushes = 0;
    (void)state;
    rig_begin(&rig, NULL);
    tell_a_story(false, &audio);
    rig_marker(&rig);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    read_out(&flushes);
    rig_accept();
    fake_bus_reset();
    rig_audio(audio, 100);
    assert_int_equal(fake_bus_count("response", "phase", "started"), 1);
    assert_int_equal(read_out(&flushes), 2400);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turn_is_told_in_order),
        TEST(audio_block_with_no_audio_ends_its_turn),
        TEST(answer_in_the_middle_of_a_close_is_interrupted),
        TEST(lost_stream_ends_what_is_open),
        TEST(unknown_events_change_nothing),
        TEST(empty_words_of_the_user_are_none),
        TEST(late_final_texts_find_their_response),
        TEST(every_signal_in_every_order),
        TEST(signals_twice_cut_once),
        TEST(late_sign_spares_the_next_answer),
        TEST(words_over_a_finished_answer_cut_it),
        TEST(silence_is_not_interrupted),
        TEST(control_interrupts_what_is_said),
        TEST(contents_of_an_old_stream_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
