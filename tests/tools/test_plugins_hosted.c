/* Plugins that come with voxring in a real voxring-toolhost, with the test as
 * its gateway: what only that shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/tools/hosted.h"
#include "tests/tools/shell.h"

static void
launch(const char *name, const char *members)
{
    const char *dir = getenv("VOXRING_BUILD");
    char command[600];

    snprintf(command, sizeof command, "cp '%s/plugins/%s.so' '%s'",
             dir && dir[0] ? dir : "build", name, hosted.dir);
    assert_int_equal(shell(command), 0);
    hosted_launch_plugin(name, members);
}

static void
call(int id, const char *tool, const char *arguments)
{
    char text[400];

    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\","
             "\"params\":{\"name\":\"%s\",\"arguments\":%s,\"_meta\":{"
             "\"progressToken\":%d,\"voxring/session\":\"main\"}}}",
             id, tool, arguments, id);
    hosted_say(text);
}

static void
welcome(void)
{
    hosted_expect("\"method\":\"voxring/hello\"");
    hosted_say("{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"result\":{}}");
}

/* Hears until one message has `part`; progress may come between. */
static void
await(const char *part)
{
    do
        hosted_hear();
    while (strstr(hosted.text, "notifications/progress"));
    if (!strstr(hosted.text, part))
        fail_msg("%s has no %s", hosted.text, part);
}

/* One call waits for its timer while others ask about it; then it rings, on
 * the bus first. */
static void
a_timer_rings(void **state)
{
    (void)state;
    launch("timer", "");
    welcome();
    call(1, "set_timer", "{\"seconds\":1,\"label\":\"eggs\"}");
    hosted_expect("\"progressToken\":1,\"progress\":0,\"total\":1");
    hosted_expect("\"voxring/publish\",\"params\":{\"call\":1,\"name\":"
                  "\"timer_rang\",\"data\":{\"id\":1,\"label\":\"eggs\","
                  "\"set_for_seconds\":1}}");
    hosted_ask("{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"result\":{}}",
               "The timer \\\\\\\"eggs\\\\\\\" of 1 second has ended.");
}

static void
a_timer_that_is_not_over_can_be_asked_about(void **state)
{
    (void)state;
    launch("timer", "\"concurrent_calls\":1");
    welcome();
    call(1, "set_timer", "{\"minutes\":1}");
    hosted_expect("\"progressToken\":1");
    call(2, "list_timers", "{}");
    hosted_expect("1 timer is running: number 1 with");
    call(3, "cancel_timer", "{}");
    hosted_expect("was cancelled before it rang");
    hosted_expect("The timer of 1 minute is cancelled.");
}

/* A cancelled race ends long before its ten minutes. */
static void
a_race_is_called_off(void **state)
{
    (void)state;
    launch("number_race", "");
    welcome();
    call(1, "number_race", "{\"seconds\":600}");
    call(2, "number_race", "{\"seconds\":0.1}");
    await("The race is over after 0.1 seconds.");
    hosted_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
               "\"params\":{\"requestId\":1,\"reason\":\"test\"}}");
    await("The race was called off");
}

static void
a_robot_without_its_config_is_refused(void **state)
{
    (void)state;
    launch("robot", "\"config\":{}");
    hosted_expect("\"error\":\"its init refused: plugins.config.robot.endpoint "
                  "is missing; set it to where");
}

static void
a_robot_that_drives_nothing_says_so(void **state)
{
    char members[200];

    (void)state;
    snprintf(members, sizeof members,
             "\"config\":{\"endpoint\":\"ipc://%s/base\",\"timeout_ms\":100}",
             hosted.dir);
    launch("robot", members);
    welcome();
    call(1, "robot_move", "{\"distance_m\":1}");
    hosted_expect("My base does not answer");
    call(2, "robot_stop", "{}");
    hosted_expect("My base does not answer");
}

int
main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, hosted_setup, hosted_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_timer_rings),
        TEST(a_timer_that_is_not_over_can_be_asked_about),
        TEST(a_race_is_called_off),
        TEST(a_robot_without_its_config_is_refused),
        TEST(a_robot_that_drives_nothing_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
