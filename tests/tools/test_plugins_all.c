/* What all plugins that come with voxring have in common: the host takes them,
 * and no input that fits their schemas harms them or costs memory. And the
 * small ones: number_race and system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/tools/plugin_rig.h"
#include "tests/tools/shell.h"

static const char *
build(void)
{
    const char *dir = getenv("VOXRING_BUILD");

    return dir && dir[0] ? dir : "build";
}

static void
the_toolhost_takes_them(void **state)
{
    static const char *const names[] = {
        "clock", "echo", "number_race", "robot", "system", "timer", "weather"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char command[600];
        snprintf(command, sizeof command,
                 "%s/voxring-toolhost --check %s/plugins/%s.so | grep -q "
                 "'\"tools\":\\['",
                 build(), build(), names[i]);
        if (shell(command) != 0)
            fail_msg("%s", command);
    }
}

/* ---- any input that fits the schema ----------------------------------------- */

static uint32_t seed;

static uint32_t
pick(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static cJSON *
any_text(const cJSON *schema)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "Rome",
                                        "Rome, Italy",
                                        "%s%n%d",
                                        "\"\\\n\t\x01",
                                        "\xc3\xa4\xe2\x82\xac\xf0\x9f\xa4\x96",
                                        "../../etc/passwd",
                                        ",,,",
                                        "-1"};
    const cJSON *choices = cJSON_GetObjectItem(schema, "enum");
    char lengthy[6000];

    if (choices)
        return cJSON_Duplicate(
            cJSON_GetArrayItem(
                choices, (int)pick((uint32_t)cJSON_GetArraySize(choices))),
            1);
    if (pick(5) > 0)
        return cJSON_CreateString(texts[pick(sizeof texts / sizeof texts[0])]);
    for (size_t i = 0; i < sizeof lengthy; i += 2)
        memcpy(lengthy + i, "\xc3\xa4", 2);
    lengthy[pick(2) ? sizeof lengthy - 2 : 2 * pick(80)] = '\0';
    return cJSON_CreateString(lengthy);
}

static cJSON *
any_number(bool whole)
{
    static const double numbers[] = {0,     -0.0,   1,      -1,  2,
                                     1e308, -1e308, 1e10,   90,  180.5,
                                     4e9,   0.3,    1e-300, 600, 86400};
    double n = numbers[pick(sizeof numbers / sizeof numbers[0])];

    return cJSON_CreateNumber(whole ? (double)(int64_t)(n > 9e15    ? 9e15
                                                        : n < -9e15 ? -9e15
                                                                    : n)
                                    : n);
}

static cJSON *
any_input(const char *schema_text)
{
    cJSON *schema = cJSON_Parse(schema_text ? schema_text : "{}");
    const cJSON *required = cJSON_GetObjectItem(schema, "required");
    cJSON *input = cJSON_CreateObject();
    const cJSON *property;

    assert_non_null(schema);
    cJSON_ArrayForEach(property, cJSON_GetObjectItem(schema, "properties"))
    {
        const char *type = rig_text(property, "type");
        bool must = false;
        const cJSON *name;
        cJSON_ArrayForEach(name, required)
        {
            must = must || strcmp(name->valuestring, property->string) == 0;
        }
        if (!must && pick(3) == 0)
            continue;
        cJSON_AddItemToObject(input, property->string,
                              strcmp(type, "string") == 0
                                  ? any_text(property)
                                  : any_number(strcmp(type, "integer") == 0));
    }
    if (pick(8) == 0)
        cJSON_AddNullToObject(input, "unknown");
    cJSON_Delete(schema);
    return input;
}

static void
call_with_anything(const struct voxring_plugin *plugin, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        const struct voxring_tool *tool =
            &plugin->tools[pick(plugin->tool_count)];
        cJSON *input = any_input(tool->input_schema);
        char *json = cJSON_PrintUnformatted(input);
        uint64_t token = rig_begin(plugin, tool->name, "main", json);
        /* what goes on by itself may; its call is let go */
        if (rig_is_over(token) || strcmp(tool->name, "set_timer") != 0)
            cJSON_Delete(rig_end(token, -1));
        else
            rig_cancel(token);
        cJSON_free(json);
        cJSON_Delete(input);
    }
}

static size_t
used_bytes(void)
{
    return mallinfo2().uordblks;
}

/* A first round fills what is kept on purpose; a second, longer one must not
 * need more. */
static void
bear(const char *name, const char *config, unsigned times)
{
    const struct voxring_plugin *plugin = rig_load(name);
    size_t before, after;

    seed = 7;
    rig_start(plugin, config);
    call_with_anything(plugin, times);
    before = used_bytes();
    call_with_anything(plugin, times);
    after = used_bytes();
    if (plugin->fini)
        plugin->fini();
    /* the rig keeps the last 256 answers */
    if (after > before + 200000)
        fail_msg("%s: %zu bytes more", name, after - before);
}

static void
small_ones_bear_anything(void **state)
{
    (void)state;
    bear("echo", "{}", 1000);
    bear("clock", "{}", 1000);
    bear("system", "{}", 1000);
    bear("timer", "{}", 1000);
}

static void
number_race_bears_anything(void **state)
{
    (void)state;
    rig_cancel(0); /* some fit the schema and take ten minutes */
    bear("number_race", "{}", 1000);
    rig_uncancel();
}

static void
weather_bears_anything(void **state)
{
    (void)state;
    setenv("no_proxy", "*", 1);
    bear("weather",
         "{\"url\":\"http://127.0.0.1:1/f\",\"geocoding_url\":"
         "\"http://127.0.0.1:1/g\"}",
         1000);
}

static void
robot_bears_anything(void **state)
{
    static char program[] = "tools/examples/robot_base.py";
    static char address[] = "tcp://127.0.0.1:*";
    static char speed[] = "1e9";
    char *args[] = {program, address, speed, NULL};
    char line[100], config[200];
    pid_t base = rig_spawn(args, line, sizeof line);

    (void)state;
    snprintf(config, sizeof config,
             "{\"endpoint\":\"%s\",\"timeout_ms\":10000}", line);
    bear("robot", config, 500);
    rig_kill(base);
}

/* ---- number_race ------------------------------------------------------------- */

static void
number_race_takes_its_time(void **state)
{
    const struct voxring_plugin *race = rig_load("number_race");
    uint64_t begin_ms, token;
    struct timespec t;

    (void)state;
    rig_start(race, "{}");
    clock_gettime(CLOCK_MONOTONIC, &t);
    begin_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    token = rig_begin(race, "number_race", "main", "{\"seconds\":1.2}");
    clock_gettime(CLOCK_MONOTONIC, &t);
    assert_true((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 -
                    begin_ms >=
                1199);
    assert_true(rig_progress(token, 1) >= 1);
    cJSON_Delete(rig_end(token, VOXRING_OK));
    rig_expect(race, "number_race", "{\"seconds\":0.1}", VOXRING_OK,
               "The race is over after 0.1 seconds.");
    rig_expect(race, "number_race", "{\"seconds\":601}", VOXRING_ERROR,
               "from 0.1 to 600");
}

static void *
race_on(void *race)
{
    cJSON_Delete(
        rig_ask(race, "number_race", "{\"seconds\":600}", VOXRING_ERROR));
    return NULL;
}

static void
number_race_ends_when_it_is_cancelled(void **state)
{
    const struct voxring_plugin *race = rig_load("number_race");
    pthread_t threads[3];

    (void)state;
    rig_start(race, "{}");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, race_on, (void *)(uintptr_t)race),
            0);
    rig_cancel(0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    rig_uncancel();
}

/* ---- system ------------------------------------------------------------------- */

static void
system_tells_each(void **state)
{
    static const char *const cases[][3] = {
        {"{\"what\":\"uptime\"}", "It has been on for ", "uptime_s"},
        {"{\"what\":\"load\"}", "Over the last minute", "load_1min"},
        {"{\"what\":\"memory\"}", " of memory, ", "memory_available_bytes"},
        {"{\"what\":\"disk\"}", " percent.", "disk_available_bytes"},
        {"{\"what\":\"network\"}", "", "network"},
        {"{}", "It has been on for ", "disk_bytes"},
    };
    const struct voxring_plugin *plugin = rig_load("system");

    (void)state;
    rig_start(plugin, "{}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cJSON *out = rig_ask(plugin, "system_status", cases[i][0], VOXRING_OK);
        assert_non_null(strstr(rig_text(out, "text"), cases[i][1]));
        assert_non_null(cJSON_GetObjectItem(out, cases[i][2]));
        cJSON_Delete(out);
    }
}

static void
put(const char *dir, const char *zone, const char *type, const char *temp)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, zone);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/type", dir, zone);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", type);
    fclose(file);
    snprintf(path, sizeof path, "%s/%s/temp", dir, zone);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", temp);
    fclose(file);
}

static void
system_finds_the_warmest_sensor(void **state)
{
    const struct voxring_plugin *plugin = rig_load("system");
    const char *tmp = getenv("TMPDIR");
    char dir[64], config[200], command[100];

    (void)state;
    snprintf(dir, sizeof dir, "%.30s/thermal-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(config, sizeof config, "{\"thermal\":\"%s\",\"disk\":\"%s\"}", dir,
             dir);
    rig_start(plugin, config);
    rig_expect(plugin, "system_status", "{\"what\":\"temperature\"}",
               VOXRING_ERROR, "no temperature sensor");
    put(dir, "thermal_zone0", "board", "31000");
    put(dir, "thermal_zone1", "cpu", "48700");
    put(dir, "thermal_zone2", "off", "-274000");
    rig_expect(plugin, "system_status", "{\"what\":\"temperature\"}",
               VOXRING_OK, "Its warmest sensor, cpu, is at 49 degrees");
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(shell(command), 0);
    rig_expect(plugin, "system_status", "{\"what\":\"disk\"}", VOXRING_ERROR,
               "cannot be looked at");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_toolhost_takes_them),
        cmocka_unit_test(small_ones_bear_anything),
        cmocka_unit_test(number_race_bears_anything),
        cmocka_unit_test(weather_bears_anything),
        cmocka_unit_test(robot_bears_anything),
        cmocka_unit_test(number_race_takes_its_time),
        cmocka_unit_test(number_race_ends_when_it_is_cancelled),
        cmocka_unit_test(system_tells_each),
        cmocka_unit_test(system_finds_the_warmest_sensor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
