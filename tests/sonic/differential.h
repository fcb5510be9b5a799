/* The scanner for audio against the way through cJSON: same text, same events,
 * same problems. */
#ifndef TESTS_SONIC_DIFFERENTIAL_H
#define TESTS_SONIC_DIFFERENTIAL_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes the text both ways with fresh decoders. Prints and returns false if
 * they differ. `scanned` (may be NULL) tells whether the scanner took it. */
bool differential_check(const char *json, size_t bytes, bool *scanned);

#endif
