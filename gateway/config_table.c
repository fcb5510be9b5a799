#include "gateway/config_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"
#include "gateway/jsonx.h"

#define MEMBERS_MAX 1024 /* of one object */
#define WORD_BYTES_MAX 48

static const struct config_row root_rows[] = {
#define CONFIG_ROOT(path, kind, member, fallback, min, max, choices, check,    \
                    unit, what)                                                \
    CONFIG_ROW(config, path, kind, member, fallback, min, max, choices, check, \
               RESTART, unit, what)
#include "gateway/config.tbl.h"
};

static const struct config_row session_rows[] = {
#define CONFIG_SESSION(...) CONFIG_ROW(config_session, __VA_ARGS__)
#include "gateway/config.tbl.h"
};

#define COUNT(rows) (sizeof rows / sizeof *rows)

const struct config_table config_root_table = {root_rows, COUNT(root_rows)};
const struct config_table config_session_table = {session_rows,
                                                  COUNT(session_rows)};

static const struct config_row *
find_row(const struct config_table *table, const char *path)
{
    for (size_t i = 0; i < table->row_count; i++) {
        if (!strcmp(table->rows[i].path, path))
            return &table->rows[i];
    }
    return NULL;
}

/* Whether keys exist below this path. */
static bool
is_section(const struct config_table *table, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < table->row_count; i++) {
        const char *p = table->rows[i].path;
        if (!strncmp(p, path, n) && p[n] == '.')
            return true;
    }
    return false;
}

/* ---- unknown keys ---- */

/* Levenshtein's distance of two words, cut at WORD_BYTES_MAX. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[WORD_BYTES_MAX + 1];
    size_t b_bytes = strnlen(b, WORD_BYTES_MAX);
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = j;
    for (size_t i = 1; i <= strnlen(a, WORD_BYTES_MAX); i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < best ? change : best;
        }
    }
    return row[b_bytes];
}

/* The child of `prefix` that a row's path goes through; false if none. */
static bool
child_of(const char *row_path, const char *prefix, char word[WORD_BYTES_MAX])
{
    size_t n = strlen(prefix);
    if (strncmp(row_path, prefix, n))
        return false;
    snprintf(word, WORD_BYTES_MAX, "%.*s", (int)strcspn(row_path + n, "."),
             row_path + n);
    return true;
}

/* A key that was probably meant: close in spelling, or the same elsewhere. */
static bool
suggest(const struct config_table *table, const char *prefix, const char *key,
        char *meant, size_t meant_size)
{
    size_t best = strlen(key) < 6 ? 2 : 3;
    bool found = false;
    for (size_t i = 0; i < table->row_count; i++) {
        const char *path = table->rows[i].path;
        const char *leaf = strrchr(path, '.');
        char word[WORD_BYTES_MAX];
        if (child_of(path, prefix, word) && distance(key, word) < best) {
            best = distance(key, word);
            snprintf(meant, meant_size, "%s", word);
            found = true;
        }
        if (!found && !strcmp(leaf ? leaf + 1 : path, key)) {
            snprintf(meant, meant_size, "%s", path);
            found = true;
        }
    }
    return found;
}

static void
list_children(const struct config_table *table, const char *prefix, char *text,
              size_t text_size)
{
    char last[WORD_BYTES_MAX] = "";
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < table->row_count && at < text_size; i++) {
        char word[WORD_BYTES_MAX];
        if (!child_of(table->rows[i].path, prefix, word) || !strcmp(word, last))
            continue;
        at += (size_t)snprintf(text + at, text_size - at, "%s%s",
                               at ? ", " : "", word);
        snprintf(last, sizeof last, "%s", word);
    }
}

static void
complain_unknown(const struct config_table *table, const cJSON *item,
                 const char *prefix, const char *path,
                 struct config_reader *reader)
{
    char meant[CONFIG_PATH_BYTES];
    char known[960];
    if (suggest(table, prefix, item->string, meant, sizeof meant)) {
        config_problem(reader->problems, item, path,
                       "unknown key; did you mean \"%s\"?", meant);
        return;
    }
    list_children(table, prefix, known, sizeof known);
    config_problem(reader->problems, item, path,
                   "unknown key; remove it, or use one of: %s", known);
}

/* ---- reading ---- */

static void
complain_twice(const cJSON *object, const cJSON *item, const char *path,
               struct config_reader *reader)
{
    const cJSON *first = cJSON_GetObjectItemCaseSensitive(object, item->string);
    if (first != item)
        config_problem(reader->problems, item, path,
                       "given twice; keep one (the first is on line %zu)",
                       jsonc_line(reader->problems->jsonc, first));
}

static bool
check_object(const cJSON *json, const char *path, struct config_reader *reader)
{
    if (!cJSON_IsObject(json)) {
        config_problem(reader->problems, json, path,
                       "must hold keys and values; use { ... }");
        return false;
    }
    if (cJSON_GetArraySize(json) > MEMBERS_MAX) {
        config_problem(reader->problems, json, path,
                       "has more than %d members; use fewer", MEMBERS_MAX);
        return false;
    }
    return true;
}

/* Every value below `section`, "input.", becomes its default. */
static void
reset_section(const struct config_table *table, void *base, const char *section,
              struct config_reader *reader)
{
    for (size_t i = 0; i < table->row_count; i++) {
        const struct config_row *row = &table->rows[i];
        if (!strncmp(row->path, section, strlen(section)))
            config_value_reset(row, base, reader);
    }
}

static void read_members(const struct config_table *table, void *base,
                         const cJSON *json, const char *prefix,
                         const char *path, const char *skip,
                         struct config_reader *reader);

/* `key` is the member's place in the table, `full` its place in the file. */
static void
read_member(const struct config_table *table, void *base, const cJSON *item,
            const char *prefix, const char *key, const char *full,
            struct config_reader *reader)
{
    char section[CONFIG_PATH_BYTES + 1];
    const struct config_row *row = find_row(table, key);
    snprintf(section, sizeof section, "%s.", key);
    if (strchr(item->string, '.'))
        config_problem(reader->problems, item, full,
                       "a key holds no dots; nest it: {\"a\": {\"b\": "
                       "...}} for a.b");
    else if (row && cJSON_IsNull(item))
        config_value_reset(row, base, reader);
    else if (row)
        config_value_read(row, base, item, full, reader);
    else if (!is_section(table, key))
        complain_unknown(table, item, prefix, full, reader);
    else if (cJSON_IsNull(item))
        reset_section(table, base, section, reader);
    else
        read_members(table, base, item, section, full, NULL, reader);
}

/* `prefix` is the place in the table, "input." or ""; `path` the place in the
 * file. Tables nest one level, so the recursion ends. */
static void
read_members(const struct config_table *table, void *base, const cJSON *json,
             const char *prefix, const char *path, const char *skip,
             struct config_reader *reader)
{
    const cJSON *item;
    if (!check_object(json, path, reader))
        return;
    cJSON_ArrayForEach(item, json)
    {
        char key[CONFIG_PATH_BYTES];
        char full[CONFIG_PATH_BYTES];
        snprintf(key, sizeof key, "%s%.120s", prefix, item->string);
        snprintf(full, sizeof full, "%s%s%.120s", path, *path ? "." : "",
                 item->string);
        complain_twice(json, item, full, reader);
        if (!skip || strcmp(key, skip))
            read_member(table, base, item, prefix, key, full, reader);
    }
}

void
config_table_read(const struct config_table *table, void *base,
                  const cJSON *json, const char *path, const char *skip,
                  struct config_reader *reader)
{
    for (size_t i = 0; i < table->row_count; i++)
        config_value_reset(&table->rows[i], base, reader);
    config_table_update(table, base, json, path, skip, reader);
}

void
config_table_update(const struct config_table *table, void *base,
                    const cJSON *json, const char *path, const char *skip,
                    struct config_reader *reader)
{
    if (json && !cJSON_IsNull(json))
        read_members(table, base, json, "", path, skip, reader);
}

bool
config_table_copy(const struct config_table *table, const void *from, void *to)
{
    bool done = true;
    for (size_t i = 0; i < table->row_count; i++)
        done = config_value_copy(&table->rows[i], from, to) && done;
    return done;
}

void
config_table_free(const struct config_table *table, void *base)
{
    for (size_t i = 0; i < table->row_count; i++)
        config_value_free(&table->rows[i], base);
}

/* ---- showing ---- */

void
config_table_to_json(const struct config_table *table, const void *base,
                     cJSON *json)
{
    for (size_t i = 0; i < table->row_count; i++) {
        const struct config_row *row = &table->rows[i];
        const char *dot = strchr(row->path, '.');
        cJSON *parent = json;
        if (dot) {
            char section[WORD_BYTES_MAX];
            snprintf(section, sizeof section, "%.*s", (int)(dot - row->path),
                     row->path);
            parent = cJSON_GetObjectItemCaseSensitive(json, section);
            if (!parent)
                parent = cJSON_AddObjectToObject(json, section);
        }
        cJSON *value = config_value_to_json(row, base);
        if (!value)
            value = cJSON_CreateNull();
        jsonx_put(parent, dot ? dot + 1 : row->path, value);
    }
}

const cJSON *
config_item_at(const cJSON *json, const char *path)
{
    while (json && path) {
        char word[WORD_BYTES_MAX];
        const char *dot = strchr(path, '.');
        int n = dot ? (int)(dot - path) : (int)strlen(path);
        snprintf(word, sizeof word, "%.*s", n, path);
        json = cJSON_GetObjectItemCaseSensitive(json, word);
        path = dot ? dot + 1 : NULL;
    }
    return cJSON_IsNull(json) ? NULL : json;
}
