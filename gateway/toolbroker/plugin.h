/* A provider whose workers are children of the gateway: a plugin (.so), or an
 * MCP server behind a bridge.
 *
 *   STARTING --listed--> READY --child died, or hangs--> WAITING or STARTING
 *   WAITING  --time--> STARTING            (backoff, doubling, bounded)
 *   any      --refused, or never came up--> REFUSED (for good)
 *
 * Its tools stay what they are while it is WAITING: calls wait for the next
 * worker if that is near, and fail at once if it is not. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_H
#define GATEWAY_TOOLBROKER_PLUGIN_H

#include "gateway/toolbroker/provider.h"

struct plugin {
    char *path;
    char *config_json;
    struct worker *current; /* the one that takes new calls, or NULL */
    bool was_ready;
    /* supervision */
    uint32_t streak; /* deaths since the last sign of health */
    uint64_t due_ns; /* WAITING: the next start */
    char last_death[128];
};

/* A plugin that has not been started. Copies the texts. NULL when memory is
 * out. [loop] */
struct provider *plugin_new(const struct provider_context *context,
                            const char *name, const char *path,
                            const char *config_json);

#endif
