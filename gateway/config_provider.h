/* What is right for providers of tools beyond their single keys, which are in
 * gateway/config_provider.tbl.h. Used by the configuration's own files only;
 * others see gateway/config.h. */
#ifndef GATEWAY_CONFIG_PROVIDER_H
#define GATEWAY_CONFIG_PROVIDER_H

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/config_table.h"

extern const struct config_table config_plugin_table; /* [any] */
extern const struct config_table config_mcp_table;    /* [any] */
extern const struct config_table config_worker_table; /* [any] */
extern const struct config_table config_tool_table;   /* [any] */

/* What is wrong with an entry of `mcp` or `workers.rules`: keys that exclude
 * or need each other, files that are not there or are open to everybody. `item`
 * is the entry in the file. [loop] */
void config_provider_check(const struct config_row *row,
                           const struct config_provider *provider,
                           const cJSON *item, const char *path,
                           struct config_reader *reader);

/* That every provider has a name of its own. `json` is the whole file. [any] */
void config_providers_check(const struct config *config, const cJSON *json,
                            struct config_reader *reader);

#endif
