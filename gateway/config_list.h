/* The lists among the configuration's values: names, paths, history,
 * targets. Used by config_value.c and config_value_copy.c only. */
#ifndef GATEWAY_CONFIG_LIST_H
#define GATEWAY_CONFIG_LIST_H

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

#define CONFIG_ITEMS_MAX 256 /* of one list */
#define CONFIG_TARGETS_MAX 8

/* Replaces a list by what the item holds; a problem leaves the old one, or
 * leaves the bad entry out. [any] */
void config_strings_read(const struct config_row *row,
                         struct config_strings *member, const cJSON *item,
                         const char *path, struct config_reader *reader);

/* Frees the entries and empties the list. [any] */
void config_strings_free(struct config_strings *strings);

/* As the file would say it. Caller frees; NULL when memory is out. [any] */
cJSON *config_strings_to_json(const struct config_strings *strings);

/* As config_strings_read(). [any] */
void config_history_read(const struct config_row *row,
                         struct config_history *member, const cJSON *item,
                         const char *path, struct config_reader *reader);

/* As config_strings_free(). [any] */
void config_history_free(struct config_history *history);

/* As config_strings_to_json(). [any] */
cJSON *config_history_to_json(const struct config_history *history);

/* As config_strings_read(). [any] */
void config_targets_read(const struct config_row *row,
                         struct config_targets *member, const cJSON *item,
                         const char *path, struct config_reader *reader);

/* As config_strings_free(). [any] */
void config_targets_free(struct config_targets *targets);

/* As config_strings_to_json(). [any] */
cJSON *config_targets_to_json(const struct config_targets *targets);

#endif
