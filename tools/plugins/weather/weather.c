/* weather: the weather now, today and tomorrow, from Open-Meteo or a service
 * that answers in its format.
 *
 * Config, all of it optional:
 *
 *     "plugins": {"config": {"weather": {
 *         "url": "https://api.open-meteo.com/v1/forecast",
 *         "geocoding_url": "https://geocoding-api.open-meteo.com/v1/search",
 *         "timeout_s": 10, "units": "metric", "place": "Rome, Italy"}}}
 *
 * `units` is metric or imperial; `place` is where "here" is. A query in a URL,
 * such as ?apikey=..., is kept and never shown. Open-Meteo's own servers are
 * free for non-commercial use only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tools/plugins/shared/http.h"
#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/reply.h"
#include "tools/plugins/weather/forecast.h"
#include "tools/voxring_tool.h"

#define URL_BYTES 512
#define WHOLE_URL_BYTES 2048
#define PLACE_BYTES 128
#define BODY_MAX_BYTES 262144u

static const struct voxring_host *host;

static struct {
    char url[URL_BYTES];
    char geocoding_url[URL_BYTES];
    char place[PLACE_BYTES];
    char units[16];
    double timeout_s;
} config;

/* One call as it was understood. */
struct question {
    uint64_t token;
    char place[PLACE_BYTES]; /* "" if the position was given */
    struct forecast_place at;
    enum forecast_day day;
};

static bool
is_imperial(void)
{
    return strcmp(config.units, "imperial") == 0;
}

static bool
is_cancelled(void *arg)
{
    const struct question *question = arg;

    return host->is_cancelled(question->token);
}

/* Gets URL and query; false after an error reply. The caller frees the answer's
 * inside. */
static bool
get(struct question *question, const char *base, const char *query,
    struct http_answer *answer)
{
    char url[WHOLE_URL_BYTES], name[128], reason[160];
    struct http_request request = {.url = url,
                                   .timeout_ms =
                                       (long)(config.timeout_s * 1000),
                                   .body_max_bytes = BODY_MAX_BYTES,
                                   .cancelled = is_cancelled,
                                   .arg = question};

    snprintf(url, sizeof url, "%s%c%s", base, strchr(base, '?') ? '&' : '?',
             query);
    if (!http_get(&request, answer)) {
        reply_error(host, question->token, "The weather cannot be had now. %s.",
                    answer->error);
        return false;
    }
    if (answer->status == 200 && answer->body)
        return true;
    http_host(base, name, sizeof name);
    forecast_reason(answer->body ? answer->body : "", answer->body_bytes,
                    reason, sizeof reason);
    reply_error(host, question->token,
                "The weather cannot be had now. %s answered with HTTP status "
                "%ld%s%s.",
                name, answer->status, reason[0] ? ": " : "", reason);
    return false;
}

static void
reply_nonsense(const struct question *question, const char *base)
{
    char name[128];

    http_host(base, name, sizeof name);
    reply_error(host, question->token,
                "The weather cannot be had now. %s sent something that is not "
                "in Open-Meteo's format.",
                name);
}

/* Splits "Rome, Italy", which geocoding does not know, into name and region. */
static void
split_place(const char *place, char *name, char *region)
{
    const char *comma = strchr(place, ',');
    size_t n = comma ? (size_t)(comma - place) : strlen(place);

    while (n > 0 && place[n - 1] == ' ')
        n--;
    memcpy(name, place, n);
    name[n] = '\0';
    place = comma ? comma + 1 + strspn(comma + 1, " ") : "";
    snprintf(region, PLACE_BYTES, "%s", place);
}

/* Finds the place's position; false after an error reply. */
static bool
find_place(struct question *question)
{
    char name[PLACE_BYTES], region[PLACE_BYTES], query[WHOLE_URL_BYTES / 2];
    struct http_answer answer = {0};
    char *escaped;
    int found;

    split_place(question->place, name, region);
    if (name[0] == '\0') {
        reply_error(host, question->token,
                    "Which place? Ask the user for the name of a town");
        return false;
    }
    escaped = http_escape(name);
    snprintf(query, sizeof query, "name=%s&count=10&language=en&format=json",
             escaped ? escaped : "");
    free(escaped);
    if (!get(question, config.geocoding_url, query, &answer)) {
        http_answer_fini(&answer);
        return false;
    }
    found = forecast_read_place(answer.body, answer.body_bytes, region,
                                &question->at);
    http_answer_fini(&answer);
    if (found < 0)
        reply_nonsense(question, config.geocoding_url);
    else if (found == 0)
        reply_error(host, question->token,
                    "There is no place named \"%s\" on the map; ask for the "
                    "name of a town near it",
                    question->place);
    return found > 0;
}

static void
tell_weather(struct question *question)
{
    struct http_answer answer = {0};
    char query[WHOLE_URL_BYTES / 2], text[FORECAST_TEXT_BYTES];
    cJSON *output;

    snprintf(query, sizeof query,
             "latitude=%.4f&longitude=%.4f"
             "&current=temperature_2m,apparent_temperature,weather_code,"
             "wind_speed_10m"
             "&daily=weather_code,temperature_2m_max,temperature_2m_min,"
             "precipitation_probability_max,wind_speed_10m_max"
             "&timezone=auto&forecast_days=2%s",
             question->at.latitude, question->at.longitude,
             is_imperial() ? "&temperature_unit=fahrenheit&wind_speed_unit=mph"
                           : "");
    if (!get(question, config.url, query, &answer)) {
        http_answer_fini(&answer);
        return;
    }
    output = cJSON_CreateObject();
    if (forecast_tell(answer.body, answer.body_bytes, &question->at,
                      question->day, is_imperial(), text, output)) {
        cJSON_AddStringToObject(output, "text", text);
        reply_object(host, question->token, output);
    } else {
        cJSON_Delete(output);
        reply_nonsense(question, config.url);
    }
    http_answer_fini(&answer);
}

/* What is wrong with the input, or NULL. */
static const char *
read_question(const cJSON *input, struct question *question)
{
    char day[16] = "today";
    enum input_found place =
        input_text(input, "place", question->place, sizeof question->place);
    enum input_found latitude =
        input_number(input, "latitude", -90, 90, &question->at.latitude);
    enum input_found longitude =
        input_number(input, "longitude", -180, 180, &question->at.longitude);

    if (input_text(input, "day", day, sizeof day) == INPUT_BAD ||
        (strcmp(day, "today") != 0 && strcmp(day, "tomorrow") != 0))
        return "day must be today or tomorrow";
    question->day =
        strcmp(day, "today") == 0 ? FORECAST_TODAY : FORECAST_TOMORROW;
    if (place == INPUT_BAD)
        return "place must be the name of a town, of less than 128 bytes";
    if (place == INPUT_GOOD)
        return NULL;
    if (latitude == INPUT_GOOD && longitude == INPUT_GOOD)
        return NULL;
    if (latitude != INPUT_ABSENT || longitude != INPUT_ABSENT)
        return "latitude must be from -90 to 90 and longitude from -180 to "
               "180, both in degrees";
    if (config.place[0] == '\0')
        return "Which place? Ask the user for the name of a town";
    snprintf(question->place, sizeof question->place, "%s", config.place);
    return NULL;
}

static void
weather_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    struct question question = {.token = call->token};
    const char *wrong = read_question(input, &question);

    cJSON_Delete(input);
    if (wrong)
        reply_error(host, call->token, "%s", wrong);
    else if (question.place[0] == '\0' || find_place(&question))
        tell_weather(&question);
}

static bool
read_url(const cJSON *object, const char *name, const char *fallback, char *out,
         char *why, size_t why_bytes)
{
    snprintf(out, URL_BYTES, "%s", fallback);
    if (input_text(object, name, out, URL_BYTES) != INPUT_BAD &&
        http_is_url(out))
        return true;
    snprintf(why, why_bytes,
             "plugins.config.weather.%s must be an http:// or https:// URL of "
             "less than %d bytes",
             name, URL_BYTES);
    return false;
}

static bool
read_config(const cJSON *object, char *why, size_t why_bytes)
{
    snprintf(config.units, sizeof config.units, "metric");
    config.place[0] = '\0';
    config.timeout_s = 10;
    if (!read_url(object, "url", "https://api.open-meteo.com/v1/forecast",
                  config.url, why, why_bytes) ||
        !read_url(object, "geocoding_url",
                  "https://geocoding-api.open-meteo.com/v1/search",
                  config.geocoding_url, why, why_bytes))
        return false;
    if (input_number(object, "timeout_s", 0.1, 60, &config.timeout_s) ==
        INPUT_BAD)
        snprintf(why, why_bytes,
                 "plugins.config.weather.timeout_s must be a number from 0.1 "
                 "to 60");
    else if (input_text(object, "units", config.units, sizeof config.units) ==
                 INPUT_BAD ||
             (strcmp(config.units, "metric") != 0 && !is_imperial()))
        snprintf(why, why_bytes,
                 "plugins.config.weather.units must be metric or imperial");
    else if (input_text(object, "place", config.place, sizeof config.place) ==
             INPUT_BAD)
        snprintf(why, why_bytes,
                 "plugins.config.weather.place must be the name of a town, of "
                 "less than %d bytes",
                 PLACE_BYTES);
    else
        return true;
    return false;
}

static int
weather_init(const struct voxring_host *h, const char *config_json, char *why,
             size_t why_bytes)
{
    cJSON *object = cJSON_Parse(config_json);
    bool good = read_config(object, why, why_bytes);

    host = h;
    cJSON_Delete(object);
    if (good && !http_init()) {
        snprintf(why, why_bytes, "libcurl cannot be used on this machine");
        good = false;
    }
    return good ? 0 : -1;
}

static const struct voxring_tool tools[] = {{
    .name = "weather",
    .description =
        "Tells the weather of a place: temperature, conditions, wind and "
        "chance of rain, now and today, or tomorrow. Use it for any question "
        "about the weather; you do not know it yourself.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"place\":{\"type\":\"string\",\"description\":\"A town, if need be "
        "with its country: Rome, Italy. Leave it out for here\"},"
        "\"latitude\":{\"type\":\"number\",\"description\":\"In degrees, north "
        "is positive; instead of place\"},"
        "\"longitude\":{\"type\":\"number\",\"description\":\"In degrees, east "
        "is positive; together with latitude\"},"
        "\"day\":{\"type\":\"string\",\"enum\":[\"today\",\"tomorrow\"],"
        "\"description\":\"today, if left out\"}}}",
    .mode = VOXRING_SYNC,
    .threading = VOXRING_PARALLEL,
    .timeout_ms = 30000,
    .call = weather_call,
}};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "weather",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = weather_init,
};
