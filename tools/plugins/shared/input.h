/* Members of a call's input, or of a plugin's config, read with their bounds.
 *
 * The host checks a schema's type, required and enum; ranges, lengths and what
 * a number may be are the plugin's own to check. */
#ifndef TOOLS_PLUGINS_SHARED_INPUT_H
#define TOOLS_PLUGINS_SHARED_INPUT_H

#include <stddef.h>

#include <cjson/cJSON.h>

enum input_found {
    INPUT_ABSENT = 0, /* not there, or null */
    INPUT_GOOD = 1,
    INPUT_BAD = -1 /* there, but not what was asked for */
};

/* A finite number from `least` to `most` into *value, which stays as it was
 * if it is absent or bad. [any] */
enum input_found input_number(const cJSON *object, const char *name,
                              double least, double most, double *value);

/* A text of less than `size` bytes into `out`, which stays as it was if it is
 * absent or bad; spaces around it are taken off, and a text that is empty then
 * counts as absent. [any] */
enum input_found input_text(const cJSON *object, const char *name, char *out,
                            size_t size);

#endif
