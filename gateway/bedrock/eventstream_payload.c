#include "gateway/bedrock/eventstream.h"

#include <string.h>

#include "gateway/base64.h"
#include "gateway/bedrock/text.h"

#define DEPTH_MAX 64

/* What is left of the JSON text. */
struct cursor {
    const uint8_t *at, *end;
};

/* What stands between a string's quotes. */
struct span {
    const uint8_t *at;
    size_t bytes;
    bool escaped; /* it has backslashes */
};

static void
skip_space(struct cursor *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' ||
                                    *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

/* Takes white space and then `c`, or nothing but the white space. */
static bool
take(struct cursor *json, char c)
{
    skip_space(json);
    if (json->at == json->end || *json->at != (uint8_t)c)
        return false;
    json->at++;
    return true;
}

/* ---- strings ---- */

/* The code unit of four hex digits at `at`, -1 if they are none. */
static long
code_unit(const uint8_t *at, const uint8_t *end)
{
    long unit = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = text_hex_value((char)at[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Checks the escape after a backslash and moves past it. */
static bool
skip_escape(struct cursor *json)
{
    if (json->at == json->end)
        return false;
    if (*json->at == 'u') {
        if (code_unit(json->at + 1, json->end) < 0)
            return false;
        json->at += 5;
        return true;
    }
    if (*json->at == 0 || !strchr("\"\\/bfnrt", *json->at))
        return false;
    json->at++;
    return true;
}

static bool
take_string(struct cursor *json, struct span *string)
{
    if (!take(json, '"'))
        return false;
    string->at = json->at;
    string->escaped = false;
    while (json->at < json->end && *json->at != '"') {
        if (*json->at < ' ')
            return false;
        if (*json->at++ == '\\') {
            string->escaped = true;
            if (!skip_escape(json))
                return false;
        }
    }
    string->bytes = (size_t)(json->at - string->at);
    return take(json, '"');
}

/* ---- values that are skipped ---- */

static bool
skip_digits(struct cursor *json)
{
    const uint8_t *start = json->at;

    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > start;
}

static bool
next_is(const struct cursor *json, const char *any)
{
    return json->at < json->end && *json->at && strchr(any, *json->at);
}

static bool
skip_number(struct cursor *json)
{
    if (next_is(json, "-"))
        json->at++;
    if (next_is(json, "0"))
        json->at++;
    else if (!skip_digits(json))
        return false;
    if (next_is(json, ".")) {
        json->at++;
        if (!skip_digits(json))
            return false;
    }
    if (next_is(json, "eE")) {
        json->at++;
        if (next_is(json, "+-"))
            json->at++;
        return skip_digits(json);
    }
    return true;
}

static bool
skip_word(struct cursor *json, const char *word)
{
    size_t bytes = strlen(word);

    if ((size_t)(json->end - json->at) < bytes ||
        memcmp(json->at, word, bytes) != 0)
        return false;
    json->at += bytes;
    return true;
}

static bool
skip_scalar(struct cursor *json)
{
    struct span string;

    skip_space(json);
    if (next_is(json, "\""))
        return take_string(json, &string);
    return next_is(json, "t")   ? skip_word(json, "true")
           : next_is(json, "f") ? skip_word(json, "false")
           : next_is(json, "n") ? skip_word(json, "null")
                                : skip_number(json);
}

/* The objects and arrays around the place that is read; bit i of `objects`
 * says whether the one at depth i is an object. */
struct nesting {
    uint64_t objects;
    int depth;
};

static bool
enter(struct nesting *nesting, bool object)
{
    if (nesting->depth == DEPTH_MAX)
        return false;
    nesting->objects = (nesting->objects & ~(1ull << nesting->depth)) |
                       (uint64_t)object << nesting->depth;
    nesting->depth++;
    return true;
}

static bool
in_object(const struct nesting *nesting)
{
    return nesting->objects >> (nesting->depth - 1) & 1;
}

static bool
skip_key(struct cursor *json)
{
    struct span key;

    return take_string(json, &key) && take(json, ':');
}

/* After a value: leaves what ends here; `*more` when a value must follow. */
static bool
skip_after(struct cursor *json, struct nesting *nesting, bool *more)
{
    *more = false;
    while (nesting->depth) {
        if (take(json, ',')) {
            *more = true;
            return !in_object(nesting) || skip_key(json);
        }
        if (!take(json, in_object(nesting) ? '}' : ']'))
            return false;
        nesting->depth--;
    }
    return true;
}

/* Moves past one value of any type, without recursion. */
static bool
skip_value(struct cursor *json)
{
    struct nesting nesting = {0};
    bool more = true;

    while (more) {
        bool object = take(json, '{');

        if (object || take(json, '[')) {
            if (!enter(&nesting, object))
                return false;
            if (take(json, object ? '}' : ']'))
                nesting.depth--;
            else if (object ? !skip_key(json) : false)
                return false;
            else
                continue;
        } else if (!skip_scalar(json)) {
            return false;
        }
        if (!skip_after(json, &nesting, &more))
            return false;
    }
    return true;
}

/* ---- the payload ---- */

/* Undoes escapes, of which base64 can only have '/' and code units below
 * 0x80; -1 for any other. */
static long
unescape(const struct span *string, uint8_t *out)
{
    const uint8_t *at = string->at, *end = at + string->bytes;
    long count = 0;

    while (at < end) {
        long c = *at++;

        if (c == '\\') {
            c = *at++;
            if (c == 'u') {
                c = code_unit(at, end);
                at += 4;
            } else if (c != '/') {
                return -1;
            }
        }
        if (c < 0 || c > 127)
            return -1;
        out[count++] = (uint8_t)c;
    }
    return count;
}

static long
decode_string(const struct span *string, uint8_t *out)
{
    long chars;

    if (!string->escaped)
        return base64_decode((const char *)string->at, string->bytes, out);
    chars = unescape(string, out);
    if (chars < 0)
        return -1;
    return base64_decode((const char *)out, (size_t)chars, out);
}

static bool
is_bytes(const struct span *key)
{
    return key->bytes == 5 && !memcmp(key->at, "bytes", 5);
}

/* One member; the last "bytes" counts, as with other JSON parsers. */
static bool
take_member(struct cursor *json, uint8_t *out, long *event_bytes)
{
    struct span key, value;

    if (!take_string(json, &key) || !take(json, ':'))
        return false;
    if (!is_bytes(&key))
        return skip_value(json);
    if (!take_string(json, &value))
        return false;
    *event_bytes = decode_string(&value, out);
    return *event_bytes >= 0;
}

long
eventstream_payload_decode(const uint8_t *payload, size_t payload_bytes,
                           uint8_t *out)
{
    struct cursor json = {.at = payload, .end = payload + payload_bytes};
    long event_bytes = -1;

    if (!take(&json, '{'))
        return -1;
    if (take(&json, '}'))
        return -1;
    do {
        if (!take_member(&json, out, &event_bytes))
            return -1;
    } while (take(&json, ','));
    if (!take(&json, '}'))
        return -1;
    skip_space(&json);
    return json.at == json.end ? event_bytes : -1;
}
