/* The entries by name among the configuration's values: providers of tools,
 * and tools, rows of kind PLUGINS, MCP, WORKERS and TOOLS. Used by
 * config_value*.c only.
 *
 * `member` is a struct config_providers, of a row of kind TOOLS a struct
 * config_tools. */
#ifndef GATEWAY_CONFIG_ENTRY_H
#define GATEWAY_CONFIG_ENTRY_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

#define CONFIG_ENTRIES_MAX 256 /* of one row */

/* The keys of a row's entries; NULL of a row of another kind. Static storage.
 * [any] */
const struct config_table *config_entry_table(const struct config_row *row);

/* Replaces the entries by what the item holds; a problem leaves the old ones,
 * or leaves the bad entry out. [any] */
void config_entries_read(const struct config_row *row, void *member,
                         const cJSON *item, const char *path,
                         struct config_reader *reader);

/* Frees the entries and empties the list. [any] */
void config_entries_free(const struct config_row *row, void *member);

/* Copies into an empty list; false when memory is out, the copy then to be
 * freed all the same. [any] */
bool config_entries_copy(const struct config_row *row, const void *from,
                         void *to) VR_NODISCARD;

/* Whether both say the same, in the same order. [any] */
bool config_entries_same(const struct config_row *row, const void *a,
                         const void *b);

/* As the file would say it. Caller frees; NULL when memory is out. [any] */
cJSON *config_entries_to_json(const struct config_row *row, const void *member);

#endif
