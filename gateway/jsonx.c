#include "gateway/jsonx.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */
#define NUMBER_BYTES_MAX 63          /* all that cJSON reads of one */

/* ---- reading ---- */

static const cJSON *
member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *
jsonx_text(const cJSON *object, const char *key, const char *fallback)
{
    const cJSON *item = member(object, key);
    return cJSON_IsString(item) ? item->valuestring : fallback;
}

static bool
whole(const cJSON *item)
{
    return cJSON_IsNumber(item) && fabs(item->valuedouble) <= WHOLE_MAX &&
           floor(item->valuedouble) == item->valuedouble;
}

int64_t
jsonx_int(const cJSON *object, const char *key, int64_t fallback)
{
    const cJSON *item = member(object, key);
    return whole(item) ? (int64_t)item->valuedouble : fallback;
}

double
jsonx_number(const cJSON *object, const char *key, double fallback)
{
    const cJSON *item = member(object, key);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble)
               ? item->valuedouble
               : fallback;
}

bool
jsonx_bool(const cJSON *object, const char *key, bool fallback)
{
    const cJSON *item = member(object, key);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

static bool
decimal(const char *text, uint64_t *value)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)(unsigned char)*text - '0';
        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

bool
jsonx_u64(const cJSON *object, const char *key, uint64_t *value)
{
    const cJSON *item = member(object, key);
    if (cJSON_IsString(item))
        return decimal(item->valuestring, value);
    if (!whole(item) || item->valuedouble < 0)
        return false;
    *value = (uint64_t)item->valuedouble;
    return true;
}

/* ---- writing ---- */

bool
jsonx_put(cJSON *parent, const char *key, cJSON *item)
{
    bool added = item && (key ? cJSON_AddItemToObject(parent, key, item)
                              : cJSON_AddItemToArray(parent, item));
    if (!added)
        cJSON_Delete(item);
    return added;
}

void
jsonx_add_u64(cJSON *object, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    cJSON_AddStringToObject(object, key, text);
}

void
jsonx_add_text(cJSON *object, const char *key, const char *text)
{
    if (!object || !text)
        return;
    char *clean = jsonx_utf8(text);
    if (clean)
        cJSON_AddStringToObject(object, key, clean);
    free(clean);
}

/* ---- UTF-8 ---- */

size_t
jsonx_utf8_bytes(const char *text, size_t text_bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n == 1)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > text_bytes)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong =
        (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

char *
jsonx_utf8(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t left = strlen(text);
    char *clean = malloc(left * 3 + 1);
    size_t at = 0;
    if (!clean)
        return NULL;
    while (left) {
        size_t n = jsonx_utf8_bytes(text, left);
        memcpy(clean + at, n ? text : replacement, n ? n : 3);
        at += n ? n : 3;
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    clean[at] = '\0';
    return clean;
}

/* ---- parsing ---- */

/* One character inside a text; `*bytes` gets its size. */
static const char *
flaw_in_text(const char *s, size_t left, size_t *bytes)
{
    *bytes = jsonx_utf8_bytes(s, left);
    if (!*bytes)
        return "a byte is no UTF-8";
    if (*s == '\n' || *s == '\r')
        return "a text holds a raw line break; write \\n, and close the text "
               "with \"";
    if ((unsigned char)*s < 0x20)
        return "a text holds a raw control character; write it as \\uXXXX";
    if (*s == '\\' && left >= 6 && !memcmp(s, "\\u0000", 6))
        return "a text holds \\u0000, which no text here may";
    if (*s == '\\' && left >= 2 && (unsigned char)s[1] >= 0x20 &&
        (unsigned char)s[1] < 0x80)
        *bytes = 2;
    return NULL;
}

/* A number, which cJSON would make infinite, and then print as null, when it is
 * too large. `*bytes` gets its size. */
static const char *
flaw_in_number(const char *s, size_t left, size_t *bytes)
{
    char number[NUMBER_BYTES_MAX + 1];
    size_t n = 0;
    while (n < left && s[n] && strchr("+-.0123456789eE", s[n]))
        n++;
    *bytes = n;
    if (n > NUMBER_BYTES_MAX)
        return "a number has too many digits";
    memcpy(number, s, n);
    number[n] = '\0';
    return isfinite(strtod(number, NULL)) ? NULL : "a number is too large";
}

static const char *
flaw_outside(const char *s, size_t left, size_t *depth, size_t *bytes)
{
    *bytes = jsonx_utf8_bytes(s, left);
    if (!*bytes)
        return "a byte is no UTF-8";
    if ((unsigned char)*s < 0x20 && *s != '\n' && *s != '\r' && *s != '\t')
        return "a control character stands outside any text";
    if ((*s == '{' || *s == '[') && ++*depth > JSONX_DEPTH_MAX)
        return "it is nested too deeply";
    if ((*s == '}' || *s == ']') && *depth)
        --*depth;
    if (*s == '-' || (*s >= '0' && *s <= '9'))
        return flaw_in_number(s, left, bytes);
    return NULL;
}

const char *
jsonx_flaw(const char *text, size_t text_bytes, size_t *offset)
{
    bool inside = false;
    size_t depth = 0;
    size_t n;
    for (size_t i = 0; i < text_bytes; i += n) {
        const char *flaw;
        if (inside)
            flaw = flaw_in_text(text + i, text_bytes - i, &n);
        else
            flaw = flaw_outside(text + i, text_bytes - i, &depth, &n);
        if (flaw) {
            *offset = i;
            return flaw;
        }
        inside ^= text[i] == '"';
    }
    return NULL;
}

cJSON *
jsonx_parse(const char *text, size_t text_bytes, size_t *offset,
            const char **flaw)
{
    size_t at = 0;
    const char *wrong = jsonx_flaw(text, text_bytes, &at);
    const char *end = NULL;
    cJSON *json = NULL;
    if (!wrong) {
        json = cJSON_ParseWithLengthOpts(text, text_bytes, &end, 0);
        at = end && end >= text ? (size_t)(end - text) : 0;
        if (!json)
            wrong = "this is no JSON";
    }
    while (json && at < text_bytes && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    if (json && at < text_bytes) {
        wrong = "something stands behind the end of the document";
        cJSON_Delete(json);
        json = NULL;
    }
    if (offset)
        *offset = at < text_bytes ? at : text_bytes;
    if (flaw)
        *flaw = wrong;
    return json;
}
