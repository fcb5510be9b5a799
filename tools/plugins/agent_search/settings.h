/* The plugin's section of the config. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_SETTINGS_H
#define TOOLS_PLUGINS_AGENT_SEARCH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/plugins/agent_search/address.h"

#define SETTINGS_AGENTS_MAX 16u
#define SETTINGS_NAME_BYTES 65

/* One agent. Strings live as long as the settings. */
struct agent_settings {
    char name[SETTINGS_NAME_BYTES];
    char url[ADDRESS_BYTES]; /* of the card, or where to look for it */
    bool is_card_url;
    char *headers_file; /* NULL: none */
    char *ca_file;      /* NULL: the system's authorities */
    uint64_t timeout_ms;
    size_t answer_bytes;
};

struct settings {
    struct agent_settings agents[SETTINGS_AGENTS_MAX]; /* as in the file */
    size_t count;
};

/* Reads the section's JSON text. False with a sentence that says what is wrong
 * and where. Give it back with settings_fini(). [any] */
bool settings_read(struct settings *settings, const char *json, char *why,
                   size_t why_bytes);

/* Frees what is in it. [any] */
void settings_fini(struct settings *settings);

#endif
