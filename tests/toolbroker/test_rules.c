/* What the configuration rules of single providers and tools: limits,
 * variables, MCP servers; and what is told when somebody fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/tools/shell.h"
#include "tests/toolbroker/rig.h"

static struct rig rig;
static struct config_provider rule;
static struct config_providers rules = {&rule, 1};
static struct config_tool setting;
static struct config_tools settings = {&setting, 1};

static int
start(void **state)
{
    (void)state;
    rig_init(&rig);
    rule = *config_provider_default(CONFIG_PROVIDER_PLUGIN);
    rule.name = (char *)(uintptr_t) "v";
    memset(&setting, 0, sizeof setting);
    setting.timeout_s = -1;
    setting.cancel_on_interrupt = -1;
    rig.config.plugin_rules = &rules;
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
expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}

/* ---- limits ---------------------------------------------------------------- */

static void
env_of_the_rule_is_all_that_is_passed(void **state)
{
    static char *items[] = {(char *)(uintptr_t) "VERSION_PASSED",
                            (char *)(uintptr_t) "VERSION_SET=a=b",
                            (char *)(uintptr_t) "VERSION_ABSENT"};

    (void)state;
    setenv("VERSION_PASSED", "ours", 1);
    setenv("VERSION_SECRET", "ours", 1);
    rule.env = (struct config_strings){.items = items, .count = 3};
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    assert_string_equal(
        rig_ask(&rig, "variables", "{}", 0)->content,
        "{\"passed\":\"ours\",\"set\":\"a=b\",\"secret\":\"\"}");
    unsetenv("VERSION_PASSED");
    unsetenv("VERSION_SECRET");
}

static void
concurrent_calls_are_bounded_and_the_rest_waits(void **state)
{
    uint64_t endless[2], waiting;

    (void)state;
    rule.concurrent_calls = 2;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    endless[0] = rig_call(&rig, "endless", "{}", 0);
    endless[1] = rig_call(&rig, "endless", "{}", 0);
    waiting = rig_call(&rig, "version", "{}", 150);
    rig_until_ends(&rig, 1);
    assert_int_equal(rig_end(&rig, waiting)->outcome, TOOL_TIMEOUT);
    assert_string_equal(rig_end(&rig, waiting)->failure,
                        "it did not answer within 150 ms");
    assert_string_equal(rig_end(&rig, waiting)->next, "");
    broker_cancel(rig.broker, endless[0]);
    broker_cancel(rig.broker, endless[1]);
    rig_until_ends(&rig, 3);
}

static void
time_of_the_rule_bounds_what_tools_say(void **state)
{
    (void)state;
    rule.timeout_s = 0.25;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    assert_int_equal(broker_find(rig.broker, "endless")->timeout_ms, 250);
    assert_int_equal(broker_find(rig.broker, "version")->timeout_ms, 250);
    assert_int_equal(rig_ask(&rig, "endless", "{}", 0)->outcome, TOOL_TIMEOUT);
    expect_part(rig.ends[0].next, "a new process takes over if this one");
}

static void
an_asynchronous_tool_has_no_limit(void **state)
{
    uint64_t id;

    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    assert_int_equal(broker_find(rig.broker, "limit")->timeout_ms, 0);
    assert_int_equal(broker_find(rig.broker, "version")->timeout_ms, 60000);
    assert_string_equal(rig_ask(&rig, "limit", "{}", 0)->content,
                        "{\"limit\":false}");
    assert_string_equal(rig_ask(&rig, "limit", "{}", 5000)->content,
                        "{\"limit\":true}");
    id = rig_call(&rig, "endless", "{}", 0);
    assert_int_equal(rig_ask(&rig, "version", "{}", 0)->outcome, TOOL_OK);
    assert_int_equal(broker_pending(rig.broker), 1);
    broker_cancel(rig.broker, id);
    rig_until_ends(&rig, 4);
}

static void
settings_of_a_tool_go_before_what_it_says(void **state)
{
    const struct tool *tool;

    (void)state;
    rule.timeout_s = 0.25;
    setting.name = (char *)(uintptr_t) "version";
    setting.mode = CONFIG_TOOL_ASYNC;
    setting.timeout_s = 7;
    setting.cancel_on_interrupt = 1;
    setting.description = (char *)(uintptr_t) "Another description.";
    rig.config.tool_settings = &settings;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    tool = broker_find(rig.broker, "version");
    assert_int_equal(tool->mode, TOOL_ASYNC);
    assert_int_equal(tool->timeout_ms, 7000);
    assert_true(tool->cancel_on_interrupt);
    assert_string_equal(tool->description, "Another description.");
    assert_false(broker_find(rig.broker, "slow")->cancel_on_interrupt);
}

static void
memory_of_the_rule_is_named_when_it_was_the_cause(void **state)
{
    const struct rig_end *end;

    (void)state;
    rule.memory_mb = 64;
    /* the status that the toolhost ends with for lack of memory */
    rig_compile(&rig, "version", "v", "-DEXIT_STATUS=4");
    rig_open(&rig);
    end = rig_ask(&rig, "exit", "{}", 0);
    assert_int_equal(end->outcome, TOOL_CRASHED);
    expect_part(end->failure, "it used more than its 64 MiB of memory "
                              "(plugins.rules.v.memory_mb)");
    assert_string_equal(end->next, "it starts again in 10 ms");
}

static void
a_plugin_that_takes_too_much_memory_ends(void **state)
{
    const struct rig_end *end;

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    /* such a toolhost needs all the memory there is */
    rig_open(&rig);
    skip();
#endif
    rule.memory_mb = 64;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    end = rig_ask(&rig, "hog", "{}", 0);
    assert_int_equal(end->outcome, TOOL_CRASHED);
    expect_part(end->failure, "it used more than its 64 MiB of memory");
    assert_int_equal(rig_ask(&rig, "version", "{}", 0)->outcome, TOOL_OK);
}

/* ---- failures ----------------------------------------------------------------- */

static void
a_crash_tells_how_and_what_next(void **state)
{
    const struct rig_end *end;

    (void)state;
    rig.config.restart_min_ms = 40;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    end = rig_ask(&rig, "exit", "{}", 0);
    assert_string_equal(end->failure, "it exited with status 7");
    assert_string_equal(end->next, "it starts again in 40 ms");
    end = rig_ask(&rig, "version", "{}", 0);
    assert_string_equal(end->failure, "");
    assert_string_equal(end->next, "");
}

/* Waits for the end of a process that is not our child. */
static void
await_death(int pid)
{
    struct pollfd p = {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};

    if (p.fd < 0)
        return;
    assert_int_equal(poll(&p, 1, 20000), 1);
    close(p.fd);
}

static void
what_escaped_to_another_session_dies_too(void **state)
{
    const struct rig_end *end;
    int pid;

    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    end = rig_ask(&rig, "escape", "{}", 0);
    assert_int_equal(end->outcome, TOOL_OK);
    pid = (int)strtol(strstr(end->content, ":") + 1, NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), 0);
    rig_ask(&rig, "exit", "{}", 0);
    await_death(pid);
    /* and so it is when the gateway ends */
    end = rig_ask(&rig, "escape", "{}", 0);
    assert_int_equal(end->outcome, TOOL_OK);
    pid = (int)strtol(strstr(end->content, ":") + 1, NULL, 10);
    rig_fini(&rig);
    await_death(pid);
    rig_init(&rig);
    rig_open(&rig);
}

/* ---- MCP servers ---------------------------------------------------------------- */

static char flag[128];
static char *server_args[] = {flag};

static int
start_mcp(void **state)
{
    static char *env[] = {(char *)(uintptr_t) "BRIDGE_SECRET=for the server"};

    start(state);
    snprintf(flag, sizeof flag, "%s/flag", rig.dir);
    rule = *config_provider_default(CONFIG_PROVIDER_MCP);
    rule.name = (char *)(uintptr_t) "server";
    rule.command = (char *)(uintptr_t) "present";
    rule.prefix = (char *)(uintptr_t) "p_";
    rule.args = (struct config_strings){.items = server_args, .count = 1};
    rule.env = (struct config_strings){.items = env, .count = 1};
    rig.config.plugin_rules = NULL;
    rig.config.mcp = &rules;
    rig.toolhost = "tests/toolbroker/fake_bridge.py";
    return 0;
}

static struct broker_provider seen;
static size_t seen_count;

static void
on_provider(void *arg, const struct broker_provider *provider)
{
    (void)arg;
    seen = *provider;
    seen_count++;
}

static void
an_mcp_server_is_a_provider(void **state)
{
    const struct rig_end *end;

    (void)state;
    rig_open(&rig);
    assert_int_equal(broker_find(rig.broker, "first")->kind,
                     BROKER_PROVIDER_MCP);
    end = rig_ask(&rig, "first", "{}", 0);
    expect_part(end->content, "\"argv\": [\"--mcp\"]");
    expect_part(end->content, "\"command\": \"present\"");
    expect_part(end->content, "\"prefix\": \"p_\"");
    expect_part(end->content,
                "\"env\": {\"BRIDGE_SECRET\": \"for the server\"}");
    /* for the server, not for the bridge */
    expect_part(end->content, "\"secret\": \"\"");
    seen_count = 0;
    broker_each_provider(rig.broker, on_provider, NULL);
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen.name, "server");
    assert_string_equal(seen.state, "ready");
    assert_string_equal(seen.source, "present");
    assert_int_equal(seen.tools, 1);
    assert_int_equal(seen.workers, 1);
    assert_true(seen.pid > 0);
}

static bool
has_second(const struct rig *r)
{
    return broker_find(r->broker, "second") != NULL;
}

static void
its_list_may_change(void **state)
{
    (void)state;
    rig_open(&rig);
    assert_int_equal(rig_ask(&rig, "first", "{\"grow\":1}", 0)->outcome,
                     TOOL_OK);
    rig_until(&rig, has_second);
    assert_int_equal(rig.changes, 2);
    assert_int_equal(rig_ask(&rig, "second", "{}", 0)->outcome, TOOL_OK);
}

static void
its_end_is_told_and_it_starts_again(void **state)
{
    const struct rig_end *end;

    (void)state;
    rig_open(&rig);
    end = rig_ask(&rig, "first", "{\"end\":1}", 0);
    assert_int_equal(end->outcome, TOOL_CRASHED);
    assert_string_equal(end->failure, "its MCP server ended");
    assert_string_equal(end->next, "it starts again in 10 ms");
    assert_int_equal(rig_ask(&rig, "first", "{}", 0)->outcome, TOOL_OK);
}

static bool
has_first(const struct rig *r)
{
    return broker_find(r->broker, "first") != NULL;
}

static void
one_that_cannot_be_reached_is_tried_again(void **state)
{
    FILE *f;

    (void)state;
    rule.command = (char *)(uintptr_t) "absent";
    rig.config.restart_max_ms = 100;
    rig_open(&rig);
    expect_part(rig_notice(&rig, BROKER_REFUSED, "server")->reason,
                "the server cannot be reached; it is tried again each 1 s");
    while (broker_counters(rig.broker)->child_starts_total < 3)
        uv_run(&rig.loop, UV_RUN_ONCE);
    assert_int_equal(rig.notice_count, 1);
    f = fopen(flag, "w");
    assert_non_null(f);
    fclose(f);
    rig_until(&rig, has_first);
    assert_int_equal(rig_ask(&rig, "first", "{}", 0)->outcome, TOOL_OK);
}

static void
there_is_a_bound_to_all_tools(void **state)
{
    static struct config_provider five[5];
    static struct config_providers many = {five, 5};
    static char names[5][4] = {"m0", "m1", "m2", "m3", "m4"};

    (void)state;
    rule.command = (char *)(uintptr_t) "many";
    for (int i = 0; i < 5; i++) {
        five[i] = rule;
        five[i].name = names[i];
    }
    rig.config.mcp = &many;
    rig_open(&rig);
    assert_int_equal(broker_tool_count(rig.broker), 256);
    assert_non_null(broker_find(rig.broker, "m3_63"));
    assert_null(broker_find(rig.broker, "m4_0"));
    expect_part(rig_notice(&rig, BROKER_REFUSED, "m4")->reason,
                "is one too many: 256 are offered already");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define MCP(name) cmocka_unit_test_setup_teardown(name, start_mcp, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(env_of_the_rule_is_all_that_is_passed),
        TEST(concurrent_calls_are_bounded_and_the_rest_waits),
        TEST(time_of_the_rule_bounds_what_tools_say),
        TEST(an_asynchronous_tool_has_no_limit),
        TEST(settings_of_a_tool_go_before_what_it_says),
        TEST(memory_of_the_rule_is_named_when_it_was_the_cause),
        TEST(a_plugin_that_takes_too_much_memory_ends),
        TEST(a_crash_tells_how_and_what_next),
        TEST(what_escaped_to_another_session_dies_too),
        MCP(an_mcp_server_is_a_provider),
        MCP(its_list_may_change),
        MCP(its_end_is_told_and_it_starts_again),
        MCP(one_that_cannot_be_reached_is_tried_again),
        MCP(there_is_a_bound_to_all_tools),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
