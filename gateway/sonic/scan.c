#include <stdint.h>
#include <string.h>

#include "gateway/sonic/scan.h"

/* cJSON reads numbers of up to 63 characters; no sane one comes near. */
#define NUMBER_CHARS_MAX 40

static void
skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' ||
                                    *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

bool
scan_take(struct scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

bool
scan_done(struct scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end;
}

bool
scan_plain_string(struct scan *scan, struct scan_piece *piece)
{
    if (!scan_take(scan, '"'))
        return false;
    piece->text = scan->at;
    for (; scan->at < scan->end; scan->at++) {
        uint8_t c = (uint8_t)*scan->at;
        if (c == '"') {
            piece->bytes = (size_t)(scan->at++ - piece->text);
            return true;
        }
        if (c < 0x20 || c > 0x7E || c == '\\')
            return false;
    }
    return false;
}

bool
scan_raw_string(struct scan *scan, struct scan_piece *piece, bool *escapes)
{
    if (!scan_take(scan, '"') || scan->at == scan->end)
        return false;
    piece->text = scan->at;
    const char *p = memchr(scan->at, '"', (size_t)(scan->end - scan->at));
    if (!p)
        return false;
    const char *slash = memchr(scan->at, '\\', (size_t)(p - scan->at));
    *escapes = slash != NULL;
    for (p = slash ? slash : p; p < scan->end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    if (p >= scan->end)
        return false;
    piece->bytes = (size_t)(p - piece->text);
    scan->at = p + 1;
    return true;
}

static bool
literal(struct scan *scan, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(scan->end - scan->at) < n || memcmp(scan->at, word, n) != 0)
        return false;
    scan->at += n;
    return true;
}

bool
scan_null(struct scan *scan)
{
    skip_space(scan);
    return literal(scan, "null");
}

static bool
is_digit(const struct scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool
digits(struct scan *scan)
{
    if (!is_digit(scan))
        return false;
    while (is_digit(scan))
        scan->at++;
    return true;
}

static bool
one_of(struct scan *scan, const char *set)
{
    if (scan->at == scan->end || *scan->at == '\0' || !strchr(set, *scan->at))
        return false;
    scan->at++;
    return true;
}

static bool
number(struct scan *scan)
{
    const char *start = scan->at;
    one_of(scan, "-");
    if (!one_of(scan, "0") && !digits(scan))
        return false;
    if (one_of(scan, ".") && !digits(scan))
        return false;
    if (one_of(scan, "eE")) {
        one_of(scan, "+-");
        if (!digits(scan))
            return false;
    }
    return scan->at - start <= NUMBER_CHARS_MAX;
}

/* Four hex digits; -1 if they are not. */
static int
hex4(struct scan *scan)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        static const char hex[] = "0123456789abcdef";
        if (scan->at == scan->end || *scan->at == '\0')
            return -1;
        char c = *scan->at++;
        const char *digit = strchr(hex, c >= 'A' && c <= 'F' ? c + 32 : c);
        if (!digit)
            return -1;
        value = value * 16 + (int)(digit - hex);
    }
    return value;
}

/* What follows the backslash. */
static bool
escape(struct scan *scan)
{
    if (one_of(scan, "\"\\/bfnrt"))
        return true;
    if (!one_of(scan, "u"))
        return false;
    int first = hex4(scan);
    if (first <= 0 || (first >= 0xDC00 && first <= 0xDFFF))
        return false;
    if (first < 0xD800 || first > 0xDBFF)
        return true;
    if (!literal(scan, "\\u"))
        return false;
    int second = hex4(scan);
    return second >= 0xDC00 && second <= 0xDFFF;
}

static bool
string(struct scan *scan)
{
    scan->at++;
    while (scan->at < scan->end) {
        uint8_t c = (uint8_t)*scan->at++;
        if (c == '"')
            return true;
        if (c < 0x20 || (c == '\\' && !escape(scan)))
            return false;
    }
    return false;
}

static bool
scalar(struct scan *scan)
{
    if (*scan->at == '"')
        return string(scan);
    return literal(scan, "true") || literal(scan, "false") ||
           literal(scan, "null") || number(scan);
}

/* A member's name and colon, where the container is an object. */
static bool
member_name(struct scan *scan)
{
    skip_space(scan);
    return scan->at < scan->end && *scan->at == '"' && string(scan) &&
           scan_take(scan, ':');
}

bool
scan_skip(struct scan *scan)
{
    char closers[SCAN_DEPTH_MAX];
    size_t depth = 0;
    for (;;) {
        skip_space(scan);
        if (scan->at == scan->end)
            return false;
        char c = *scan->at;
        if (c == '{' || c == '[') {
            if (depth == SCAN_DEPTH_MAX)
                return false;
            scan->at++;
            closers[depth++] = c == '{' ? '}' : ']';
            if (!scan_take(scan, closers[depth - 1])) {
                if (c == '{' && !member_name(scan))
                    return false;
                continue;
            }
            depth--;
        } else if (!scalar(scan)) {
            return false;
        }
        while (depth > 0 && scan_take(scan, closers[depth - 1]))
            depth--;
        if (depth == 0)
            return true;
        if (!scan_take(scan, ','))
            return false;
        if (closers[depth - 1] == '}' && !member_name(scan))
            return false;
    }
}

bool
scan_is_object(const char *text, size_t bytes)
{
    struct scan scan = {text, text + bytes};
    skip_space(&scan);
    return scan.at < scan.end && *scan.at == '{' && scan_skip(&scan) &&
           scan_done(&scan);
}
