/* A strict reader of JSON text that allocates nothing: for audio events, and to
 * know whether a text may be passed on as it is.
 *
 * It says "no" both to what is wrong and to what is merely unusual; the caller
 * then goes the long way through cJSON. */
#ifndef GATEWAY_SONIC_SCAN_H
#define GATEWAY_SONIC_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Deepest nesting that scan_skip() follows. */
#define SCAN_DEPTH_MAX 64

struct scan {
    const char *at;
    const char *end;
};

/* A piece of the text that is read; not NUL-terminated. */
struct scan_piece {
    const char *text;
    size_t bytes;
};

/* Takes white space, then `c` if it is next. [rt] */
bool scan_take(struct scan *scan, char c);

/* Takes white space; true if nothing is left. [rt] */
bool scan_done(struct scan *scan);

/* Takes a string of printable ASCII without escapes. [rt] */
bool scan_plain_string(struct scan *scan, struct scan_piece *piece);

/* Takes any string without looking at its characters; `escapes` tells whether
 * there is a backslash in it. [rt] */
bool scan_raw_string(struct scan *scan, struct scan_piece *piece,
                     bool *escapes);

/* Takes the literal null. [rt] */
bool scan_null(struct scan *scan);

/* Takes one value of any kind. [rt] */
bool scan_skip(struct scan *scan);

/* Whether the text is exactly one valid JSON object. [any] */
bool scan_is_object(const char *text, size_t bytes);

#endif
