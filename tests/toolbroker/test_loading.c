/* Which plugins are taken, which are refused, and with what sentence. */
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
write_file(const char *name, const char *text)
{
    char path[160];
    FILE *f;

    snprintf(path, sizeof path, "%s/plugins/%s", rig.dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void
expect_refusal(const char *provider, const char *part)
{
    const struct rig_notice *n = rig_notice(&rig, BROKER_REFUSED, provider);

    if (!n)
        fail_msg("%s was not refused", provider);
    if (!strstr(n->reason, part))
        fail_msg("%s: %s", provider, n->reason);
}

static void
bad_plugins_are_refused_and_good_ones_work(void **state)
{
    static const char *const bent[][3] = {
        {"major", "-DMAJOR=2", "is written for plugin ABI 2.0, this gateway"},
        {"symbol", "-DSYMBOL=other", "exports no symbol voxring_plugin"},
        {"small", "-DSTRUCT_SIZE=16", "struct_size 16"},
        {"vast", "-DSTRUCT_SIZE=100000", "struct_size 100000"},
        {"nameless", "-DNAME='\"\"'", "has no name"},
        {"none", "-DCOUNT=0", "offers 0 tools"},
        {"many", "-DCOUNT=65", "offers 65 tools"},
        {"stride", "-DTOOL_BYTES=9", "tool_bytes 9"},
        {"noname", "-DTOOL_NAME='\"\"'", "no name for its tool number 1"},
        {"space", "-DTOOL_NAME='\"a b\"'", "a tool named \"a b\""},
        {"undescribed", "-DDESCRIPTION='\"\"'", "without a description"},
        {"uncalled", "-DCALL=NULL", "without a call function"},
        {"nojson", "-DSCHEMA='\"{\"'", "is no JSON"},
        {"noobject", "-DSCHEMA='\"[]\"'", "is not for an object"},
        {"twice", "-DTOOL_NAME='\"a\"' -DSECOND_NAME='\"a\"'",
         "offers the tool a twice"},
        {"lacks", "-DLACKS_FUNCTION", "function_that_nobody_has"},
    };
    char path[160];

    (void)state;
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++)
        rig_compile(&rig, "shape", bent[i][0], bent[i][1]);
    write_file("text.so", "this is no library");
    write_file("\xff.so", "");
    write_file("empty.so", "");
    write_file("ignored.txt", "");
    snprintf(path, sizeof path, "%s/plugins/folder.so", rig.dir);
    mkdir(path, 0700);
    rig_install(&rig, "clock");
    rig_open(&rig);
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++)
        expect_refusal(bent[i][0], bent[i][2]);
    expect_refusal("text", "cannot be loaded");
    expect_refusal("?", "name is not UTF-8");
    expect_refusal("empty", "cannot be loaded");
    expect_refusal("folder", "is not a file");
    assert_int_equal(broker_tool_count(rig.broker), 1);
    assert_int_equal(rig_ask(&rig, "clock", "{}", 0)->outcome, TOOL_OK);
    assert_int_equal(broker_counters(rig.broker)->child_crashes_total, 0);
}

static void
a_newer_minor_with_larger_structs_works(void **state)
{
    (void)state;
    rig_compile(&rig, "shape", "newer", "-DNEWER -DMINOR=7");
    rig_open(&rig);
    assert_int_equal(broker_tool_count(rig.broker), 2);
    assert_string_equal(rig_ask(&rig, "second", "{}", 0)->content,
                        "{\"shape\":\"round\"}");
}

static void
init_may_refuse_with_a_reason(void **state)
{
    (void)state;
    rig.plugin_config = cJSON_Parse("{\"shape\":{\"no_key\":1}}");
    rig_compile(&rig, "shape", "shape", "");
    rig_open(&rig);
    expect_refusal("shape", "needs an API key; set plugins.config.shape.key");
    assert_int_equal(broker_tool_count(rig.broker), 0);
}

static void
config_reaches_its_plugin(void **state)
{
    (void)state;
    rig.plugin_config = cJSON_Parse(
        "{\"echo\":{\"prefix\":\"You said: \"},\"nobody\":{\"a\":1}}");
    rig_install(&rig, "echo");
    rig_open(&rig);
    assert_string_equal(rig_ask(&rig, "echo", "{\"text\":\"hi\"}", 0)->content,
                        "{\"text\":\"You said: hi\"}");
}

static void
bad_config_of_a_plugin_is_its_refusal(void **state)
{
    (void)state;
    rig.plugin_config = cJSON_Parse("{\"echo\":{\"prefix\":7},"
                                    "\"clock\":{\"zone\":\"Mars/Olympus\"}}");
    rig_install(&rig, "echo");
    rig_install(&rig, "clock");
    rig_open(&rig);
    expect_refusal("echo", "plugins.config.echo.prefix must be a string");
    expect_refusal("clock", "\"Mars/Olympus\" is no time zone");
}

static void
one_that_dies_while_loading_is_given_up(void **state)
{
    (void)state;
    rig.config.restart_min_ms = 1;
    rig_compile(&rig, "shape", "dies", "-DCONSTRUCTOR_ABORTS");
    rig_install(&rig, "clock");
    rig_open(&rig);
    while (!rig_notice(&rig, BROKER_REFUSED, "dies"))
        uv_run(&rig.loop, UV_RUN_ONCE);
    expect_refusal("dies", "5 starts failed, the last time it exited with "
                           "status 11; run voxring-toolhost --check");
    assert_non_null(broker_find(rig.broker, "clock"));
}

static void
one_that_hangs_while_loading_does_not_hold_up_the_rest(void **state)
{
    (void)state;
    rig.config.start_timeout_ms = 1000;
    rig_compile(&rig, "shape", "hangs", "-DINIT_HANG");
    rig_install(&rig, "clock");
    rig_open(&rig);
    assert_non_null(strstr(rig_notice(&rig, BROKER_CRASHED, "hangs")->reason,
                           "did not offer its tools in time"));
    assert_int_equal(rig_ask(&rig, "clock", "{}", 0)->outcome, TOOL_OK);
}

static void
one_name_in_two_plugins_names_both(void **state)
{
    const struct rig_notice *n;

    (void)state;
    rig_compile(&rig, "shape", "a", "");
    rig_compile(&rig, "shape", "b", "-DSECOND_NAME='\"other\"'");
    rig_open(&rig);
    n = rig_notice(&rig, BROKER_REFUSED, "b");
    assert_non_null(n);
    assert_string_equal(n->tool, "shape");
    assert_non_null(strstr(n->reason, "/a.so and by "));
    assert_non_null(strstr(n->reason, "/b.so"));
    assert_string_equal(broker_find(rig.broker, "shape")->provider, "a");
    assert_int_equal(broker_tool_count(rig.broker), 3);
    assert_non_null(broker_find(rig.broker, "other"));
}

static void
what_everybody_may_write_is_refused(void **state)
{
    char path[160];

    (void)state;
    rig_compile(&rig, "shape", "open", "");
    rig_install(&rig, "clock");
    snprintf(path, sizeof path, "%s/plugins/open.so", rig.dir);
    assert_int_equal(chmod(path, 0757), 0);
    rig_open(&rig);
    expect_refusal("open", "can be written by everybody; run: chmod o-w ");
    assert_int_equal(broker_tool_count(rig.broker), 1);
}

static void
a_folder_everybody_may_write_is_refused(void **state)
{
    char path[160];

    (void)state;
    rig_install(&rig, "clock");
    snprintf(path, sizeof path, "%s/plugins", rig.dir);
    assert_int_equal(chmod(path, 01777), 0);
    rig_open(&rig);
    expect_refusal(path, "can be written by everybody");
    assert_int_equal(broker_tool_count(rig.broker), 0);
}

static void
a_missing_folder_is_told(void **state)
{
    char path[160];

    (void)state;
    snprintf(path, sizeof path, "%s/plugins", rig.dir);
    assert_int_equal(rmdir(path), 0);
    rig_open(&rig);
    expect_refusal(path, "correct plugins.path");
}

static void
fini_runs_at_a_good_end(void **state)
{
    char path[160], flags[200];

    (void)state;
    snprintf(path, sizeof path, "/tmp/voxring-fini-%d", (int)getpid());
    snprintf(flags, sizeof flags, "-DFINI_FILE='\"%s\"'", path);
    rig.config.stop_grace_ms = 10000;
    rig_compile(&rig, "shape", "shape", flags);
    rig_open(&rig);
    assert_int_equal(rig_ask(&rig, "shape", "{}", 0)->outcome, TOOL_OK);
    rig_fini(&rig);
    assert_int_equal(unlink(path), 0);
    rig_init(&rig);
    rig_open(&rig);
}

static void
opening_can_fail_with_a_reason(void **state)
{
    struct broker_config config = {.runtime_dir = "/nonexistent",
                                   .toolhost_path = "/bin/true"};
    char why[400], deep[200];
    struct broker *broker = NULL;

    (void)state;
    rig_open(&rig);
    assert_int_not_equal(
        broker_open(&broker, &rig.loop, &config, NULL, why, sizeof why), VR_OK);
    assert_null(broker);
    assert_non_null(strstr(why, "check that runtime_dir exists"));
    memset(deep, 'd', sizeof deep);
    deep[0] = '/';
    deep[sizeof deep - 1] = '\0';
    config.runtime_dir = deep;
    assert_int_not_equal(
        broker_open(&broker, &rig.loop, &config, NULL, why, sizeof why), VR_OK);
    assert_non_null(strstr(why, "choose a shorter runtime_dir"));
    config.toolhost_path = "/nonexistent/toolhost";
    assert_int_equal(broker_open(&broker, &rig.loop, &config, NULL, NULL, 0),
                     VR_NOT_FOUND);
    broker_close(&broker, NULL, NULL);
}

static void
on_end(void *arg)
{
    *(bool *)arg = true;
}

static void
closing_before_anything_started(void **state)
{
    struct broker_config config = {0};
    struct broker *broker = NULL;
    char host[300], dir[100];
    bool over = false;

    (void)state;
    rig_install(&rig, "echo");
    rig_open(&rig);
    snprintf(host, sizeof host, "%s/voxring-toolhost",
             getenv("VOXRING_BUILD") ? getenv("VOXRING_BUILD") : "build");
    snprintf(dir, sizeof dir, "%s/two", rig.dir);
    mkdir(dir, 0700);
    config.runtime_dir = dir;
    config.toolhost_path = host;
    assert_int_equal(broker_open(&broker, &rig.loop, &config, NULL, NULL, 0),
                     VR_OK);
    assert_non_null(strstr(broker_endpoint(broker), "/two/tools.sock"));
    broker_close(&broker, on_end, &over);
    while (!over)
        uv_run(&rig.loop, UV_RUN_ONCE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_plugins_are_refused_and_good_ones_work),
        TEST(a_newer_minor_with_larger_structs_works),
        TEST(init_may_refuse_with_a_reason),
        TEST(config_reaches_its_plugin),
        TEST(bad_config_of_a_plugin_is_its_refusal),
        TEST(one_that_dies_while_loading_is_given_up),
        TEST(one_that_hangs_while_loading_does_not_hold_up_the_rest),
        TEST(one_name_in_two_plugins_names_both),
        TEST(what_everybody_may_write_is_refused),
        TEST(a_folder_everybody_may_write_is_refused),
        TEST(a_missing_folder_is_told),
        TEST(fini_runs_at_a_good_end),
        TEST(opening_can_fail_with_a_reason),
        TEST(closing_before_anything_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
