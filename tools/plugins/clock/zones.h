/* The time zones of this machine, those of the tzdata package. */
#ifndef TOOLS_PLUGINS_CLOCK_ZONES_H
#define TOOLS_PLUGINS_CLOCK_ZONES_H

#include <stdbool.h>
#include <stddef.h>

/* A zone's name and its NUL. */
#define ZONES_NAME_BYTES 128

/* Whether the zone has rules on this machine. libc takes an unknown zone for
 * UTC without a word, which would be a wrong answer. [any] */
bool zones_exist(const char *zone);

/* The zone that was most likely meant, "" if none is near: the one of that
 * city, whatever its region, or with a letter or two amiss. [any] */
void zones_nearest(const char *wrong, char out[ZONES_NAME_BYTES]);

#endif
