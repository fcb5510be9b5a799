/* Open-Meteo's JSON, read and put into words. No I/O. */
#ifndef TOOLS_PLUGINS_WEATHER_FORECAST_H
#define TOOLS_PLUGINS_WEATHER_FORECAST_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#define FORECAST_NAME_BYTES 160
#define FORECAST_TEXT_BYTES 480

enum forecast_day { FORECAST_TODAY = 0, FORECAST_TOMORROW = 1 };

/* A place on the map. */
struct forecast_place {
    char name[FORECAST_NAME_BYTES]; /* as one would say it; "" if unknown */
    double latitude;
    double longitude;
};

/* Takes the best of a geocoding answer's results: the first whose country,
 * country code or state is `region` (letter case aside), else the first; ""
 * is any region. 1: found; 0: there is no such place; -1: the text is not
 * Open-Meteo's. [any] */
int forecast_read_place(const char *json, size_t json_bytes, const char *region,
                        struct forecast_place *place);

/* Puts a forecast into a sentence, and its figures into `output`. `imperial`
 * names the units that were asked for. False: there is nothing in the text
 * that could be told, or it is not Open-Meteo's. [any] */
bool forecast_tell(const char *json, size_t json_bytes,
                   const struct forecast_place *place, enum forecast_day day,
                   bool imperial, char text[FORECAST_TEXT_BYTES],
                   cJSON *output);

/* The "reason" of an error answer into `out`, "" if it has none. [any] */
void forecast_reason(const char *json, size_t json_bytes, char *out,
                     size_t size);

#endif
