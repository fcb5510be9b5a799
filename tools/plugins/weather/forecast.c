#include "tools/plugins/weather/forecast.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/reply.h"

/* WMO code table 4677, as far as Open-Meteo uses it. */
static const struct condition {
    int code;
    const char *words;
} conditions[] = {
    {0, "clear sky"},
    {1, "mostly clear sky"},
    {2, "some clouds"},
    {3, "overcast sky"},
    {45, "fog"},
    {48, "freezing fog"},
    {51, "light drizzle"},
    {53, "drizzle"},
    {55, "heavy drizzle"},
    {56, "light freezing drizzle"},
    {57, "freezing drizzle"},
    {61, "light rain"},
    {63, "rain"},
    {65, "heavy rain"},
    {66, "light freezing rain"},
    {67, "freezing rain"},
    {71, "light snowfall"},
    {73, "snowfall"},
    {75, "heavy snowfall"},
    {77, "snow grains"},
    {80, "light rain showers"},
    {81, "rain showers"},
    {82, "violent rain showers"},
    {85, "light snow showers"},
    {86, "heavy snow showers"},
    {95, "thunderstorms"},
    {96, "thunderstorms with some hail"},
    {99, "thunderstorms with heavy hail"},
};

/* No weather on this planet is beyond these, in either system of units. */
#define LEAST -200.0
#define MOST 500.0

static const char *
condition_words(double code)
{
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (conditions[i].code == (int)code)
            return conditions[i].words;
    }
    return NULL;
}

static const char *
string_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

static bool
is_in_region(const cJSON *result, const char *region)
{
    return region[0] == '\0' ||
           strcasecmp(string_of(result, "country"), region) == 0 ||
           strcasecmp(string_of(result, "country_code"), region) == 0 ||
           strcasecmp(string_of(result, "admin1"), region) == 0;
}

static bool
read_result(const cJSON *result, struct forecast_place *place)
{
    const char *name = string_of(result, "name");
    const char *country = string_of(result, "country");
    char whole[2 * FORECAST_NAME_BYTES];

    if (input_number(result, "latitude", -90, 90, &place->latitude) !=
            INPUT_GOOD ||
        input_number(result, "longitude", -180, 180, &place->longitude) !=
            INPUT_GOOD)
        return false;
    snprintf(whole, sizeof whole, "%s%s%s", name, country[0] ? ", " : "",
             country);
    reply_cut(place->name, sizeof place->name, whole);
    return true;
}

int
forecast_read_place(const char *json, size_t json_bytes, const char *region,
                    struct forecast_place *place)
{
    cJSON *answer = cJSON_ParseWithLength(json, json_bytes);
    const cJSON *results = cJSON_GetObjectItemCaseSensitive(answer, "results");
    const cJSON *result;
    const cJSON *best = NULL;
    int found =
        cJSON_IsObject(answer) && (!results || cJSON_IsArray(results)) ? 0 : -1;

    cJSON_ArrayForEach(result, results)
    {
        if (!best && is_in_region(result, region))
            best = result;
    }
    if (!best && found == 0 && results)
        best = results->child;
    if (found == 0 && best)
        found = read_result(best, place) ? 1 : -1;
    cJSON_Delete(answer);
    return found;
}

static void __attribute__((format(printf, 2, 3)))
say(char *text, const char *format, ...)
{
    size_t n = strlen(text);
    va_list args;
    int wrote;

    va_start(args, format);
    wrote = vsnprintf(text + n, FORECAST_TEXT_BYTES - n, format, args);
    va_end(args);
    if (wrote < 0 || (size_t)wrote >= FORECAST_TEXT_BYTES - n)
        text[n] = '\0';
}

/* A figure of `current`, or of that day's place in a list of `daily`. */
static bool
figure(const cJSON *object, const char *name, int index, const char *as,
       double *value, cJSON *output)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (index >= 0)
        item = cJSON_GetArrayItem(item, index);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) ||
        item->valuedouble < LEAST || item->valuedouble > MOST)
        return false;
    *value = item->valuedouble;
    cJSON_AddNumberToObject(output, as, *value);
    return true;
}

/* "-3", and never "-0". */
static const char *
whole_number(double value, char out[16])
{
    snprintf(out, 16, "%.0f", fabs(value) < 0.5 ? 0.0 : value);
    return out;
}

static unsigned
tell_now(const cJSON *current, bool imperial, char *text, cJSON *output)
{
    const char *speed = imperial ? "miles per hour" : "kilometers per hour";
    char number[16];
    unsigned told = 0;
    double value;

    if (figure(current, "temperature_2m", -1, "temperature", &value, output)) {
        say(text, "It is %s degrees", whole_number(value, number));
        told++;
        if (figure(current, "apparent_temperature", -1, "feels_like", &value,
                   output))
            say(text, ", feels like %s", whole_number(value, number));
        say(text, "%s", ". ");
    }
    if (figure(current, "weather_code", -1, "weather_code", &value, output) &&
        condition_words(value)) {
        say(text, "There is %s. ", condition_words(value));
        cJSON_AddStringToObject(output, "conditions", condition_words(value));
        told++;
    }
    if (figure(current, "wind_speed_10m", -1, "wind_speed", &value, output)) {
        say(text, "The wind is at %s %s. ", whole_number(value, number), speed);
        told++;
    }
    return told;
}

static unsigned
tell_day(const cJSON *daily, enum forecast_day day, bool imperial, char *text,
         cJSON *output)
{
    const char *when = day == FORECAST_TODAY ? "Today" : "Tomorrow";
    const char *speed = imperial ? "miles per hour" : "kilometers per hour";
    char low[16], high[16];
    unsigned told = 0;
    double least, most, value;

    if (figure(daily, "temperature_2m_min", day, "low", &least, output) &&
        figure(daily, "temperature_2m_max", day, "high", &most, output)) {
        say(text, "%s it is between %s and %s degrees", when,
            whole_number(least, low), whole_number(most, high));
        told++;
    }
    if (day == FORECAST_TOMORROW &&
        figure(daily, "weather_code", day, "weather_code", &value, output) &&
        condition_words(value)) {
        say(text, "%s %s", told ? " with" : "Tomorrow there is",
            condition_words(value));
        cJSON_AddStringToObject(output, "conditions", condition_words(value));
        told++;
    }
    if (told > 0)
        say(text, "%s", ". ");
    if (figure(daily, "precipitation_probability_max", day,
               "precipitation_percent", &value, output)) {
        say(text, "The chance of rain or snow is %s percent. ",
            whole_number(value, low));
        told++;
    }
    if (day == FORECAST_TOMORROW && figure(daily, "wind_speed_10m_max", day,
                                           "wind_speed", &value, output)) {
        say(text, "The wind reaches %s %s. ", whole_number(value, low), speed);
        told++;
    }
    return told;
}

bool
forecast_tell(const char *json, size_t json_bytes,
              const struct forecast_place *place, enum forecast_day day,
              bool imperial, char text[FORECAST_TEXT_BYTES], cJSON *output)
{
    cJSON *answer = cJSON_ParseWithLength(json, json_bytes);
    unsigned told = 0;

    text[0] = '\0';
    if (place->name[0]) {
        say(text, "In %s: ", place->name);
        cJSON_AddStringToObject(output, "place", place->name);
    }
    if (day == FORECAST_TODAY)
        told += tell_now(cJSON_GetObjectItemCaseSensitive(answer, "current"),
                         imperial, text, output);
    told += tell_day(cJSON_GetObjectItemCaseSensitive(answer, "daily"), day,
                     imperial, text, output);
    cJSON_AddStringToObject(output, "units",
                            imperial ? "Fahrenheit, mph" : "Celsius, km/h");
    while (text[0] && text[strlen(text) - 1] == ' ')
        text[strlen(text) - 1] = '\0';
    cJSON_Delete(answer);
    return told > 0;
}

void
forecast_reason(const char *json, size_t json_bytes, char *out, size_t size)
{
    cJSON *answer = cJSON_ParseWithLength(json, json_bytes);

    reply_cut(out, size, string_of(answer, "reason"));
    cJSON_Delete(answer);
}
