/* Environment variables among the configuration's values: names to pass on,
 * and values to set, which may be secrets and are never shown. Used by
 * config_value*.c only. */
#ifndef GATEWAY_CONFIG_ENV_H
#define GATEWAY_CONFIG_ENV_H

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

#define CONFIG_HIDDEN "\xe2\x80\xa6" /* shown in a secret's place: … */

/* Replaces the list by what the item holds, a list of names or an object of
 * values; a problem leaves the old one. [any] */
void config_env_read(struct config_strings *member, const cJSON *item,
                     const char *path, struct config_reader *reader);

/* As the file would say it, CONFIG_HIDDEN for each value. Caller frees; NULL
 * when memory is out. [any] */
cJSON *config_env_to_json(const struct config_strings *env);

#endif
