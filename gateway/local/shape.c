#include "gateway/local/shape.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
shape_fail(struct shape *s, const char *format, ...)
{
    va_list args;
    int used;

    if (s->failed)
        return;
    s->failed = true;
    used = snprintf(s->problem, sizeof(s->problem), "%.64s: ", s->event);
    va_start(args, format);
    vsnprintf(s->problem + used, sizeof(s->problem) - (size_t)used, format,
              args);
    va_end(args);
}

void
shape_odd(struct shape *s, const char *format, ...)
{
    char text[320];
    va_list args;
    int used;

    used = snprintf(text, sizeof(text), "%.64s: ", s->event);
    va_start(args, format);
    vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
    va_end(args);
    s->note(s->arg, text);
}

static const cJSON *
member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const cJSON *
shape_object(struct shape *s, const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);

    if (cJSON_IsObject(item))
        return item;
    shape_fail(s, "%s is %s, an object is required", key,
               item == NULL ? "missing" : "of another type");
    return NULL;
}

const char *
shape_text(struct shape *s, const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);

    if (cJSON_IsString(item))
        return item->valuestring;
    shape_fail(s, "%s is %s, a string is required", key,
               item == NULL ? "missing" : "of another type");
    return NULL;
}

const char *
shape_string(struct shape *s, const cJSON *object, const char *key)
{
    const char *text = shape_text(s, object, key);

    if (text != NULL && text[0] == '\0') {
        shape_fail(s, "%s is empty", key);
        return NULL;
    }
    return text;
}

long
shape_integer(struct shape *s, const cJSON *object, const char *key,
              long otherwise)
{
    const cJSON *item = member(object, key);

    if (cJSON_IsNumber(item) && fabs(item->valuedouble) < 1e9 &&
        item->valuedouble == floor(item->valuedouble))
        return (long)item->valuedouble;
    shape_fail(s, "%s is %s, an integer is required", key,
               item == NULL ? "missing" : "something else");
    return otherwise;
}

bool
shape_bool(struct shape *s, const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);

    if (!cJSON_IsBool(item))
        shape_fail(s, "%s is %s, true or false is required", key,
                   item == NULL ? "missing" : "of another type");
    return cJSON_IsTrue(item);
}

void
shape_range(struct shape *s, const cJSON *object, const char *key, double low,
            double high)
{
    const cJSON *item = member(object, key);

    if (item == NULL)
        return;
    if (!cJSON_IsNumber(item))
        shape_fail(s, "%s is not a number", key);
    else if (!(item->valuedouble >= low && item->valuedouble <= high))
        shape_fail(s, "%s is %g, it must be within %g..%g", key,
                   item->valuedouble, low, high);
}

void
shape_is(struct shape *s, const cJSON *object, const char *key,
         const char *expected)
{
    const char *text = shape_text(s, object, key);

    if (text != NULL && strcmp(text, expected) != 0)
        shape_fail(s, "%s is \"%.40s\", it must be \"%s\"", key, text,
                   expected);
}

void
shape_is_integer(struct shape *s, const cJSON *object, const char *key,
                 long expected)
{
    long value = shape_integer(s, object, key, expected);

    if (value != expected)
        shape_fail(s, "%s is %ld, it must be %ld", key, value, expected);
}

long
shape_audio_format(struct shape *s, const cJSON *object)
{
    long rate_hz;

    shape_is(s, object, "mediaType", "audio/lpcm");
    shape_is(s, object, "encoding", "base64");
    shape_is(s, object, "audioType", "SPEECH");
    shape_is_integer(s, object, "sampleSizeBits", 16);
    shape_is_integer(s, object, "channelCount", 1);
    rate_hz = shape_integer(s, object, "sampleRateHertz", 0);
    if (rate_hz == 8000 || rate_hz == 16000 || rate_hz == 24000)
        return rate_hz;
    shape_fail(s, "sampleRateHertz is %ld, it must be 8000, 16000 or 24000",
               rate_hz);
    return 0;
}

static bool
is_listed(const char *names, const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || strchr(name, ' ') != NULL)
        return false;
    for (const char *p = names; (p = strstr(p, name)) != NULL; p += length) {
        if ((p == names || p[-1] == ' ') &&
            (p[length] == ' ' || p[length] == '\0'))
            return true;
    }
    return false;
}

void
shape_only(struct shape *s, const cJSON *object, const char *names)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        if (!is_listed(names, item->string))
            shape_odd(s, "unknown member %.64s", item->string);
        else if (member(object, item->string) != item)
            shape_odd(s, "member %.64s stands there twice", item->string);
    }
}
