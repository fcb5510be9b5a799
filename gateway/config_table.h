/* The rows of config.tbl.h, and how one value of a row is read, copied, freed
 * and shown. Used by the configuration's own files only. */
#ifndef GATEWAY_CONFIG_TABLE_H
#define GATEWAY_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_check.h"
#include "gateway/config_problem.h"

#define CONFIG_PATH_BYTES 320

enum config_kind {
    CONFIG_TEXT,
    CONFIG_PATH,
    CONFIG_PATHS,
    CONFIG_UINT,
    CONFIG_NUMBER,
    CONFIG_CHOICE,
    CONFIG_CHOICES,
    CONFIG_NAMES,
    CONFIG_HISTORY,
    CONFIG_TARGETS,
    CONFIG_OBJECT,
    CONFIG_OBJECTS,
    CONFIG_FLAG,
    CONFIG_TEXTS,
    CONFIG_ENV,
    CONFIG_MAYBE_FLAG,
    CONFIG_MAYBE_NUMBER,
    CONFIG_PLUGINS,
    CONFIG_MCP,
    CONFIG_WORKERS,
    CONFIG_TOOLS
};

struct config_row {
    const char *path; /* within its table */
    enum config_kind kind;
    size_t offset;        /* in the struct the table fills */
    const char *fallback; /* JSON */
    double min, max;
    const char *choices; /* "a|b", NULL if free */
    config_check_fn *check;
    const char *unit;
    const char *what;
    enum config_applies applies;
};

/* A row of a table of its own, made from a line of a .tbl.h. */
#define CONFIG_ROW(type, path_, kind_, member, fallback_, min_, max_, \
                   choices_, check_, applies_, unit_, what_)          \
    {                                                                 \
        .path = path_,                                                \
        .kind = CONFIG_##kind_,                                       \
        .offset = offsetof(struct type, member),                      \
        .fallback = fallback_,                                        \
        .min = min_,                                                  \
        .max = max_,                                                  \
        .choices = choices_,                                          \
        .check = check_,                                              \
        .applies = CONFIG_APPLIES_##applies_,                         \
        .unit = unit_,                                                \
        .what = what_,                                                \
    },

struct config_table {
    const struct config_row *rows;
    size_t row_count;
};

extern const struct config_table config_root_table;    /* [any] */
extern const struct config_table config_session_table; /* [any] */

/* What a read needs to know beside the value. */
struct config_reader {
    struct config_problems *problems;
    const char *dir; /* where relative paths start, "" for here */
};

/* Reads `json`, an object, into the struct at `base`, zeroed: first every row's
 * default, then config_table_update(). `path` begins the problems' keys and may be "".
 * Members of which `skip` is the name are left alone (NULL: none). [any] */
void config_table_read(const struct config_table *table, void *base,
                       const cJSON *json, const char *path, const char *skip,
                       struct config_reader *reader);

/* Reads every member of `json`, an object, into the struct at `base`, which is
 * filled already; null puts the default back. [any] */
void config_table_update(const struct config_table *table, void *base,
                         const cJSON *json, const char *path, const char *skip,
                         struct config_reader *reader);

/* Copies every value into a zeroed struct; false when memory is out, the copy
 * then to be freed all the same. [any] */
bool config_table_copy(const struct config_table *table, const void *from,
                       void *to) VR_NODISCARD;

/* Frees every value. [any] */
void config_table_free(const struct config_table *table, void *base);

/* All values as a nested object, added to `json`. [any] */
void config_table_to_json(const struct config_table *table, const void *base,
                          cJSON *json);

/* The member of nested objects at a path with dots, NULL if absent or null.
 * [any] */
const cJSON *config_item_at(const cJSON *json, const char *path);

/* Reads one value that is not null; a problem leaves the old one. [any] */
void config_value_read(const struct config_row *row, void *base,
                       const cJSON *item, const char *path,
                       struct config_reader *reader);

/* Puts the row's default in the value's place; a null leaves it zeroed. [any] */
void config_value_reset(const struct config_row *row, void *base,
                        struct config_reader *reader);

/* Frees one value and zeroes its member. [any] */
void config_value_free(const struct config_row *row, void *base);

/* Copies one value over a zeroed one; false when memory is out. [any] */
bool config_value_copy(const struct config_row *row, const void *from,
                       void *to) VR_NODISCARD;

/* Whether two values say the same. Allocates nothing. [any] */
bool config_value_same(const struct config_row *row, const void *a,
                       const void *b);

/* One value as JSON; NULL if unset or memory is out. Caller frees. [any] */
cJSON *config_value_to_json(const struct config_row *row, const void *base);

/* Adds the problem "is 5; use a whole number from 10 to 100 ms". `right` is what
 * would be, NULL: what the row says. [any] */
void config_value_complain(const struct config_row *row, const cJSON *item,
                           const char *path, const char *right,
                           struct config_reader *reader);

#endif
