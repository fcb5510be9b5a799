/* Plugins that are dropped in, replaced and removed while the broker runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/toolbroker/rig.h"

static struct rig rig;

static int
start(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.config.plugin_watch = 1;
    rig.config.rescan_ms = 300;
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

/* ---- what is waited for ------------------------------------------------- */

static const char *wanted_tool;
static enum broker_notice_kind wanted_kind;
static const char *wanted_part;

static bool
is_offered(const struct rig *r)
{
    return broker_find(r->broker, wanted_tool) != NULL;
}

static bool
is_gone(const struct rig *r)
{
    return !is_offered(r);
}

static void
await_tool(const char *name)
{
    wanted_tool = name;
    rig_until(&rig, is_offered);
}

static void
await_no_tool(const char *name)
{
    wanted_tool = name;
    rig_until(&rig, is_gone);
}

static unsigned
count_notices(const struct rig *r, enum broker_notice_kind kind,
              const char *part)
{
    unsigned count = 0;

    for (unsigned i = 0; i < r->notice_count && i < RIG_NOTICES; i++)
        count += r->notices[i].kind == kind &&
                 strstr(r->notices[i].reason, part) != NULL;
    return count;
}

static bool
has_notice(const struct rig *r)
{
    return count_notices(r, wanted_kind, wanted_part) > 0;
}

static void
await_notice(enum broker_notice_kind kind, const char *part)
{
    wanted_kind = kind;
    wanted_part = part;
    rig_until(&rig, has_notice);
}

static unsigned
version_of(const struct rig_end *end)
{
    const char *at = strstr(end->content, "\"version\":");

    return at ? (unsigned)strtoul(at + 10, NULL, 10) : 0;
}

static unsigned
ask_version(void)
{
    return version_of(rig_ask(&rig, "version", "{}", 0));
}

static bool passed;

static void
on_passed(uv_timer_t *timer)
{
    passed = true;
    uv_close((uv_handle_t *)timer, NULL);
}

static bool
is_passed(const struct rig *r)
{
    (void)r;
    return passed;
}

/* Lets some time pass, in which something must not happen. */
static void
pass(uint64_t ms)
{
    uv_timer_t timer;

    passed = false;
    uv_timer_init(&rig.loop, &timer);
    uv_timer_start(&timer, on_passed, ms, 0);
    rig_until(&rig, is_passed);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
}

/* Calls, and looks that the tool is there, until the answer is this one. */
static void
await_version(unsigned version)
{
    for (int i = 0; i < 3000 && ask_version() != version; i++) {
        assert_non_null(broker_find(rig.broker, "version"));
        rig.end_count = 0;
        pass(2);
    }
    assert_int_equal(ask_version(), version);
}

static bool
has_child(const struct rig *r)
{
    return rig_child(r, "v.so") != 0;
}

static bool
has_no_child(const struct rig *r)
{
    return !has_child(r);
}

/* ---- drop in --------------------------------------------------------------- */

static void
a_dropped_file_is_offered_and_a_removed_one_gone(void **state)
{
    unsigned changes;

    (void)state;
    rig_open(&rig);
    assert_int_equal(broker_tool_count(rig.broker), 0);
    rig_compile(&rig, "version", "../v", "");
    rig_shell(&rig, "cp v.so plugins/v.so");
    await_tool("version");
    assert_int_equal(rig.changes, 1);
    assert_int_equal(ask_version(), 1);
    changes = rig.changes;
    rig_shell(&rig, "rm plugins/v.so");
    await_no_tool("version");
    assert_int_equal(rig.changes, changes + 1);
    assert_non_null(rig_notice(&rig, BROKER_GONE, "v"));
    rig_until(&rig, has_no_child);
    rig_shell(&rig, "cp v.so plugins/v.so");
    await_tool("version");
    assert_int_equal(ask_version(), 1);
}

static void
a_file_is_not_loaded_before_it_is_whole(void **state)
{
    (void)state;
    rig_open(&rig);
    rig_compile(&rig, "version", "../v", "");
    rig_shell(&rig, "head -c 5000 v.so > plugins/v.so");
    pass(400);
    assert_null(broker_find(rig.broker, "version"));
    assert_int_equal(broker_counters(rig.broker)->child_starts_total, 0);
    assert_int_equal(rig.notice_count, 0);
    rig_shell(&rig, "tail -c +5001 v.so >> plugins/v.so");
    await_tool("version");
    assert_int_equal(broker_counters(rig.broker)->child_starts_total, 1);
}

static void
half_a_file_at_the_start_is_told_and_used_later(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "../v", "");
    rig_shell(&rig, "head -c 5000 v.so > plugins/v.so");
    rig_open(&rig);
    await_notice(BROKER_REFUSED, "it is not whole");
    assert_non_null(strstr(rig_notice(&rig, BROKER_REFUSED, "v")->reason,
                           "it is used as soon as it is whole"));
    rig_shell(&rig, "tail -c +5001 v.so >> plugins/v.so");
    await_tool("version");
}

static void
a_file_for_another_machine_is_refused_once(void **state)
{
    (void)state;
    rig_open(&rig);
    rig_compile(&rig, "version", "../v", "");
    /* e_machine, at 18, becomes that of a SPARC */
    rig_shell(&rig, "cp v.so w.so && printf '\\002\\000' | "
                    "dd of=w.so bs=1 seek=18 conv=notrunc 2>/dev/null && "
                    "cp w.so plugins/v.so");
    await_notice(BROKER_REFUSED, "for another kind of machine");
    assert_int_equal(broker_reload(rig.broker, NULL, &(size_t){0}, NULL, 0),
                     VR_OK);
    pass(200);
    assert_int_equal(count_notices(&rig, BROKER_REFUSED, ""), 1);
    rig_shell(&rig, "cp v.so plugins/v.so");
    await_tool("version");
}

static void
what_was_open_to_everybody_is_used_when_it_is_closed(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_shell(&rig, "chmod o+w plugins/v.so");
    rig_open(&rig);
    await_notice(BROKER_REFUSED, "can be written by everybody");
    rig_shell(&rig, "chmod o-w plugins/v.so");
    await_tool("version");
    rig_shell(&rig, "chmod o+w plugins");
    await_notice(BROKER_REFUSED, "The plugin folder");
    /* it was loaded before, and goes on */
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "cp plugins/v.so plugins/w.so");
    pass(200);
    assert_null(rig_notice(&rig, BROKER_REFUSED, "w"));
    rig_shell(&rig, "chmod o-w plugins && rm plugins/v.so");
    await_notice(BROKER_GONE, "");
    await_tool("version");
    assert_string_equal(broker_find(rig.broker, "version")->provider, "w");
}

static void
one_refused_for_its_file_comes_back(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    rig_shell(&rig, "chmod o+w plugins/v.so");
    rig_ask(&rig, "exit", "{}", 0);
    await_no_tool("version");
    await_notice(BROKER_REFUSED, "can be written by everybody");
    rig_shell(&rig, "chmod o-w plugins/v.so");
    await_tool("version");
    assert_int_equal(ask_version(), 1);
}

static void
links_are_followed(void **state)
{
    (void)state;
    rig_open(&rig);
    rig_shell(&rig, "ln -s ../v.so plugins/v.so");
    await_notice(BROKER_REFUSED, "is a link to a file that is not there");
    rig_compile(&rig, "version", "../v", "");
    /* nothing in the folder has changed: the next look finds it */
    assert_int_equal(broker_reload(rig.broker, NULL, &(size_t){0}, NULL, 0),
                     VR_OK);
    await_tool("version");
    assert_int_equal(count_notices(&rig, BROKER_REFUSED, "is a link"), 1);
}

static void
a_folder_that_comes_later_is_found(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "../v", "");
    rig_shell(&rig, "rmdir plugins");
    rig_open(&rig);
    await_notice(BROKER_REFUSED, "correct plugins.path");
    rig_shell(&rig, "mkdir plugins && cp v.so plugins");
    await_tool("version");
    rig_shell(&rig, "rm -r plugins");
    await_no_tool("version");
    rig_shell(&rig, "mkdir plugins && cp v.so plugins");
    await_tool("version");
}

/* ---- replace ------------------------------------------------------------------ */

static bool
has_begun(const struct rig *r)
{
    return r->progress_count > 0;
}

static bool
is_replaced(const struct rig *r)
{
    return rig_notice(r, BROKER_REPLACED, "v") != NULL;
}

/* Calls that wait for the file "go" in the rig's folder, the first of them
 * running, the others behind it. */
static void
begin_slow(uint64_t *ids, int count)
{
    char input[160];

    snprintf(input, sizeof input, "{\"until\":\"%s/go\"}", rig.dir);
    for (int i = 0; i < count; i++)
        ids[i] = rig_call(&rig, "slow", input, 0);
    rig_until(&rig, has_begun);
}

static void
expect_replaced(const char *command)
{
    uint64_t slow[3];
    unsigned changes = rig.changes;

    begin_slow(slow, 3);
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, command);
    rig_until(&rig, is_replaced);
    assert_int_equal(ask_version(), 2);
    rig_shell(&rig, "touch go");
    rig_until_ends(&rig, 5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_end(&rig, slow[i])->outcome, TOOL_OK);
        assert_int_equal(version_of(rig_end(&rig, slow[i])), i == 0 ? 1 : 2);
    }
    assert_int_equal(rig.changes, changes);
    assert_null(rig_notice(&rig, BROKER_GONE, NULL));
    assert_null(rig_notice(&rig, BROKER_CRASHED, NULL));
    assert_int_equal(broker_counters(rig.broker)->calls_crashed_total, 0);
}

static void
a_replaced_file_takes_over_without_a_gap(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../v2", "-DVERSION=2");
    rig_open(&rig);
    expect_replaced("mv v2.so plugins/v.so");
}

static void
a_file_that_is_overwritten_takes_over_too(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    /* such a toolhost runs the file itself, not a copy of it */
    rig_open(&rig);
    skip();
#endif
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../v2", "-DVERSION=2");
    rig_open(&rig);
    expect_replaced("cat v2.so > plugins/v.so");
}

static void
other_tools_are_told_once(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../v2", "-DVERSION=2 -DEXTRA");
    rig_open(&rig);
    rig_shell(&rig, "mv v2.so plugins/v.so");
    await_tool("extra");
    assert_int_equal(rig.changes, 2);
    assert_int_equal(ask_version(), 2);
    assert_null(rig_notice(&rig, BROKER_GONE, NULL));
}

static void
a_bad_new_version_leaves_the_old_one(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../refuses", "-DINIT_REFUSES");
    rig_compile(&rig, "version", "../exits", "-DINIT_EXITS");
    rig_open(&rig);
    rig_shell(&rig, "mv refuses.so plugins/v.so");
    await_notice(BROKER_REFUSED, "it does not like this version");
    assert_non_null(strstr(rig_notice(&rig, BROKER_REFUSED, "v")->reason,
                           "the old one goes on"));
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "mv exits.so plugins/v.so");
    await_notice(BROKER_REFUSED, "exited with status 9");
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "echo this is no library > plugins/v.so");
    await_notice(BROKER_REFUSED, "it is no shared library");
    assert_int_equal(ask_version(), 1);
    assert_int_equal(rig.changes, 1);
}

static void
of_two_quick_replacements_the_last_counts(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../v2", "-DVERSION=2");
    rig_compile(&rig, "version", "../v3", "-DVERSION=3");
    rig_open(&rig);
    rig_shell(&rig, "mv v2.so plugins/v.so");
    pass(60);
    rig_shell(&rig, "mv v3.so plugins/v.so");
    await_version(3);
    pass(200);
    assert_int_equal(ask_version(), 3);
    assert_null(rig_notice(&rig, BROKER_REFUSED, NULL));
}

static void
endless_calls_do_not_keep_an_old_version(void **state)
{
    uint64_t id;

    (void)state;
    rig.config.retire_ms = 200;
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../v2", "-DVERSION=2");
    rig_open(&rig);
    id = rig_call(&rig, "endless", "{}", 0);
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "mv v2.so plugins/v.so");
    rig_until_ends(&rig, 2);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_ERROR);
    assert_non_null(strstr(rig_end(&rig, id)->reason, "replaced or removed"));
    assert_string_equal(rig_end(&rig, id)->failure,
                        "it was replaced or removed in the middle of the call");
    assert_int_equal(ask_version(), 2);
}

/* ---- remove ---------------------------------------------------------------------- */

static void
calls_in_a_removed_plugin_end_by_themselves(void **state)
{
    uint64_t slow[2], endless;

    (void)state;
    rig.config.retire_ms = 600;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    begin_slow(slow, 2);
    endless = rig_call(&rig, "endless", "{}", 0);
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "rm plugins/v.so");
    await_no_tool("version");
    rig_until_ends(&rig, 3);
    rig_shell(&rig, "touch go");
    rig_until_ends(&rig, 4);
    assert_int_equal(rig_end(&rig, slow[0])->outcome, TOOL_OK);
    assert_int_equal(rig_end(&rig, slow[1])->outcome, TOOL_CRASHED);
    assert_non_null(strstr(rig_end(&rig, slow[1])->reason, "was removed"));
    assert_int_equal(rig_end(&rig, endless)->outcome, TOOL_ERROR);
    rig_until(&rig, has_no_child);
    assert_int_equal(rig_ask(&rig, "version", "{}", 0)->outcome, TOOL_ERROR);
}

static void
a_renamed_file_is_another_plugin(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    rig_shell(&rig, "mv plugins/v.so plugins/w.so");
    await_no_tool("version");
    await_tool("version");
    assert_string_equal(broker_find(rig.broker, "version")->provider, "w");
    assert_int_equal(ask_version(), 1);
}

static void
one_name_in_two_folders_is_the_first_ones(void **state)
{
    const struct rig_notice *n;

    (void)state;
    rig.second_folder = "more";
    rig_shell(&rig, "mkdir -m 700 more");
    rig_compile(&rig, "version", "v", "");
    rig_compile(&rig, "version", "../more/v", "-DVERSION=2");
    rig_open(&rig);
    n = rig_notice(&rig, BROKER_REFUSED, "v");
    assert_non_null(n);
    assert_non_null(strstr(n->reason, "more/v.so has the name of "));
    assert_non_null(strstr(n->reason, "plugins/v.so"));
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "rm plugins/v.so");
    await_version(2);
    assert_null(rig_notice(&rig, BROKER_GONE, NULL));
}

static void
of_two_that_offer_one_tool_the_second_waits(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "a", "");
    rig_compile(&rig, "version", "b", "-DVERSION=2");
    rig_open(&rig);
    assert_int_equal(ask_version(), 1);
    rig_shell(&rig, "rm plugins/a.so");
    await_version(2);
    assert_string_equal(broker_find(rig.broker, "version")->provider, "b");
}

static void
what_comes_later_takes_no_tool_away(void **state)
{
    const struct rig_notice *n;

    (void)state;
    rig_compile(&rig, "version", "b", "");
    rig_open(&rig);
    rig_compile(&rig, "version", "a", "-DVERSION=2 -DEXTRA");
    await_tool("extra");
    n = rig_notice(&rig, BROKER_REFUSED, "a");
    assert_non_null(n);
    assert_non_null(strstr(n->reason, "/b.so and by "));
    assert_non_null(strstr(n->reason, "/a.so; the first keeps it"));
    assert_null(rig_notice(&rig, BROKER_GONE, NULL));
    assert_int_equal(ask_version(), 1);
    assert_string_equal(broker_find(rig.broker, "version")->provider, "b");
    /* its next version keeps it too */
    rig_compile(&rig, "version", "b", "-DVERSION=3");
    await_version(3);
    rig_shell(&rig, "rm plugins/b.so");
    await_version(2);
    assert_string_equal(broker_find(rig.broker, "version")->provider, "a");
}

/* ---- reload ------------------------------------------------------------------------ */

static void
without_a_watch_only_reload_looks(void **state)
{
    char why[200] = "";
    size_t count = 0;

    (void)state;
    rig.config.plugin_watch = 0;
    rig_compile(&rig, "version", "../v", "");
    rig_open(&rig);
    rig_shell(&rig, "cp v.so plugins");
    pass(300);
    assert_int_equal(broker_tool_count(rig.broker), 0);
    assert_int_equal(broker_reload(rig.broker, NULL, &count, why, sizeof why),
                     VR_OK);
    assert_int_equal(count, 1);
    await_tool("version");
    assert_int_equal(broker_counters(rig.broker)->child_starts_total, 1);
    assert_int_equal(
        broker_reload(rig.broker, "nobody", &count, why, sizeof why),
        VR_NOT_FOUND);
    assert_non_null(strstr(why, "no plugin or MCP server named nobody"));
}

static void
reload_starts_a_new_process(void **state)
{
    size_t count = 0;
    char before[1024];
    const struct rig_end *end;

    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_open(&rig);
    snprintf(before, sizeof before, "%s",
             rig_ask(&rig, "version", "{}", 0)->content);
    assert_int_equal(broker_reload(rig.broker, "v", &count, NULL, 0), VR_OK);
    assert_int_equal(count, 1);
    rig_until(&rig, is_replaced);
    end = rig_ask(&rig, "version", "{}", 0);
    assert_int_equal(end->outcome, TOOL_OK);
    assert_string_not_equal(end->content, before);
    assert_int_equal(rig.changes, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dropped_file_is_offered_and_a_removed_one_gone),
        TEST(a_file_is_not_loaded_before_it_is_whole),
        TEST(half_a_file_at_the_start_is_told_and_used_later),
        TEST(a_file_for_another_machine_is_refused_once),
        TEST(what_was_open_to_everybody_is_used_when_it_is_closed),
        TEST(one_refused_for_its_file_comes_back),
        TEST(links_are_followed),
        TEST(a_folder_that_comes_later_is_found),
        TEST(a_replaced_file_takes_over_without_a_gap),
        TEST(a_file_that_is_overwritten_takes_over_too),
        TEST(other_tools_are_told_once),
        TEST(a_bad_new_version_leaves_the_old_one),
        TEST(of_two_quick_replacements_the_last_counts),
        TEST(endless_calls_do_not_keep_an_old_version),
        TEST(calls_in_a_removed_plugin_end_by_themselves),
        TEST(a_renamed_file_is_another_plugin),
        TEST(one_name_in_two_folders_is_the_first_ones),
        TEST(of_two_that_offer_one_tool_the_second_waits),
        TEST(what_comes_later_takes_no_tool_away),
        TEST(without_a_watch_only_reload_looks),
        TEST(reload_starts_a_new_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
