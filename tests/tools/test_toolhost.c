/* voxring-toolhost by itself: the test is the gateway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/hosted.h"
#include "tests/tools/shell.h"

static void
launch_odd(void)
{
    hosted_compile("odd", "odd", "");
    hosted_launch_plugin("odd", "\"result_max_bytes\":1000,\"config\":{}");
}

static void
launch_keen(const char *members)
{
    hosted_compile("keen", "keen", "");
    hosted_launch_plugin("keen", members);
    hosted_hear();
    hosted_say("{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"result\":{}}");
}

static void
it_speaks_first_and_answers(void **state)
{
    (void)state;
    launch_odd();
    hosted_hear();
    assert_string_equal(
        hosted.text,
        "{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"method\":\"voxring/hello\","
        "\"params\":{\"protocol\":1,\"name\":\"odd\",\"token\":\"T\"}}");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
               "\"name\":\"segv\"");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
               "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"resources/list\"}",
               "-32601");
    hosted_ask(
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{"
        "\"name\":\"none\"}}",
        "-32602");
    hosted_say("rubbish");
    hosted_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
    hosted_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\"}");
    hosted_ask(
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\","
        "\"params\":{\"name\":\"ok\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"content\":[{\"type\":"
        "\"text\",\"text\":\"{\\\"ok\\\":true}\"}],\"isError\":false}}");
    hosted_ask(
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{"
        "\"name\":\"huge\"}}",
        "has 3145728 bytes, more than the 1000 allowed\"}],\"isError\":true,"
        "\"_meta\":{\"voxring/unsent_bytes\":3145728}}");
}

static void
it_gives_back_what_it_has_not_begun(void **state)
{
    (void)state;
    launch_odd();
    hosted_hear();
    hosted_say(HOSTED_CALL(1, "hang"));
    hosted_say(HOSTED_CALL(2, "ok"));
    hosted_say(HOSTED_CALL(3, "ok"));
    hosted_ask(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
        "\"params\":{\"requestId\":3}}",
        "\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{"
        "\\\"error\\\":\\\"cancelled\\\"}\"}],\"isError\":true}");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"method\":\"voxring/drain\"}",
               "\"id\":2,\"error\":{\"code\":-32002");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"}",
               "\"id\":4");
}

static void
it_ends_with_its_pipe_even_in_a_hanging_call(void **state)
{
    (void)state;
    launch_odd();
    hosted_hear();
    hosted_say(HOSTED_CALL(1, "hang"));
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
               "\"id\":2");
    hosted_close_boot();
    assert_int_equal(hosted_await_exit(), 0);
}

static void
it_ends_with_sigterm(void **state)
{
    (void)state;
    launch_odd();
    hosted_hear();
    kill(hosted.pid, SIGTERM);
    assert_int_equal(hosted_await_exit(), 0);
}

static void
a_bad_plugin_is_told_in_the_hello(void **state)
{
    char boot[300];

    (void)state;
    snprintf(boot, sizeof boot,
             "{\"endpoint\":\"ipc://%s/s\",\"token\":\"T\",\"name\":\"no\"}\n",
             hosted.dir);
    hosted_launch("no.so", boot);
    hosted_hear();
    assert_non_null(strstr(hosted.text, "\"error\":\""));
    assert_non_null(strstr(hosted.text, "no.so cannot be loaded"));
    hosted_close_boot();
    assert_int_equal(hosted_await_exit(), 3);
}

static void
a_bad_start_message_ends_it(void **state)
{
    static const char *const boots[] = {"{}\n", "rubbish\n", "[]\n", "\n"};

    (void)state;
    for (size_t i = 0; i < sizeof boots / sizeof boots[0]; i++) {
        hosted_launch("odd.so", boots[i]);
        assert_int_equal(hosted_await_exit(), 1);
    }
}

static void
a_person_can_run_it(void **state)
{
    char check[200];

    (void)state;
    hosted_compile("odd", "odd", "");
    snprintf(check, sizeof check, "--check %s/odd.so", hosted.dir);
    assert_int_equal(hosted_run(check, "\"name\":\"patient\""), 0);
    assert_int_equal(hosted_run("--check /nowhere.so", "cannot be loaded"), 1);
    assert_int_equal(hosted_run("--check Makefile", "cannot be loaded"), 1);
    assert_int_equal(hosted_run("--help", "--check PLUGIN.so"), 0);
    assert_int_equal(hosted_run("--version", VOXRING_VERSION), 0);
    assert_int_equal(hosted_run("--nonsense", "voxring-toolhost"), 2);
    assert_int_equal(hosted_run("x.so", "descriptor 3"), 2);
    assert_int_equal(hosted_run("", "voxring-toolhost"), 2);
}

/* The linker would look for such a name in its own folders, and tell that. */
static void
a_name_without_a_folder_is_here(void **state)
{
    char command[700];

    (void)state;
    snprintf(command, sizeof command,
             "host=$(realpath ${VOXRING_BUILD:-build}/voxring-toolhost) && "
             "cd %s && printf 'void nosuch(void); void f(void) { nosuch(); }' "
             "> bare.c && cc -shared -fPIC -o bare.so bare.c && "
             "$host --check bare.so 3<&- 2>&1 | "
             "grep -q 'undefined symbol: nosuch'",
             hosted.dir);
    assert_int_equal(shell(command), 0);
}

/* ---- what ABI 1.1 brought ------------------------------------------------------ */

static void
its_tools_tell_how_they_run(void **state)
{
    (void)state;
    launch_keen("");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
               "\"_meta\":{\"voxring/mode\":\"async\",\"voxring/threading\":"
               "\"serial\",\"voxring/timeout_ms\":0,"
               "\"voxring/cancel_on_interrupt\":true}");
    assert_non_null(strstr(hosted.text, "\"voxring/timeout_ms\":60000}"));
    hosted_ask(HOSTED_CALL(2, "limit"), "{\\\"limit\\\":\\\"none\\\"}");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\","
               "\"params\":{\"name\":\"limit\",\"_meta\":{"
               "\"voxring/timeout_ms\":5000}}}",
               "{\\\"limit\\\":\\\"some\\\"}");
}

static void
it_hands_out_its_config(void **state)
{
    (void)state;
    launch_keen("\"config\":{\"key\":[1]}");
    hosted_ask(HOSTED_CALL(1, "config"), "{\\\"key\\\":[1]}");
    hosted_ask(HOSTED_CALL(2, "early"),
               "{\\\"result\\\":-1,\\\"why\\\":\\\"The call is over");
}

#define ANSWER(n, rest) "{\"jsonrpc\":\"2.0\",\"id\":\"ask-" #n "\"," rest "}"
#define REFUSAL(code, message) \
    "\"error\":{\"code\":" #code ",\"message\":\"" message "\"}"

static void
it_acts_on_the_conversation(void **state)
{
    (void)state;
    launch_keen("");
    hosted_ask(HOSTED_CALL(7, "text"),
               "{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"method\":"
               "\"voxring/text\",\"params\":{\"call\":7,\"text\":\"hello\"}}");
    hosted_ask(ANSWER(1, "\"result\":{}"),
               "{\\\"result\\\":0,\\\"why\\\":\\\"\\\"}");
    hosted_ask(HOSTED_CALL(8, "text"), "\"ask-2\"");
    hosted_ask(ANSWER(2, REFUSAL(-32005, "Config does not grant text")),
               "{\\\"result\\\":-1,\\\"why\\\":\\\"Config does not grant");
    hosted_ask(HOSTED_CALL(9, "update"),
               "\"voxring/update\",\"params\":{\"call\":9,\"config\":{"
               "\"voice\":\"amy\"}}}");
    hosted_ask(ANSWER(3, "\"result\":{\"changed\":[\"voice\"]}"),
               "{\\\"result\\\":0");
    hosted_ask(HOSTED_CALL(10, "history"),
               "\"params\":{\"call\":10,\"append\":{\"role\":\"user\","
               "\"text\":\"hi\"}}}");
    hosted_ask(ANSWER(4, "\"result\":{\"messages\":[],\"revision\":1}"),
               "\"voxring/history\",\"params\":{\"call\":10}}");
    hosted_ask(ANSWER(5, "\"result\":{\"messages\":[{\"role\":\"user\","
                         "\"text\":\"hi\"}],\"revision\":2}"),
               "{\\\"messages\\\":[{\\\"role\\\":\\\"user\\\"");
    hosted_ask(HOSTED_CALL(11, "end"),
               "\"voxring/end\",\"params\":{\"call\":11,\"reason\":\"done\","
               "\"within_ms\":2000}}");
    hosted_ask(ANSWER(6, "\"result\":{}"), "{\\\"result\\\":0");
}

static void
it_publishes(void **state)
{
    (void)state;
    launch_keen("");
    hosted_ask(HOSTED_CALL(1, "publish"),
               "\"voxring/publish\",\"params\":{\"call\":1,\"name\":\"ring\","
               "\"data\":{\"n\":1}}}");
    hosted_ask(ANSWER(1, "\"result\":{}"), "\"params\":{\"name\":\"plain\"}}");
    hosted_ask(ANSWER(2, REFUSAL(-32005, "no")), "{\\\"result\\\":-1");
    hosted_ask(HOSTED_CALL(2, "bad_publish"), "{\\\"result\\\":-1");
}

static void
answers_that_nobody_waits_for_are_dropped(void **state)
{
    (void)state;
    launch_keen("");
    hosted_say(ANSWER(1, "\"result\":{}"));
    hosted_say(ANSWER(0, "\"result\":{}"));
    hosted_say("{\"id\":77,\"result\":{}}");
    hosted_say("{\"id\":\"ask-\",\"error\":5}");
    hosted_ask(HOSTED_CALL(1, "text"), "\"ask-1\"");
    hosted_say(ANSWER(2, "\"result\":{}"));
    hosted_ask(ANSWER(1, "\"result\":\"odd\""),
               "{\\\"result\\\":-1,\\\"why\\\":\\\"The gateway's answer");
    hosted_say(ANSWER(1, "\"result\":{}"));
    hosted_ask(HOSTED_CALL(2, "late"), "\"id\":2,\"result\"");
    hosted_expect("\"data\":\"The call is over");
}

static void
one_that_asks_is_let_go_when_the_gateway_goes(void **state)
{
    (void)state;
    launch_keen("");
    hosted_ask(HOSTED_CALL(1, "text"), "\"ask-1\"");
    hosted_close_boot();
    assert_int_equal(hosted_await_exit(), 0);
}

static void
one_that_is_unwelcome_ends(void **state)
{
    (void)state;
    hosted_compile("keen", "keen", "");
    hosted_launch_plugin("keen", "");
    hosted_hear();
    hosted_say("{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"error\":{\"code\":"
               "-32001,\"message\":\"The token is of no use\"}}");
    assert_int_equal(hosted_await_exit(), 1);
    hosted_read_output();
    assert_non_null(strstr(hosted.text, "refuses it: The token is of no use"));
}

static void
no_more_than_32_ask_at_once(void **state)
{
    int asked = 0, failed = 0;
    char call[200];

    (void)state;
    launch_keen("\"concurrent_calls\":64");
    for (int i = 0; i < 40; i++) {
        snprintf(call, sizeof call,
                 "{\"id\":%d,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"end\",\"_meta\":{\"progressToken\":%d}}}",
                 i, i);
        hosted_say(call);
    }
    while (asked + failed < 40) {
        hosted_hear();
        asked += strstr(hosted.text, "voxring/end") != NULL;
        failed += strstr(hosted.text, "{\\\"result\\\":-1") != NULL;
    }
    assert_int_equal(asked, 32);
    assert_int_equal(failed, 8);
}

static void
a_silent_gateway_is_waited_for_5_s(void **state)
{
    (void)state;
    launch_keen("");
    hosted_ask(HOSTED_CALL(1, "text"), "\"ask-1\"");
    hosted_expect("The gateway did not answer within 5 s");
}

/* ---- threads -------------------------------------------------------------------- */

static void
parallel_calls_run_at_once(void **state)
{
    (void)state;
    launch_keen("\"concurrent_calls\":3");
    hosted_say(HOSTED_CALL(1, "meet"));
    hosted_say(HOSTED_CALL(2, "meet"));
    hosted_say(HOSTED_CALL(3, "meet"));
    for (int i = 0; i < 3; i++)
        hosted_expect("{\\\"met\\\":true}");
}

static void
no_more_run_than_config_allows(void **state)
{
    int most, highest = 0;
    const char *at;

    (void)state;
    launch_keen("\"concurrent_calls\":2");
    for (int i = 0; i < 20; i++)
        hosted_say(HOSTED_CALL(5, "crowd"));
    for (int i = 0; i < 20; i++) {
        hosted_expect("{\\\"most\\\":");
        at = strstr(hosted.text, "most") + 7;
        most = (int)strtol(at, NULL, 10);
        highest = most > highest ? most : highest;
    }
    assert_in_range(highest, 1, 2);
}

/* ---- older plugins ---------------------------------------------------------------- */

static void
a_plugin_of_1_0_works(void **state)
{
    (void)state;
    hosted_compile("old", "old", "");
    hosted_launch_plugin("old", "");
    hosted_hear();
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
               "\"voxring/timeout_ms\":60000}");
    assert_null(strstr(hosted.text, "cancel_on_interrupt"));
    hosted_ask(HOSTED_CALL(2, "old"), "an old plugin");
    hosted_expect("{\\\"old\\\":true}");
    hosted_ask(HOSTED_CALL(3, "old_async"), "an old plugin");
    hosted_expect("{\\\"old\\\":true}");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, hosted_setup, hosted_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_speaks_first_and_answers),
        TEST(it_gives_back_what_it_has_not_begun),
        TEST(it_ends_with_its_pipe_even_in_a_hanging_call),
        TEST(it_ends_with_sigterm),
        TEST(a_bad_plugin_is_told_in_the_hello),
        TEST(a_bad_start_message_ends_it),
        TEST(a_person_can_run_it),
        TEST(a_name_without_a_folder_is_here),
        TEST(its_tools_tell_how_they_run),
        TEST(it_hands_out_its_config),
        TEST(it_acts_on_the_conversation),
        TEST(it_publishes),
        TEST(answers_that_nobody_waits_for_are_dropped),
        TEST(one_that_asks_is_let_go_when_the_gateway_goes),
        TEST(one_that_is_unwelcome_ends),
        TEST(no_more_than_32_ask_at_once),
        TEST(a_silent_gateway_is_waited_for_5_s),
        TEST(parallel_calls_run_at_once),
        TEST(no_more_run_than_config_allows),
        TEST(a_plugin_of_1_0_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
