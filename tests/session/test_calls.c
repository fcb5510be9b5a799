/* Tool calls: one toolUse, one toolResult, whatever happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/calls.h"
#include "tests/session/rig.h"

static struct rig rig;

static int
set_up(void **state)
{
    (void)state;
    rig_open(&rig, "{\"tools\":[\"clock\",\"ghost\"],\"tools_wait_ms\":0}");
    fake_broker_offer("clock", "{\"type\":\"object\"}");
    fake_broker_offer("secret", "{\"type\":\"object\"}");
    rig_start(&rig);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* Results on the wire for a toolUseId, or for all of them (NULL). */
static size_t
results(const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < fake_stream.event_count; i++)
        count += strstr(fake_stream.events[i], "\"type\":\"TOOL\"") &&
                 (!id || strstr(fake_stream.events[i], id));
    return count;
}

static const char *
outcome(void)
{
    return jsonx_text(fake_bus_last("tool_result", NULL, NULL), "outcome", "");
}

static void
test_result_goes_to_the_model(void **state)
{
    (void)state;
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{\"zone\":\"UTC\"}");
    assert_int_equal(fake_broker.call_count, 1);
    assert_string_equal(fake_broker.calls[0].arguments, "{\"zone\":\"UTC\"}");
    assert_int_equal(results(NULL), 0);
    fake_stream_forget();
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_string_equal(fake_stream.order,
                        "contentStart:TOOL:TOOL toolResult contentEnd ");
    assert_non_null(strstr(fake_stream_last("toolResult"), "noon"));
    assert_string_equal(fake_bus_story(),
                        "user(what time is it) start:1 call:clock "
                        "result:result ");
    rig_plans(&rig, "It is noon.");
    session_close(rig.session);
    fake_stream_end(BEDROCK_END_end_stream, true);
    const cJSON *turn = fake_bus_last("turn", NULL, NULL);
    const cJSON *tools = cJSON_GetObjectItem(turn, "tools");
    assert_int_equal(cJSON_GetArraySize(tools), 1);
    assert_string_equal(jsonx_text(cJSON_GetArrayItem(tools, 0), "outcome", ""),
                        "result");
}

static void
test_outcomes(void **state)
{
    static const struct {
        enum tool_outcome outcome;
        const char *word;
    } cases[] = {{TOOL_ERROR, "error"},
                 {TOOL_TIMEOUT, "timeout"},
                 {TOOL_CANCELLED, "cancelled"},
                 {TOOL_CRASHED, "error"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[16];
        snprintf(id, sizeof id, "use-%zu", i);
        rig_tool_use(id, "clock", "{}");
        fake_broker_end(i, cases[i].outcome, "{\"error\":\"no\"}", "no");
        assert_int_equal(results(id), 1);
        assert_string_equal(outcome(), cases[i].word);
    }
}

static void
test_same_use_twice_is_answered_once(void **state)
{
    (void)state;
    rig_tool_use("use-1", "clock", "{}");
    rig_tool_use("use-1", "clock", "{}");
    assert_int_equal(fake_broker.call_count, 1);
    fake_broker_end(0, TOOL_OK, "{}", NULL);
    rig_tool_use("use-1", "clock", "{}");
    assert_int_equal(fake_broker.call_count, 1);
    assert_int_equal(results("use-1"), 1);
}

static void
test_tools_that_cannot_be_called(void **state)
{
    (void)state;
    rig_tool_use("use-1", "secret", "{}"); /* not among the session's */
    assert_int_equal(fake_broker.call_count, 0);
    assert_string_equal(outcome(), "error");
    assert_int_equal(results("use-1"), 1);
    fake_broker.closing = true;
    rig_tool_use("use-2", "clock", "{}");
    assert_string_equal(outcome(), "error");
    assert_int_equal(results("use-2"), 1);
    fake_broker.closing = false;
    rig_tool_use("use-3",
                 "clock-67890123456789012345678901234567890123456789012345678"
                 "90123456789",
                 "{}");
    assert_int_equal(results("use-3"), 1);
    assert_int_equal(fake_broker.call_count, 0);
    rig_tool_use("", "clock", "{}");
    assert_int_equal(results(NULL), 3);
    assert_int_equal(fake_bus_count("tool_call", NULL, NULL), 3);
}

static void
test_too_many_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < CALLS_MAX + 100; i++) {
        char id[24];
        snprintf(id, sizeof id, "use-%d.", i);
        rig_tool_use(id, "clock", "{}");
    }
    assert_int_equal(fake_broker.call_count, CALLS_MAX);
    assert_int_equal(results(NULL), 100);
    for (size_t i = 0; i < CALLS_MAX; i++)
        fake_broker_end(i, TOOL_OK, "{}", NULL);
    assert_int_equal(results(NULL), CALLS_MAX + 100);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL),
                     CALLS_MAX + 100);
}

/* A string of control characters is six times as long in JSON in JSON. */
static void
test_result_too_large_for_the_model(void **state)
{
    size_t bytes = 1200 * 1000;
    char *content = malloc(bytes);
    (void)state;
    memset(content, 'x', bytes);
    memcpy(content, "{\"a\":\"", 6);
    memcpy(content + bytes - 3, "\"}", 3);
    rig_tool_use("use-1", "clock", "{}");
    fake_broker_end(0, TOOL_OK, content, NULL);
    free(content);
    assert_string_equal(outcome(), "error");
    assert_int_equal(results("use-1"), 1);
    assert_non_null(strstr(fake_stream_last("toolResult"), "larger"));
    assert_int_equal(session_state(rig.session), SESSION_streaming);
}

static void
test_close_answers_first(void **state)
{
    (void)state;
    rig_tool_use("use-1", "clock", "{}");
    fake_stream_forget();
    rig_mic(&rig, 100);
    session_close(rig.session);
    assert_non_null(strstr(fake_stream.order,
                           "contentStart:TOOL:TOOL toolResult contentEnd "
                           "audio contentEnd promptEnd sessionEnd FINISH "));
    assert_string_equal(outcome(), "cancelled");
    assert_true(fake_broker.calls[0].cancelled);
    fake_broker_deliver_cancelled();
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 1);
    rig_tool_use("use-2", "clock", "{}"); /* too late for a result */
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 2);
    assert_int_equal(fake_broker.call_count, 1);
    assert_non_null(strstr(fake_stream.order, "FINISH "));
    assert_string_equal(strstr(fake_stream.order, "FINISH "), "FINISH ");
}

static void
test_refused_stream_cancels(void **state)
{
    (void)state;
    rig_tool_use("use-1", "clock", "{}");
    rig_tool_use("use-2", "clock", "{}");
    fake_broker_end(1, TOOL_OK, "{}", NULL);
    fake_stream_refuse();
    assert_int_equal(fake_bus_count("tool_result", "outcome", "cancelled"), 1);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 2);
    rig_start(&rig);
    fake_broker_end(0, TOOL_OK, "{}", NULL); /* nobody asked on this stream */
    assert_int_equal(results(NULL), 0);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 0);
}

static void
test_result_finds_no_session(void **state)
{
    (void)state;
    rig_tool_use("use-1", "clock", "{}");
    session_free(&rig.session);
    assert_true(fake_broker.calls[0].cancelled);
    fake_broker_end(0, TOOL_OK, "{}", NULL);
}

/* ---- the user's barge-in ---- */

static void
restart(const char *settings)
{
    rig_close(&rig);
    rig_open(&rig, settings);
    fake_broker_offer("clock", "{}");
    fake_broker_offer("drive", "{}")->cancel_on_interrupt = true;
    rig_start(&rig);
}

static void
drive_and_look(void)
{
    rig_user_says(&rig, "drive home");
    rig_user_says(&rig, "and look at the clock");
    rig_plans(&rig, "I am on my way.");
    rig_audio(rig_audio_begins(&rig), 2000);
    rig_tool_use("use-1", "drive", "{}");
    rig_tool_use("use-2", "clock", "{}");
    assert_false(fake_broker.calls[0].cancelled);
}

static void
by_stop_reason(void)
{
    rig_said(&rig, "I am on", "INTERRUPTED");
}

static void
by_speech_start(void)
{
    rig_speech(true);
}

static void
by_control(void)
{
    double heard_ms;
    (void)!session_interrupt(rig.session, &heard_ms);
}

static void
by_marker(void)
{
    rig_marker(&rig);
}

static void
by_words(void)
{
    rig_user_says(&rig, "stop");
}

static void
test_barge_in_cancels_who_wants_it(void **state)
{
    static void (*const signs[])(void) = {
        by_marker, by_stop_reason, by_speech_start, by_control, by_words};
    (void)state;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        restart("{\"interrupt_on\":[\"marker\",\"stop_reason\","
                "\"speech_start\"]}");
        drive_and_look();
        signs[i]();
        assert_true(fake_broker.calls[0].cancelled);
        assert_false(fake_broker.calls[1].cancelled);
        signs[i]();
        fake_broker_deliver_cancelled();
        assert_string_equal(rig_result("1", "outcome"), "cancelled");
        assert_string_equal(rig_result("1", "reason"), "The user interrupted");
        assert_int_equal(results("use-1"), 1);
        assert_int_equal(results("use-2"), 0);
        fake_broker_end(1, TOOL_OK, "{}", NULL);
        assert_int_equal(results("use-2"), 1);
    }
}

/* While the robot is silent the user's next words do; those that called the
 * tool do not. */
static void
test_words_in_silence_cancel(void **state)
{
    (void)state;
    restart(NULL);
    rig_user_says(&rig, "drive home");
    rig_user_says(&rig, "please");
    rig_tool_use("use-1", "drive", "{}");
    rig_run(&rig, 20);
    assert_false(fake_broker.calls[0].cancelled);
    rig_user_says(&rig, "stop");
    assert_true(fake_broker.calls[0].cancelled);
}

static void
test_what_is_not_set_to_interrupt_does_not(void **state)
{
    (void)state;
    restart("{\"interrupt_on\":[\"marker\"]}");
    drive_and_look();
    by_stop_reason();
    by_speech_start();
    assert_false(fake_broker.calls[0].cancelled);
    by_marker();
    assert_true(fake_broker.calls[0].cancelled);
}

static void
test_cancelled_call_may_send_nothing(void **state)
{
    static const struct {
        const char *settings;
        size_t results;
    } cases[] = {
        {"{\"cancelled_result\":\"nothing\"}", 0},
        {"{\"cancelled_result\":\"error\"}", 1},
        {"{}", 1},
        {"{\"model\":\"amazon.nova-sonic-v1:0\"}", 1},
        {"{\"model\":\"amazon.nova-sonic-v1:0\","
         "\"cancelled_result\":\"nothing\"}",
         0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        restart(cases[i].settings);
        rig_user_says(&rig, "drive home");
        rig_tool_use("use-1", "drive", "{}");
        rig_user_says(&rig, "stop");
        fake_broker_deliver_cancelled();
        assert_int_equal(results("use-1"), cases[i].results);
        assert_string_equal(rig_result("1", "delivery"),
                            cases[i].results ? "answer" : "nothing");
        rig_plans(&rig, "I stand.");
        rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
        rig_said(&rig, "I stand.", "PARTIAL_TURN");
        RIG_UNTIL(&rig, fake_bus_count("response", "status", "complete") >= 1);
    }
}

/* It had ended before it could be cancelled. */
static void
test_result_comes_first(void **state)
{
    (void)state;
    restart("{\"cancelled_result\":\"nothing\"}");
    rig_user_says(&rig, "drive home");
    rig_tool_use("use-1", "drive", "{}");
    rig_user_says(&rig, "stop");
    fake_broker_end(0, TOOL_OK, "{\"at\":\"home\"}", NULL);
    assert_string_equal(rig_result("1", "outcome"), "result");
    assert_string_equal(rig_result("1", "reason"), "");
    assert_int_equal(results("use-1"), 1);
}

static void
test_result_waits_for_room(void **state)
{
    (void)state;
    rig_tool_use("use-1", "clock", "{}");
    fake_stream.full = true;
    fake_broker_end(0, TOOL_OK, "{}", NULL);
    rig_mic(&rig, 2048);
    rig_run(&rig, 10);
    fake_stream_forget();
    fake_stream_room();
    RIG_UNTIL(&rig, strstr(fake_stream.order, "audio"));
    assert_int_equal(strncmp(fake_stream.order,
                             "contentStart:TOOL:TOOL toolResult contentEnd "
                             "audio ",
                             strlen("contentStart:TOOL:TOOL toolResult "
                                    "contentEnd audio ")),
                     0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(result_goes_to_the_model),
        TEST(outcomes),
        TEST(same_use_twice_is_answered_once),
        TEST(tools_that_cannot_be_called),
        TEST(too_many_at_once),
        TEST(result_too_large_for_the_model),
        TEST(close_answers_first),
        TEST(refused_stream_cancels),
        TEST(result_finds_no_session),
        TEST(barge_in_cancels_who_wants_it),
        TEST(words_in_silence_cancel),
        TEST(what_is_not_set_to_interrupt_does_not),
        TEST(cancelled_call_may_send_nothing),
        TEST(result_comes_first),
        TEST(result_waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
