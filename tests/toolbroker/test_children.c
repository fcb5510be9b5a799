/* Children that crash, hang, flood, fork and are killed: each costs the call
 * in hand and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/toolbroker/rig.h"
#include "tests/tools/shell.h"

static struct rig rig;

static int
start(void **state)
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
expect_ok(const char *tool, const char *json)
{
    assert_int_equal(rig_ask(&rig, tool, json, 0)->outcome, TOOL_OK);
}

static void
expect_crash(const char *tool, const char *how)
{
    const struct rig_end *end = rig_ask(&rig, tool, "{}", 0);

    assert_int_equal(end->outcome, TOOL_CRASHED);
    if (!strstr(end->reason, how))
        fail_msg("%s", end->reason);
    assert_non_null(strstr(end->content, "{\"error\":\"The "));
}

static void
a_crash_costs_the_call_in_hand(void **state)
{
    unsigned changes = rig.changes;

    (void)state;
    expect_crash("segv", "killed by signal 11");
    expect_ok("ok", "{}");
    expect_crash("abort", "killed by signal 6");
    expect_ok("ok", "{}");
    expect_crash("exit", "exited with status 7");
    expect_ok("ok", "{}");
    expect_ok("echo", "{\"text\":\"x\"}");
    assert_int_equal(broker_counters(rig.broker)->child_crashes_total, 3);
    assert_int_equal(broker_counters(rig.broker)->calls_crashed_total, 3);
    assert_int_equal(rig.changes, changes);
    assert_non_null(rig_notice(&rig, BROKER_CRASHED, "odd"));
    assert_non_null(rig_notice(&rig, BROKER_RESTARTED, "odd"));
    assert_null(rig_notice(&rig, BROKER_GONE, NULL));
}

static void
calls_behind_a_crash_go_to_the_next_child(void **state)
{
    uint64_t crash = rig_call(&rig, "exit", "{}", 0);
    uint64_t waiting = rig_call(&rig, "exit", "{}", 0);

    (void)state;
    expect_ok("echo", "{\"text\":\"x\"}");
    rig_until_ends(&rig, 3);
    expect_ok("who", "{}");
    assert_int_equal(rig_end(&rig, crash)->outcome, TOOL_CRASHED);
    assert_int_equal(rig_end(&rig, waiting)->outcome, TOOL_CRASHED);
    assert_int_equal(broker_counters(rig.broker)->child_crashes_total, 2);
}

static void
a_killed_child_fails_all_its_calls_at_once(void **state)
{
    int pid = rig_child(&rig, "odd.so");

    (void)state;
    assert_true(pid > 0);
    for (int i = 0; i < 3; i++)
        rig_call(&rig, "forgets", "{}", 0);
    rig_call(&rig, "hang", "{}", 0);
    expect_ok("echo", "{\"text\":\"x\"}");
    kill(pid, SIGKILL);
    /* forgets is serial: one of it and hang were in the child */
    rig_until_ends(&rig, 3);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(rig.ends[i].outcome, TOOL_CRASHED);
        assert_non_null(strstr(rig.ends[i].reason, "signal 9"));
    }
    expect_ok("ok", "{}");
    assert_int_not_equal(rig_child(&rig, "odd.so"), pid);
}

static bool
has_new_child(const struct rig *r)
{
    return broker_counters(r->broker)->child_hangs_total > 0 &&
           rig_notice(r, BROKER_RESTARTED, "odd");
}

static void
a_hang_times_out_and_a_new_child_takes_over(void **state)
{
    const struct rig_end *end = rig_ask(&rig, "hang", "{}", 100);

    (void)state;
    assert_int_equal(end->outcome, TOOL_TIMEOUT);
    assert_string_equal(end->reason,
                        "The tool hang did not answer within 100 ms");
    expect_ok("ok", "{}");
    rig_until(&rig, has_new_child);
    expect_ok("ok", "{}");
    assert_int_equal(broker_counters(rig.broker)->child_crashes_total, 0);
    assert_null(rig_notice(&rig, BROKER_CRASHED, NULL));
}

static void
a_stopped_child_is_replaced_as_well(void **state)
{
    const struct rig_end *end;

    (void)state;
    kill(rig_child(&rig, "odd.so"), SIGSTOP);
    end = rig_ask(&rig, "ok", "{}", 100);
    assert_int_equal(end->outcome, TOOL_TIMEOUT);
    rig_until(&rig, has_new_child);
    expect_ok("ok", "{}");
}

static void
a_flood_of_output_is_bounded(void **state)
{
    (void)state;
    expect_ok("echo", "{\"text\":\"before\"}");
    rig_call(&rig, "flood", "{}", 0);
    expect_ok("echo", "{\"text\":\"meanwhile\"}");
    rig_until_ends(&rig, 3);
    assert_int_equal(rig.ends[2].outcome, TOOL_OK);
    expect_ok("ok", "{}");
    rig_ask(&rig, "exit", "{}", 0);
    assert_true(broker_counters(rig.broker)->output_lines_dropped_total > 1000);
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
what_a_plugin_forked_dies_with_it(void **state)
{
    const struct rig_end *end = rig_ask(&rig, "forks", "{}", 0);
    int pid;

    (void)state;
    assert_int_equal(end->outcome, TOOL_OK);
    pid = (int)strtol(strstr(end->content, ":") + 1, NULL, 10);
    assert_int_equal(kill(pid, 0), 0);
    rig_ask(&rig, "exit", "{}", 0);
    await_death(pid);
}

static int
start_with_secrets(void **state)
{
    /* a regular file without close-on-exec, as some library might have */
    FILE *f = fopen("Makefile", "r");

    *state = f;
    setenv("AWS_SECRET_ACCESS_KEY", "not-for-plugins", 1);
    setenv("SOME_PASSWORD", "not-for-plugins", 1);
    return start(state) + (*state ? 0 : 1);
}

static int
stop_with_secrets(void **state)
{
    int result = stop(state);

    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("SOME_PASSWORD");
    fclose(*state);
    return result;
}

static void
a_plugin_gets_no_secrets_and_no_files(void **state)
{
    const struct rig_end *end = rig_ask(&rig, "belongings", "{}", 0);
    char path[64], text[4096];
    FILE *f;
    size_t n;

    (void)state;
    assert_int_equal(end->outcome, TOOL_OK);
    assert_non_null(strstr(end->content, "\"files\":0"));
    assert_non_null(strstr(end->content, "PATH "));
    assert_null(strstr(end->content, "AWS_"));
    assert_null(strstr(end->content, "SOME_PASSWORD"));
    snprintf(path, sizeof path, "/proc/%d/cmdline", rig_child(&rig, "odd.so"));
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    /* the program and the plugin, nothing else */
    assert_int_equal(n, strlen(text) + strlen(text + strlen(text) + 1) + 2);
}

static void
a_plugin_that_keeps_dying_fails_calls_at_once(void **state)
{
    uint64_t queued;

    (void)state;
    rig_fini(&rig);
    rig_init(&rig);
    rig.config.restart_min_ms = 60000;
    rig.config.restart_max_ms = 60000;
    rig_compile(&rig, "odd", "odd", "");
    rig_open(&rig);
    rig_call(&rig, "exit", "{}", 0);
    queued = rig_call(&rig, "exit", "{}", 0);
    rig_until_ends(&rig, 2);
    assert_int_equal(rig_end(&rig, queued)->outcome, TOOL_CRASHED);
    assert_non_null(strstr(rig_end(&rig, queued)->reason, "is not running"));
    expect_crash("ok", "starts again in 60 s");
    assert_non_null(broker_find(rig.broker, "ok"));
}

static void
a_file_that_became_worse_is_refused(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/plugins/odd.so", rig.dir);
    assert_int_equal(chmod(path, 0777), 0);
    rig_ask(&rig, "exit", "{}", 0);
    while (!rig_notice(&rig, BROKER_REFUSED, "odd"))
        uv_run(&rig.loop, UV_RUN_ONCE);
    assert_non_null(strstr(rig_notice(&rig, BROKER_REFUSED, "odd")->reason,
                           "can be written by everybody"));
    assert_null(broker_find(rig.broker, "ok"));
    assert_non_null(rig_notice(&rig, BROKER_GONE, "odd"));
    assert_non_null(broker_find(rig.broker, "echo"));
}

/* A gateway of its own in this process: says its child's id, then waits for
 * ever in a call that hangs. */
static void
be_a_gateway(int say_fd)
{
    int pid;

    rig_init(&rig);
    rig_compile(&rig, "odd", "odd", "");
    rig_open(&rig);
    rig_call(&rig, "hang", "{}", 0);
    rig_ask(&rig, "error", "{}", 100);
    pid = rig_child(&rig, "odd.so");
    (void)!write(say_fd, &pid, sizeof pid);
    (void)!write(say_fd, rig.dir, sizeof rig.dir);
    for (;;)
        pause();
}

static void
children_die_with_a_killed_gateway(void **state)
{
    char dir[sizeof rig.dir], command[128];
    int fds[2], child = 0, status = 0;
    pid_t gateway;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    gateway = fork();
    if (gateway == 0)
        be_a_gateway(fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &child, sizeof child), sizeof child);
    assert_int_equal(read(fds[0], dir, sizeof dir), sizeof dir);
    close(fds[0]);
    assert_true(child > 0);
    kill(gateway, SIGKILL);
    assert_int_equal(waitpid(gateway, &status, 0), gateway);
    await_death(child);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(shell(command), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_costs_the_call_in_hand),
        TEST(calls_behind_a_crash_go_to_the_next_child),
        TEST(a_killed_child_fails_all_its_calls_at_once),
        TEST(a_hang_times_out_and_a_new_child_takes_over),
        TEST(a_stopped_child_is_replaced_as_well),
        TEST(a_flood_of_output_is_bounded),
        TEST(what_a_plugin_forked_dies_with_it),
        cmocka_unit_test_setup_teardown(a_plugin_gets_no_secrets_and_no_files,
                                        start_with_secrets, stop_with_secrets),
        TEST(a_plugin_that_keeps_dying_fails_calls_at_once),
        TEST(a_file_that_became_worse_is_refused),
        cmocka_unit_test(children_die_with_a_killed_gateway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
