/* What a child of the gateway is told when it starts, and what the status it
 * ends with tells. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_BOOT_H
#define GATEWAY_TOOLBROKER_PLUGIN_BOOT_H

#include "gateway/toolbroker/plugin.h"

/* The start message for a worker with this token: one line of JSON, malloc'ed,
 * NULL when memory is out. [loop] */
char *plugin_boot_text(const struct provider *provider, const char *token);

/* How a process of it ended, as a sentence's rest: what `status` (-1: by a
 * signal) means, or else `how`. [loop] */
void plugin_boot_death(const struct provider *provider, const char *how,
                       int status, char *text, size_t text_size);

/* The sentence's rest about one that has more memory than its rule allows.
 * [loop] */
void plugin_boot_memory(const struct provider *provider, char *text,
                        size_t text_size);

#endif
