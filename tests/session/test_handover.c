/* The change to a next stream: when, what each of both is told, and what the
 * current one suffers from it, which is nothing. */
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

#define HEAD \
    "sessionStart promptStart contentStart:TEXT:SYSTEM textInput contentEnd "
#define ENDS "contentEnd promptEnd sessionEnd FINISH "

/* Speech, and its end soon. */
#define SPEECH "\"speech\":{\"hangover_ms\":50,\"preroll_ms\":50}"

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static bool
streams(void)
{
    return session_state(rig.session) == SESSION_streaming;
}

static void
answer_a_question(const char *question)
{
    rig_user_says(&rig, question);
    rig_plans(&rig, "So it is.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "So it is.", "PARTIAL_TURN");
}

/* ---- the order of things ---- */

static void
test_next_is_begun_beside_the_current_one(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    assert_true(session_rotate(rig.session));
    assert_int_equal(rig_opened(), 2);
    fake_stream_connect();
    assert_string_equal(fake_stream.order, HEAD);
    rig_run(&rig, 20);
    assert_string_equal(fake_stream.order, HEAD);
    assert_true(fake_stream_at(1)->open && !fake_stream_at(1)->finished);
    assert_false(rig_changed_to(2));
    fake_stream_answer();
    assert_true(rig_changed_to(2));
    assert_true(streams());
    assert_int_equal(strncmp(fake_stream.order, HEAD "contentStart:AUDIO:USER ",
                             strlen(HEAD "contentStart:AUDIO:USER ")),
                     0);
    assert_non_null(strstr(fake_stream_at(1)->order, ENDS));
    fake_stream_select(1);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_int_equal(rig_told("ended"), 1);
    assert_int_equal(fake_endpoint.closed, 1);
    assert_string_equal(fake_bus_streams(),
                        "opening:2 ending:1 state:streaming current:2 "
                        "ended:1 ");
    assert_int_equal(rig_counter(&rig, "rotations_total"), 1);
}

static void
test_next_is_told_the_history(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    answer_a_question("what time is it");
    rig_rotate(&rig);
    assert_true(rig_changed_to(2));
    const char *order = HEAD "contentStart:TEXT:USER textInput contentEnd "
                             "contentStart:TEXT:ASSISTANT textInput contentEnd "
                             "contentStart:AUDIO:USER ";
    assert_int_equal(strncmp(fake_stream.order, order, strlen(order)), 0);
    assert_non_null(strstr(fake_stream_last("textInput"), "So it is."));
    assert_null(strstr(fake_stream_last("textInput"), "interactive\":true"));
    const cJSON *current = fake_bus_last("stream", "phase", "current");
    assert_int_equal(jsonx_number(current, "history_messages", 0), 2);
    assert_string_equal(jsonx_text(current, "replay", ""), "none");
}

static void
test_old_stream_that_does_not_end_is_dropped(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_rotate(&rig);
    RIG_UNTIL(&rig, rig_told("dropped") == 1);
    assert_int_equal(fake_endpoint.open_now, 1);
}

static void
use_tokens(int count)
{
    fake_stream_say("{\"event\":{\"usageEvent\":{\"details\":{\"delta\":{"
                    "\"input\":{\"speechTokens\":%d}}}}}}",
                    count);
}

static void
test_what_the_old_stream_still_says(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0}");
    use_tokens(3);
    rig_rotate(&rig);
    fake_bus_reset();
    fake_stream_select(1);
    use_tokens(4);
    fake_stream_select(0);
    use_tokens(5);
    assert_int_equal(fake_bus_count("usage", NULL, NULL), 2);
    cJSON *stats = session_stats(rig.session);
    assert_int_equal(
        jsonx_number(cJSON_GetObjectItem(stats, "tokens"), "input_speech", 0),
        12);
    cJSON_Delete(stats);
    fake_stream_select(1); /* whatever else it has to say */
    rig_user_says(&rig, "who is there");
    rig_plans(&rig, "Nobody.");
    rig_audio(rig_audio_begins(&rig), 100);
    rig_tool_use("use-1", "clock", "{}");
    rig_marker(&rig);
    rig_speech(true);
    assert_int_equal(fake_broker.call_count, 0);
    assert_int_equal(fake_bus_count("transcript", NULL, NULL), 0);
    assert_int_equal(fake_bus_count("response", NULL, NULL), 0);
    assert_int_equal(rig_frames(&rig, "output_frames", "received"), 0);
}

/* ---- boundaries ---- */

/* The next is ready and is not taken, for as long as that lasts. */
static void
assert_waits(void)
{
    rig_rotate(&rig);
    rig_run(&rig, 30);
    assert_false(rig_changed_to(2));
    assert_true(fake_stream_at(1)->open && !fake_stream_at(1)->finished);
}

static void
assert_changes(void)
{
    RIG_UNTIL(&rig, rig_changed_to(2));
    assert_true(fake_stream_at(1)->finished);
    assert_int_equal(fake_bus_count("session_state", "state", "waiting"), 0);
    rig_assert_balanced(&rig);
}

/* A rotation may be asked for before there is a chance of a boundary: then it
 * is begun when there is. */
static void
assert_is_not_begun(void)
{
    session_rotate(rig.session);
    rig_run(&rig, 120);
    assert_int_equal(rig_opened(), 1);
}

static void
test_not_while_the_user_speaks(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "}");
    rig_talk(&rig, 4800);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "started") == 1);
    assert_is_not_begun();
    rig_mic(&rig, 4800);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "ended") == 1);
    rig_run(&rig, 120);
    assert_int_equal(rig_opened(), 1); /* an answer must be due */
    answer_a_question("what was that");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_changes();
}

static void
test_not_while_the_model_hears_the_user(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_rotate(&rig);
    rig_close(&rig);
    rig_begin(&rig, NULL);
    session_rotate(rig.session);
    fake_stream_connect();
    fake_stream_select(1);
    rig_speech(true);
    fake_stream_select(0);
    fake_stream_answer();
    rig_run(&rig, 30);
    assert_false(rig_changed_to(2));
    fake_stream_select(1);
    rig_speech(false);
    rig_run(&rig, 30);
    assert_false(rig_changed_to(2));
    answer_a_question("what was that");
    fake_stream_select(0);
    assert_changes();
}

static void
test_not_while_an_answer_is_due(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "what time is it");
    assert_is_not_begun();
    rig_plans(&rig, "It is noon.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    assert_is_not_begun();
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_changes();
}

static void
test_not_while_a_text_is_not_answered(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"hi\"}");
    assert_is_not_begun();
    rig_plans(&rig, "Hello.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "Hello.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_changes();
}

/* Generated is not heard: the next is made ready meanwhile. */
static void
test_not_before_the_answer_was_heard(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "tell me more");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 300);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "Once upon a time.", "PARTIAL_TURN");
    uint64_t begun_ms = uv_hrtime() / 1000000;
    assert_waits();
    assert_changes();
    assert_true(uv_hrtime() / 1000000 - begun_ms >= 250);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 0);
    assert_int_equal(fake_bus_count("turn", NULL, NULL), 1);
}

static void
test_not_while_the_network_holds_audio(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    fake_stream.choked = true;
    rig_mic(&rig, 1024);
    RIG_UNTIL(&rig, rig_heard(1) == 1024);
    assert_waits();
    fake_stream_select(1);
    fake_stream_room();
    fake_stream_select(0);
    assert_changes();
}

static void
test_not_while_a_tool_runs(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    fake_broker_offer("clock", "{}");
    rig_rotate(&rig);
    rig_close(&rig);
    rig_open(&rig, NULL);
    fake_broker_offer("clock", "{}");
    rig_start(&rig);
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{}");
    assert_is_not_begun();
    fake_broker_end(0, TOOL_OK, "{}", NULL);
    rig_run(&rig, 30);
    assert_int_equal(rig_opened(), 1);
    rig_plans(&rig, "It is noon.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_changes();
}

/* ---- every frame to exactly one ---- */

static void
assert_each_frame_once(uint64_t written)
{
    uint64_t from = 0;
    for (unsigned n = 1; n <= rig_opened(); n++) {
        uint64_t to = from + rig_heard(n);
        rig_assert_heard(n, from, to);
        from = to;
    }
    assert_int_equal(from, written);
}

static void
test_each_frame_to_exactly_one(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0}");
    for (unsigned i = 0; i < 40; i++) {
        rig_mic(&rig, 1 + i * 37 % 700);
        rig_step(&rig);
        if (i % 4 == 1)
            fake_stream.full = true;
        if (i % 4 == 3)
            fake_stream_room();
        if (i % 4 == 3)
            rig_rotate(&rig);
    }
    RIG_UNTIL(&rig, rig_changed_to(11));
    session_close(rig.session);
    assert_int_equal(rig_opened(), 11);
    assert_each_frame_once(rig_written(&rig));
    assert_int_equal(rig_frames(&rig, "input_frames", "sent"),
                     rig_written(&rig));
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
    assert_int_equal(rig_frames(&rig, "input_frames", "lost"), 0);
    rig_assert_balanced(&rig);
}

/* ---- reset ---- */

static void
test_reset_changes_at_once(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        rig_begin(&rig, NULL);
        answer_a_question("my name is Ada");
        rig_user_says(&rig, "tell me a story");
        rig_plans(&rig, "Once upon a time.");
        rig_audio(rig_audio_begins(&rig), 3000);
        session_reset(rig.session, keep);
        assert_int_equal(fake_bus_count("interruption", NULL, NULL), 1);
        RIG_UNTIL(&rig, rig_opened() == 2);
        rig_accept();
        assert_true(rig_changed_to(2));
        assert_int_equal(
            strstr(fake_stream.order, "contentStart:TEXT:USER") != NULL, keep);
        assert_int_equal(fake_bus_count("response", "phase", "started"),
                         fake_bus_count("response", "phase", "ended"));
        if (!keep)
            rig_close(&rig);
    }
}

/* The current stream does not take the last audio, and is ended while the one
 * before it is still read. */
static void
test_closed_while_an_old_stream_parts(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_rotate(&rig);
    RIG_UNTIL(&rig, rig_changed_to(2));
    assert_true(fake_stream_at(1)->open);
    fake_stream.full = true;
    rig_mic(&rig, 4096);
    session_close(rig.session);
    fake_stream_end(BEDROCK_END_end_stream, true);
    rig_run(&rig, 5);
    assert_int_equal(session_state(rig.session), SESSION_closing);
    fake_stream_select(1);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_int_equal(session_state(rig.session), SESSION_closed);
    rig_assert_balanced(&rig);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(next_is_begun_beside_the_current_one),
        TEST(next_is_told_the_history),
        TEST(old_stream_that_does_not_end_is_dropped),
        TEST(what_the_old_stream_still_says),
        TEST(not_while_the_user_speaks),
        TEST(not_while_the_model_hears_the_user),
        TEST(not_while_an_answer_is_due),
        TEST(not_while_a_text_is_not_answered),
        TEST(not_before_the_answer_was_heard),
        TEST(not_while_the_network_holds_audio),
        TEST(not_while_a_tool_runs),
        TEST(each_frame_to_exactly_one),
        TEST(reset_changes_at_once),
        TEST(closed_while_an_old_stream_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
