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

#include "tools/voxring_tool.h"

#define ZONE_BYTES 128
#define ZONEINFO "/usr/share/zoneinfo"

static const struct voxring_host *host;
static char home_zone[ZONE_BYTES]; /* "" is the machine's own */
static char machine_tz[PATH_MAX];  /* its TZ variable */
static int machine_has_tz;

static const char *
zone_folder(void)
{
    const char *folder = getenv("TZDIR");

    return folder && folder[0] == '/' ? folder : ZONEINFO;
}

/* Only letters that zones have: no way out of the folder. */
static int
is_zone_name(const char *zone)
{
    size_t n = strlen(zone);

    return n > 0 && n < ZONE_BYTES && zone[0] != '/' && !strstr(zone, "..") &&
           strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "abcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

/* Whether the zone has rules on this machine. libc takes an unknown zone for
 * UTC without a word, which would be a wrong answer. */
static int
zone_exists(const char *zone)
{
    char path[PATH_MAX];
    char magic[4];
    FILE *file;
    int good;

    if (strcmp(zone, "UTC") == 0)
        return 1;
    if (!is_zone_name(zone))
        return 0;
    snprintf(path, sizeof path, "%s/%s", zone_folder(), zone);
    file = fopen(path, "rb");
    if (!file)
        return 0;
    good = fread(magic, 1, sizeof magic, file) == sizeof magic &&
           memcmp(magic, "TZif", sizeof magic) == 0;
    fclose(file);
    return good;
}

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
        snprintf(zone, size, "%.*s", ZONE_BYTES - 1, tz[0] ? tz : "UTC");
        return;
    }
    if (n < 0)
        return;
    target[n] = '\0';
    name = strstr(target, "zoneinfo/");
    if (name)
        snprintf(zone, size, "%.*s", ZONE_BYTES - 1,
                 name + strlen("zoneinfo/"));
}

/* This process belongs to this plugin and the tool is serial, so for the
 * length of a call TZ may be another. */
static int
local_time(const char *zone, time_t now, struct tm *tm)
{
    char tz[ZONE_BYTES + 2];
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

static char *
time_json(const struct tm *tm, const char *zone)
{
    cJSON *output = cJSON_CreateObject();
    char text[64];
    long offset_min = tm->tm_gmtoff / 60;
    char *json;

    strftime(text, sizeof text, "%H:%M", tm);
    cJSON_AddStringToObject(output, "time", text);
    strftime(text, sizeof text, "%Y-%m-%d", tm);
    cJSON_AddStringToObject(output, "date", text);
    cJSON_AddStringToObject(output, "weekday", weekday(tm));
    cJSON_AddStringToObject(output, "zone", zone);
    snprintf(text, sizeof text, "%c%02ld:%02ld", offset_min < 0 ? '-' : '+',
             labs(offset_min) / 60, labs(offset_min) % 60);
    cJSON_AddStringToObject(output, "utc_offset", text);
    json = cJSON_PrintUnformatted(output);
    cJSON_Delete(output);
    return json;
}

static void
fail(const struct voxring_call *call, const char *zone)
{
    cJSON *output = cJSON_CreateObject();
    char text[256];
    char *json;

    snprintf(text, sizeof text,
             "There is no time zone named \"%.64s\" on this machine; use an "
             "IANA name such as Europe/Rome or UTC",
             zone);
    cJSON_AddStringToObject(output, "error", text);
    json = cJSON_PrintUnformatted(output);
    host->complete(call->token, VOXRING_ERROR, json);
    cJSON_free(json);
    cJSON_Delete(output);
}

static void
clock_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(input, "zone");
    const char *asked = home_zone[0] ? home_zone : NULL;
    char name[ZONE_BYTES];
    struct tm tm;

    if (cJSON_IsString(item) && item->valuestring[0])
        asked = item->valuestring;
    if (asked && !zone_exists(asked)) {
        fail(call, asked);
    } else if (!local_time(asked, time(NULL), &tm)) {
        host->complete(call->token, VOXRING_ERROR,
                       "{\"error\":\"The clock of this machine is wrong\"}");
    } else {
        char *json;
        if (asked)
            snprintf(name, sizeof name, "%s", asked);
        else
            machine_zone(name, sizeof name);
        json = time_json(&tm, name);
        host->complete(call->token, json ? VOXRING_OK : VOXRING_ERROR, json);
        cJSON_free(json);
    }
    cJSON_Delete(input);
}

static int
clock_init(const struct voxring_host *h, const char *config_json, char *why,
           size_t why_bytes)
{
    cJSON *config = cJSON_Parse(config_json);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, "zone");
    const char *zone = cJSON_IsString(item) ? item->valuestring : NULL;
    const char *tz = getenv("TZ");
    int good = !item || (zone && zone_exists(zone));

    host = h;
    machine_has_tz = tz != NULL;
    if (tz)
        snprintf(machine_tz, sizeof machine_tz, "%s", tz);
    if (zone && good)
        snprintf(home_zone, sizeof home_zone, "%s", zone);
    if (!good)
        snprintf(why, why_bytes,
                 "plugins.config.clock.zone \"%.64s\" is no time zone of this "
                 "machine; use an IANA name such as Europe/Rome (package "
                 "tzdata)",
                 zone ? zone : "(no string)");
    cJSON_Delete(config);
    return good ? 0 : -1;
}

static const struct voxring_tool tools[] = {{
    .name = "clock",
    .description = "Tells the current time, date and weekday, here or in "
                   "another time zone. Use it whenever the time or the day "
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
