#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/config_entry.h"
#include "gateway/config_env.h"
#include "gateway/config_list.h"
#include "gateway/config_table.h"
#include "gateway/jsonx.h"

static void *
member_of(const struct config_row *row, void *base)
{
    return (char *)base + row->offset;
}

/* ---- what would be right ---- */

/* "HIGH, MEDIUM or LOW" */
static void
list_choices(const char *choices, const char *quote, char *text,
             size_t text_size)
{
    size_t at = 0;
    while (*choices && at < text_size) {
        size_t n = strcspn(choices, "|");
        const char *next = choices + n + (choices[n] == '|');
        const char *between = !at ? "" : *next ? ", " : " or ";
        at += (size_t)snprintf(text + at, text_size - at, "%s%s%.*s%s", between,
                               quote, (int)n, choices, quote);
        choices = next;
    }
}

static void
describe_uint(const struct config_row *row, char *text, size_t text_size)
{
    const char *gap = *row->unit ? " " : "";
    char choices[128];
    if (row->choices) {
        list_choices(row->choices, "", choices, sizeof choices);
        snprintf(text, text_size, "%s%s%s", choices, gap, row->unit);
        return;
    }
    snprintf(text, text_size, "a whole number from %.0f to %.0f%s%s", row->min,
             row->max, gap, row->unit);
}

static void
describe_texts(const struct config_row *row, char *text, size_t text_size)
{
    char choices[128] = "";
    if (row->choices)
        list_choices(row->choices, "\"", choices, sizeof choices);
    if (row->kind == CONFIG_CHOICES)
        snprintf(text, text_size, "a list of %s", choices);
    else if (row->choices)
        snprintf(text, text_size, "%s", choices);
    else
        snprintf(text, text_size, "a text of %.0f to %.0f bytes", row->min,
                 row->max);
}

#define DIGITS_OF(number) #number
#define AT_MOST(number) "at most " DIGITS_OF(number)

/* What is right for kinds whose rows say no more; a row's own choices and
 * limits: describe(). */
static const char *const right_of[] = {
    [CONFIG_PATH] = "a path",
    [CONFIG_PATHS] = "a path, or a list of " AT_MOST(CONFIG_ITEMS_MAX),
    [CONFIG_NAMES] =
        "\"*\" for all, or a list of " AT_MOST(CONFIG_ITEMS_MAX) " names",
    [CONFIG_TEXTS] = "a list of " AT_MOST(CONFIG_ITEMS_MAX) " texts",
    [CONFIG_HISTORY] =
        "a list of " AT_MOST(CONFIG_ITEMS_MAX) " {\"role\": ..., "
                                               "\"text\": ...}",
    [CONFIG_TARGETS] =
        "a list of " AT_MOST(CONFIG_TARGETS_MAX) " {\"model\": ...}",
    [CONFIG_OBJECT] = "an object, { ... }",
    [CONFIG_OBJECTS] = "{\"NAME\": { ... }}",
    [CONFIG_FLAG] = "true or false",
    [CONFIG_MAYBE_FLAG] = "true or false",
    [CONFIG_ENV] = "[\"NAME\"] or {\"NAME\": \"value\"}",
    [CONFIG_PLUGINS] =
        AT_MOST(CONFIG_ENTRIES_MAX) " entries, {\"NAME\": { ... }}",
    [CONFIG_MCP] = AT_MOST(CONFIG_ENTRIES_MAX) " entries, {\"NAME\": { ... }}",
    [CONFIG_WORKERS] =
        AT_MOST(CONFIG_ENTRIES_MAX) " entries, {\"NAME\": { ... }}",
    [CONFIG_TOOLS] =
        AT_MOST(CONFIG_ENTRIES_MAX) " entries, {\"NAME\": { ... }}",
};

static void
describe(const struct config_row *row, char *text, size_t text_size)
{
    switch (row->kind) {
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
    case CONFIG_CHOICES:
        describe_texts(row, text, text_size);
        break;
    case CONFIG_UINT:
        describe_uint(row, text, text_size);
        break;
    case CONFIG_NUMBER:
    case CONFIG_MAYBE_NUMBER:
        snprintf(text, text_size, "a number from %g to %.10g%s%s", row->min,
                 row->max, *row->unit ? " " : "", row->unit);
        break;
    default:
        snprintf(text, text_size, "%s", right_of[row->kind]);
        break;
    }
}

void
config_value_complain(const struct config_row *row, const cJSON *item,
                      const char *path, const char *right,
                      struct config_reader *reader)
{
    char described[256];
    if (!right) {
        describe(row, described, sizeof described);
        right = described;
    }
    if (row->check == config_check_url) { /* may hold a secret */
        config_problem(reader->problems, item, path,
                       "is no good address; use %s", right);
        return;
    }
    char *shown = cJSON_PrintUnformatted(item);
    config_problem(reader->problems, item, path, "is %.48s%s; use %s",
                   shown ? shown : "?",
                   shown && strlen(shown) > 48 ? "..." : "", right);
    cJSON_free(shown);
}

static char *
copy(const char *text, const char *path, struct config_reader *reader)
{
    char *own = strdup(text);
    if (!own)
        config_problem(reader->problems, NULL, path, "out of memory");
    return own;
}

/* ---- texts ---- */

/* The place of a text in "a|b|c", from 1; 0 if it is not there. */
static unsigned
choice_of(const char *choices, const char *text)
{
    size_t bytes = strlen(text);
    for (unsigned i = 1; *choices; i++) {
        size_t n = strcspn(choices, "|");
        if (n == bytes && !memcmp(choices, text, n))
            return i;
        choices += n + (choices[n] == '|');
    }
    return 0;
}

static bool
good_text(const struct config_row *row, const cJSON *item, const char *path,
          struct config_reader *reader)
{
    const char *right = NULL;
    bool good = cJSON_IsString(item);
    if (good && row->choices) {
        good = choice_of(row->choices, item->valuestring) > 0;
    } else if (good) {
        double bytes = (double)strlen(item->valuestring);
        good = bytes >= row->min && bytes <= row->max;
    }
    if (good && row->check) {
        right = row->check(item->valuestring);
        good = !right;
    }
    if (!good)
        config_value_complain(row, item, path, right, reader);
    return good;
}

static void
read_text(const struct config_row *row, char **member, const cJSON *item,
          const char *path, struct config_reader *reader)
{
    if (!good_text(row, item, path, reader))
        return;
    free(*member);
    *member = copy(item->valuestring, path, reader);
}

static char *
resolve(const char *file, const char *path, struct config_reader *reader)
{
    char joined[8192];
    if (file[0] == '/' || !*reader->dir)
        return copy(file, path, reader);
    snprintf(joined, sizeof joined, "%s/%s", reader->dir, file);
    return copy(joined, path, reader);
}

static void
read_path(const struct config_row *row, char **member, const cJSON *item,
          const char *path, struct config_reader *reader)
{
    if (!good_text(row, item, path, reader))
        return;
    free(*member);
    *member = resolve(item->valuestring, path, reader);
}

/* ---- numbers and choices ---- */

static void
read_uint(const struct config_row *row, uint32_t *member, const cJSON *item,
          const char *path, struct config_reader *reader)
{
    double v = item->valuedouble;
    bool good =
        cJSON_IsNumber(item) && v >= 0 && v <= UINT32_MAX && floor(v) == v;
    if (good && row->choices) {
        char text[16];
        snprintf(text, sizeof text, "%.0f", v);
        good = choice_of(row->choices, text) > 0;
    } else if (good) {
        good = v >= row->min && v <= row->max;
    }
    if (good)
        *member = (uint32_t)v;
    else
        config_value_complain(row, item, path, NULL, reader);
}

static void
read_number(const struct config_row *row, double *member, const cJSON *item,
            const char *path, struct config_reader *reader)
{
    double v = item->valuedouble;
    if (cJSON_IsNumber(item) && v >= row->min && v <= row->max)
        *member = v;
    else
        config_value_complain(row, item, path, NULL, reader);
}

static void
read_choices(const struct config_row *row, uint32_t *member, const cJSON *item,
             const char *path, struct config_reader *reader)
{
    const cJSON *word;
    uint32_t bits = 0;
    if (!cJSON_IsArray(item)) {
        config_value_complain(row, item, path, NULL, reader);
        return;
    }
    cJSON_ArrayForEach(word, item)
    {
        unsigned choice = cJSON_IsString(word)
                              ? choice_of(row->choices, word->valuestring)
                              : 0;
        if (!choice) {
            config_value_complain(row, word, path, NULL, reader);
            return;
        }
        bits |= 1u << (choice - 1);
    }
    *member = bits;
}

static bool
good_flag(const struct config_row *row, const cJSON *item, const char *path,
          struct config_reader *reader)
{
    if (!cJSON_IsBool(item))
        config_value_complain(row, item, path, NULL, reader);
    return cJSON_IsBool(item);
}

/* ---- objects ---- */

static void
read_object(const struct config_row *row, cJSON **member, const cJSON *item,
            const char *path, struct config_reader *reader)
{
    const cJSON *child;
    bool good = cJSON_IsObject(item);
    if (row->kind == CONFIG_OBJECTS) {
        cJSON_ArrayForEach(child, item) good = good && cJSON_IsObject(child);
    }
    if (!good) {
        config_value_complain(row, item, path, NULL, reader);
        return;
    }
    cJSON_Delete(*member);
    *member = cJSON_Duplicate(item, true);
    if (!*member)
        config_problem(reader->problems, item, path, "out of memory");
}

/* ---- the three faces ---- */

void
config_value_read(const struct config_row *row, void *base, const cJSON *item,
                  const char *path, struct config_reader *reader)
{
    void *member = member_of(row, base);
    switch (row->kind) {
    case CONFIG_TEXT:
        read_text(row, member, item, path, reader);
        break;
    case CONFIG_PATH:
        read_path(row, member, item, path, reader);
        break;
    case CONFIG_UINT:
        read_uint(row, member, item, path, reader);
        break;
    case CONFIG_NUMBER:
    case CONFIG_MAYBE_NUMBER:
        read_number(row, member, item, path, reader);
        break;
    case CONFIG_CHOICE:
        if (good_text(row, item, path, reader))
            *(int *)member = (int)choice_of(row->choices, item->valuestring);
        break;
    case CONFIG_CHOICES:
        read_choices(row, member, item, path, reader);
        break;
    case CONFIG_FLAG:
        if (good_flag(row, item, path, reader))
            *(bool *)member = cJSON_IsTrue(item);
        break;
    case CONFIG_MAYBE_FLAG:
        if (good_flag(row, item, path, reader))
            *(int *)member = cJSON_IsTrue(item);
        break;
    case CONFIG_ENV:
        config_env_read(member, item, path, reader);
        break;
    case CONFIG_PLUGINS:
    case CONFIG_MCP:
    case CONFIG_WORKERS:
    case CONFIG_TOOLS:
        config_entries_read(row, member, item, path, reader);
        break;
    case CONFIG_PATHS:
    case CONFIG_NAMES:
    case CONFIG_TEXTS:
        config_strings_read(row, member, item, path, reader);
        break;
    case CONFIG_HISTORY:
        config_history_read(row, member, item, path, reader);
        break;
    case CONFIG_TARGETS:
        config_targets_read(row, member, item, path, reader);
        break;
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        read_object(row, member, item, path, reader);
        break;
    }
}

void
config_value_free(const struct config_row *row, void *base)
{
    void *member = member_of(row, base);
    switch (row->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        free(*(char **)member);
        *(char **)member = NULL;
        break;
    case CONFIG_PATHS:
    case CONFIG_NAMES:
    case CONFIG_TEXTS:
    case CONFIG_ENV:
        config_strings_free(member);
        break;
    case CONFIG_HISTORY:
        config_history_free(member);
        break;
    case CONFIG_TARGETS:
        config_targets_free(member);
        break;
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        cJSON_Delete(*(cJSON **)member);
        *(cJSON **)member = NULL;
        break;
    case CONFIG_UINT:
    case CONFIG_CHOICES:
        *(uint32_t *)member = 0;
        break;
    case CONFIG_NUMBER:
        *(double *)member = 0;
        break;
    case CONFIG_CHOICE:
        *(int *)member = 0;
        break;
    case CONFIG_FLAG:
        *(bool *)member = false;
        break;
    case CONFIG_MAYBE_FLAG:
        *(int *)member = -1;
        break;
    case CONFIG_MAYBE_NUMBER:
        *(double *)member = -1;
        break;
    case CONFIG_PLUGINS:
    case CONFIG_MCP:
    case CONFIG_WORKERS:
    case CONFIG_TOOLS:
        config_entries_free(row, member);
        break;
    }
}

void
config_value_reset(const struct config_row *row, void *base,
                   struct config_reader *reader)
{
    cJSON *item = cJSON_Parse(row->fallback);
    config_value_free(row, base);
    if (!item)
        config_problem(reader->problems, NULL, row->path, "out of memory");
    else if (!cJSON_IsNull(item))
        config_value_read(row, base, item, row->path, reader);
    cJSON_Delete(item);
}
