#include "gateway/config_entry.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_check.h"
#include "gateway/config_provider.h"
#include "gateway/jsonx.h"

#define NAME_SHOWN_BYTES 64

static_assert(offsetof(struct config_provider, name) == 0 &&
                  offsetof(struct config_tool, name) == 0,
              "an entry begins with its name");

/* A row's entries, whatever they are. */
struct list {
    char *items;
    size_t count;
};

const struct config_table *
config_entry_table(const struct config_row *row)
{
    switch (row->kind) {
    case CONFIG_PLUGINS:
        return &config_plugin_table;
    case CONFIG_MCP:
        return &config_mcp_table;
    case CONFIG_WORKERS:
        return &config_worker_table;
    case CONFIG_TOOLS:
        return &config_tool_table;
    default:
        return NULL;
    }
}

static size_t
entry_bytes(const struct config_row *row)
{
    return row->kind == CONFIG_TOOLS ? sizeof(struct config_tool)
                                     : sizeof(struct config_provider);
}

static struct list
list_of(const struct config_row *row, const void *member)
{
    if (row->kind == CONFIG_TOOLS) {
        const struct config_tools *tools = member;
        return (struct list){(char *)tools->items, tools->count};
    }
    const struct config_providers *providers = member;
    return (struct list){(char *)providers->items, providers->count};
}

static void
set_list(const struct config_row *row, void *member, struct list list)
{
    if (row->kind == CONFIG_TOOLS)
        *(struct config_tools *)member =
            (struct config_tools){(struct config_tool *)list.items, list.count};
    else
        *(struct config_providers *)member = (struct config_providers){
            (struct config_provider *)list.items, list.count};
}

static void *
entry_at(const struct config_row *row, struct list list, size_t index)
{
    return list.items + index * entry_bytes(row);
}

static char **
name_of(void *entry)
{
    return entry;
}

static void
free_entry(const struct config_row *row, void *entry)
{
    config_table_free(config_entry_table(row), entry);
    free(*name_of(entry));
    *name_of(entry) = NULL;
}

void
config_entries_free(const struct config_row *row, void *member)
{
    struct list list = list_of(row, member);
    for (size_t i = 0; i < list.count; i++)
        free_entry(row, entry_at(row, list, i));
    free(list.items);
    set_list(row, member, (struct list){0});
}

/* ---- reading ---- */

static const char *
wrong_name(const struct config_row *row, const char *name)
{
    if (row->kind == CONFIG_TOOLS)
        return config_check_tool(name);
    if (row->kind != CONFIG_MCP && !strcmp(name, "*"))
        return NULL;
    return config_check_provider(name);
}

static bool
good_name(const struct config_row *row, const cJSON *entries, const cJSON *item,
          const char *path, struct config_reader *reader)
{
    const char *right = wrong_name(row, item->string);
    if (right)
        config_problem(reader->problems, item, path,
                       "\"%.64s\" is no name here; use %s", item->string,
                       right);
    else if (cJSON_GetObjectItemCaseSensitive(entries, item->string) != item)
        config_problem(reader->problems, item, path,
                       "given twice; keep one, or name it otherwise");
    else
        return true;
    return false;
}

/* Gives a zeroed entry its name; false when memory is out. Lists of names that
 * its kind has no key for exclude nothing. */
static bool
begin_entry(const struct config_row *row, void *entry, const char *name)
{
    if (row->kind != CONFIG_TOOLS) {
        struct config_provider *provider = entry;
        provider->allow.all = provider->tools.all = true;
    }
    *name_of(entry) = strdup(name);
    return *name_of(entry) != NULL;
}

/* Adds the entry to `list`, which has the room. */
static void
read_entry(const struct config_row *row, struct list *list, const cJSON *item,
           const char *path, struct config_reader *reader)
{
    void *entry = entry_at(row, *list, list->count++);
    size_t before = reader->problems->count;
    if (!begin_entry(row, entry, item->string)) {
        config_problem(reader->problems, item, path, "out of memory");
        list->count--;
        return;
    }
    config_table_read(config_entry_table(row), entry, item, path, NULL, reader);
    if (row->kind != CONFIG_TOOLS && reader->problems->count == before)
        config_provider_check(row, entry, item, path, reader);
}

void
config_entries_read(const struct config_row *row, void *member,
                    const cJSON *item, const char *path,
                    struct config_reader *reader)
{
    struct list list = {0};
    const cJSON *entry;
    int room = cJSON_GetArraySize(item);
    if (!cJSON_IsObject(item) || room > CONFIG_ENTRIES_MAX) {
        config_value_complain(row, item, path, NULL, reader);
        return;
    }
    list.items = calloc((size_t)room + 1, entry_bytes(row));
    if (!list.items) {
        config_problem(reader->problems, item, path, "out of memory");
        return;
    }
    cJSON_ArrayForEach(entry, item)
    {
        char at[CONFIG_PATH_BYTES];
        snprintf(at, sizeof at, "%.64s.%.*s", path, NAME_SHOWN_BYTES,
                 entry->string);
        if (good_name(row, item, entry, at, reader))
            read_entry(row, &list, entry, at, reader);
    }
    config_entries_free(row, member);
    set_list(row, member, list);
}

/* ---- copies ---- */

static bool
copy_entry(const struct config_row *row, void *from, void *to)
{
    return begin_entry(row, to, *name_of(from)) &&
           config_table_copy(config_entry_table(row), from, to);
}

bool
config_entries_copy(const struct config_row *row, const void *from, void *to)
{
    struct list old = list_of(row, from);
    struct list new = {calloc(old.count + 1, entry_bytes(row)), 0};
    bool done = new.items != NULL;
    while (done && new.count < old.count) {
        size_t i = new.count++;
        done = copy_entry(row, entry_at(row, old, i), entry_at(row, new, i));
    }
    set_list(row, to, new);
    return done;
}

static bool
same_entry(const struct config_row *row, void *a, void *b)
{
    const struct config_table *table = config_entry_table(row);
    bool same = !strcmp(*name_of(a), *name_of(b));
    for (size_t i = 0; same && i < table->row_count; i++)
        same = config_value_same(&table->rows[i], a, b);
    return same;
}

bool
config_entries_same(const struct config_row *row, const void *a, const void *b)
{
    struct list x = list_of(row, a);
    struct list y = list_of(row, b);
    bool same = x.count == y.count;
    for (size_t i = 0; same && i < x.count; i++)
        same = same_entry(row, entry_at(row, x, i), entry_at(row, y, i));
    return same;
}

/* ---- showing ---- */

cJSON *
config_entries_to_json(const struct config_row *row, const void *member)
{
    struct list list = list_of(row, member);
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < list.count; i++) {
        void *entry = entry_at(row, list, i);
        cJSON *shown = cJSON_CreateObject();
        config_table_to_json(config_entry_table(row), entry, shown);
        jsonx_put(json, *name_of(entry), shown);
    }
    return json;
}
