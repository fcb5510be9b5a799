/* Sessions without a stream, by their mode, by wish, or because nobody is
 * there; and what wakes them. */
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

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static bool
is_in(enum session_state state)
{
    return session_state(rig.session) == state;
}

static const char *
reason(void)
{
    return jsonx_text(fake_bus_last("session_state", NULL, NULL), "reason", "");
}

static void
answer_a_question(void)
{
    rig_user_says(&rig, "what time is it");
    rig_plans(&rig, "It is noon.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
}

/* ---- modes ---- */

static void
test_always_is_awake(void **state)
{
    (void)state;
    rig_open(&rig, "{\"idle_close_s\":0.05}");
    session_begin(rig.session);
    rig_accept();
    rig_run(&rig, 200);
    assert_true(is_in(SESSION_streaming));
}

static void
test_manual_waits_to_be_asked(void **state)
{
    (void)state;
    rig_open(&rig, "{\"mode\":\"manual\"," SPEECH "}");
    session_begin(rig.session);
    assert_true(is_in(SESSION_asleep));
    assert_non_null(strstr(reason(), "manual"));
    rig_talk(&rig, 16000);
    rig_mic(&rig, 16000);
    rig_run(&rig, 200);
    assert_true(is_in(SESSION_asleep));
    assert_int_equal(rig_opened(), 0);
    rig_assert_balanced(&rig);
    assert_true(session_open(rig.session));
    rig_accept();
    assert_true(is_in(SESSION_streaming));
    rig_mic(&rig, 512);
    session_close(rig.session);
    assert_int_equal(rig_heard(1), 512); /* nothing of what was private */
    rig_assert_balanced(&rig);
}

static void
test_speech_wakes_and_is_heard_whole(void **state)
{
    (void)state;
    rig_open(&rig, "{\"mode\":\"on_audio\"," SPEECH "}");
    session_begin(rig.session);
    assert_true(is_in(SESSION_asleep));
    for (int i = 0; i < 100; i++) {
        rig_mic(&rig, 160);
        if (i % 10 == 0)
            rig_run(&rig, 2);
    }
    assert_int_equal(rig_opened(), 0);
    rig_talk(&rig, 8000);
    RIG_UNTIL(&rig, rig_opened() == 1);
    rig_talk(&rig, 800);
    rig_accept();
    session_close(rig.session);
    size_t heard = rig_heard(1);
    assert_in_range(heard, 8800 + 400, 8800 + 1600 + 800);
    rig_assert_heard(1, 24800 - heard, 24800);
    assert_int_equal(rig_frames(&rig, "input_frames", "gated"), 24800 - heard);
    rig_assert_balanced(&rig);
}

static void
test_idle_puts_to_sleep(void **state)
{
    (void)state;
    rig_open(&rig, "{\"mode\":\"on_audio\",\"idle_close_s\":0.15," SPEECH "}");
    session_begin(rig.session);
    rig_talk(&rig, 8000);
    rig_mic(&rig, 3200);
    RIG_UNTIL(&rig, rig_opened() == 1);
    rig_accept();
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "ended") == 1);
    rig_run(&rig, 250);
    assert_true(is_in(SESSION_streaming)); /* an answer is due */
    answer_a_question();
    RIG_UNTIL(&rig, is_in(SESSION_asleep));
    assert_non_null(strstr(reason(), "idle_close_s"));
    assert_true(fake_stream.finished);
    assert_non_null(strstr(fake_stream.order, "promptEnd sessionEnd FINISH"));
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_int_equal(fake_endpoint.open_now, 0);
    rig_talk(&rig, 8000);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_non_null(strstr(fake_stream_last("textInput"), "It is noon."));
    rig_assert_balanced(&rig);
}

static void
test_what_plays_is_heard_to_its_end(void **state)
{
    (void)state;
    rig_open(&rig, "{\"mode\":\"manual\",\"idle_close_s\":0.05}");
    rig_start(&rig);
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 300);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "Once upon a time.", "PARTIAL_TURN");
    rig_run(&rig, 250);
    assert_true(is_in(SESSION_streaming));
    RIG_UNTIL(&rig, is_in(SESSION_asleep));
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 0);
}

/* ---- by wish ---- */

static void
test_sleep_and_wake(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    assert_true(session_sleep(rig.session)); /* before it was ever open */
    assert_false(session_sleep(rig.session));
    rig_start(&rig);
    rig_mic(&rig, 1000);
    answer_a_question();
    assert_true(session_sleep(rig.session));
    assert_true(is_in(SESSION_asleep));
    assert_string_equal(reason(), "session.sleep");
    assert_int_equal(fake_bus_count("turn", NULL, NULL), 1);
    rig_run(&rig, 30);
    assert_true(session_open(rig.session));
    rig_accept();
    assert_non_null(strstr(fake_stream_last("textInput"), "It is noon."));
    rig_assert_balanced(&rig);
}

static void
test_text_wakes(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    session_sleep(rig.session);
    rig_ask(&rig, 1, "{\"text\":\"good morning\"}");
    assert_int_equal(rig_opened(), 2);
    rig_accept();
    assert_non_null(strstr(rig.answers, "\"accepted\":true"));
    assert_non_null(strstr(fake_stream_last("textInput"), "good morning"));
}

static void
test_sleep_ends_what_is_open(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    fake_broker_offer("clock", "{}");
    rig_start(&rig);
    rig_user_says(&rig, "what time is it");
    rig_plans(&rig, "Let me see.");
    rig_tool_use("use-1", "clock", "{}");
    session_sleep(rig.session);
    assert_int_equal(fake_bus_count("response", "phase", "ended"), 1);
    assert_int_equal(fake_bus_count("tool_result", "outcome", "cancelled"), 1);
    assert_true(fake_broker.calls[0].cancelled);
    assert_string_equal(
        jsonx_text(fake_bus_last("session_state", NULL, NULL), "state", ""),
        "asleep");
}

/* What was to be said again is nobody's concern any more. */
static void
test_sleep_in_an_outage(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":1000,\"retry_cap_ms\":1000}");
    rig_open(&rig, "{" SPEECH "}");
    rig_start(&rig);
    rig_talk(&rig, 8000);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "started") == 1);
    struct bedrock_end end =
        fake_stream_error("ThrottlingException", "Too many requests");
    end.retry_after_ms = 1000;
    fake_stream_end_as(&end);
    assert_true(is_in(SESSION_waiting));
    assert_true(session_sleep(rig.session));
    assert_int_equal(slots_open(rig.services.slots), 0);
    rig_run(&rig, 20);
    assert_true(session_open(rig.session));
    rig_accept();
    assert_true(is_in(SESSION_streaming));
    assert_string_equal(
        jsonx_text(fake_bus_last("stream", "phase", "current"), "replay", ""),
        "none");
    rig_assert_balanced(&rig);
}

static void
test_asleep_may_be_closed_and_freed(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    session_sleep(rig.session);
    assert_true(session_close(rig.session));
    assert_true(is_in(SESSION_closed));
    rig_close(&rig);
    rig_open(&rig, NULL);
    rig_start(&rig);
    session_sleep(rig.session);
    session_free(&rig.session);
}

/* ---- nobody is there ---- */

static void
test_abandoned(void **state)
{
    (void)state;
    rig_open_by_control(&rig, "{\"abandoned_s\":0.1}", false);
    rig_start(&rig);
    RIG_UNTIL(&rig, is_in(SESSION_asleep));
    assert_non_null(strstr(reason(), "abandoned_s"));
    rig_run(&rig, 1100);
    assert_true(is_in(SESSION_asleep));
    rig_attach(&rig);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    rig_run(&rig, 300);
    assert_true(is_in(SESSION_streaming));
    session_sleep(rig.session); /* by wish, whoever is there */
    rig_run(&rig, 1200);
    assert_true(is_in(SESSION_asleep));
}

static void
test_sessions_of_the_file_are_not_abandoned(void **state)
{
    (void)state;
    rig_prepare(&rig, "{\"abandoned_s\":0.1}");
    assert_true(rig_make_session(&rig, false));
    rig_start(&rig);
    rig_run(&rig, 1200);
    assert_true(is_in(SESSION_streaming));
}

static void
test_max_session(void **state)
{
    (void)state;
    rig_open_by_control(&rig, "{\"max_session_s\":0.2}", true);
    rig_start(&rig);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
    assert_non_null(strstr(reason(), "max_session_s"));
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_true(is_in(SESSION_closed));
    rig_close(&rig);
    rig_open_by_control(&rig, "{\"max_session_s\":0.2}", true);
    rig_start(&rig);
    session_sleep(rig.session);
    RIG_UNTIL(&rig, is_in(SESSION_closed));
}

/* How often the loop wakes in 300 ms. */
static void
test_the_loop_sleeps_too(void **state)
{
    static const char *const modes[] = {"always", "on_audio", "manual"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        char settings[96];
        unsigned turns = 0;
        snprintf(settings, sizeof settings,
                 "{\"mode\":\"%s\",\"idle_close_s\":0.05}", modes[i]);
        rig_open(&rig, settings);
        rig_start(&rig);
        session_sleep(rig.session);
        rig_mic(&rig, 100);
        uint64_t end = uv_hrtime() + 300 * 1000000ull;
        for (; uv_hrtime() < end; turns++)
            uv_run(&rig.loop, UV_RUN_ONCE);
        if (turns > 60)
            fail_msg("%u turns while asleep, %s", turns, modes[i]);
        if (i < 2)
            rig_close(&rig);
    }
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(always_is_awake),
        TEST(manual_waits_to_be_asked),
        TEST(speech_wakes_and_is_heard_whole),
        TEST(idle_puts_to_sleep),
        TEST(what_plays_is_heard_to_its_end),
        TEST(sleep_and_wake),
        TEST(text_wakes),
        TEST(sleep_ends_what_is_open),
        TEST(sleep_in_an_outage),
        TEST(asleep_may_be_closed_and_freed),
        TEST(abandoned),
        TEST(sessions_of_the_file_are_not_abandoned),
        TEST(max_session),
        TEST(the_loop_sleeps_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
