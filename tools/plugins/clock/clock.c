/* clock: what time and date it is, here or in any time zone.
 *
 * Config, all of it optional:
 *
 *     "plugins": {"config": {"clock": {"zone": "Europe/Rome"}}}
 *
 * is the zone that counts as "here"; else it is the machine's. Zones are those
 * of the tzdata package. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "tools/plugins/clock/zones.h"
#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/reply.h"
#include "tools/voxring_tool.h"

static const struct voxring_host *host;
static char home_zone[ZONES_NAME_BYTES]; /* "" is the machine's own */
static char machine_tz[PATH_MAX];        /* its TZ variable */
static int machine_has_tz;

/* The name behind /etc/localtime, or UTC, which is what libc then uses. */
static void
machine_zone(char *zone, size_t size)
{
    char target[PATH_MAX];
    ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);
    const char *name;

    snprintf(zone, size, "UTC");
    if (machine_has_tz) {
        const char *tz = machine_tz[0] == ':' ? machine_tz + 1 : machine_tz;
        snprintf(zone, size, "%.*s", ZONES_NAME_BYTES - 1, tz[0] ? tz : "UTC");
        return;
    }
    if (n < 0)
        return;
    target[n] = '\0';
    name = strstr(target, "zoneinfo/");
    if (name)
        snprintf(zone, size, "%.*s", ZONES_NAME_BYTES - 1,
                 name + strlen("zoneinfo/"));
}

/* This process belongs to this plugin and the tool is serial, so for the
 * length of a call TZ may be another. */
static int
local_time(const char *zone, time_t now, struct tm *tm)
{
    char tz[ZONES_NAME_BYTES + 2];
    int good;

    if (zone) {
        snprintf(tz, sizeof tz, ":%s", zone);
        setenv("TZ", strcmp(zone, "UTC") == 0 ? "UTC0" : tz, 1);
    }
    tzset();
    good = localtime_r(&now, tm) != NULL;
    if (zone && machine_has_tz)
        setenv("TZ", machine_tz, 1);
    else if (zone)
        unsetenv("TZ");
    tzset();
    return good;
}

static const char *
weekday(const struct tm *tm)
{
    /* not strftime: the model expects English whatever the locale */
    static const char *const names[] = {"Sunday",    "Monday",   "Tuesday",
                                        "Wednesday", "Thursday", "Friday",
                                        "Saturday"};

    return names[tm->tm_wday % 7];
}

static cJSON *
time_json(const struct tm *tm, const char *zone)
{
    cJSON *output = cJSON_CreateObject();
    char text[160], hour[16], date[32], offset[32];
    long offset_min = tm->tm_gmtoff / 60;

    strftime(hour, sizeof hour, "%H:%M", tm);
    strftime(date, sizeof date, "%Y-%m-%d", tm);
    snprintf(offset, sizeof offset, "%c%02ld:%02ld", offset_min < 0 ? '-' : '+',
             labs(offset_min) / 60, labs(offset_min) % 60);
    snprintf(text, sizeof text, "It is %s on %s, %s.", hour, weekday(tm), date);
    cJSON_AddStringToObject(output, "text", text);
    cJSON_AddStringToObject(output, "time", hour);
    cJSON_AddStringToObject(output, "date", date);
    cJSON_AddStringToObject(output, "weekday", weekday(tm));
    cJSON_AddStringToObject(output, "zone", zone);
    cJSON_AddStringToObject(output, "utc_offset", offset);
    cJSON_AddBoolToObject(output, "daylight_saving", tm->tm_isdst > 0);
    return output;
}

static void
reply_unknown(const struct voxring_call *call, const char *zone)
{
    char shown[68], near[ZONES_NAME_BYTES];

    reply_cut(shown, sizeof shown, zone);
    zones_nearest(zone, near);
    if (near[0])
        reply_error(host, call->token,
                    "There is no time zone named \"%s\" on this machine; did "
                    "you mean %s?",
                    shown, near);
    else
        reply_error(host, call->token,
                    "There is no time zone named \"%s\" on this machine; use "
                    "an IANA name such as Europe/Rome or UTC",
                    shown);
}

static void
clock_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(input, "zone");
    const char *asked = home_zone[0] ? home_zone : NULL;
    char name[ZONES_NAME_BYTES];
    struct tm tm;

    if (cJSON_IsString(item) && item->valuestring[0])
        asked = item->valuestring;
    if (asked && !zones_exist(asked)) {
        reply_unknown(call, asked);
    } else if (!local_time(asked, time(NULL), &tm)) {
        reply_error(host, call->token, "The clock of this machine is wrong");
    } else {
        if (asked)
            snprintf(name, sizeof name, "%s", asked);
        else
            machine_zone(name, sizeof name);
        reply_object(host, call->token, time_json(&tm, name));
    }
    cJSON_Delete(input);
}

static int
clock_init(const struct voxring_host *h, const char *config_json, char *why,
           size_t why_bytes)
{
    cJSON *config = cJSON_Parse(config_json);
    char zone[ZONES_NAME_BYTES] = "(no text)", near[ZONES_NAME_BYTES] = "";
    enum input_found found = input_text(config, "zone", zone, sizeof zone);
    const char *tz = getenv("TZ");
    int good =
        found == INPUT_ABSENT || (found == INPUT_GOOD && zones_exist(zone));

    host = h;
    machine_has_tz = tz != NULL;
    if (tz)
        snprintf(machine_tz, sizeof machine_tz, "%s", tz);
    snprintf(home_zone, sizeof home_zone, "%s",
             good && found == INPUT_GOOD ? zone : "");
    if (!good && found == INPUT_GOOD)
        zones_nearest(zone, near);
    if (!good)
        snprintf(why, why_bytes,
                 "plugins.config.clock.zone \"%.64s\" is no time zone of this "
                 "machine; use an IANA name such as %s (package tzdata)",
                 zone, near[0] ? near : "Europe/Rome");
    cJSON_Delete(config);
    return good ? 0 : -1;
}

static const struct voxring_tool tools[] = {{
    .name = "clock",
    .description = "Tells the current time, date and weekday, here or in "
                   "another time zone, and whether it has daylight saving "
                   "time now. Use it whenever the time or the day "
                   "matters; you do not know them yourself.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"zone\":{\"type\":\"string\",\"description\":\"IANA time zone, for "
        "example Europe/Rome; leave it out for the local time\"}}}",
    .mode = VOXRING_SYNC,
    .threading = VOXRING_SERIAL,
    .timeout_ms = 5000,
    .call = clock_call,
}};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "clock",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = clock_init,
};
