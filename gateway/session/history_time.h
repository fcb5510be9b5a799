/* Time of day in documents that are kept: RFC 3339 in UTC. */
#ifndef GATEWAY_SESSION_HISTORY_TIME_H
#define GATEWAY_SESSION_HISTORY_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/clock.h"

/* Milliseconds since 1970 as "2026-01-01T00:00:00.000Z" and a NUL; the nearest
 * time that has four digits for the year, if it has none. [any] */
void history_time_text(int64_t time_ms, char text[CLOCK_UTC_BYTES]);

/* Reads what history_time_text() writes, with or without a fraction of the
 * second, UTC or with an offset ("+01:00"). False, and `*time_ms` untouched, if
 * it is none. [any] */
bool history_time_parse(const char *text, int64_t *time_ms);

#endif
