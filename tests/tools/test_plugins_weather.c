/* The plugin weather, against a server of its own on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/tools/plugin_rig.h"

static const struct voxring_plugin *weather;
static pid_t server;
static char port[16];

static int
start_server(void **state)
{
    static char program[] = "tests/tools/weather_server.py";
    char *args[] = {program, NULL};

    (void)state;
    /* no proxy stands between a test and its own machine */
    setenv("no_proxy", "*", 1);
    server = rig_spawn(args, port, sizeof port);
    weather = rig_load("weather");
    return 0;
}

static int
stop_server(void **state)
{
    (void)state;
    rig_kill(server);
    return 0;
}

/* Both services behave like this. */
static void
use(const char *search, const char *forecast, const char *more)
{
    char config[600];

    snprintf(config, sizeof config,
             "{\"url\":\"http://127.0.0.1:%s/%s/v1/forecast%s\","
             "\"geocoding_url\":\"http://127.0.0.1:%s/%s/v1/search%s\"%s}",
             port, forecast,
             strcmp(forecast, "keyed") == 0 ? "?apikey=secret" : "", port,
             search, strcmp(search, "keyed") == 0 ? "?apikey=secret" : "",
             more);
    rig_start(weather, config);
}

static void
expect(const char *input, int status, const char *words)
{
    rig_expect(weather, "weather", input, status, words);
}

static void
tells_today(void **state)
{
    cJSON *out;

    (void)state;
    use("good", "good", "");
    out =
        rig_ask(weather, "weather", "{\"place\":\"Rome, Italy\"}", VOXRING_OK);
    assert_string_equal(
        rig_text(out, "text"),
        "In Rome, Italy: It is 15 degrees, feels like 13. There is light rain. "
        "The wind is at 12 kilometers per hour. Today it is between 10 and 17 "
        "degrees. The chance of rain or snow is 80 percent.");
    assert_string_equal(rig_text(out, "conditions"), "light rain");
    assert_string_equal(rig_text(out, "place"), "Rome, Italy");
    cJSON_Delete(out);
}

static void
tells_tomorrow(void **state)
{
    (void)state;
    use("good", "good", "");
    expect("{\"place\":\"Rome ,IT\",\"day\":\"tomorrow\"}", VOXRING_OK,
           "In Rome, Italy: Tomorrow it is between 8 and 15 degrees with "
           "thunderstorms. The wind reaches 44 kilometers per hour.");
}

static void
finds_places(void **state)
{
    (void)state;
    use("good", "good", "");
    expect("{\"place\":\"Rome\"}", VOXRING_OK, "In Rome, United States");
    expect("{\"place\":\" rome, lazio \"}", VOXRING_OK, "In Rome, Italy");
    expect("{\"place\":\"M\xc3\xbcnchen\"}", VOXRING_OK, "In Munich, Germany");
    expect("{\"latitude\":-33.9,\"longitude\":18.4}", VOXRING_OK,
           "It is 0 degrees");
    expect("{\"place\":\"Atlantis&name=rome\"}", VOXRING_ERROR,
           "There is no place named \"Atlantis&name=rome\"");
    expect("{\"place\":\"nowhere\"}", VOXRING_ERROR, "not in Open-Meteo's");
    expect("{\"place\":\", Italy\"}", VOXRING_ERROR, "Which place?");
}

static void
takes_its_config(void **state)
{
    (void)state;
    use("good", "good", ",\"units\":\"imperial\",\"place\":\"Rome, IT\"");
    expect("{}", VOXRING_OK, "In Rome, Italy: It is 59 degrees");
    expect("{}", VOXRING_OK, "12 miles per hour");
    use("keyed", "keyed", "");
    expect("{\"place\":\"Rome\"}", VOXRING_OK, "In Rome");
    expect("{}", VOXRING_ERROR, "Which place?");
}

static void
refuses_wrong_config(void **state)
{
    static const char *const wrong[][2] = {
        {"{\"url\":\"file:///etc/passwd\"}", "weather.url"},
        {"{\"url\":\"http://\"}", "weather.url"},
        {"{\"url\":7}", "weather.url"},
        {"{\"geocoding_url\":\"http://a b\"}", "weather.geocoding_url"},
        {"{\"units\":\"kelvin\"}", "weather.units"},
        {"{\"timeout_s\":0}", "weather.timeout_s"},
        {"{\"place\":[]}", "weather.place"},
    };
    char why[400];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_not_equal(rig_init(weather, wrong[i][0], why), 0);
        assert_non_null(strstr(why, wrong[i][1]));
    }
}

static void
says_which_input_is_wrong(void **state)
{
    (void)state;
    use("good", "good", "");
    expect("{}", VOXRING_ERROR, "Which place?");
    expect("{\"place\":\"  \"}", VOXRING_ERROR, "Which place?");
    expect("{\"latitude\":91,\"longitude\":0}", VOXRING_ERROR, "latitude must");
    expect("{\"latitude\":10}", VOXRING_ERROR, "latitude must");
    expect("{\"latitude\":1e308,\"longitude\":-1e308}", VOXRING_ERROR,
           "latitude must");
}

static void
says_what_the_service_did(void **state)
{
    static const char *const cases[][2] = {
        {"400", "HTTP status 400: Latitude must be in range."},
        {"500", "127.0.0.1 answered with HTTP status 500."},
        {"html", "not in Open-Meteo's format"},
        {"array", "not in Open-Meteo's format"},
        {"nothing", "not in Open-Meteo's format"},
        {"deep", "not in Open-Meteo's format"},
        {"empty", "HTTP status 200."},
        {"huge", "sent more than 262144 bytes"},
        {"short", "Asking 127.0.0.1 failed: "},
        {"loop", "Asking 127.0.0.1 failed: "},
        {"file", "Asking 127.0.0.1 failed: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use("good", cases[i][0], "");
        expect("{\"place\":\"Rome\"}", VOXRING_ERROR, cases[i][1]);
        if (strcmp(cases[i][0], "nothing") == 0)
            continue; /* to geocoding, an answer without results is one */
        use(cases[i][0], "good", "");
        expect("{\"place\":\"Rome\"}", VOXRING_ERROR, cases[i][1]);
    }
    use("moved", "moved", "");
    expect("{\"place\":\"Rome\"}", VOXRING_OK, "In Rome");
}

static void
gives_up(void **state)
{
    (void)state;
    use("good", "slow", ",\"timeout_s\":0.2");
    expect("{\"place\":\"Rome\"}", VOXRING_ERROR,
           "did not answer within 0.2 seconds");
    rig_start(weather, "{\"url\":\"http://127.0.0.1:1/\"}");
    expect("{\"latitude\":1,\"longitude\":1}", VOXRING_ERROR,
           "Asking 127.0.0.1 failed: ");
}

static void *
call_slow(void *arg)
{
    (void)arg;
    cJSON_Delete(
        rig_ask(weather, "weather", "{\"place\":\"Rome\"}", VOXRING_ERROR));
    return NULL;
}

static void
ends_when_it_is_cancelled(void **state)
{
    pthread_t thread;

    (void)state;
    use("slow", "slow", ",\"timeout_s\":60");
    assert_int_equal(pthread_create(&thread, NULL, call_slow, NULL), 0);
    rig_cancel(0);
    pthread_join(thread, NULL);
    rig_uncancel();
}

static void
bears_nonsense(void **state)
{
    (void)state;
    use("nonsense", "nonsense", "");
    for (int i = 0; i < 300; i++)
        cJSON_Delete(rig_ask(weather, "weather",
                             i % 3 == 0   ? "{\"place\":\"Rome\"}"
                             : i % 3 == 1 ? "{\"latitude\":1,\"longitude\":1}"
                                          : "{\"latitude\":1,\"longitude\":1,"
                                            "\"day\":\"tomorrow\"}",
                             -1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_today),
        cmocka_unit_test(tells_tomorrow),
        cmocka_unit_test(finds_places),
        cmocka_unit_test(takes_its_config),
        cmocka_unit_test(refuses_wrong_config),
        cmocka_unit_test(says_which_input_is_wrong),
        cmocka_unit_test(says_what_the_service_did),
        cmocka_unit_test(gives_up),
        cmocka_unit_test(ends_when_it_is_cancelled),
        cmocka_unit_test(bears_nonsense),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
