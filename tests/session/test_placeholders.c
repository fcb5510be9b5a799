/* Asynchronous tools on a model that goes silent while it waits: it is told at
 * once that they run, and gets what came of them when it asks again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/calls_state.h"
#include "tests/session/rig.h"

#define V1 "\"model\":\"amazon.nova-sonic-v1:0\",\"rotate_gap_s\":0"

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
    fake_broker_offer_async("search");
    fake_broker_offer_async("drive")->cancel_on_interrupt = true;
    fake_broker_offer("clock", "{}");
    rig_start(&rig);
}

static void
answer(const char *text)
{
    rig_plans(&rig, text);
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, text, "PARTIAL_TURN");
}

static void
search(const char *id)
{
    rig_user_says(&rig, "look for a cafe");
    rig_tool_use(id, "search", "{\"what\":\"cafe\"}");
}

static void
find(size_t index)
{
    fake_broker_end(index, TOOL_OK, "{\"name\":\"Florian\"}", NULL);
}

static size_t
results(void)
{
    return fake_bus_count("tool_result", NULL, NULL);
}

static void
test_placeholder_is_the_answer(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    assert_int_equal(rig_sent(1, "\"TOOL\"", "use-1"), 1);
    assert_int_equal(rig_sent(1, "toolResult", "running"), 1);
    assert_string_equal(
        jsonx_text(fake_bus_last("tool_call", NULL, NULL), "mode", ""),
        "async");
    assert_int_equal(results(), 0);
    answer("I am looking.");
    find(0);
    assert_string_equal(rig_result("1", "outcome"), "result");
    assert_string_equal(rig_result("1", "delivery"), "kept");
    rig_run(&rig, 30);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 1);
    assert_int_equal(rig_sent(1, "Florian", ""), 0);
}

static void
test_sync_tool_is_waited_for(void **state)
{
    (void)state;
    start("{" V1 "}");
    rig_tool_use("use-1", "clock", "{}");
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 0);
    fake_broker_end(0, TOOL_OK, "{\"time\":\"noon\"}", NULL);
    assert_int_equal(rig_sent(1, "toolResult", "noon"), 1);
    assert_string_equal(rig_result("1", "delivery"), "answer");
}

static void
test_asked_again_it_is_told_once(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    find(0);
    search("use-2");
    assert_int_equal(fake_broker.call_count, 1);
    assert_int_equal(rig_sent(1, "toolResult", "Florian"), 1);
    assert_string_equal(
        jsonx_text(fake_bus_last("tool_call", "call", "2"), "joins", ""), "1");
    assert_string_equal(rig_result("2", "delivery"), "answer");
    search("use-3");
    assert_int_equal(fake_broker.call_count, 2);
    assert_int_equal(rig_sent(1, "toolResult", "running"), 2);
    assert_int_equal(results(), 2);
}

static void
test_asked_again_while_it_runs(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    search("use-2");
    search("use-3");
    assert_int_equal(fake_broker.call_count, 1);
    assert_int_equal(rig_sent(1, "toolResult", "running"), 3);
    assert_int_equal(results(), 2); /* of those that only asked */
    find(0);
    assert_string_equal(rig_result("1", "delivery"), "kept");
    search("use-4");
    assert_int_equal(rig_sent(1, "toolResult", "Florian"), 1);
    assert_int_equal(results(), 4);
}

/* That a tool has failed is an answer, too, with the reason. */
static void
test_failure_is_kept(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    fake_broker_end(0, TOOL_CRASHED, "{\"error\":\"it died\"}", "it died");
    assert_string_equal(rig_result("1", "outcome"), "error");
    assert_string_equal(rig_result("1", "delivery"), "kept");
    search("use-2");
    assert_int_equal(rig_sent(1, "toolResult", "it died"), 1);
    assert_string_equal(rig_result("2", "outcome"), "error");
    assert_string_equal(rig_result("2", "reason"), "it died");
}

static void
test_kept_for_a_time(void **state)
{
    (void)state;
    start("{" V1 ",\"async_result_s\":0.05}");
    search("use-1");
    find(0);
    assert_string_equal(rig_result("1", "delivery"), "kept");
    rig_run(&rig, 60);
    search("use-2");
    assert_int_equal(fake_broker.call_count, 2);
    assert_int_equal(rig_sent(1, "Florian", ""), 0);
}

static void
test_not_kept_at_all(void **state)
{
    (void)state;
    start("{" V1 ",\"async_result_s\":0}");
    search("use-1");
    find(0);
    assert_string_equal(rig_result("1", "delivery"), "nothing");
    search("use-2");
    assert_int_equal(fake_broker.call_count, 2);
}

/* Neither the turn nor a change of streams waits for it. */
static void
test_nothing_is_held_up(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    answer("I am looking.");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    rig_rotate(&rig);
    RIG_UNTIL(&rig, rig_changed_to(2));
    assert_false(fake_broker.calls[0].cancelled);
    find(0);
    assert_string_equal(rig_result("1", "delivery"), "kept");
    search("use-2");
    assert_int_equal(rig_sent(2, "toolResult", "Florian"), 1);
    assert_int_equal(fake_broker.call_count, 1);
}

static void
test_stream_is_lost(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    rig_lose(&rig);
    search("use-2");
    assert_int_equal(rig_sent(2, "toolResult", "running"), 1);
    rig_lose(&rig);
    find(0);
    search("use-3");
    assert_int_equal(rig_sent(3, "toolResult", "Florian"), 1);
    assert_int_equal(fake_broker.call_count, 1);
    assert_int_equal(results(), 3);
}

/* The old stream, which nobody answers any more, asks for it: it is not given
 * away there. */
static void
test_kept_for_the_stream_that_goes_on(void **state)
{
    (void)state;
    start("{" V1 ",\"rotate_after_s\":0.8,\"rotate_deadline_s\":1}");
    search("use-1");
    find(0);
    rig_plans(&rig, "Let me tell you a story meanwhile.");
    rig_audio(rig_audio_begins(&rig), 200);
    while (!rig_changed_to(rig_opened()) || rig_opened() < 2)
        rig_accept_opened(&rig);
    unsigned last = rig_opened();
    fake_stream_select(1);
    rig_tool_use("use-2", "search", "{\"what\":\"cafe\"}");
    fake_stream_select(0);
    assert_string_equal(rig_result("2", "outcome"), "cancelled");
    assert_int_equal(rig_sent(1, "Florian", ""), 0);
    search("use-3");
    assert_int_equal(rig_sent(last, "toolResult", "Florian"), 1);
    assert_int_equal(fake_broker.call_count, 1);
}

/* The conversation goes on with a model that can be told in writing. */
static void
test_told_to_a_model_that_reads(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    answer("I am looking.");
    rig_update(&rig, 1, "{\"model\":\"amazon.nova-2-sonic-v1:0\"}");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    RIG_UNTIL(&rig, rig_changed_to(2));
    find(0);
    assert_string_equal(rig_result("1", "delivery"), "text");
    RIG_UNTIL(&rig, rig_sent(2, "textInput", "Florian") == 1);
}

static void
test_waits_for_room(void **state)
{
    (void)state;
    start("{" V1 "}");
    fake_stream.full = true;
    search("use-1");
    find(0);
    fake_stream_room();
    assert_int_equal(rig_sent(1, "toolResult", "running"), 1);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 1);
    assert_string_equal(rig_result("1", "delivery"), "kept");
}

/* Nothing is said, so there is nothing to cut; the tool is stopped. */
static void
test_interrupted_in_silence(void **state)
{
    double heard_ms;
    (void)state;
    start("{" V1 "}");
    rig_user_says(&rig, "drive home");
    rig_tool_use("use-1", "drive", "{}");
    rig_tool_use("use-2", "search", "{}");
    answer("I am on my way.");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    assert_int_equal(session_interrupt(rig.session, &heard_ms), VR_OK);
    assert_int_equal(heard_ms, 0);
    assert_int_equal(session_interrupt(rig.session, &heard_ms), VR_STATE);
    assert_true(fake_broker.calls[0].cancelled);
    assert_false(fake_broker.calls[1].cancelled);
    fake_broker_deliver_cancelled();
    assert_string_equal(rig_result("1", "delivery"), "nothing");
    rig_tool_use("use-3", "drive", "{}");
    assert_int_equal(fake_broker.call_count, 3);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 3);
}

static void
test_close_ends_it(void **state)
{
    (void)state;
    start("{" V1 "}");
    search("use-1");
    session_close(rig.session);
    assert_true(fake_broker.calls[0].cancelled);
    assert_string_equal(rig_result("1", "outcome"), "cancelled");
    fake_broker_deliver_cancelled();
    assert_int_equal(results(), 1);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 1);
}

/* Nobody waits for them, and still there are not more than can be kept. */
static void
test_not_more_than_are_remembered(void **state)
{
    enum { ASKED = 3 * CALLS_REMEMBERED };
    char id[24], arguments[32];
    (void)state;
    start("{" V1 "}");
    for (int i = 0; i < ASKED; i++) {
        snprintf(id, sizeof id, "use-%d.", i);
        snprintf(arguments, sizeof arguments, "{\"n\":%d}", i);
        rig_tool_use(id, "search", arguments);
        assert_int_equal(rig_sent(1, "\"TOOL\"", id), 1);
        fake_stream_forget();
    }
    assert_int_equal(fake_broker.call_count, CALLS_RUNNING_MAX);
    assert_int_equal(results(), ASKED - CALLS_RUNNING_MAX);
    for (size_t i = 0; i < CALLS_RUNNING_MAX; i++)
        find(i);
    assert_int_equal(results(), ASKED);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 0);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(placeholder_is_the_answer),
        TEST(sync_tool_is_waited_for),
        TEST(asked_again_it_is_told_once),
        TEST(asked_again_while_it_runs),
        TEST(failure_is_kept),
        TEST(kept_for_a_time),
        TEST(not_kept_at_all),
        TEST(nothing_is_held_up),
        TEST(stream_is_lost),
        TEST(kept_for_the_stream_that_goes_on),
        TEST(told_to_a_model_that_reads),
        TEST(waits_for_room),
        TEST(interrupted_in_silence),
        TEST(close_ends_it),
        TEST(not_more_than_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
