#include "tools/plugins/shared/phrase.h"

#include <math.h>
#include <stdio.h>

#define LONGEST_S 1e12

struct unit {
    const char *name;
    double seconds;
};

static const struct unit units[] = {
    {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
#define UNITS (sizeof units / sizeof units[0])

static void
put_count(char *out, size_t size, double count, const char *name)
{
    snprintf(out, size, "%.0f %s%s", count, name,
             fabs(count - 1) < 0.5 ? "" : "s");
}

/* Below a minute, where a tenth may matter. */
static void
put_seconds(char *out, size_t size, double seconds)
{
    double tenths = floor(seconds * 10 + 0.5);

    if (fmod(tenths, 10) < 0.5)
        put_count(out, size, tenths / 10, "second");
    else
        snprintf(out, size, "%.1f seconds", tenths / 10);
}

void
phrase_duration(char *out, size_t size, double seconds)
{
    char first[PHRASE_BYTES / 2], second[PHRASE_BYTES / 2];
    double rest;
    size_t i = 0;

    if (!isfinite(seconds) || seconds < 0)
        seconds = 0;
    seconds = fmin(seconds, LONGEST_S);
    if (seconds < 59.95) {
        put_seconds(out, size, seconds);
        return;
    }
    seconds = floor(seconds + 0.5);
    while (i < UNITS - 2 && seconds < units[i].seconds)
        i++;
    /* a count of the unit below the first, so that none says "60 minutes" */
    rest = floor(fmod(seconds, units[i].seconds) / units[i + 1].seconds);
    put_count(first, sizeof first, floor(seconds / units[i].seconds),
              units[i].name);
    put_count(second, sizeof second, rest, units[i + 1].name);
    if (rest < 0.5)
        snprintf(out, size, "%s", first);
    else
        snprintf(out, size, "%s and %s", first, second);
}

void
phrase_size(char *out, size_t size, double bytes)
{
    static const char *const names[] = {"bytes", "kilobytes", "megabytes",
                                        "gigabytes", "terabytes"};
    size_t i = 0;

    if (!isfinite(bytes) || bytes < 0)
        bytes = 0;
    while (bytes >= 999.5 && i < 4) {
        bytes /= 1000;
        i++;
    }
    bytes = fmin(bytes, 1e9);
    snprintf(out, size, i > 0 && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes,
             names[i]);
}
