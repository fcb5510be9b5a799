#include "gateway/config_table.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_entry.h"
#include "gateway/config_list.h"

/* Equal but for what printing as JSON takes away. */
static bool
same_number(double a, double b)
{
    return a == b || fabs(a - b) <= fmax(fabs(a), fabs(b)) * DBL_EPSILON;
}

/* ---- texts ---- */

static bool
copy_text(char *const *from, char **to)
{
    *to = *from ? strdup(*from) : NULL;
    return *to || !*from;
}

static bool
same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* ---- lists ---- */

static bool
copy_strings(const struct config_strings *from, struct config_strings *to)
{
    to->all = from->all;
    to->items = from->count ? calloc(from->count, sizeof *to->items) : NULL;
    if (from->count && !to->items)
        return false;
    for (; to->count < from->count; to->count++) {
        if (!copy_text(&from->items[to->count], &to->items[to->count]))
            return false;
    }
    return true;
}

static bool
same_strings(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->all == b->all && a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = !strcmp(a->items[i], b->items[i]);
    return same;
}

static bool
copy_history(const struct config_history *from, struct config_history *to)
{
    bool done = true;
    to->items = from->count ? calloc(from->count, sizeof *to->items) : NULL;
    if (from->count && !to->items)
        return false;
    for (; done && to->count < from->count; to->count++) {
        const struct config_message *message = &from->items[to->count];
        struct config_message *copy = &to->items[to->count];
        done = copy_text(&message->role, &copy->role) &&
               copy_text(&message->text, &copy->text);
    }
    return done;
}

static bool
same_history(const struct config_history *a, const struct config_history *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = same_text(a->items[i].role, b->items[i].role) &&
               same_text(a->items[i].text, b->items[i].text);
    return same;
}

static bool
copy_targets(const struct config_targets *from, struct config_targets *to)
{
    bool done = true;
    to->items = from->count ? calloc(from->count, sizeof *to->items) : NULL;
    if (from->count && !to->items)
        return false;
    for (; done && to->count < from->count; to->count++) {
        const struct config_target *target = &from->items[to->count];
        struct config_target *copy = &to->items[to->count];
        done = copy_text(&target->region, &copy->region) &&
               copy_text(&target->model, &copy->model) &&
               copy_text(&target->endpoint, &copy->endpoint) &&
               copy_text(&target->ca_file, &copy->ca_file);
    }
    return done;
}

static bool
same_targets(const struct config_targets *a, const struct config_targets *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const struct config_target *x = &a->items[i];
        const struct config_target *y = &b->items[i];
        same = same_text(x->region, y->region) &&
               same_text(x->model, y->model) &&
               same_text(x->endpoint, y->endpoint) &&
               same_text(x->ca_file, y->ca_file);
    }
    return same;
}

/* ---- objects ---- */

static bool
copy_object(cJSON *const *from, cJSON **to)
{
    *to = *from ? cJSON_Duplicate(*from, true) : NULL;
    return *to || !*from;
}

/* Not cJSON_Compare(), whose time grows with the square of the members. Another
 * order of members is another value here. Depth is bounded by the parsers. */
static bool
same_object(const cJSON *a, const cJSON *b)
{
    if (!a || !b || (a->type & 0xff) != (b->type & 0xff) ||
        !same_number(a->valuedouble, b->valuedouble) ||
        !same_text(a->valuestring, b->valuestring))
        return a == b;
    const cJSON *x = a->child;
    const cJSON *y = b->child;
    while (x && y && same_text(x->string, y->string) && same_object(x, y)) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

/* ---- one value ---- */

bool
config_value_copy(const struct config_row *row, const void *from, void *to)
{
    const void *old = (const char *)from + row->offset;
    void *new = (char *)to + row->offset;
    switch (row->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return copy_text(old, new);
    case CONFIG_PATHS:
    case CONFIG_NAMES:
    case CONFIG_TEXTS:
    case CONFIG_ENV:
        return copy_strings(old, new);
    case CONFIG_HISTORY:
        return copy_history(old, new);
    case CONFIG_TARGETS:
        return copy_targets(old, new);
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        return copy_object(old, new);
    case CONFIG_PLUGINS:
    case CONFIG_MCP:
    case CONFIG_WORKERS:
    case CONFIG_TOOLS:
        return config_entries_copy(row, old, new);
    case CONFIG_UINT:
    case CONFIG_CHOICES:
        *(uint32_t *)new = *(const uint32_t *)old;
        break;
    case CONFIG_NUMBER:
    case CONFIG_MAYBE_NUMBER:
        *(double *)new = *(const double *)old;
        break;
    case CONFIG_CHOICE:
    case CONFIG_MAYBE_FLAG:
        *(int *)new = *(const int *)old;
        break;
    case CONFIG_FLAG:
        *(bool *)new = *(const bool *)old;
        break;
    }
    return true;
}

bool
config_value_same(const struct config_row *row, const void *a, const void *b)
{
    const void *x = (const char *)a + row->offset;
    const void *y = (const char *)b + row->offset;
    switch (row->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return same_text(*(char *const *)x, *(char *const *)y);
    case CONFIG_PATHS:
    case CONFIG_NAMES:
    case CONFIG_TEXTS:
    case CONFIG_ENV:
        return same_strings(x, y);
    case CONFIG_HISTORY:
        return same_history(x, y);
    case CONFIG_TARGETS:
        return same_targets(x, y);
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        return same_object(*(cJSON *const *)x, *(cJSON *const *)y);
    case CONFIG_PLUGINS:
    case CONFIG_MCP:
    case CONFIG_WORKERS:
    case CONFIG_TOOLS:
        return config_entries_same(row, x, y);
    case CONFIG_UINT:
    case CONFIG_CHOICES:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    case CONFIG_NUMBER:
    case CONFIG_MAYBE_NUMBER:
        return same_number(*(const double *)x, *(const double *)y);
    case CONFIG_CHOICE:
    case CONFIG_MAYBE_FLAG:
        return *(const int *)x == *(const int *)y;
    case CONFIG_FLAG:
        return *(const bool *)x == *(const bool *)y;
    }
    return false;
}
