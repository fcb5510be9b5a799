#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

#define ITEMS_MAX 256 /* of one list */
#define HISTORY_BYTES_MAX 204800

static void *
member_of(const struct config_row *row, void *base)
{
    return (char *)base + row->offset;
}

static const void *
const_member_of(const struct config_row *row, const void *base)
{
    return (const char *)base + row->offset;
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

void
config_value_describe(const struct config_row *row, char *text,
                      size_t text_size)
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
        snprintf(text, text_size, "a number from %g to %g", row->min, row->max);
        break;
    case CONFIG_PATH:
        snprintf(text, text_size, "a path");
        break;
    case CONFIG_PATHS:
        snprintf(text, text_size, "a path, or a list of at most %d", ITEMS_MAX);
        break;
    case CONFIG_NAMES:
        snprintf(text, text_size,
                 "\"*\" for all, or a list of at most %d names", ITEMS_MAX);
        break;
    case CONFIG_HISTORY:
        snprintf(text, text_size,
                 "a list of at most %d {\"role\": ..., \"text\": ...}",
                 ITEMS_MAX);
        break;
    case CONFIG_OBJECT:
        snprintf(text, text_size, "an object, { ... }");
        break;
    case CONFIG_OBJECTS:
        snprintf(text, text_size, "{\"NAME\": { ... }}");
        break;
    }
}

/* "is 5; use a whole number from 10 to 100 ms" */
static void
complain(const struct config_row *row, const cJSON *item, const char *path,
         const char *right, struct config_reader *reader)
{
    char described[256];
    char *shown = cJSON_PrintUnformatted(item);
    if (!right) {
        config_value_describe(row, described, sizeof described);
        right = described;
    }
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
        complain(row, item, path, right, reader);
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
        complain(row, item, path, NULL, reader);
}

static void
read_number(const struct config_row *row, double *member, const cJSON *item,
            const char *path, struct config_reader *reader)
{
    double v = item->valuedouble;
    if (cJSON_IsNumber(item) && v >= row->min && v <= row->max)
        *member = v;
    else
        complain(row, item, path, NULL, reader);
}

static void
read_choices(const struct config_row *row, uint32_t *member, const cJSON *item,
             const char *path, struct config_reader *reader)
{
    const cJSON *word;
    uint32_t bits = 0;
    if (!cJSON_IsArray(item)) {
        complain(row, item, path, NULL, reader);
        return;
    }
    cJSON_ArrayForEach(word, item)
    {
        unsigned choice = cJSON_IsString(word)
                              ? choice_of(row->choices, word->valuestring)
                              : 0;
        if (!choice) {
            complain(row, word, path, NULL, reader);
            return;
        }
        bits |= 1u << (choice - 1);
    }
    *member = bits;
}

/* ---- lists ---- */

static void
strings_free(struct config_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct config_strings){0};
}

static bool
good_list(const struct config_row *row, const cJSON *item, const char *path,
          struct config_reader *reader)
{
    if (cJSON_IsArray(item) && cJSON_GetArraySize(item) <= ITEMS_MAX)
        return true;
    complain(row, item, path, NULL, reader);
    return false;
}

/* One entry of a list, added to `strings`, which has the room. */
static void
read_entry(const struct config_row *row, struct config_strings *strings,
           const cJSON *item, const char *path, struct config_reader *reader)
{
    struct config_row entry = *row;
    char *text = NULL;
    entry.kind = CONFIG_TEXT;
    if (row->kind == CONFIG_PATHS)
        read_path(&entry, &text, item, path, reader);
    else
        read_text(&entry, &text, item, path, reader);
    if (text)
        strings->items[strings->count++] = text;
}

static void
read_strings(const struct config_row *row, struct config_strings *member,
             const cJSON *item, const char *path, struct config_reader *reader)
{
    struct config_strings strings = {0};
    const cJSON *entry;
    size_t index = 0;
    bool one = row->kind == CONFIG_PATHS && cJSON_IsString(item);
    strings.all = row->kind == CONFIG_NAMES && cJSON_IsString(item) &&
                  !strcmp(item->valuestring, "*");
    if (!one && !strings.all && !good_list(row, item, path, reader))
        return;
    int room = one ? 1 : cJSON_GetArraySize(item);
    strings.items = room > 0 ? calloc((size_t)room, sizeof(char *)) : NULL;
    if (room > 0 && !strings.items) {
        config_problem(reader->problems, item, path, "out of memory");
        return;
    }
    if (one)
        read_entry(row, &strings, item, path, reader);
    cJSON_ArrayForEach(entry, item)
    {
        char at[CONFIG_PATH_BYTES + 24];
        snprintf(at, sizeof at, "%s[%zu]", path, index++);
        read_entry(row, &strings, entry, at, reader);
    }
    strings_free(member);
    *member = strings;
}

/* ---- history ---- */

static void
history_free(struct config_history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        free(history->items[i].role);
        free(history->items[i].text);
    }
    free(history->items);
    *history = (struct config_history){0};
}

static const struct config_row message_rows[] = {
    {"role", CONFIG_TEXT, offsetof(struct config_message, role), "null", 0, 0,
     "USER|ASSISTANT", NULL, "", "who said it"},
    {"text", CONFIG_TEXT, offsetof(struct config_message, text), "null", 1,
     51200, NULL, NULL, "", "what was said"},
};
static const struct config_table message_table = {message_rows, 2};

static void
read_message(struct config_message *message, const cJSON *item,
             const char *path, struct config_reader *reader)
{
    size_t before = reader->problems->count;
    config_table_read(&message_table, message, item, path, NULL, reader);
    if (reader->problems->count == before && (!message->role || !message->text))
        config_problem(reader->problems, item, path,
                       "lacks its %s; use {\"role\": \"USER\" or "
                       "\"ASSISTANT\", \"text\": ...}",
                       message->role ? "text" : "role");
}

static void
check_history(const struct config_history *history, const cJSON *item,
              const char *path, struct config_reader *reader)
{
    size_t bytes = 0;
    for (size_t i = 0; i < history->count; i++)
        bytes += history->items[i].text ? strlen(history->items[i].text) : 0;
    if (bytes > HISTORY_BYTES_MAX)
        config_problem(reader->problems, item, path,
                       "holds %zu bytes of text; use at most %d, leaving out "
                       "the oldest",
                       bytes, HISTORY_BYTES_MAX);
    if (history->count && history->items[0].role &&
        strcmp(history->items[0].role, "USER"))
        config_problem(reader->problems, cJSON_GetArrayItem(item, 0), path,
                       "begins with ASSISTANT, which the model refuses; "
                       "begin with a USER message");
}

static void
read_history(const struct config_row *row, struct config_history *member,
             const cJSON *item, const char *path, struct config_reader *reader)
{
    struct config_history history = {0};
    const cJSON *entry;
    if (!good_list(row, item, path, reader))
        return;
    int room = cJSON_GetArraySize(item);
    history.items =
        room > 0 ? calloc((size_t)room, sizeof *history.items) : NULL;
    if (room > 0 && !history.items) {
        config_problem(reader->problems, item, path, "out of memory");
        return;
    }
    cJSON_ArrayForEach(entry, item)
    {
        char at[CONFIG_PATH_BYTES + 24];
        snprintf(at, sizeof at, "%s[%zu]", path, history.count);
        if (!cJSON_IsNull(entry))
            read_message(&history.items[history.count++], entry, at, reader);
        else
            complain(row, entry, at, "{\"role\": ..., \"text\": ...}", reader);
    }
    check_history(&history, item, path, reader);
    history_free(member);
    *member = history;
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
        complain(row, item, path, NULL, reader);
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
        read_number(row, member, item, path, reader);
        break;
    case CONFIG_CHOICE:
        if (good_text(row, item, path, reader))
            *(int *)member = (int)choice_of(row->choices, item->valuestring);
        break;
    case CONFIG_CHOICES:
        read_choices(row, member, item, path, reader);
        break;
    case CONFIG_PATHS:
    case CONFIG_NAMES:
        read_strings(row, member, item, path, reader);
        break;
    case CONFIG_HISTORY:
        read_history(row, member, item, path, reader);
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
        strings_free(member);
        break;
    case CONFIG_HISTORY:
        history_free(member);
        break;
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        cJSON_Delete(*(cJSON **)member);
        *(cJSON **)member = NULL;
        break;
    case CONFIG_UINT:
    case CONFIG_NUMBER:
    case CONFIG_CHOICE:
    case CONFIG_CHOICES:
        break;
    }
}

/* ---- showing ---- */

/* The words of the bits set in `bits`; a text if only one may be set. */
static cJSON *
show_choices(const char *choices, uint32_t bits, bool list)
{
    cJSON *array = list ? cJSON_CreateArray() : NULL;
    for (unsigned i = 0; *choices; i++) {
        char word[64];
        size_t n = strcspn(choices, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, choices);
        if (bits & (1u << i)) {
            cJSON *text = cJSON_CreateString(word);
            if (!list)
                return text;
            cJSON_AddItemToArray(array, text);
        }
        choices += n + (choices[n] == '|');
    }
    return array;
}

static cJSON *
show_strings(const struct config_strings *strings)
{
    cJSON *array = strings->all ? NULL : cJSON_CreateArray();
    if (strings->all)
        return cJSON_CreateString("*");
    for (size_t i = 0; i < strings->count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(strings->items[i]));
    return array;
}

static cJSON *
show_history(const struct config_history *history)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < history->count; i++) {
        cJSON *message = cJSON_CreateObject();
        cJSON_AddStringToObject(message, "role", history->items[i].role);
        cJSON_AddStringToObject(message, "text", history->items[i].text);
        cJSON_AddItemToArray(array, message);
    }
    return array;
}

cJSON *
config_value_to_json(const struct config_row *row, const void *base)
{
    const void *member = const_member_of(row, base);
    switch (row->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return *(char *const *)member
                   ? cJSON_CreateString(*(char *const *)member)
                   : NULL;
    case CONFIG_PATHS:
    case CONFIG_NAMES:
        return show_strings(member);
    case CONFIG_UINT:
        return cJSON_CreateNumber(*(const uint32_t *)member);
    case CONFIG_NUMBER:
        return cJSON_CreateNumber(*(const double *)member);
    case CONFIG_CHOICE:
        return show_choices(row->choices, 1u << (*(const int *)member - 1),
                            false);
    case CONFIG_CHOICES:
        return show_choices(row->choices, *(const uint32_t *)member, true);
    case CONFIG_HISTORY:
        return show_history(member);
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        return *(cJSON *const *)member
                   ? cJSON_Duplicate(*(cJSON *const *)member, true)
                   : NULL;
    }
    return NULL;
}
