/* Tool calls that outlive their stream: waited for, told to the next one,
 * taken for the same call there, or kept; and never answered on a stream that
 * did not ask. */
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

static void
start(const char *settings)
{
    rig_open(&rig, settings);
    fake_broker_offer("clock", "{}");
    fake_broker_offer("door", "{}");
    rig_start(&rig);
}

static void
ask_for_the_time(void)
{
    rig_user_says(&rig, "what time is it");
    rig_plans(&rig, "Let me see.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_tool_use("use-1", "clock", "{\"zone\":\"UTC\"}");
}

static bool
was_late(const char *call)
{
    const cJSON *result = fake_bus_last("tool_result", "call", call);
    assert_non_null(result);
    return cJSON_IsTrue(cJSON_GetObjectItem(result, "late"));
}

static void
test_rotation_waits_for_it(void **state)
{
    (void)state;
    start("{\"rotate_tool_wait_s\":5}");
    ask_for_the_time();
    session_rotate(rig.session);
    rig_run(&rig, 150);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_int_equal(rig_sent(1, "toolResult", "noon"), 1);
    assert_false(was_late("1"));
    rig_plans(&rig, "It is noon.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_int_equal(rig_sent(2, "toolResult", ""), 0);
}

/* As long as it takes the robot to say that it is looking. */
static void
rotate_despite_it(void)
{
    start("{\"rotate_tool_wait_s\":0.2}");
    ask_for_the_time();
    session_rotate(rig.session);
    while (fake_bus_count("stream", "phase", "current") == 0) {
        if (fake_stream.open && !fake_stream.connected)
            rig_accept();
        rig_step(&rig);
    }
    assert_true(fake_stream_at(1)->finished);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 0);
    assert_false(fake_broker.calls[0].cancelled);
}

static void
test_rotation_does_not_wait_for_ever(void **state)
{
    (void)state;
    rotate_despite_it();
    unsigned last = rig_opened();
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_true(was_late("1"));
    assert_int_equal(rig_sent(last, "textInput", "Let me see."), 1);
    RIG_UNTIL(&rig, rig_sent(last, "textInput", "noon") == 1);
    assert_non_null(
        strstr(fake_stream_last("contentStart"), "\"interactive\":true"));
    for (unsigned n = 1; n <= last; n++) {
        assert_int_equal(rig_sent(n, "toolResult", ""), 0);
        assert_int_equal(rig_sent(n, "use-1", ""), 0);
    }
    rig_plans(&rig, "It is noon.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, fake_bus_count("response", "status", "complete") == 2);
    assert_int_equal(fake_bus_count("response", "phase", "started"), 2);
    assert_int_equal(fake_bus_count("response", "status", "error"), 0);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 1);
}

/* Nobody is interrupted for it. */
static void
test_told_when_nobody_speaks(void **state)
{
    (void)state;
    rotate_despite_it();
    unsigned last = rig_opened();
    rig_user_says(&rig, "and who are you");
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    rig_run(&rig, 60);
    assert_int_equal(rig_sent(last, "textInput", "noon"), 0);
    rig_plans(&rig, "I am a robot.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 100);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "I am a robot.", "PARTIAL_TURN");
    rig_run(&rig, 20);
    assert_int_equal(rig_sent(last, "textInput", "noon"), 0); /* it plays */
    RIG_UNTIL(&rig, rig_sent(last, "textInput", "noon") == 1);
}

/* It is the gateway's word and not the user's. */
static void
test_told_words_are_nobodys(void **state)
{
    (void)state;
    rotate_despite_it();
    unsigned last = rig_opened();
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    RIG_UNTIL(&rig, rig_sent(last, "textInput", "noon") == 1);
    cJSON *history = session_history(rig.session);
    char *text = cJSON_PrintUnformatted(history);
    assert_null(strstr(text, "noon"));
    cJSON_free(text);
    cJSON_Delete(history);
}

static void
test_same_call_takes_it(void **state)
{
    (void)state;
    start(NULL);
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{\"zone\":\"UTC\"}");
    rig_lose(&rig);
    rig_tool_use("use-2", "clock", "{\"zone\":\"UTC\"}");
    assert_int_equal(fake_broker.call_count, 1);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_int_equal(rig_sent(2, "toolResult", "noon"), 1);
    assert_int_equal(rig_sent(2, "use-2", ""), 1);
    assert_int_equal(rig_sent(2, "use-1", ""), 0);
    assert_true(was_late("1"));
    assert_false(was_late("2"));
    rig_run(&rig, 50);
    assert_int_equal(rig_sent(2, "textInput", "noon"), 0);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 2);
}

static void
test_other_arguments_are_another_call(void **state)
{
    (void)state;
    start(NULL);
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{\"zone\":\"UTC\"}");
    rig_lose(&rig);
    rig_tool_use("use-2", "clock", "{\"zone\":\"CET\"}");
    rig_tool_use("use-3", "door", "{\"zone\":\"UTC\"}");
    assert_int_equal(fake_broker.call_count, 3);
}

static void
test_kept_for_the_model_to_ask_again(void **state)
{
    (void)state;
    start("{\"model\":\"amazon.nova-sonic-v1:0\"}");
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{\"zone\":\"UTC\"}");
    rig_lose(&rig);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    rig_run(&rig, 30);
    assert_int_equal(rig_sent(2, "noon", ""), 0);
    rig_tool_use("use-2", "clock", "{\"zone\":\"UTC\"}");
    assert_int_equal(fake_broker.call_count, 1);
    assert_int_equal(rig_sent(2, "toolResult", "noon"), 1);
    rig_tool_use("use-3", "clock", "{\"zone\":\"UTC\"}"); /* used up */
    assert_int_equal(fake_broker.call_count, 2);
    fake_broker_end(1, TOOL_OK, "{\"time\":\"one\"}", NULL);
    assert_int_equal(rig_sent(2, "toolResult", "one"), 1);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 3);
}

/* The stream that took it over is lost, too. */
static void
test_lost_twice(void **state)
{
    (void)state;
    start(NULL);
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{\"zone\":\"UTC\"}");
    rig_lose(&rig);
    rig_tool_use("use-2", "clock", "{\"zone\":\"UTC\"}");
    rig_lose(&rig);
    rig_tool_use("use-3", "clock", "{\"zone\":\"UTC\"}");
    assert_int_equal(fake_broker.call_count, 1);
    assert_int_equal(fake_bus_count("tool_result", "outcome", "cancelled"), 1);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_int_equal(rig_sent(3, "toolResult", "noon"), 1);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 3);
}

static void
test_ends_with_the_session(void **state)
{
    (void)state;
    start(NULL);
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{}");
    rig_lose(&rig);
    session_close(rig.session);
    assert_int_equal(fake_bus_count("tool_result", "outcome", "cancelled"), 1);
    assert_true(fake_broker.calls[0].cancelled);
    fake_stream_end(BEDROCK_END_end_stream, true);
    fake_broker_deliver_cancelled();
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 1);
}

static void
test_session_is_gone(void **state)
{
    (void)state;
    start(NULL);
    rig_tool_use("use-1", "clock", "{}");
    rig_lose(&rig);
    session_free(&rig.session);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
}

static void
test_in_an_outage(void **state)
{
    (void)state;
    start(NULL);
    rig_user_says(&rig, "what time is it");
    rig_plans(&rig, "Let me see.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 1200); /* enough to be no question any more, once heard */
    rig_tool_use("use-1", "clock", "{}");
    rig_run(&rig, 1100);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_true(was_late("1"));
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    RIG_UNTIL(&rig, rig_sent(2, "textInput", "noon") == 1);
}

static void
test_long_result_is_told_in_part(void **state)
{
    enum { BYTES = 100000 };
    static char content[BYTES];
    (void)state;
    memset(content, 'x', sizeof content - 1);
    memcpy(content, "{\"a\":\"", 6);
    memcpy(content + sizeof content - 3, "\"}", 3);
    rotate_despite_it();
    fake_broker_end(0, TOOL_OK, content, NULL);
    RIG_UNTIL(&rig, rig_sent(rig_opened(), "textInput", "xxxx") >= 1);
}

/* The old stream goes on talking for a while, and calls a tool: the result is
 * not the new one's to hear by that id. */
static void
test_old_stream_calls_while_it_talks(void **state)
{
    (void)state;
    start("{\"rotate_after_s\":0.8,\"rotate_deadline_s\":1}");
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    rig_audio(rig_audio_begins(&rig), 200);
    while (fake_bus_count("stream", "phase", "current") == 0) {
        if (fake_stream.open && !fake_stream.connected)
            rig_accept();
        rig_step(&rig);
    }
    unsigned last = rig_opened();
    fake_stream_select(1);
    rig_tool_use("use-1", "clock", "{}");
    fake_stream_select(0);
    assert_int_equal(fake_broker.call_count, 1);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_int_equal(rig_sent(last, "toolResult", ""), 0);
    assert_int_equal(rig_sent(last, "use-1", ""), 0);
    assert_true(was_late("1"));
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 1);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rotation_waits_for_it),
        TEST(rotation_does_not_wait_for_ever),
        TEST(told_when_nobody_speaks),
        TEST(told_words_are_nobodys),
        TEST(same_call_takes_it),
        TEST(other_arguments_are_another_call),
        TEST(kept_for_the_model_to_ask_again),
        TEST(lost_twice),
        TEST(ends_with_the_session),
        TEST(session_is_gone),
        TEST(in_an_outage),
        TEST(long_result_is_told_in_part),
        TEST(old_stream_calls_while_it_talks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
