/* Processes that a plugin starts: how many, what memory they take, and that
 * none of them outlives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/toolbroker/rig.h"

static struct rig rig;
static struct config_provider rule;
static struct config_providers rules = {&rule, 1};

static int
start(void **state)
{
    (void)state;
    rig_init(&rig);
    rule = *config_provider_default(CONFIG_PROVIDER_PLUGIN);
    rule.name = (char *)(uintptr_t) "v";
    rig.config.plugin_rules = &rules;
    rig_compile(&rig, "brood", "v", "");
    return 0;
}

static bool
is_brood(const char *pid)
{
    char path[300], text[4096];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 && memmem(text, (size_t)n, rig.dir, strlen(rig.dir));
}

/* Processes whose command line names this test's folder: forks of the
 * toolhost keep its. */
static unsigned
find_brood(int *last)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(dir))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !is_brood(entry->d_name))
            continue;
        *last = (int)strtol(entry->d_name, NULL, 10);
        count++;
    }
    closedir(dir);
    return count;
}

static unsigned
brood_size(void)
{
    int last;

    return find_brood(&last);
}

/* None of them is our child. */
static void
await_extinction(void)
{
    int last;

    while (find_brood(&last) > 0) {
        struct pollfd p = {(int)syscall(SYS_pidfd_open, last, 0), POLLIN, 0};
        if (p.fd < 0)
            continue;
        assert_int_equal(poll(&p, 1, 20000), 1);
        close(p.fd);
    }
}

static void
poll_brood(uv_timer_t *timer)
{
    (void)timer;
}

/* The loop turns while others die. */
static void
until_size(bool (*done)(const struct rig *rig))
{
    uv_timer_t timer;

    uv_timer_init(&rig.loop, &timer);
    uv_timer_start(&timer, poll_brood, 10, 10);
    rig_until(&rig, done);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
}

static int
stop(void **state)
{
    (void)state;
    rig_fini(&rig);
    await_extinction();
    return 0;
}

static void
expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static bool
is_only_the_host(const struct rig *r)
{
    (void)r;
    return brood_size() == 1;
}

static void
expect_end_for(const char *input, const char *failure)
{
    const struct rig_end *end;

    rig_open(&rig);
    end = rig_ask(&rig, "breed", input, 0);
    assert_int_equal(end->outcome, TOOL_CRASHED);
    expect_part(end->failure, failure);
    assert_string_equal(end->next, "it starts again in 10 ms");
    assert_int_equal(broker_counters(rig.broker)->child_crashes_total, 1);
    assert_int_equal(rig_ask(&rig, "pid", "{}", 0)->outcome, TOOL_OK);
    until_size(is_only_the_host);
}

static void
too_many_processes_cost_the_call_and_all_of_them(void **state)
{
    (void)state;
    expect_end_for("{\"count\":200}", "it started more than 64 processes (");
}

static void
those_that_went_away_are_counted_too(void **state)
{
    (void)state;
    expect_end_for("{\"count\":100,\"away\":1}",
                   "it started more than 64 processes (there were ");
}

static bool
has_crashed(const struct rig *r)
{
    return rig_notice(r, BROKER_CRASHED, "v") != NULL;
}

static void
they_are_found_when_no_call_runs_any_more(void **state)
{
    (void)state;
    rig_open(&rig);
    assert_int_equal(
        rig_ask(&rig, "breed", "{\"count\":65,\"quiet\":1}", 0)->outcome,
        TOOL_OK);
    rig_until(&rig, has_crashed);
    expect_part(rig_notice(&rig, BROKER_CRASHED, "v")->reason,
                "it started more than 64 processes (there were 65); it starts "
                "again in ");
    assert_int_equal(rig_ask(&rig, "pid", "{}", 0)->outcome, TOOL_OK);
    until_size(is_only_the_host);
}

static void
their_memory_is_added_up(void **state)
{
    (void)state;
    rule.memory_mb = 256;
    expect_end_for("{\"count\":6,\"mib\":60,\"away\":1}",
                   "it used more than its 256 MiB of memory "
                   "(plugins.rules.v.memory_mb)");
}

static void
a_few_may_stay(void **state)
{
    const struct rig_end *end;
    char pid[1024];

    (void)state;
    rule.memory_mb = 200;
    rig.config.hang_grace_ms = 60000;
    rig_open(&rig);
    end = rig_ask(&rig, "pid", "{}", 0);
    snprintf(pid, sizeof pid, "%s", end->content);
    assert_int_equal(
        rig_ask(&rig, "breed", "{\"count\":30,\"away\":1,\"quiet\":1}", 0)
            ->outcome,
        TOOL_OK);
    /* long enough for two looks */
    assert_int_equal(rig_ask(&rig, "breed", "{\"count\":30}", 2500)->outcome,
                     TOOL_TIMEOUT);
    assert_null(rig_notice(&rig, BROKER_CRASHED, NULL));
    assert_string_equal(rig_ask(&rig, "pid", "{}", 0)->content, pid);
    assert_int_equal(brood_size(), 61);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(too_many_processes_cost_the_call_and_all_of_them),
        TEST(those_that_went_away_are_counted_too),
        TEST(they_are_found_when_no_call_runs_any_more),
        TEST(their_memory_is_added_up),
        TEST(a_few_may_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
