#include "gateway/clock.h"

#include <stdio.h>

void
clock_utc_text(char text[CLOCK_UTC_BYTES])
{
    int64_t ms = clock_wall_ms();
    time_t s = (time_t)(ms / 1000);
    struct tm t;
    gmtime_r(&s, &t);
    size_t n = strftime(text, CLOCK_UTC_BYTES, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(text + n, CLOCK_UTC_BYTES - n, ".%03dZ", (int)(ms % 1000));
}
