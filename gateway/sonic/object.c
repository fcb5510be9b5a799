#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/object.h"
#include "gateway/sonic/scan.h"
#include "gateway/sonic/utf8.h"

/* How often a text may be wrapped in a text before we stop looking. */
#define WRAPPINGS_MAX 4

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

cJSON *
sonic_object_parse(const char *json, size_t bytes)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(json, bytes, &end, 0);
    if (!root)
        return NULL;
    while (end < json + bytes && is_space(*end))
        end++;
    if (end == json + bytes)
        return root;
    cJSON_Delete(root);
    return NULL;
}

/* Valid UTF-8, NUL-terminated. */
static char *
clean_copy(const char *text, size_t bytes)
{
    size_t clean_bytes = sonic_utf8_clean(text, bytes, NULL);
    char *copy = malloc(clean_bytes + 1);
    if (!copy)
        return NULL;
    sonic_utf8_clean(text, bytes, copy);
    copy[clean_bytes] = '\0';
    return copy;
}

/* Takes `value`; {"key":value} as text. */
static char *
wrap(const char *key, cJSON *value)
{
    cJSON *object = cJSON_CreateObject();
    if (!object || !value || !cJSON_AddItemToObject(object, key, value)) {
        cJSON_Delete(object);
        cJSON_Delete(value);
        return NULL;
    }
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

/* Takes `value`; its own text if it is an object. */
static char *
object_or_wrap(const char *key, cJSON *value)
{
    if (!cJSON_IsObject(value))
        return wrap(key, value);
    char *text = cJSON_PrintUnformatted(value);
    cJSON_Delete(value);
    return text;
}

/* Parses after making escapes safe; NULL if it is no JSON (or no memory). */
static cJSON *
parse_clean(const char *text, size_t bytes)
{
    size_t clean_bytes = sonic_utf8_clean_json(text, bytes, NULL);
    char *copy = malloc(clean_bytes + 1);
    if (!copy)
        return NULL;
    sonic_utf8_clean_json(text, bytes, copy);
    copy[clean_bytes] = '\0';
    cJSON *value = sonic_object_parse(copy, clean_bytes);
    free(copy);
    return value;
}

static bool
is_blank(const char *text)
{
    while (is_space(*text))
        text++;
    return *text == '\0';
}

/* Takes `value`, which is not an object. */
static char *
odd_arguments(cJSON *value, bool *clean)
{
    if (cJSON_IsNull(value)) {
        cJSON_Delete(value);
        return strdup("{}");
    }
    *clean = false;
    return wrap("input", value);
}

static char *
arguments_of_text(const char *text, int wrappings, bool *clean)
{
    if (is_blank(text))
        return strdup("{}");
    if (scan_is_object(text, strlen(text)))
        return strdup(text);
    cJSON *value = parse_clean(text, strlen(text));
    if (cJSON_IsObject(value))
        return object_or_wrap("input", value);
    if (cJSON_IsString(value) && wrappings < WRAPPINGS_MAX) {
        char *inner =
            arguments_of_text(value->valuestring, wrappings + 1, clean);
        cJSON_Delete(value);
        return inner;
    }
    return odd_arguments(value ? value : cJSON_CreateString(text), clean);
}

char *
sonic_object_arguments(const cJSON *content, bool *clean)
{
    *clean = true;
    if (!content || cJSON_IsNull(content))
        return strdup("{}");
    if (cJSON_IsObject(content))
        return cJSON_PrintUnformatted(content);
    if (cJSON_IsString(content))
        return arguments_of_text(content->valuestring, 0, clean);
    return odd_arguments(cJSON_Duplicate(content, true), clean);
}

char *
sonic_object_result(const char *content, size_t bytes)
{
    char *text = clean_copy(content, bytes);
    if (!text || scan_is_object(text, strlen(text)))
        return text;
    cJSON *value = parse_clean(content, bytes);
    if (!value)
        value = cJSON_CreateString(text);
    free(text);
    return object_or_wrap("result", value);
}
