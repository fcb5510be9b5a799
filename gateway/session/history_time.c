#include "gateway/session/history_time.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_0_MS (-62167219200000)
#define YEAR_9999_END_MS 253402300799999

void
history_time_text(int64_t time_ms, char text[CLOCK_UTC_BYTES])
{
    if (time_ms < YEAR_0_MS)
        time_ms = YEAR_0_MS;
    if (time_ms > YEAR_9999_END_MS)
        time_ms = YEAR_9999_END_MS;
    int64_t ms = ((time_ms % 1000) + 1000) % 1000;
    time_t s = (time_t)((time_ms - ms) / 1000);
    struct tm t;
    char year[24];
    gmtime_r(&s, &t);
    snprintf(year, sizeof year, "%04d", t.tm_year + 1900);
    memcpy(text, year, 4);
    size_t n =
        4 + strftime(text + 4, CLOCK_UTC_BYTES - 4, "-%m-%dT%H:%M:%S", &t);
    snprintf(text + n, CLOCK_UTC_BYTES - n, ".%03dZ", (int)ms);
}

/* `count` digits at `*text`, which goes behind them; -1 if there are fewer. */
static int
digits(const char **text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool
is(const char **text, const char *any)
{
    if (!**text || !strchr(any, **text))
        return false;
    ++*text;
    return true;
}

static bool
date_and_time(const char **at, struct tm *t)
{
    t->tm_year = digits(at, 4) - 1900;
    if (t->tm_year < -1900 || !is(at, "-"))
        return false;
    t->tm_mon = digits(at, 2) - 1;
    if (!is(at, "-"))
        return false;
    t->tm_mday = digits(at, 2);
    if (!is(at, "Tt "))
        return false;
    t->tm_hour = digits(at, 2);
    if (!is(at, ":"))
        return false;
    t->tm_min = digits(at, 2);
    if (!is(at, ":"))
        return false;
    t->tm_sec = digits(at, 2);
    return t->tm_mon >= 0 && t->tm_mon < 12 && t->tm_mday >= 1 &&
           t->tm_mday <= 31 && t->tm_hour >= 0 && t->tm_hour < 24 &&
           t->tm_min >= 0 && t->tm_min < 60 && t->tm_sec >= 0 &&
           t->tm_sec <= 60;
}

/* Milliseconds of ".123456"; digits beyond the third are let go. */
static bool
fraction(const char **at, int64_t *ms)
{
    int64_t unit = 100;
    *ms = 0;
    if (!is(at, "."))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
        *ms += (**at - '0') * unit;
    return true;
}

static bool
zone(const char **at, int64_t *offset_s)
{
    bool west = **at == '-';
    *offset_s = 0;
    if (is(at, "Zz"))
        return true;
    if (!is(at, "+-"))
        return false;
    int hours = digits(at, 2);
    if (!is(at, ":"))
        return false;
    int minutes = digits(at, 2);
    *offset_s = (west ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

bool
history_time_parse(const char *text, int64_t *time_ms)
{
    struct tm t = {0};
    int64_t ms, offset_s;
    if (!date_and_time(&text, &t) || !fraction(&text, &ms) ||
        !zone(&text, &offset_s) || *text)
        return false;
    *time_ms = ((int64_t)timegm(&t) - offset_s) * 1000 + ms;
    return true;
}
