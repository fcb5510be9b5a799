/* The plugins that come with voxring, in this process, with a host of the
 * test's own. Plugins come from $VOXRING_BUILD/plugins ("build" if not set). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "tests/tools/plugin_rig.h"
#include "tests/tools/shell.h"

static cJSON *
call(const struct voxring_plugin *plugin, const char *input, int status)
{
    return rig_ask(plugin, plugin->tools[0].name, input, status);
}

static void
echo_repeats(void **state)
{
    const struct voxring_plugin *echo = rig_load("echo");
    char why[400];
    cJSON *out;

    (void)state;
    assert_int_equal(rig_init(echo, "{}", why), 0);
    out = call(echo, "{\"text\":\"\xc3\xa4 \\\\ \\\"\"}", VOXRING_OK);
    assert_string_equal(rig_text(out, "text"), "\xc3\xa4 \\ \"");
    cJSON_Delete(out);
    cJSON_Delete(call(echo, "{}", VOXRING_ERROR));
    assert_int_not_equal(rig_init(echo, "{\"prefix\":5}", why), 0);
    assert_non_null(strstr(why, "plugins.config.echo.prefix"));
}

static void
expect_time(const struct voxring_plugin *clock_plugin, const char *input,
            const char *zone, const char *offset)
{
    time_t before = time(NULL), after;
    char early[16], late[16];
    cJSON *out = call(clock_plugin, input, VOXRING_OK);
    struct tm tm;

    assert_string_equal(rig_text(out, "zone"), zone);
    assert_string_equal(rig_text(out, "utc_offset"), offset);
    if (strcmp(offset, "+00:00") == 0) {
        after = time(NULL);
        strftime(early, sizeof early, "%H:%M", gmtime_r(&before, &tm));
        strftime(late, sizeof late, "%H:%M", gmtime_r(&after, &tm));
        assert_true(strcmp(rig_text(out, "time"), early) == 0 ||
                    strcmp(rig_text(out, "time"), late) == 0);
    }
    assert_int_equal(strlen(rig_text(out, "date")), 10);
    assert_non_null(strstr(rig_text(out, "weekday"), "day"));
    cJSON_Delete(out);
}

static void
clock_tells_the_time_in_zones(void **state)
{
    const struct voxring_plugin *clock_plugin = rig_load("clock");
    char why[400];

    (void)state;
    setenv("TZ", "UTC", 1);
    assert_int_equal(rig_init(clock_plugin, "{}", why), 0);
    expect_time(clock_plugin, "{}", "UTC", "+00:00");
    expect_time(clock_plugin, "{\"zone\":\"UTC\"}", "UTC", "+00:00");
    if (access("/usr/share/zoneinfo/Asia/Kolkata", R_OK) == 0) {
        expect_time(clock_plugin, "{\"zone\":\"Asia/Kolkata\"}", "Asia/Kolkata",
                    "+05:30");
        expect_time(clock_plugin, "{}", "UTC", "+00:00");
        assert_int_equal(
            rig_init(clock_plugin, "{\"zone\":\"Pacific/Marquesas\"}", why), 0);
        expect_time(clock_plugin, "{}", "Pacific/Marquesas", "-09:30");
    }
    assert_string_equal(getenv("TZ"), "UTC");
    unsetenv("TZ");
    assert_int_equal(rig_init(clock_plugin, "{}", why), 0);
    cJSON_Delete(call(clock_plugin, "{\"zone\":\"UTC\"}", VOXRING_OK));
    assert_null(getenv("TZ"));
    cJSON_Delete(call(clock_plugin, "{}", VOXRING_OK));
}

static void
clock_knows_daylight_saving(void **state)
{
    const struct voxring_plugin *clock_plugin = rig_load("clock");
    cJSON *summer, *winter;
    bool north, south;

    (void)state;
    if (access("/usr/share/zoneinfo/Australia/Sydney", R_OK) != 0)
        skip();
    rig_start(clock_plugin, "{}");
    winter = call(clock_plugin, "{\"zone\":\"Asia/Kolkata\"}", VOXRING_OK);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(winter, "daylight_saving")));
    cJSON_Delete(winter);
    /* one of the halves of the world has it, or, between, neither */
    summer = call(clock_plugin, "{\"zone\":\"Australia/Sydney\"}", VOXRING_OK);
    south = cJSON_IsTrue(cJSON_GetObjectItem(summer, "daylight_saving"));
    assert_string_equal(rig_text(summer, "utc_offset"),
                        south ? "+11:00" : "+10:00");
    cJSON_Delete(summer);
    winter = call(clock_plugin, "{\"zone\":\"Europe/Rome\"}", VOXRING_OK);
    north = cJSON_IsTrue(cJSON_GetObjectItem(winter, "daylight_saving"));
    assert_string_equal(rig_text(winter, "utc_offset"),
                        north ? "+02:00" : "+01:00");
    cJSON_Delete(winter);
}

static void
clock_suggests_the_zone_that_was_meant(void **state)
{
    static const char *const cases[][2] = {
        {"{\"zone\":\"rome\"}", "did you mean Europe/Rome?"},
        {"{\"zone\":\"Europe/Rome \"}", "did you mean Europe/Rome?"},
        {"{\"zone\":\"New York\"}", "did you mean America/New_York?"},
        {"{\"zone\":\"Asia/Toykyo\"}", "did you mean Asia/Tokyo?"},
        {"{\"zone\":\"europe/berlin\"}", "did you mean Europe/Berlin?"},
        {"{\"zone\":\"Mars/Olympus\"}", "use an IANA name"},
        {"{\"zone\":\"x\"}", "use an IANA name"},
    };
    const struct voxring_plugin *clock_plugin = rig_load("clock");
    char why[400];

    (void)state;
    if (access("/usr/share/zoneinfo/America/New_York", R_OK) != 0)
        skip();
    rig_start(clock_plugin, "{}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        rig_expect(clock_plugin, "clock", cases[i][0], VOXRING_ERROR,
                   cases[i][1]);
    assert_int_not_equal(rig_init(clock_plugin, "{\"zone\":\"Paris\"}", why),
                         0);
    assert_non_null(strstr(why, "an IANA name such as Europe/Paris"));
}

static void
clock_knows_what_is_no_zone(void **state)
{
    static const char *const wrong[] = {
        "{\"zone\":\"Mars/Olympus\"}",
        "{\"zone\":\"../../../etc/passwd\"}",
        "{\"zone\":\"/etc/localtime\"}",
        "{\"zone\":\"Europe\"}",
        "{\"zone\":\"Europe/Rome \"}",
        "{\"zone\":\"tzdata.zi\"}",
        "{\"zone\":\"EST5EDT4,M3.2.0,M11.1.0\"}",
    };
    const struct voxring_plugin *clock_plugin = rig_load("clock");
    char why[400];

    (void)state;
    assert_int_equal(rig_init(clock_plugin, "{}", why), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cJSON *out = call(clock_plugin, wrong[i], VOXRING_ERROR);
        assert_non_null(
            strstr(rig_text(out, "error"), "There is no time zone named"));
        cJSON_Delete(out);
    }
}

/* The tutorial's promise: the file, the header and one command are enough. */
static void
echo_builds_anywhere(void **state)
{
    char dir[64], command[600];

    (void)state;
    snprintf(dir, sizeof dir, "%.40s/echo-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command,
             "cp tools/plugins/echo.c tools/voxring_tool.h %s && cd %s && "
             "cc -Wall -Wextra -Werror -I. -shared -fPIC -o echo.so echo.c "
             "-lcjson",
             dir, dir);
    assert_int_equal(shell(command), 0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(shell(command), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_repeats),
        cmocka_unit_test(clock_tells_the_time_in_zones),
        cmocka_unit_test(clock_knows_daylight_saving),
        cmocka_unit_test(clock_suggests_the_zone_that_was_meant),
        cmocka_unit_test(clock_knows_what_is_no_zone),
        cmocka_unit_test(echo_builds_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
