/* Conversations that a tool ends: after the last words, and not much later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/session/ending.h"
#include "gateway/session/self.h"
#include "tests/session/rig.h"

#define ON "\"tools\":[],\"end_conversation\":\"on\""

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* As the gateway's own tool does. */
static void
on_call(const struct broker_caller *caller)
{
    assert_string_equal(caller->session, "robot");
    ending_begin(rig.session, ENDING_WITHIN_MS, true, NULL);
}

static void
offer(void)
{
    struct tool *tool = fake_broker_offer(ENDING_TOOL, ENDING_TOOL_SCHEMA);
    tool->kind = BROKER_PROVIDER_BUILTIN;
    fake_broker.on_call = on_call;
    fake_broker_offer("clock", "{}");
}

static void
start(const char *settings)
{
    rig_open(&rig, settings);
    offer();
    rig_start(&rig);
}

static void
answer(const char *text, unsigned ms)
{
    rig_plans(&rig, text);
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, ms);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, text, "PARTIAL_TURN");
}

static void
say_goodbye(void)
{
    rig_user_says(&rig, "goodbye");
    rig_tool_use("use-1", ENDING_TOOL, "{}");
    assert_int_equal(fake_broker.call_count, 1);
    fake_broker_end(0, TOOL_OK, "{\"status\":\"it ends\"}", NULL);
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

/* ---- the gateway's own tool ---- */

static void
test_ends_when_goodbye_was_played(void **state)
{
    (void)state;
    start("{" ON "}");
    say_goodbye();
    answer("Goodbye!", 200);
    assert_true(is_in(SESSION_streaming));
    assert_int_equal(fake_bus_count("playback", "phase", "finished"), 0);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
    assert_int_equal(fake_bus_count("playback", "phase", "finished"), 1);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 0);
    assert_string_equal(reason(), "a tool has ended the conversation");
    assert_int_equal(rig_sent(1, "\"toolResult\"", "it ends"), 1);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_true(is_in(SESSION_closed));
}

/* What is said while the tool runs is not yet the goodbye. */
static void
test_words_before_the_tool_are_not_the_last(void **state)
{
    (void)state;
    start("{" ON "}");
    rig_user_says(&rig, "goodbye");
    rig_tool_use("use-1", ENDING_TOOL, "{}");
    answer("One moment.", 20);
    fake_broker_end(0, TOOL_OK, "{}", NULL);
    uint64_t began_ms = uv_hrtime() / 1000000;
    RIG_UNTIL(&rig, rig.session->ending.quiet_ns);
    uint64_t due_ns = ending_deadline_ns(rig.session);
    assert_true(due_ns >= rig.session->ending.quiet_ns + 2000000000ull);
    assert_true(uv_hrtime() / 1000000 >= began_ms);
    assert_true(is_in(SESSION_streaming));
    answer("Goodbye!", 20);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
}

static void
test_user_goes_on(void **state)
{
    (void)state;
    start("{" ON "}");
    say_goodbye();
    answer("Goodbye!", 300);
    rig_user_says(&rig, "wait, one more thing");
    assert_false(rig.session->ending.active);
    answer("Yes?", 20);
    rig_run(&rig, 700);
    assert_true(is_in(SESSION_streaming));
    assert_true(ending_deadline_ns(rig.session) == UINT64_MAX);
}

static void
test_only_where_it_is_on(void **state)
{
    (void)state;
    start("{\"tools\":\"*\"}");
    rig_tool_use("use-1", ENDING_TOOL, "{}");
    assert_int_equal(fake_broker.call_count, 0);
    assert_string_equal(rig_result("1", "outcome"), "error");
    assert_false(rig.session->ending.active);
    rig_update(&rig, 1, "{\"end_conversation\":\"on\",\"tools\":[]}");
    rig_tool_use("use-2", "clock", "{}");
    assert_string_equal(rig_result("2", "outcome"), "error");
    rig_tool_use("use-3", ENDING_TOOL, "{}");
    assert_int_equal(fake_broker.call_count, 1);
    assert_string_equal(
        jsonx_text(fake_bus_last("tool_call", "call", "3"), "kind", ""),
        "builtin");
}

/* ---- other tools ---- */

static void
test_not_withdrawn_by_words(void **state)
{
    (void)state;
    start("{" ON "}");
    ending_begin(rig.session, 60000, false, "it is\nbedtime");
    rig_tool_use("use-1", ENDING_TOOL, "{}"); /* sooner */
    fake_broker_end(0, TOOL_OK, "{}", NULL);
    answer("Good night.", 300);
    rig_user_says(&rig, "no!");
    assert_true(rig.session->ending.active);
    answer("It is late.", 20);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
}

static void
test_reason_is_told(void **state)
{
    char why[600];
    (void)state;
    start(NULL);
    memset(why, 'x', sizeof why);
    memcpy(why, "bedtime", 7);
    why[sizeof why - 1] = '\0';
    ending_begin(rig.session, 0, false, why);
    rig_mic(&rig, 1024);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
    assert_non_null(strstr(reason(), "conversation: bedtimexxx"));
    assert_in_range(strlen(reason()), 200, ENDING_WHY_BYTES - 1);
}

static void
test_bounded(void **state)
{
    (void)state;
    start(NULL);
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    rig_audio(rig_audio_begins(&rig), 5000);
    ending_begin(rig.session, 100, false, NULL);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
    assert_int_equal(fake_bus_count("playback", "phase", "finished"), 0);
}

static void
test_not_put_off(void **state)
{
    (void)state;
    start(NULL);
    ending_begin(rig.session, 5000, true, NULL);
    uint64_t first_ns = rig.session->ending.deadline_ns;
    ending_begin(rig.session, 60000, true, NULL);
    assert_true(rig.session->ending.deadline_ns == first_ns);
    assert_true(rig.session->ending.withdrawable);
    ending_begin(rig.session, 60000, false, NULL);
    assert_false(rig.session->ending.withdrawable);
    ending_begin(rig.session, 1000, true, NULL);
    assert_true(rig.session->ending.deadline_ns < first_ns);
    assert_false(rig.session->ending.withdrawable);
}

/* Nobody says anything more: it need not be so long. */
static void
test_silence_ends_it(void **state)
{
    (void)state;
    start("{" ON "}");
    rig_user_says(&rig, "goodbye");
    answer("Goodbye!", 20);
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    ending_begin(rig.session, ENDING_WITHIN_MS, true, NULL);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
    assert_true(clock_mono_ns() < rig.session->ending.deadline_ns);
}

/* ---- what becomes of the session ---- */

static void
test_sleeps_until_the_next_one(void **state)
{
    (void)state;
    start("{\"mode\":\"manual\"}");
    ending_begin(rig.session, 0, false, "bedtime");
    RIG_UNTIL(&rig, is_in(SESSION_asleep));
    assert_non_null(strstr(reason(), "bedtime"));
    assert_true(session_open(rig.session));
    rig_accept();
    rig_run(&rig, 50);
    assert_true(is_in(SESSION_streaming));
}

static void
test_one_by_control_is_closed(void **state)
{
    (void)state;
    rig_open_by_control(&rig, "{\"mode\":\"manual\"}", true);
    rig_start(&rig);
    ending_begin(rig.session, 0, false, NULL);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
}

static void
test_stream_is_lost_meanwhile(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":150,\"retry_cap_ms\":300}");
    start("{" ON "}");
    ending_begin(rig.session, ENDING_WITHIN_MS, true, NULL);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    assert_false(is_in(SESSION_streaming));
    rig_run(&rig, 30);
    assert_int_equal(rig.session->ending.quiet_ns, 0);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_run(&rig, 30);
    assert_true(rig.session->ending.active);
    rig_accept();
    answer("Goodbye!", 20);
    RIG_UNTIL(&rig, is_in(SESSION_closing));
}

static void
test_stream_does_not_come_back(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":5000,\"retry_cap_ms\":5000}");
    start(NULL);
    ending_begin(rig.session, 50, true, NULL);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(&rig, is_in(SESSION_closed));
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ends_when_goodbye_was_played),
        TEST(words_before_the_tool_are_not_the_last),
        TEST(user_goes_on),
        TEST(only_where_it_is_on),
        TEST(not_withdrawn_by_words),
        TEST(reason_is_told),
        TEST(bounded),
        TEST(not_put_off),
        TEST(silence_ends_it),
        TEST(sleeps_until_the_next_one),
        TEST(one_by_control_is_closed),
        TEST(stream_is_lost_meanwhile),
        TEST(stream_does_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
