/* Figures as one would say them aloud. */
#ifndef TOOLS_PLUGINS_SHARED_PHRASE_H
#define TOOLS_PLUGINS_SHARED_PHRASE_H

#include <stddef.h>

/* Bytes that any phrase of this file fits in. */
#define PHRASE_BYTES 64

/* "1 hour and 5 minutes": the two largest units that say something; below a
 * minute with at most one decimal. Negative and not finite count as 0. [any] */
void phrase_duration(char *out, size_t size, double seconds);

/* "3.2 gigabytes" (powers of 1000, as on a disk's label). [any] */
void phrase_size(char *out, size_t size, double bytes);

#endif
