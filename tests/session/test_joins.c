/* Calls of an asynchronous tool while it runs: the work is done once, and each
 * call has its own answer. */
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

static struct rig rig;

static int
set_up(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    fake_broker_offer_async("search");
    fake_broker_offer_async("drive")->cancel_on_interrupt = true;
    fake_broker_offer("clock", "{}");
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

static const char *
joined(const char *call)
{
    return jsonx_text(fake_bus_last("tool_call", "call", call), "joins", "");
}

static size_t
results(void)
{
    return fake_bus_count("tool_result", NULL, NULL);
}

/* ---- what is the same ---- */

static void
test_same_arguments(void **state)
{
    static const char *const pairs[][2] = {
        {"{\"a\":1,\"b\":[2,{\"c\":3,\"d\":4}]}",
         " { \"b\" : [2, {\"d\":4, \"c\":3}], \"a\" : 1.0 } "},
        {"{\"a\":\"x\"}", "\"{\\\"a\\\":\\\"x\\\"}\""},
        {"{}", "null"},
        {"{}", ""},
        {"{}", "  "},
        {"{}", "\"{}\""},
        {"{oops", "{oops"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_true(calls_mark(pairs[i][0]) == calls_mark(pairs[i][1]));
}

static void
test_other_arguments(void **state)
{
    static const char *const pairs[][2] = {
        {"{\"a\":1}", "{\"a\":2}"},
        {"{\"a\":1}", "{\"a\":\"1\"}"},
        {"{\"a\":1}", "{\"b\":1}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}"},
        {"{\"a\":[1,2]}", "{\"a\":[2,1]}"},
        {"{\"a\":[[1],2]}", "{\"a\":[1,[2]]}"},
        {"{\"a\":{}}", "{\"a\":[]}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{},\"b\":1}"},
        {"{\"a\":true}", "{\"a\":false}"},
        {"{}", "{\"a\":null}"},
        {"{}", "[]"},
        {"{}", "{oops"},
        {"{oops", "{oopt"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (calls_mark(pairs[i][0]) == calls_mark(pairs[i][1]))
            fail_msg("%s is taken for %s", pairs[i][0], pairs[i][1]);
    }
}

/* ---- one work, two answers ---- */

static void
test_second_call_joins_the_first(void **state)
{
    (void)state;
    rig_user_says(&rig, "look for a cafe");
    rig_tool_use("use-1", "search", "{\"what\":\"cafe\",\"km\":2}");
    rig_tool_use("use-2", "search", "{\"km\":2,\"what\":\"cafe\"}");
    assert_int_equal(fake_broker.call_count, 1);
    assert_string_equal(joined("1"), "");
    assert_string_equal(joined("2"), "1");
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 0);
    fake_broker_end(0, TOOL_OK, "{\"name\":\"Florian\"}", NULL);
    assert_int_equal(rig_sent(1, "\"TOOL\"", "use-1"), 1);
    assert_int_equal(rig_sent(1, "\"TOOL\"", "use-2"), 1);
    assert_int_equal(rig_sent(1, "toolResult", "Florian"), 2);
    assert_string_equal(rig_result("1", "delivery"), "answer");
    assert_string_equal(rig_result("2", "delivery"), "answer");
    assert_int_equal(results(), 2);
    rig_tool_use("use-3", "search", "{\"what\":\"cafe\",\"km\":2}");
    assert_int_equal(fake_broker.call_count, 2); /* that one was over */
}

static void
test_what_does_not_join(void **state)
{
    (void)state;
    rig_tool_use("use-1", "search", "{\"what\":\"cafe\"}");
    rig_tool_use("use-2", "search", "{\"what\":\"bar\"}");
    rig_tool_use("use-3", "drive", "{\"what\":\"cafe\"}");
    rig_tool_use("use-4", "clock", "{}");
    rig_tool_use("use-5", "clock", "{}");
    assert_int_equal(fake_broker.call_count, 5);
    for (size_t i = 0; i < 5; i++)
        fake_broker_end(i, TOOL_OK, "{}", NULL);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 5);
}

static void
test_all_share_how_it_ends(void **state)
{
    static const struct {
        enum tool_outcome outcome;
        const char *word;
    } ends[] = {{TOOL_ERROR, "error"},
                {TOOL_TIMEOUT, "timeout"},
                {TOOL_CANCELLED, "cancelled"},
                {TOOL_CRASHED, "error"}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        char id[3][16], call[16];
        for (unsigned k = 0; k < 3; k++) {
            snprintf(id[k], sizeof id[k], "use-%u-%u", i, k);
            rig_tool_use(id[k], "search", "{}");
        }
        assert_int_equal(fake_broker.call_count, i + 1);
        fake_broker.failure = "it was killed";
        fake_broker.next = "it starts again";
        fake_broker_end(i, ends[i].outcome, "{\"error\":\"no\"}", "it said no");
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(rig_sent(1, "\"TOOL\"", id[k]), 1);
            snprintf(call, sizeof call, "%u", i * 3 + k + 1);
            assert_string_equal(rig_result(call, "outcome"), ends[i].word);
            assert_string_equal(rig_result(call, "reason"), "it said no");
            assert_string_equal(rig_result(call, "provider"), "fake");
            assert_string_equal(rig_result(call, "failure"), "it was killed");
            assert_string_equal(rig_result(call, "next"), "it starts again");
        }
    }
    assert_int_equal(results(), 12);
}

static void
test_too_large_for_all(void **state)
{
    size_t bytes = 1200 * 1000;
    char *content = malloc(bytes);
    (void)state;
    memset(content, 'x', bytes);
    memcpy(content, "{\"a\":\"", 6);
    memcpy(content + bytes - 3, "\"}", 3);
    rig_tool_use("use-1", "search", "{}");
    rig_tool_use("use-2", "search", "{}");
    fake_broker_end(0, TOOL_OK, content, NULL);
    free(content);
    assert_int_equal(rig_sent(1, "toolResult", "larger"), 2);
    assert_string_equal(rig_result("1", "outcome"), "error");
    assert_string_equal(rig_result("2", "outcome"), "error");
}

/* ---- streams come and go ---- */

static void
test_stream_is_lost_while_one_waits(void **state)
{
    (void)state;
    rig_user_says(&rig, "look for a cafe");
    rig_tool_use("use-1", "search", "{}");
    rig_tool_use("use-2", "search", "{}");
    rig_lose(&rig);
    assert_string_equal(rig_result("2", "outcome"), "cancelled");
    assert_string_equal(rig_result("2", "delivery"), "nothing");
    assert_false(fake_broker.calls[0].cancelled);
    rig_tool_use("use-3", "search", "{}");
    rig_tool_use("use-4", "search", "null");
    assert_string_equal(joined("3"), "1");
    assert_string_equal(joined("4"), "1");
    assert_int_equal(fake_broker.call_count, 1);
    fake_broker_end(0, TOOL_OK, "{\"name\":\"Florian\"}", NULL);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 0);
    assert_int_equal(rig_sent(2, "toolResult", "Florian"), 2);
    assert_string_equal(rig_result("1", "delivery"), "answer");
    rig_run(&rig, 30);
    assert_int_equal(rig_sent(2, "textInput", "Florian"), 0);
    assert_int_equal(results(), 4);
}

static void
test_stream_refuses_results(void **state)
{
    struct bedrock_end end =
        fake_stream_error("validationException", "Tool Response parsing error");
    (void)state;
    rig_tool_use("use-1", "search", "{}");
    rig_tool_use("use-2", "search", "{}");
    fake_stream_except(&end);
    assert_int_equal(results(), 2);
    assert_true(fake_broker.calls[0].cancelled);
    fake_broker_deliver_cancelled();
    assert_int_equal(results(), 2);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 0);
}

static void
test_close_answers_all(void **state)
{
    (void)state;
    rig_tool_use("use-1", "search", "{}");
    rig_tool_use("use-2", "search", "{}");
    session_close(rig.session);
    assert_int_equal(rig_sent(1, "\"TOOL\"", "use-1"), 1);
    assert_int_equal(rig_sent(1, "\"TOOL\"", "use-2"), 1);
    fake_broker_deliver_cancelled();
    assert_int_equal(results(), 2);
}

/* What the user has stopped is no answer to who asks after that. */
static void
test_cancelled_call_is_not_joined(void **state)
{
    double heard_ms;
    (void)state;
    rig_user_says(&rig, "drive home");
    rig_tool_use("use-1", "drive", "{}");
    rig_tool_use("use-2", "drive", "{}");
    (void)!session_interrupt(rig.session, &heard_ms);
    assert_true(fake_broker.calls[0].cancelled);
    rig_user_says(&rig, "now drive home");
    rig_tool_use("use-3", "drive", "{}");
    assert_int_equal(fake_broker.call_count, 2);
    fake_broker_deliver_cancelled();
    assert_string_equal(rig_result("1", "outcome"), "cancelled");
    assert_string_equal(rig_result("2", "reason"), "The user interrupted");
    fake_broker_end(1, TOOL_OK, "{\"at\":\"home\"}", NULL);
    assert_int_equal(rig_sent(1, "toolResult", "home"), 1);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 3);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_arguments),
        cmocka_unit_test(test_other_arguments),
        TEST(second_call_joins_the_first),
        TEST(what_does_not_join),
        TEST(all_share_how_it_ends),
        TEST(too_large_for_all),
        TEST(stream_is_lost_while_one_waits),
        TEST(stream_refuses_results),
        TEST(close_answers_all),
        TEST(cancelled_call_is_not_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
