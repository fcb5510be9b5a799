#include "gateway/local/jsontext.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char *
after_string(char *p)
{
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return *p == '"' ? p + 1 : p;
}

static char *
blank(char *p, char *end)
{
    for (; p < end; p++) {
        if (*p != '\n')
            *p = ' ';
    }
    return end;
}

static char *
blank_comment(char *p)
{
    char *end;

    if (p[1] == '/')
        return blank(p, p + strcspn(p, "\n"));
    end = strstr(p + 2, "*/");
    return end == NULL ? NULL : blank(p, end + 2);
}

bool
jsontext_strip(char *text)
{
    char *comma = NULL;
    char *p = text;

    while (*p != '\0') {
        if (*p == '/' && (p[1] == '/' || p[1] == '*')) {
            p = blank_comment(p);
            if (p == NULL)
                return false;
            continue;
        }
        if ((*p == '}' || *p == ']') && comma != NULL)
            *comma = ' ';
        if (*p == ',')
            comma = p;
        else if (!is_space(*p))
            comma = NULL;
        p = *p == '"' ? after_string(p) : p + 1;
    }
    return true;
}

int
jsontext_line_at(const char *text, const char *at)
{
    int line = 1;

    for (; text < at && *text != '\0'; text++)
        line += *text == '\n';
    return line;
}

static const char *
skip_space(const char *p)
{
    while (is_space(*p))
        p++;
    return p;
}

/* Past a value of valid JSON. */
static const char *
skip_value(const char *p)
{
    int depth = 0;

    p = skip_space(p);
    while (*p != '\0') {
        if (*p == '"') {
            p = after_string((char *)(uintptr_t)p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p;
            depth--;
            p++;
        } else if (*p == ',' && depth == 0) {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0)
            return p;
    }
    return p;
}

static const char *
enter_member(const char *p, const char *key, size_t key_length)
{
    if (*p != '{')
        return NULL;
    p = skip_space(p + 1);
    while (*p == '"') {
        const char *end = after_string((char *)(uintptr_t)p);
        bool found = (size_t)(end - p) == key_length + 2 &&
                     memcmp(p + 1, key, key_length) == 0;

        p = skip_space(end);
        p = skip_space(*p == ':' ? p + 1 : p);
        if (found)
            return p;
        p = skip_space(skip_value(p));
        p = skip_space(*p == ',' ? p + 1 : p);
    }
    return NULL;
}

static const char *
enter_element(const char *p, long index)
{
    if (*p != '[')
        return NULL;
    p = skip_space(p + 1);
    while (*p != '\0' && *p != ']') {
        if (index-- == 0)
            return p;
        p = skip_space(skip_value(p));
        if (*p != ',')
            return NULL;
        p = skip_space(p + 1);
    }
    return NULL;
}

int
jsontext_line_of(const char *text, const char *path)
{
    const char *at = skip_space(text);

    while (*path != '\0') {
        const char *next;

        if (*path == '[') {
            char *end;
            long index = strtol(path + 1, &end, 10);

            next = enter_element(at, index);
            path = *end == ']' ? end + 1 : "";
        } else {
            size_t length;

            path += *path == '.';
            length = strcspn(path, ".[");
            next = enter_member(at, path, length);
            path += length;
        }
        if (next == NULL)
            break;
        at = next;
    }
    return jsontext_line_at(text, at);
}

/* Bytes of the sequence that starts at p, 0 when it is not well formed. */
static size_t
sequence_bytes(const unsigned char *p, size_t left)
{
    unsigned low = 0x80, high = 0xbf;
    size_t n;

    if (p[0] < 0x80)
        return 1;
    n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool
jsontext_is_utf8(const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;

    while (bytes > 0) {
        size_t n = sequence_bytes(p, bytes);

        if (n == 0)
            return false;
        p += n;
        bytes -= n;
    }
    return true;
}
