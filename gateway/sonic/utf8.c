#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "gateway/sonic/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define REPLACEMENT_BYTES 3
#define ESCAPE_BYTES 6 /* \uXXXX */

static bool
is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t
sonic_utf8_char(const char *text, size_t bytes)
{
    const uint8_t *p = (const uint8_t *)text;
    if (bytes == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size_t need = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (bytes < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if (!is_tail(p[i]))
            return 0;
    bool overlong =
        (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xED && p[1] > 0x9F;
    bool too_high = p[0] == 0xF4 && p[1] > 0x8F;
    return overlong || surrogate || too_high ? 0 : need;
}

/* Appends if there is somewhere to; counts in any case. */
static void
put(char *out, size_t *at, const char *from, size_t bytes)
{
    if (out)
        memcpy(out + *at, from, bytes);
    *at += bytes;
}

/* One character or one bad byte; returns what it took. */
static size_t
clean_one(const char *text, size_t bytes, char *out, size_t *at)
{
    size_t n = *text ? sonic_utf8_char(text, bytes) : 0;
    if (n == 0) {
        put(out, at, REPLACEMENT, REPLACEMENT_BYTES);
        return 1;
    }
    put(out, at, text, n);
    return n;
}

size_t
sonic_utf8_clean(const char *text, size_t bytes, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < bytes;)
        i += clean_one(text + i, bytes - i, out, &at);
    return at;
}

/* The value of a \uXXXX escape, -1 if there is none here. */
static int
escape_value(const char *p, size_t bytes)
{
    if (bytes < ESCAPE_BYTES || p[0] != '\\' || p[1] != 'u')
        return -1;
    int value = 0;
    for (int i = 2; i < ESCAPE_BYTES; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* What follows a backslash; returns what it took, 0 for "nothing special". */
static size_t
clean_escape(const char *p, size_t bytes, char *out, size_t *at)
{
    int first = escape_value(p, bytes);
    if (first < 0) {
        bool pair = bytes > 1 && (p[1] == '\\' || p[1] == '"');
        if (!pair)
            return 0;
        put(out, at, p, 2);
        return 2;
    }
    if (first >= 0xD800 && first <= 0xDBFF) {
        int second = escape_value(p + ESCAPE_BYTES, bytes - ESCAPE_BYTES);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            put(out, at, p, 2 * ESCAPE_BYTES);
            return 2 * ESCAPE_BYTES;
        }
    }
    bool unusable = first == 0 || (first >= 0xD800 && first <= 0xDFFF);
    put(out, at, unusable ? "\\ufffd" : p, ESCAPE_BYTES);
    return ESCAPE_BYTES;
}

size_t
sonic_utf8_clean_json(const char *json, size_t bytes, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < bytes;) {
        size_t took = 0;
        if (json[i] == '\\')
            took = clean_escape(json + i, bytes - i, out, &at);
        if (took == 0)
            took = clean_one(json + i, bytes - i, out, &at);
        i += took;
    }
    return at;
}

size_t
sonic_utf8_cut(const char *text, size_t bytes, size_t limit)
{
    if (bytes <= limit)
        return bytes;
    while (limit > 0 && is_tail((uint8_t)text[limit]))
        limit--;
    return limit;
}
