#include "gateway/config_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"

#define HISTORY_BYTES_MAX 204800

/* ---- strings ---- */

void
config_strings_free(struct config_strings *strings)
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
    int max =
        row->kind == CONFIG_TARGETS ? CONFIG_TARGETS_MAX : CONFIG_ITEMS_MAX;
    if (cJSON_IsArray(item) && cJSON_GetArraySize(item) <= max)
        return true;
    config_value_complain(row, item, path, NULL, reader);
    return false;
}

/* One entry of a list, added to `strings`, which has the room. */
static void
read_entry(const struct config_row *row, struct config_strings *strings,
           const cJSON *item, const char *path, struct config_reader *reader)
{
    struct config_row entry = *row;
    char *text = NULL;
    entry.kind = row->kind == CONFIG_PATHS ? CONFIG_PATH : CONFIG_TEXT;
    entry.offset = 0;
    config_value_read(&entry, &text, item, path, reader);
    if (text)
        strings->items[strings->count++] = text;
}

void
config_strings_read(const struct config_row *row, struct config_strings *member,
                    const cJSON *item, const char *path,
                    struct config_reader *reader)
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
    config_strings_free(member);
    *member = strings;
}

/* ---- history ---- */

void
config_history_free(struct config_history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        free(history->items[i].role);
        free(history->items[i].text);
    }
    free(history->items);
    *history = (struct config_history){0};
}

static const struct config_row message_rows[] = {
    {.path = "role",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct config_message, role),
     .fallback = "null",
     .choices = "USER|ASSISTANT",
     .unit = ""},
    {.path = "text",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct config_message, text),
     .fallback = "null",
     .min = 1,
     .max = 51200,
     .unit = ""},
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

void
config_history_read(const struct config_row *row, struct config_history *member,
                    const cJSON *item, const char *path,
                    struct config_reader *reader)
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
            config_value_complain(row, entry, at,
                                  "{\"role\": ..., \"text\": ...}", reader);
    }
    check_history(&history, item, path, reader);
    config_history_free(member);
    *member = history;
}

cJSON *
config_strings_to_json(const struct config_strings *strings)
{
    cJSON *array = strings->all ? NULL : cJSON_CreateArray();
    if (strings->all)
        return cJSON_CreateString("*");
    for (size_t i = 0; i < strings->count; i++)
        jsonx_put(array, NULL, cJSON_CreateString(strings->items[i]));
    return array;
}

cJSON *
config_history_to_json(const struct config_history *history)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < history->count; i++) {
        cJSON *message = cJSON_CreateObject();
        cJSON_AddStringToObject(message, "role", history->items[i].role);
        cJSON_AddStringToObject(message, "text", history->items[i].text);
        jsonx_put(array, NULL, message);
    }
    return array;
}

/* ---- targets ---- */

static const struct config_row target_rows[] = {
    {.path = "region",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct config_target, region),
     .fallback = "null",
     .min = 1,
     .max = 63,
     .check = config_check_region,
     .unit = ""},
    {.path = "model",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct config_target, model),
     .fallback = "null",
     .min = 1,
     .max = 2048,
     .unit = ""},
    {.path = "endpoint",
     .kind = CONFIG_TEXT,
     .offset = offsetof(struct config_target, endpoint),
     .fallback = "null",
     .min = 1,
     .max = 512,
     .check = config_check_endpoint,
     .unit = ""},
    {.path = "ca_file",
     .kind = CONFIG_PATH,
     .offset = offsetof(struct config_target, ca_file),
     .fallback = "null",
     .min = 1,
     .max = 4095,
     .unit = ""},
};
static const struct config_table target_table = {target_rows, 4};

void
config_targets_free(struct config_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        config_table_free(&target_table, &targets->items[i]);
    free(targets->items);
    *targets = (struct config_targets){0};
}

static void
read_target(struct config_target *target, const cJSON *item, const char *path,
            struct config_reader *reader)
{
    size_t before = reader->problems->count;
    config_table_read(&target_table, target, item, path, NULL, reader);
    if (reader->problems->count == before && !target->model)
        config_problem(reader->problems, item, path,
                       "lacks its model; use {\"region\": ..., \"model\": "
                       "...}");
}

void
config_targets_read(const struct config_row *row, struct config_targets *member,
                    const cJSON *item, const char *path,
                    struct config_reader *reader)
{
    struct config_targets targets = {0};
    const cJSON *entry;
    if (!good_list(row, item, path, reader))
        return;
    targets.items = calloc(CONFIG_TARGETS_MAX, sizeof *targets.items);
    if (!targets.items) {
        config_problem(reader->problems, item, path, "out of memory");
        return;
    }
    cJSON_ArrayForEach(entry, item)
    {
        char at[CONFIG_PATH_BYTES + 24];
        snprintf(at, sizeof at, "%s[%zu]", path, targets.count);
        read_target(&targets.items[targets.count++], entry, at, reader);
    }
    config_targets_free(member);
    *member = targets;
}

cJSON *
config_targets_to_json(const struct config_targets *targets)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < targets->count; i++) {
        cJSON *target = cJSON_CreateObject();
        config_table_to_json(&target_table, &targets->items[i], target);
        jsonx_put(array, NULL, target);
    }
    return array;
}
