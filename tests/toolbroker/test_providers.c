/* What broker_each_provider() shows: who offers tools, and what is in the
 * plugin folders and is not used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/toolbroker/tool_content.h"
#include "tests/toolbroker/rig.h"

static struct rig rig;

static int
start(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.config.plugin_watch = 1;
    rig.config.rescan_ms = 100;
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

/* ---- what is shown ------------------------------------------------------- */

struct row {
    const char *source_end;
    char name[200];
    char state[32];
    char reason[500];
    unsigned count;
};

static void
on_provider(void *arg, const struct broker_provider *p)
{
    struct row *row = arg;
    size_t n = strlen(p->source), end = strlen(row->source_end);

    assert_true(tool_content_is_utf8(p->name, strlen(p->name)));
    assert_true(tool_content_is_utf8(p->source, n));
    if (n < end || strcmp(p->source + n - end, row->source_end) != 0)
        return;
    assert_int_equal(p->kind, BROKER_PROVIDER_PLUGIN);
    row->count++;
    snprintf(row->name, sizeof row->name, "%s", p->name);
    snprintf(row->state, sizeof row->state, "%s", p->state);
    snprintf(row->reason, sizeof row->reason, "%s", p->reason ? p->reason : "");
}

/* The row whose source ends so; its count is 0 if there is none. */
static struct row
row_of(const char *source_end)
{
    struct row row = {.source_end = source_end};

    broker_each_provider(rig.broker, on_provider, &row);
    return row;
}

static void
expect_row(const char *source_end, const char *name, const char *state,
           const char *reason_part)
{
    struct row row = row_of(source_end);

    assert_int_equal(row.count, 1);
    assert_string_equal(row.name, name);
    assert_string_equal(row.state, state);
    if (!strstr(row.reason, reason_part))
        fail_msg("\"%s\" lacks \"%s\"", row.reason, reason_part);
    if (!reason_part[0])
        assert_string_equal(row.reason, "");
}

static const char *wanted_end, *wanted_state;
static bool wants_reason;

static bool
is_so(const struct rig *r)
{
    struct row row = row_of(wanted_end);

    (void)r;
    return row.count == 1 && strcmp(row.state, wanted_state) == 0 &&
           (row.reason[0] != '\0') == wants_reason;
}

static void
await_row(const char *source_end, const char *state, bool with_reason)
{
    wanted_end = source_end;
    wanted_state = state;
    wants_reason = with_reason;
    rig_until(&rig, is_so);
}

/* ---- files ---------------------------------------------------------------- */

static void
files_that_are_not_used_are_shown_with_the_reason(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "good", "");
    rig_shell(
        &rig,
        "cp plugins/good.so plugins/open.so && chmod o+w plugins/open.so");
    rig_shell(&rig, "head -c 3000 plugins/good.so > plugins/half.so");
    rig_shell(&rig, "echo 'no plugin at all' > plugins/text.so");
    /* of a machine that does not exist */
    rig_shell(&rig,
              "cp plugins/good.so plugins/alien.so && printf '\\376\\376' | "
              "dd of=plugins/alien.so bs=1 seek=18 conv=notrunc status=none");
    rig_shell(&rig, "cp plugins/good.so \"$(printf 'plugins/na\\377me.so')\"");
    rig_open(&rig);
    expect_row("/good.so", "good", "ready", "");
    expect_row("/open.so", "open", "refused", "chmod o-w");
    expect_row("/half.so", "half", "waiting", "used as soon as it is whole");
    assert_int_equal(row_of("/text.so").count, 1);
    assert_true(row_of("/text.so").reason[0] != '\0');
    expect_row("/alien.so", "alien", "refused", "machine");
    expect_row("/na?me.so", "na?me", "refused", "not UTF-8");
    rig_shell(
        &rig,
        "rm plugins/half.so plugins/alien.so && chmod o-w plugins/open.so");
    await_row("/open.so", "ready", false);
    assert_int_equal(row_of("/half.so").count, 0);
    assert_int_equal(row_of("/alien.so").count, 0);
}

static void
a_bad_replacement_is_shown_with_what_goes_on(void **state)
{
    (void)state;
    rig_compile(&rig, "version", "v", "");
    rig_shell(&rig, "cp plugins/v.so good");
    rig_open(&rig);
    rig_shell(&rig, "head -c 3000 good > new && mv new plugins/v.so");
    await_row("/v.so", "ready", true);
    expect_row("/v.so", "v", "ready", "used as soon as it is whole");
    assert_int_equal(rig_ask(&rig, "version", "{}", 0)->outcome, TOOL_OK);
    rig_shell(&rig, "cp good new && mv new plugins/v.so");
    await_row("/v.so", "ready", false);
}

static void
one_name_too_many_is_shown(void **state)
{
    (void)state;
    rig.second_folder = "more";
    rig_shell(&rig, "mkdir -m 700 more");
    rig_compile(&rig, "version", "v", "");
    rig_shell(&rig, "cp plugins/v.so more");
    rig_open(&rig);
    expect_row("plugins/v.so", "v", "ready", "");
    expect_row("more/v.so", "v", "refused", "rename or remove one of them");
    rig_shell(&rig, "rm plugins/v.so");
    await_row("more/v.so", "ready", false);
    assert_int_equal(row_of("plugins/v.so").count, 0);
}

/* ---- folders --------------------------------------------------------------- */

static void
folders_that_are_not_used_are_shown(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/plugins", rig.dir);
    rig_shell(&rig, "chmod 777 plugins");
    rig_open(&rig);
    expect_row("/plugins", path, "refused", "can be written by everybody");
    rig_shell(&rig, "chmod 755 plugins");
    rig_compile(&rig, "version", "v", "");
    await_row("/v.so", "ready", false);
    assert_int_equal(row_of("/plugins").count, 0);
    /* what runs goes on */
    rig_shell(&rig, "chmod 777 plugins");
    await_row("/plugins", "refused", true);
    expect_row("/v.so", "v", "ready", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_that_are_not_used_are_shown_with_the_reason),
        TEST(a_bad_replacement_is_shown_with_what_goes_on),
        TEST(one_name_too_many_is_shown),
        TEST(folders_that_are_not_used_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
