#include "ipc/cli/tool_schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/control.h"

#define DEPTH_MAX 16
#define WHERE_BYTES 160
#define SAMPLE_MAX 4096
#define HUGE_BYTES (100 * 1024)
#define NESTING 200

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- what is wrong with it -------------------------------------------------- */

struct checking {
    const char *tool;
    struct tool_report *report;
    unsigned failures;
};

static void
fail(struct checking *c, const char *where, const char *what)
{
    c->failures++;
    tool_report_add(c->report, TOOL_FAIL, c->tool, "schema", "%s %s", where,
                    what);
}

static bool
is_type(const cJSON *type)
{
    static const char *const types[] = {"object", "array",   "string", "number",
                                        "null",   "integer", "boolean"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (cJSON_IsString(type) && strcmp(type->valuestring, types[i]) == 0)
            return true;
    }
    return false;
}

static void
check_type(struct checking *c, const cJSON *schema, const char *where)
{
    const cJSON *type = member(schema, "type"), *one = NULL;
    static const char *const instead[] = {"enum",  "const", "anyOf",
                                          "oneOf", "allOf", "$ref"};
    bool good = is_type(type);
    if (cJSON_IsArray(type)) {
        good = cJSON_GetArraySize(type) > 0;
        cJSON_ArrayForEach(one, type) good = good && is_type(one);
    }
    for (size_t i = 0; !type && i < sizeof instead / sizeof instead[0]; i++)
        good = good || member(schema, instead[i]);
    if (!good)
        fail(c, where,
             type ? "has an unknown type; use object, array, string, number, "
                    "integer, boolean or null"
                  : "has no type; say what the model shall give");
}

static void
check_lists(struct checking *c, const cJSON *schema, const char *where)
{
    const cJSON *required = member(schema, "required"), *one = NULL;
    const cJSON *values = member(schema, "enum");
    const cJSON *properties = member(schema, "properties");
    char text[WHERE_BYTES];
    if (values && (!cJSON_IsArray(values) || cJSON_GetArraySize(values) == 0))
        fail(c, where, "has an enum without values; list them, or remove it");
    if (required && !cJSON_IsArray(required))
        fail(c, where, "has a required that is no array of names");
    if (cJSON_IsArray(required)) {
        cJSON_ArrayForEach(one, required)
        {
            if (cJSON_IsString(one) && member(properties, one->valuestring))
                continue;
            snprintf(text, sizeof text,
                     "requires \"%.60s\", which is none of its properties",
                     cJSON_IsString(one) ? one->valuestring : "(no text)");
            fail(c, where, text);
        }
    }
}

static void check_one(struct checking *c, const cJSON *schema,
                      const char *where, unsigned depth);

static void
check_properties(struct checking *c, const cJSON *schema, const char *where,
                 unsigned depth)
{
    const cJSON *properties = member(schema, "properties"), *one = NULL;
    char inner[WHERE_BYTES];
    if (properties && !cJSON_IsObject(properties))
        fail(c, where, "has properties that are no object");
    if (!cJSON_IsObject(properties))
        return;
    cJSON_ArrayForEach(one, properties)
    {
        snprintf(inner, sizeof inner, "%.90s.%.60s", where, one->string);
        check_one(c, one, inner, depth + 1);
        if (cJSON_IsObject(one) &&
            strlen(control_text(one, "description", "")) == 0)
            tool_report_add(c->report, TOOL_WARN, c->tool, "schema",
                            "%s has no description; the model guesses what "
                            "it means",
                            inner);
    }
}

static void
check_one(struct checking *c, const cJSON *schema, const char *where,
          unsigned depth)
{
    char inner[WHERE_BYTES];
    const cJSON *items = member(schema, "items");
    if (cJSON_IsTrue(schema))
        return;
    if (!cJSON_IsObject(schema) || depth > DEPTH_MAX) {
        fail(c, where,
             depth > DEPTH_MAX ? "is nested too deep for a model"
                               : "is no object");
        return;
    }
    check_type(c, schema, where);
    check_lists(c, schema, where);
    check_properties(c, schema, where, depth);
    snprintf(inner, sizeof inner, "%.150s[]", where);
    if (cJSON_IsObject(items))
        check_one(c, items, inner, depth + 1);
}

bool
tool_schema_check(const cJSON *schema, const char *tool,
                  struct tool_report *report)
{
    struct checking c = {tool, report, 0};
    const cJSON *type = member(schema, "type");
    if (!cJSON_IsObject(schema))
        fail(&c, "input", "is no JSON object");
    else if (!cJSON_IsString(type) || strcmp(type->valuestring, "object") != 0)
        fail(&c, "input", "is not of \"type\": \"object\", which it must be");
    else
        check_one(&c, schema, "input", 0);
    if (c.failures == 0)
        tool_report_add(
            report, TOOL_OK, tool, "schema", "%d parameter%s",
            cJSON_GetArraySize(member(schema, "properties")),
            cJSON_GetArraySize(member(schema, "properties")) == 1 ? "" : "s");
    return c.failures == 0;
}

/* ---- input that fits ---------------------------------------------------------- */

static double
bound(const cJSON *schema, const char *name, double otherwise)
{
    const cJSON *item = member(schema, name);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

static cJSON *
sample_number(const cJSON *schema, bool whole)
{
    double least = bound(schema, "minimum", -INFINITY);
    double most = bound(schema, "maximum", INFINITY);
    double above = bound(schema, "exclusiveMinimum", -INFINITY);
    double below = bound(schema, "exclusiveMaximum", INFINITY);
    double step = whole ? 1 : 0.5, value = 1;
    if (value > most)
        value = whole ? floor(most) : most;
    if (value >= below)
        value = whole ? ceil(below) - 1 : below - step;
    if (value < least)
        value = whole ? ceil(least) : least;
    if (value <= above)
        value = whole ? floor(above) + 1 : above + step;
    return cJSON_CreateNumber(value);
}

static cJSON *
sample_text(const cJSON *schema)
{
    char text[SAMPLE_MAX + 1] = "test";
    double least = bound(schema, "minLength", 0);
    double most = bound(schema, "maxLength", SAMPLE_MAX);
    size_t length = 4;
    if (least > (double)length)
        length = least < SAMPLE_MAX ? (size_t)least : SAMPLE_MAX;
    if (most >= 0 && most < (double)length)
        length = (size_t)most;
    for (size_t i = 4; i < length; i++)
        text[i] = 'x';
    text[length] = '\0';
    return cJSON_CreateString(text);
}

static cJSON *sample(const cJSON *schema, unsigned depth, bool all);

static bool
is_required(const cJSON *schema, const char *name)
{
    const cJSON *one = NULL;
    cJSON_ArrayForEach(one, member(schema, "required"))
    {
        if (cJSON_IsString(one) && strcmp(one->valuestring, name) == 0)
            return true;
    }
    return false;
}

static cJSON *
sample_object(const cJSON *schema, unsigned depth, bool all)
{
    cJSON *object = cJSON_CreateObject();
    const cJSON *one = NULL;
    cJSON_ArrayForEach(one, member(schema, "properties"))
    {
        if (all || is_required(schema, one->string))
            cJSON_AddItemToObject(object, one->string,
                                  sample(one, depth + 1, all));
    }
    return object;
}

static cJSON *
sample_array(const cJSON *schema, unsigned depth, bool all)
{
    cJSON *array = cJSON_CreateArray();
    double least = bound(schema, "minItems", 1);
    const cJSON *items = member(schema, "items");
    for (int i = 0; i < least && i < 16 && cJSON_IsObject(items); i++)
        cJSON_AddItemToArray(array, sample(items, depth + 1, all));
    return array;
}

/* What the schema itself names, or NULL. */
static const cJSON *
named_value(const cJSON *schema)
{
    static const char *const lists[] = {"examples", "enum"};
    if (member(schema, "const"))
        return member(schema, "const");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (cJSON_GetArraySize(member(schema, lists[i])) > 0)
            return cJSON_GetArrayItem(member(schema, lists[i]), 0);
    }
    return member(schema, "default");
}

static const char *
type_of(const cJSON *schema)
{
    const cJSON *type = member(schema, "type");
    if (cJSON_IsArray(type))
        type = cJSON_GetArrayItem(type, 0);
    if (cJSON_IsString(type))
        return type->valuestring;
    return member(schema, "properties") ? "object" : "string";
}

static cJSON *
sample(const cJSON *schema, unsigned depth, bool all)
{
    static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
    const char *type = type_of(schema);
    if (depth > DEPTH_MAX)
        return cJSON_CreateNull();
    if (named_value(schema))
        return cJSON_Duplicate(named_value(schema), true);
    for (size_t i = 0; i < 3 && !member(schema, "type"); i++) {
        const cJSON *first = cJSON_GetArrayItem(member(schema, choices[i]), 0);
        if (first)
            return sample(first, depth + 1, all);
    }
    if (strcmp(type, "object") == 0)
        return sample_object(schema, depth, all);
    if (strcmp(type, "array") == 0)
        return sample_array(schema, depth, all);
    if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0)
        return sample_number(schema, type[0] == 'i');
    if (strcmp(type, "boolean") == 0)
        return cJSON_CreateTrue();
    if (strcmp(type, "null") == 0)
        return cJSON_CreateNull();
    return sample_text(schema);
}

cJSON *
tool_schema_sample(const cJSON *schema, bool all)
{
    return sample(schema, 0, all);
}

/* ---- input that does not fit ----------------------------------------------------- */

static char *
nested(char open, char close)
{
    char *text = malloc(2 * NESTING + 1);
    if (!text)
        return NULL;
    memset(text, open, NESTING);
    memset(text + NESTING, close, NESTING);
    text[2 * NESTING] = '\0';
    return text;
}

static char *
huge(void)
{
    char *text = malloc(HUGE_BYTES + 3);
    if (!text)
        return NULL;
    memset(text, 'a', HUGE_BYTES + 2);
    text[0] = text[HUGE_BYTES + 1] = '"';
    text[HUGE_BYTES + 2] = '\0';
    return text;
}

/* Every property has this value; without properties there is one, "x". */
static char *
with_all(const cJSON *schema, const char *value)
{
    const cJSON *properties = member(schema, "properties"), *one = NULL;
    cJSON *object = cJSON_CreateObject();
    cJSON_ArrayForEach(one, properties)
    {
        if (value)
            cJSON_AddRawToObject(object, one->string, value);
    }
    if (cJSON_GetArraySize(object) == 0 && value)
        cJSON_AddRawToObject(object, "x", value);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

char *
tool_schema_bad(const cJSON *schema, unsigned index, const char **what)
{
    static const struct {
        const char *what, *value;
    } rows[] = {
        {"an empty object", NULL},
        {"null everywhere", "null"},
        {"texts everywhere", "\"7 apples\""},
        {"numbers everywhere", "7"},
        {"booleans everywhere", "false"},
        {"objects everywhere", "{\"x\":[{}]}"},
        {"empty texts", "\"\""},
        {"odd letters", "\"%s%n \\\\ \\\" \\u0001\\n \\ud83e\\udd16 \\u202e\""},
        {"a number beyond all", "1e308"},
        {"a number below zero", "-1"},
        {"a tiny number", "1e-308"},
        {"a number no integer holds", "9007199254740993.5"},
        {"texts of 100 KiB", "huge"},
        {"arrays 200 deep", "nested"},
    };
    if (index >= sizeof rows / sizeof rows[0])
        return NULL;
    const char *value = rows[index].value;
    char *made = NULL;
    *what = rows[index].what;
    if (value && strcmp(value, "huge") == 0)
        made = huge();
    else if (value && strcmp(value, "nested") == 0)
        made = nested('[', ']');
    char *text = with_all(schema, made ? made : value);
    free(made);
    return text;
}
