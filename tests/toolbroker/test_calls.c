/* Calls through real children: what comes back, when, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/toolbroker/rig.h"

static struct rig rig;

static int
start_odd(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_compile(&rig, "odd", "odd", "");
    rig_install(&rig, "echo");
    rig_open(&rig);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

static void
expect(const char *tool, const char *json, enum tool_outcome outcome,
       const char *content)
{
    const struct rig_end *end = rig_ask(&rig, tool, json, 0);

    assert_int_equal(end->outcome, outcome);
    assert_string_equal(end->content, content);
}

static void
tools_are_listed_in_the_order_of_files(void **state)
{
    const struct tool *tool = broker_tool_at(rig.broker, 0);

    (void)state;
    assert_string_equal(tool->name, "echo");
    assert_string_equal(tool->provider, "echo");
    assert_int_equal(tool->timeout_ms, 5000);
    assert_int_equal(tool->mode, TOOL_SYNC);
    assert_false(tool->serial);
    assert_non_null(strstr(tool->schema_json, "\"required\":[\"text\"]"));
    assert_ptr_equal(broker_find(rig.broker, "echo"), tool);
    assert_null(broker_find(rig.broker, "nothing"));
    assert_true(broker_tool_count(rig.broker) > 20);
    assert_null(broker_tool_at(rig.broker, 1000));
    assert_int_equal(rig.changes, 2);
    assert_non_null(rig_notice(&rig, BROKER_OFFERED, "echo"));
}

static void
results_are_always_objects(void **state)
{
    (void)state;
    expect("echo", "{\"text\":\"h\\u00e9 \\\"you\\\"\"}", TOOL_OK,
           "{\"text\":\"h\xc3\xa9 \\\"you\\\"\"}");
    expect("ok", NULL, TOOL_OK, "{\"ok\":true}");
    expect("text", "{}", TOOL_OK,
           "{\"result\":\"just \\\"text\\\"\\nin two lines\"}");
    expect("null", "{}", TOOL_OK, "{}");
    expect("error", "{}", TOOL_ERROR, "{\"error\":\"no luck\"}");
    expect("error_text", "{}", TOOL_ERROR, "{\"error\":\"no luck at all\"}");
    assert_string_equal(rig_ask(&rig, "error", "", 0)->reason, "no luck");
    assert_int_equal(rig_ask(&rig, "array", "{}", 0)->outcome, TOOL_OK);
}

static void
results_out_of_bounds_are_errors(void **state)
{
    const struct rig_end *end = rig_ask(&rig, "huge", "{}", 0);

    (void)state;
    assert_int_equal(end->outcome, TOOL_ERROR);
    assert_non_null(strstr(end->reason, "3145728 bytes"));
    assert_string_equal(end->failure, "its answer has 3145728 bytes");
    assert_string_equal(end->next, "it goes on; plugins.rules.odd.result_bytes "
                                   "sets how much it may answer");
    end = rig_ask(&rig, "swollen", "{}", 0);
    assert_int_equal(end->outcome, TOOL_ERROR);
    assert_non_null(strstr(end->reason, "bytes"));
    end = rig_ask(&rig, "bytes", "{}", 0);
    assert_int_equal(end->outcome, TOOL_ERROR);
    assert_non_null(strstr(end->reason, "UTF-8"));
    assert_string_equal(end->failure, "its answer is not UTF-8 text");
    assert_string_equal(end->next, "it goes on");
    expect("ok", NULL, TOOL_OK, "{\"ok\":true}");
}

static void
input_is_checked_before_the_plugin(void **state)
{
    const struct rig_end *end = rig_ask(&rig, "echo", "{}", 0);

    (void)state;
    assert_int_equal(end->outcome, TOOL_ERROR);
    assert_string_equal(
        end->reason,
        "The input for echo is wrong: input lacks the required member text");
    assert_non_null(strstr(end->content, "required member text"));
    end = rig_ask(&rig, "echo", "{\"text\":5}", 0);
    assert_non_null(
        strstr(end->reason, "input.text is a number, it must be \"string\""));
    end = rig_ask(&rig, "echo", "[1]", 0);
    assert_non_null(strstr(end->reason, "input must be a JSON object"));
    end = rig_ask(&rig, "echo", "{\"text\":", 0);
    assert_int_equal(end->outcome, TOOL_ERROR);
    end = rig_ask(&rig, "echo", "{\"text\":\"\xff\"}", 0);
    assert_non_null(strstr(end->reason, "UTF-8"));
    expect("echo", "\"{\\\"text\\\":\\\"twice\\\"}\"", TOOL_OK,
           "{\"text\":\"twice\"}");
    end = rig_ask(&rig, "no_such", "{}", 0);
    assert_int_equal(end->outcome, TOOL_ERROR);
    assert_string_equal(end->reason, "There is no tool named no_such");
}

/* Asks echo to repeat `bytes` letters. */
static enum tool_outcome
echo_letters(size_t bytes)
{
    char *letters = malloc(bytes + 1);
    char *json = NULL;
    const struct rig_end *end;

    memset(letters, 'x', bytes);
    letters[bytes] = '\0';
    assert_true(asprintf(&json, "{\"text\":\"%s\"}", letters) > 0);
    end = rig_ask(&rig, "echo", json, 0);
    free(json);
    free(letters);
    return end->outcome;
}

static void
oversize_input_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(echo_letters(300 * 1024), TOOL_ERROR);
    assert_non_null(strstr(rig.ends[0].reason, "larger than"));
}

static void
a_large_input_and_result_pass(void **state)
{
    (void)state;
    assert_int_equal(echo_letters(200 * 1024), TOOL_OK);
}

static void
a_call_knows_whose_it_is(void **state)
{
    const struct rig_end *end = rig_ask(&rig, "who", "{}", 0);

    (void)state;
    assert_non_null(strstr(end->content, "\"session\":\"kitchen\","
                                         "\"conversation\":\"c-1\","
                                         "\"turn\":\"t-1\",\"in_time\":true"));
}

static void
only_the_first_completion_counts(void **state)
{
    (void)state;
    expect("twice", "{}", TOOL_OK, "{\"time\":1}");
    expect("ok", "{}", TOOL_OK, "{\"ok\":true}");
}

static void
another_thread_may_complete(void **state)
{
    (void)state;
    expect("thread", "{}", TOOL_OK, "{\"from\":\"thread\"}");
    assert_true(rig.progress_count >= 1);
    assert_true(rig.progress_done > 0.5);
}

static void
calls_of_many_sessions_run_side_by_side(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        rig_call(&rig, "thread", "{}", 0);
        rig_call(&rig, "echo", "{\"text\":\"x\"}", 0);
    }
    rig_until_ends(&rig, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(rig.ends[i].outcome, TOOL_OK);
    assert_int_equal(broker_pending(rig.broker), 0);
    assert_int_equal(broker_counters(rig.broker)->calls_ok_total, 200);
}

static void
a_serial_tool_runs_one_at_a_time(void **state)
{
    uint64_t longest_ns = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        rig_call(&rig, "slow", "{}", 0);
    rig_until_ends(&rig, 4);
    for (unsigned i = 0; i < 4; i++) {
        if (rig.ends[i].duration_ns > longest_ns)
            longest_ns = rig.ends[i].duration_ns;
    }
    assert_true(longest_ns >= 190 * 1000000ull);
}

static void
the_deadline_includes_queueing(void **state)
{
    const struct rig_end *end;
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        last = rig_call(&rig, "slow", "{}", 60);
    rig_until_ends(&rig, 3);
    end = rig_end(&rig, last);
    assert_int_equal(end->outcome, TOOL_TIMEOUT);
    assert_string_equal(end->reason,
                        "The tool slow did not answer within 60 ms");
    assert_true(end->duration_ns >= 60 * 1000000ull);
}

static bool
has_late(const struct rig *r)
{
    return broker_counters(r->broker)->late_results_total > 0;
}

static void
a_late_completion_is_dropped_and_counted(void **state)
{
    (void)state;
    rig_fini(&rig);
    rig_init(&rig);
    rig.config.hang_grace_ms = 20000;
    rig_compile(&rig, "odd", "odd", "");
    rig_open(&rig);
    assert_int_equal(rig_ask(&rig, "forgets", "{}", 50)->outcome, TOOL_TIMEOUT);
    expect("remembers", "{}", TOOL_OK, "{\"ok\":true}");
    rig_until(&rig, has_late);
    assert_int_equal(broker_counters(rig.broker)->late_results_total, 1);
    assert_int_equal(broker_counters(rig.broker)->child_hangs_total, 0);
}

static void
a_cancelled_call_ends_at_once_and_its_tool_hears_of_it(void **state)
{
    uint64_t id = rig_call(&rig, "patient", "{}", 0);
    uint64_t queued = rig_call(&rig, "patient", "{}", 0);
    const struct rig_end *end;

    (void)state;
    expect("echo", "{\"text\":\"x\"}", TOOL_OK, "{\"text\":\"x\"}");
    broker_cancel(rig.broker, queued);
    broker_cancel(rig.broker, id);
    broker_cancel(rig.broker, id);
    broker_cancel(rig.broker, 12345678);
    broker_cancel(NULL, id);
    rig_until_ends(&rig, 3);
    end = rig_end(&rig, id);
    assert_int_equal(end->outcome, TOOL_CANCELLED);
    assert_string_equal(end->content, "{\"error\":\"cancelled\"}");
    assert_int_equal(rig_end(&rig, queued)->outcome, TOOL_CANCELLED);
    rig_until(&rig, has_late);
    assert_int_equal(broker_counters(rig.broker)->child_hangs_total, 0);
}

static void
too_many_calls_are_refused(void **state)
{
    uint64_t id;

    (void)state;
    rig_fini(&rig);
    rig_init(&rig);
    rig.config.calls_max = 3;
    rig_compile(&rig, "odd", "odd", "");
    rig_open(&rig);
    for (int i = 0; i < 3; i++)
        rig_call(&rig, "patient", "{}", 300);
    id = rig_call(&rig, "ok", "{}", 0);
    rig_until_ends(&rig, 1);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_ERROR);
    assert_non_null(strstr(rig_end(&rig, id)->reason, "Too many"));
    rig_until_ends(&rig, 4);
}

static void
on_reentrant(void *arg, uint64_t call_id, const struct tool_result *result)
{
    unsigned *left = arg;

    (void)call_id;
    (void)result;
    if (--*left > 0)
        broker_call(rig.broker, "no_such", "{}", NULL, 0, on_reentrant, arg);
    else
        rig_call(&rig, "ok", "{}", 0);
}

static void
a_result_may_start_the_next_call(void **state)
{
    unsigned left = 50;

    (void)state;
    broker_call(rig.broker, "no_such", "{}", NULL, 0, on_reentrant, &left);
    rig_until_ends(&rig, 1);
    assert_int_equal(left, 0);
}

static void
closing_cancels_what_is_pending(void **state)
{
    (void)state;
    rig_call(&rig, "patient", "{}", 0);
    rig_call(&rig, "patient", "{}", 0);
    rig_call(&rig, "hang", "{}", 0);
    rig_call(&rig, "no_such", "{}", 0);
    expect("echo", "{\"text\":\"x\"}", TOOL_OK, "{\"text\":\"x\"}");
    rig_fini(&rig);
    assert_int_equal(rig.end_count, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_true(rig.ends[i].outcome != TOOL_CRASHED);
    assert_int_equal(rig.ends[4].outcome, TOOL_CANCELLED);
    assert_int_equal(broker_call(NULL, "ok", NULL, NULL, 0, NULL, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_odd, stop)
#define TEST_CLOSES(name) cmocka_unit_test_setup(name, start_odd)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tools_are_listed_in_the_order_of_files),
        TEST(results_are_always_objects),
        TEST(results_out_of_bounds_are_errors),
        TEST(input_is_checked_before_the_plugin),
        TEST(oversize_input_is_an_error),
        TEST(a_large_input_and_result_pass),
        TEST(a_call_knows_whose_it_is),
        TEST(only_the_first_completion_counts),
        TEST(another_thread_may_complete),
        TEST(calls_of_many_sessions_run_side_by_side),
        TEST(a_serial_tool_runs_one_at_a_time),
        TEST(the_deadline_includes_queueing),
        TEST(a_late_completion_is_dropped_and_counted),
        TEST(a_cancelled_call_ends_at_once_and_its_tool_hears_of_it),
        TEST(too_many_calls_are_refused),
        TEST(a_result_may_start_the_next_call),
        TEST_CLOSES(closing_cancels_what_is_pending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
