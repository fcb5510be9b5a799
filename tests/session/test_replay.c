/* What was being said when a stream was lost: said again to the next one, once,
 * as text or as audio, and never both. */
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

#define SPEECH "\"speech\":{\"hangover_ms\":50,\"preroll_ms\":50}"
#define V1 "\"model\":\"amazon.nova-sonic-v1:0\""
#define QUESTION "what time is it"
#define QUIET 8000u /* frames before the speech */
#define SPOKEN 8000u
#define PREROLL 800u

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* The stream is lost and the next one accepted. */
static void
lose(void)
{
    unsigned number = rig_opened() + 1;
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(&rig, rig_opened() == number);
    rig_accept();
    assert_int_equal(session_state(rig.session), SESSION_streaming);
}

static const cJSON *
current(void)
{
    return fake_bus_last("stream", "phase", "current");
}

static const char *
replay(void)
{
    return jsonx_text(current(), "replay", "");
}

static uint64_t
resent_from(void)
{
    uint64_t frame = UINT64_MAX;
    (void)jsonx_u64(current(), "resent_from_frame", &frame);
    return frame;
}

/* How often stream `number` was told this text, in which way. */
static size_t
texts(unsigned number, const char *text, bool interactive)
{
    const struct fake_wire *f = fake_stream_at(number);
    size_t count = 0;
    for (size_t i = 1; i < f->event_count; i++) {
        bool live = strstr(f->events[i - 1], "\"interactive\":true") != NULL;
        count += strstr(f->events[i], "\"textInput\"") &&
                 strstr(f->events[i], text) && live == interactive;
    }
    return count;
}

/* Stream `number` was told the question so often, whichever way. */
static size_t
asked(unsigned number)
{
    return texts(number, QUESTION, true) + texts(number, QUESTION, false);
}

static void
speak(void)
{
    rig_mic(&rig, QUIET);
    rig_talk(&rig, SPOKEN);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "started") == 1);
}

static void
stop_speaking(void)
{
    rig_mic(&rig, 3200);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "ended") == 1);
}

/* The answer comes whole, to a turn that is told once. */
static void
assert_answered_once(const char *user_text)
{
    rig_plans(&rig, "It is noon.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) >= 1);
    rig_run(&rig, 20);
    assert_int_equal(fake_bus_count("turn", NULL, NULL), 1);
    const cJSON *turn = fake_bus_last("turn", NULL, NULL);
    assert_string_equal(jsonx_text(turn, "user_text", ""), user_text);
    assert_string_equal(jsonx_text(turn, "assistant_text", ""), "It is noon.");
    assert_int_equal(fake_bus_count("response", "phase", "started"),
                     fake_bus_count("response", "phase", "ended"));
    rig_assert_balanced(&rig);
}

/* One entry of each in the history. */
static void
assert_history(const char *user, const char *assistant)
{
    cJSON *history = session_history(rig.session);
    char *text = cJSON_PrintUnformatted(history);
    const char *first = strstr(text, user), *answer = strstr(text, assistant);
    if (!first || strstr(first + 1, user) || !answer ||
        strstr(answer + 1, assistant))
        fail_msg("%s", text);
    cJSON_free(text);
    cJSON_Delete(history);
}

static void
assert_resent(unsigned number)
{
    uint64_t from = resent_from(), heard = 0;
    assert_in_range(from, QUIET - PREROLL - 800, QUIET - PREROLL + 800);
    RIG_UNTIL(&rig, from + rig_heard(number) == rig_written(&rig));
    rig_assert_heard(number, from, rig_written(&rig));
    for (unsigned n = 1; n <= rig_opened(); n++)
        heard += rig_heard(n);
    assert_int_equal(rig_frames(&rig, "input_frames", "sent"),
                     rig_written(&rig));
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"),
                     heard - rig_written(&rig));
}

/* ---- what is said again ---- */

static void
test_nothing_was_said(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    rig_mic(&rig, 2048);
    RIG_UNTIL(&rig, rig_heard(1) == 2048);
    lose();
    assert_string_equal(replay(), "none");
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
}

static void
test_speaking(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    lose();
    assert_string_equal(replay(), "audio");
    rig_talk(&rig, 1600);
    stop_speaking();
    assert_resent(2);
    rig_user_says(&rig, QUESTION);
    assert_answered_once(QUESTION);
    assert_history(QUESTION, "It is noon.");
    assert_int_equal(fake_bus_count("speech", "source", "gateway"), 2);
}

static void
test_spoken_and_no_word_of_it_came(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    lose();
    assert_string_equal(replay(), "audio");
    assert_resent(2);
    rig_user_says(&rig, QUESTION);
    assert_answered_once(QUESTION);
}

static void
test_words_are_known(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    lose();
    assert_string_equal(replay(), "text");
    assert_int_equal(texts(2, QUESTION, true), 1);
    assert_int_equal(texts(2, QUESTION, false), 0);
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
    assert_answered_once(QUESTION);
    assert_history(QUESTION, "It is noon.");
    lose();
    assert_string_equal(replay(), "none");
    assert_int_equal(texts(3, QUESTION, true), 0);
    assert_int_equal(texts(3, QUESTION, false), 1);
}

/* Half of it is known, and they go on: only the audio has it all. */
static void
test_words_are_known_and_they_go_on(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    rig_user_says(&rig, QUESTION);
    rig_talk(&rig, 1600);
    rig_step(&rig);
    lose();
    assert_string_equal(replay(), "audio");
    stop_speaking();
    assert_resent(2);
    assert_int_equal(asked(2), 0);
    rig_user_says(&rig, QUESTION " in Rome");
    assert_answered_once(QUESTION " in Rome");
    assert_history(QUESTION, "It is noon.");
}

static void
test_first_family_hears_it_again(void **state)
{
    (void)state;
    rig_begin(&rig, "{" V1 "," SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    lose();
    assert_string_equal(replay(), "audio");
    assert_resent(2);
    assert_int_equal(asked(2), 0);
    rig_user_says(&rig, QUESTION);
    assert_answered_once(QUESTION);
    assert_history(QUESTION, "It is noon.");
}

static void
test_answer_had_begun_and_was_not_heard(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    rig_plans(&rig, "Let me see.");
    lose();
    assert_string_equal(replay(), "text");
    assert_int_equal(asked(2), 1);
    assert_int_equal(fake_bus_count("response", "status", "error"), 1);
    assert_int_equal(fake_bus_count("turn", NULL, NULL), 0);
    assert_answered_once(QUESTION);
}

static void
lose_the_answer(unsigned audio_ms, unsigned heard_ms)
{
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    rig_plans(&rig, "It is noon.");
    rig_audio(rig_audio_begins(&rig), audio_ms);
    rig_run(&rig, heard_ms);
    lose();
}

/* It is taken back and asked for again. */
static void
test_answer_was_hardly_heard(void **state)
{
    (void)state;
    lose_the_answer(500, 0);
    assert_string_equal(replay(), "text");
    assert_int_equal(texts(2, QUESTION, true), 1);
    assert_int_equal(texts(2, QUESTION, false), 0);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 1);
    assert_int_equal(fake_bus_count("turn", NULL, NULL), 0);
    assert_answered_once(QUESTION);
}

/* What was heard stays, and the next stream knows it. */
static void
test_answer_was_heard_in_part(void **state)
{
    (void)state;
    lose_the_answer(1500, 1100);
    assert_string_equal(replay(), "none");
    assert_int_equal(texts(2, QUESTION, true), 0);
    assert_int_equal(texts(2, QUESTION, false), 1);
    assert_int_equal(texts(2, "It is noon.", false), 1);
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 0);
    assert_int_equal(fake_bus_count("turn", NULL, NULL), 1);
}

/* Written words are words. */
static void
test_written_question_was_hardly_answered(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"" QUESTION "\"}");
    RIG_UNTIL(&rig, texts(1, QUESTION, true) == 1);
    rig_plans(&rig, "It is noon.");
    rig_audio(rig_audio_begins(&rig), 500);
    lose();
    RIG_UNTIL(&rig, texts(2, QUESTION, true) == 1);
    assert_int_equal(texts(2, QUESTION, false), 0);
}

static void
test_answered(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    assert_answered_once(QUESTION);
    lose();
    assert_string_equal(replay(), "none");
    assert_int_equal(texts(2, QUESTION, true), 0);
    assert_int_equal(texts(2, QUESTION, false), 1);
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
}

/* They speak over the end of the answer, and the stream is lost. */
static void
test_next_question_is_another(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    rig_user_says(&rig, QUESTION);
    assert_answered_once(QUESTION);
    speak();
    lose();
    assert_string_equal(replay(), "audio");
    assert_resent(2);
    assert_int_equal(texts(2, QUESTION, false), 1);
}

/* ---- once ---- */

static void
test_text_is_not_said_for_ever(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    lose();
    assert_int_equal(texts(2, QUESTION, true), 1);
    lose();
    assert_int_equal(texts(3, QUESTION, true), 1);
    assert_int_equal(asked(3), 1);
    lose();
    assert_int_equal(texts(4, QUESTION, true), 0);
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
}

/* Streams that nobody accepted have heard nothing. */
static void
test_attempts_that_fail_do_not_count(void **state)
{
    (void)state;
    for (int text = 0; text < 2; text++) {
        rig_begin(&rig, "{" SPEECH "}");
        speak();
        stop_speaking();
        if (text)
            rig_user_says(&rig, QUESTION);
        fake_stream_end(BEDROCK_END_rst_stream, false);
        for (unsigned n = 2; n < 5; n++) {
            RIG_UNTIL(&rig, rig_opened() == n);
            if (n == 3)
                fake_stream_connect();
            fake_stream_end(BEDROCK_END_refused, false);
        }
        RIG_UNTIL(&rig, rig_opened() == 5);
        rig_accept();
        assert_string_equal(replay(), text ? "text" : "audio");
        assert_int_equal(asked(5), text);
        if (!text) {
            assert_resent(5);
            rig_close(&rig);
        }
    }
    assert_answered_once(QUESTION);
    assert_history(QUESTION, "It is noon.");
}

static void
test_audio_is_said_again_to_a_third(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    lose();
    uint64_t from = resent_from();
    RIG_UNTIL(&rig, from + rig_heard(2) == rig_written(&rig));
    lose();
    assert_string_equal(replay(), "audio");
    assert_int_equal(resent_from(), from);
    RIG_UNTIL(&rig, from + rig_heard(3) == rig_written(&rig));
    rig_assert_heard(3, from, rig_written(&rig));
    rig_assert_balanced(&rig);
}

/* What is written is asked again by itself, not as an utterance besides. */
static void
test_written_words(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    rig_ask(&rig, 1, "{\"text\":\"" QUESTION "\",\"wait\":\"response\"}");
    rig_user_says(&rig, QUESTION); /* as the model repeats them */
    lose();
    assert_int_equal(texts(2, QUESTION, true), 1);
    assert_int_equal(asked(2), 1);
}

/* ---- changes at once ---- */

/* Asked for by a person: what is unanswered is not asked again. */
static void
test_reset_says_nothing_again(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    speak();
    stop_speaking();
    rig_user_says(&rig, QUESTION);
    session_reset(rig.session, true);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_string_equal(replay(), "none");
    assert_int_equal(texts(2, QUESTION, true), 0);
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
}

static void
test_rescue_says_it_again(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH ",\"rotate_gap_s\":0}");
    session_rotate(rig.session);
    fake_stream_connect();
    fake_stream_select(1);
    rig_user_says(&rig, QUESTION);
    fake_stream_select(2);
    fake_stream_answer();
    fake_stream_select(1);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    fake_stream_select(0);
    assert_string_equal(replay(), "text");
    assert_int_equal(asked(2), 1);
    assert_answered_once(QUESTION);
    assert_history(QUESTION, "It is noon.");
}

static void
test_rescue_in_the_middle_of_speech(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH ",\"rotate_gap_s\":0}");
    session_rotate(rig.session);
    fake_stream_connect();
    speak();
    fake_stream_answer();
    fake_stream_select(1);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    fake_stream_select(0);
    assert_string_equal(replay(), "audio");
    stop_speaking();
    assert_resent(2);
    rig_user_says(&rig, QUESTION);
    assert_answered_once(QUESTION);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_was_said),
        TEST(speaking),
        TEST(spoken_and_no_word_of_it_came),
        TEST(words_are_known),
        TEST(words_are_known_and_they_go_on),
        TEST(first_family_hears_it_again),
        TEST(answer_had_begun_and_was_not_heard),
        TEST(answer_was_hardly_heard),
        TEST(answer_was_heard_in_part),
        TEST(written_question_was_hardly_answered),
        TEST(answered),
        TEST(next_question_is_another),
        TEST(text_is_not_said_for_ever),
        TEST(attempts_that_fail_do_not_count),
        TEST(audio_is_said_again_to_a_third),
        TEST(written_words),
        TEST(reset_says_nothing_again),
        TEST(rescue_says_it_again),
        TEST(rescue_in_the_middle_of_speech),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
