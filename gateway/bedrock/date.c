#include "gateway/bedrock/date.h"

#include <stdbool.h>
#include <string.h>

struct date {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second;
};

/* What is still to be read; `wrong` sticks. */
struct reader {
    const char *at, *end;
    bool wrong;
};

static int
take_digits(struct reader *reader, int count)
{
    int number = 0;

    if (reader->end - reader->at < count)
        reader->wrong = true;
    for (int i = 0; i < count && !reader->wrong; i++) {
        int digit = *reader->at++ - '0';

        reader->wrong = digit < 0 || digit > 9;
        number = number * 10 + digit;
    }
    return number;
}

static void
take_text(struct reader *reader, const char *text)
{
    size_t bytes = strlen(text);

    if ((size_t)(reader->end - reader->at) < bytes ||
        memcmp(reader->at, text, bytes) != 0)
        reader->wrong = true;
    else
        reader->at += bytes;
}

/* Whether `c` is next, which is then taken. */
static bool
take_if(struct reader *reader, char c)
{
    if (reader->wrong || reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* The index of the name of three letters that is next. */
static int
take_name(struct reader *reader, const char *names)
{
    for (int i = 0; names[3 * i] && reader->end - reader->at >= 3; i++) {
        if (memcmp(reader->at, names + (size_t)3 * (size_t)i, 3) != 0)
            continue;
        reader->at += 3;
        return i;
    }
    reader->wrong = true;
    return 0;
}

static int
days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool
is_possible(const struct date *date)
{
    return date->year >= 1970 && date->month >= 1 && date->month <= 12 &&
           date->day >= 1 &&
           date->day <= days_of_month(date->year, date->month) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

/* Days since 1970-01-01 of a possible date. */
static int64_t
days_of(const struct date *date)
{
    /* A year that begins in March has its leap day at its end. */
    int64_t year = date->year - (date->month <= 2);
    int64_t month = (date->month + 9) % 12;

    return 365 * year + year / 4 - year / 100 + year / 400 +
           (153 * month + 2) / 5 + date->day - 1 - 719468;
}

static int64_t
seconds_of(const struct date *date)
{
    return days_of(date) * 86400 + date->hour * 3600 + date->minute * 60 +
           date->second;
}

static void
take_time(struct reader *reader, struct date *date)
{
    date->hour = take_digits(reader, 2);
    take_text(reader, ":");
    date->minute = take_digits(reader, 2);
    take_text(reader, ":");
    date->second = take_digits(reader, 2);
}

int64_t
date_http_ms(const char *text, size_t bytes)
{
    struct reader reader = {.at = text, .end = text + bytes};
    struct date date = {0};
    int weekday = take_name(&reader, "SunMonTueWedThuFriSat");

    take_text(&reader, ", ");
    date.day = take_digits(&reader, 2);
    take_text(&reader, " ");
    date.month = take_name(&reader, "JanFebMarAprMayJunJulAugSepOctNovDec") + 1;
    take_text(&reader, " ");
    date.year = take_digits(&reader, 4);
    take_text(&reader, " ");
    take_time(&reader, &date);
    take_text(&reader, " GMT");
    if (reader.wrong || reader.at != reader.end || !is_possible(&date))
        return 0;
    /* 1970-01-01 was a Thursday. */
    if ((days_of(&date) + 4) % 7 != weekday)
        return 0;
    return seconds_of(&date) * 1000;
}

static int
take_fraction_ms(struct reader *reader)
{
    int ms = 0, unit = 100;

    if (!take_if(reader, '.'))
        return 0;
    do {
        ms += take_digits(reader, 1) * unit;
        unit /= 10;
    } while (!reader->wrong && reader->at < reader->end && *reader->at >= '0' &&
             *reader->at <= '9');
    return ms;
}

/* Seconds that the zone is ahead of UTC. */
static int
take_zone_s(struct reader *reader)
{
    int sign = take_if(reader, '+') ? 1 : take_if(reader, '-') ? -1 : 0;
    int hours, minutes;

    if (!sign) {
        take_text(reader, "Z");
        return 0;
    }
    hours = take_digits(reader, 2);
    (void)take_if(reader, ':');
    minutes = take_digits(reader, 2);
    reader->wrong |= hours > 23 || minutes > 59;
    return sign * (hours * 3600 + minutes * 60);
}

int64_t
date_iso_ms(const char *text)
{
    struct reader reader = {.at = text, .end = text + strlen(text)};
    struct date date = {0};

    date.year = take_digits(&reader, 4);
    take_text(&reader, "-");
    date.month = take_digits(&reader, 2);
    take_text(&reader, "-");
    date.day = take_digits(&reader, 2);
    if (!take_if(&reader, ' '))
        take_text(&reader, "T");
    take_time(&reader, &date);
    int ms = take_fraction_ms(&reader);
    int zone_s = take_zone_s(&reader);
    if (reader.wrong || reader.at != reader.end || !is_possible(&date))
        return 0;
    return (seconds_of(&date) - zone_s) * 1000 + ms;
}
