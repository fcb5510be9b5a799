/* The plugins that come with voxring, in this process, with a host of the
 * test's own. Plugins come from $VOXRING_BUILD/plugins ("build" if not set). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "tests/tools/shell.h"
#include "tools/voxring_tool.h"

static struct {
    unsigned count;
    uint64_t token;
    int status;
    char json[1024];
} last;

static void
complete(uint64_t token, int status, const char *json)
{
    last.count++;
    last.token = token;
    last.status = status;
    snprintf(last.json, sizeof last.json, "%s", json ? json : "(null)");
}

static const struct voxring_host fake = {
    .struct_size = sizeof fake,
    .abi_major = VOXRING_TOOL_ABI_MAJOR,
    .complete = complete,
};

static const struct voxring_plugin *
load(const char *name)
{
    const char *dir = getenv("VOXRING_BUILD");
    const struct voxring_plugin *plugin;
    char path[300];
    void *library;

    snprintf(path, sizeof path, "%s%s/plugins/%s.so",
             dir && dir[0] == '/' ? "" : "./", dir && dir[0] ? dir : "build",
             name);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    plugin = dlsym(library, "voxring_plugin");
    assert_non_null(plugin);
    return plugin;
}

static int
init(const struct voxring_plugin *plugin, const char *config, char *why,
     size_t why_bytes)
{
    why[0] = '\0';
    return plugin->init(&fake, config, why, why_bytes);
}

static cJSON *
call(const struct voxring_plugin *plugin, const char *input, int status)
{
    struct voxring_call c = {.struct_size = sizeof c,
                             .token = 77,
                             .tool = plugin->tools[0].name,
                             .input_json = input,
                             .session = "",
                             .conversation = "",
                             .turn = ""};
    cJSON *json;

    last.count = 0;
    plugin->tools[0].call(&c);
    assert_int_equal(last.count, 1);
    assert_int_equal(last.token, 77);
    if (last.status != status)
        fail_msg("%s -> %s", input, last.json);
    json = cJSON_Parse(last.json);
    assert_true(cJSON_IsObject(json));
    return json;
}

static const char *
text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsString(item))
        fail_msg("no string %s", name);
    return item->valuestring;
}

static void
echo_repeats(void **state)
{
    const struct voxring_plugin *echo = load("echo");
    char why[200];
    cJSON *out;

    (void)state;
    assert_int_equal(init(echo, "{}", why, sizeof why), 0);
    out = call(echo, "{\"text\":\"\xc3\xa4 \\\\ \\\"\"}", VOXRING_OK);
    assert_string_equal(text_of(out, "text"), "\xc3\xa4 \\ \"");
    cJSON_Delete(out);
    cJSON_Delete(call(echo, "{}", VOXRING_ERROR));
    assert_int_not_equal(init(echo, "{\"prefix\":5}", why, sizeof why), 0);
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

    assert_string_equal(text_of(out, "zone"), zone);
    assert_string_equal(text_of(out, "utc_offset"), offset);
    if (strcmp(offset, "+00:00") == 0) {
        after = time(NULL);
        strftime(early, sizeof early, "%H:%M", gmtime_r(&before, &tm));
        strftime(late, sizeof late, "%H:%M", gmtime_r(&after, &tm));
        assert_true(strcmp(text_of(out, "time"), early) == 0 ||
                    strcmp(text_of(out, "time"), late) == 0);
    }
    assert_int_equal(strlen(text_of(out, "date")), 10);
    assert_non_null(strstr(text_of(out, "weekday"), "day"));
    cJSON_Delete(out);
}

static void
clock_tells_the_time_in_zones(void **state)
{
    const struct voxring_plugin *clock_plugin = load("clock");
    char why[300];

    (void)state;
    setenv("TZ", "UTC", 1);
    assert_int_equal(init(clock_plugin, "{}", why, sizeof why), 0);
    expect_time(clock_plugin, "{}", "UTC", "+00:00");
    expect_time(clock_plugin, "{\"zone\":\"UTC\"}", "UTC", "+00:00");
    if (access("/usr/share/zoneinfo/Asia/Kolkata", R_OK) == 0) {
        expect_time(clock_plugin, "{\"zone\":\"Asia/Kolkata\"}", "Asia/Kolkata",
                    "+05:30");
        expect_time(clock_plugin, "{}", "UTC", "+00:00");
        assert_int_equal(init(clock_plugin, "{\"zone\":\"Pacific/Marquesas\"}",
                              why, sizeof why),
                         0);
        expect_time(clock_plugin, "{}", "Pacific/Marquesas", "-09:30");
    }
    assert_string_equal(getenv("TZ"), "UTC");
    unsetenv("TZ");
    assert_int_equal(init(clock_plugin, "{}", why, sizeof why), 0);
    cJSON_Delete(call(clock_plugin, "{\"zone\":\"UTC\"}", VOXRING_OK));
    assert_null(getenv("TZ"));
    cJSON_Delete(call(clock_plugin, "{}", VOXRING_OK));
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
    const struct voxring_plugin *clock_plugin = load("clock");
    char why[300];

    (void)state;
    assert_int_equal(init(clock_plugin, "{}", why, sizeof why), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cJSON *out = call(clock_plugin, wrong[i], VOXRING_ERROR);
        assert_non_null(
            strstr(text_of(out, "error"), "There is no time zone named"));
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
        cmocka_unit_test(clock_knows_what_is_no_zone),
        cmocka_unit_test(echo_builds_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
