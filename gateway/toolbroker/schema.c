#include "gateway/toolbroker/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Deeper input than any tool means; bounds the recursion. */
#define DEPTH_MAX 32
#define PATH_BYTES 192

struct check {
    char *why;
    size_t why_size;
    unsigned depth;
};

static const char *
kind_of(const cJSON *value)
{
    if (cJSON_IsString(value))
        return "string";
    if (cJSON_IsNumber(value))
        return "number";
    if (cJSON_IsBool(value))
        return "boolean";
    if (cJSON_IsArray(value))
        return "array";
    return cJSON_IsObject(value) ? "object" : "null";
}

static bool
is_type(const cJSON *value, const char *type)
{
    if (strcmp(type, "integer") == 0)
        return cJSON_IsNumber(value) && isfinite(value->valuedouble) &&
               floor(value->valuedouble) == value->valuedouble;
    return strcmp(type, kind_of(value)) == 0;
}

static bool
type_allows(const cJSON *type, const cJSON *value)
{
    const cJSON *one;

    if (cJSON_IsString(type))
        return is_type(value, type->valuestring);
    if (!cJSON_IsArray(type))
        return true;
    cJSON_ArrayForEach(one, type)
    {
        if (cJSON_IsString(one) && is_type(value, one->valuestring))
            return true;
    }
    return false;
}

static bool
enum_allows(const cJSON *list, const cJSON *value)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, list)
    {
        if (cJSON_Compare(one, value, 1))
            return true;
    }
    return false;
}

static bool
fail(struct check *c, const char *path, const char *what, const cJSON *right)
{
    char *text = cJSON_PrintUnformatted(right);

    snprintf(c->why, c->why_size, "%s %s %.200s", path, what,
             text ? text : "what its schema says");
    cJSON_free(text);
    return false;
}

static bool check_value(struct check *c, const char *path, const cJSON *schema,
                        const cJSON *value);

static bool
check_required(struct check *c, const char *path, const cJSON *required,
               const cJSON *object)
{
    const cJSON *name;

    cJSON_ArrayForEach(name, required)
    {
        if (!cJSON_IsString(name))
            continue;
        if (!cJSON_GetObjectItemCaseSensitive(object, name->valuestring)) {
            snprintf(c->why, c->why_size, "%s lacks the required member %.64s",
                     path, name->valuestring);
            return false;
        }
    }
    return true;
}

static bool
check_members(struct check *c, const char *path, const cJSON *properties,
              const cJSON *object)
{
    char inner[PATH_BYTES];
    const cJSON *member;

    cJSON_ArrayForEach(member, object)
    {
        const cJSON *schema =
            cJSON_GetObjectItemCaseSensitive(properties, member->string);
        if (!schema)
            continue;
        snprintf(inner, sizeof inner, "%.110s.%.64s", path, member->string);
        if (!check_value(c, inner, schema, member))
            return false;
    }
    return true;
}

static bool
check_items(struct check *c, const char *path, const cJSON *schema,
            const cJSON *array)
{
    char inner[PATH_BYTES];
    const cJSON *item;
    size_t i = 0;

    cJSON_ArrayForEach(item, array)
    {
        snprintf(inner, sizeof inner, "%.160s[%zu]", path, i++);
        if (!check_value(c, inner, schema, item))
            return false;
    }
    return true;
}

static bool
check_inside(struct check *c, const char *path, const cJSON *schema,
             const cJSON *value)
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(schema, "items");

    if (cJSON_IsObject(value))
        return check_required(
                   c, path,
                   cJSON_GetObjectItemCaseSensitive(schema, "required"),
                   value) &&
               check_members(
                   c, path,
                   cJSON_GetObjectItemCaseSensitive(schema, "properties"),
                   value);
    if (cJSON_IsArray(value) && cJSON_IsObject(items))
        return check_items(c, path, items, value);
    return true;
}

static bool
check_value(struct check *c, const char *path, const cJSON *schema,
            const cJSON *value)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(schema, "type");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(schema, "enum");
    char what[64];
    bool good;

    if (!cJSON_IsObject(schema))
        return true;
    if (c->depth >= DEPTH_MAX) {
        snprintf(c->why, c->why_size, "%s is nested too deeply", path);
        return false;
    }
    if (!type_allows(type, value)) {
        snprintf(what, sizeof what, "is a %s, it must be", kind_of(value));
        return fail(c, path, what, type);
    }
    if (cJSON_IsArray(list) && !enum_allows(list, value))
        return fail(c, path, "must be one of", list);
    c->depth++;
    good = check_inside(c, path, schema, value);
    c->depth--;
    return good;
}

bool
schema_check(const cJSON *schema, const cJSON *value, char *why,
             size_t why_size)
{
    struct check c = {why, why_size, 0};

    return check_value(&c, "input", schema, value);
}
