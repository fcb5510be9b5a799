/* A provider whose workers are children of the gateway: a plugin (.so), or an
 * MCP server behind a bridge.
 *
 *   STARTING --listed--> READY --child died, or hangs--> WAITING or STARTING
 *   WAITING  --time--> STARTING            (backoff, doubling, bounded)
 *   any      --refused, or never came up--> REFUSED (until it is another file;
 *                                           an MCP server is tried again)
 *
 * Its tools stay what they are while it is WAITING: calls wait for the next
 * worker if that is near, and fail at once if it is not.
 *
 * A newer version is started beside the current one, as its candidate, and
 * takes over when it is READY; if it never is, the current one goes on. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_H
#define GATEWAY_TOOLBROKER_PLUGIN_H

#include "gateway/toolbroker/plugin_file.h"
#include "gateway/toolbroker/provider.h"

struct plugin {
    char *path;              /* NULL: an MCP server */
    struct plugin_file file; /* the version that is wanted */
    size_t folder;           /* its place among the folders */
    char *config_json;
    bool unconfigured;        /* plugins.config has nothing for it */
    struct worker *current;   /* the one that takes new calls, or NULL */
    struct worker *candidate; /* a newer version that is starting, or NULL */
    bool was_ready;
    bool file_refused; /* the file might not be loaded when it was started */
    bool trouble_told; /* that this MCP server cannot be used now */
    /* supervision */
    uint32_t streak; /* deaths since the last sign of health */
    uint64_t due_ns; /* WAITING: the next start */
    char last_death[200];
};

/* A plugin that has not been started: `file` is what was found at `path`, in
 * the folder of that place. Copies the texts; `config_json` may be NULL. NULL
 * when memory is out. [loop] */
struct provider *plugin_new(const struct provider_context *context,
                            const char *name, const char *path,
                            const struct plugin_file *file, size_t folder,
                            const char *config_json);

/* An MCP server of the configuration that has not been started. NULL when
 * memory is out. [loop] */
struct provider *plugin_new_mcp(const struct provider_context *context,
                                const char *name);

/* Its file is another one now; of two in a row the last counts. Calls in the
 * old process end first. [loop] */
void plugin_replace(struct provider *provider, const char *path,
                    const struct plugin_file *file, size_t folder);

/* Starts it anew, as it is. [loop] */
void plugin_reload(struct provider *provider);

/* It is not there any more, and `reason` says so: its tools are gone at once,
 * calls in it end, and it is freed by the broker. [loop] */
void plugin_leave(struct provider *provider, const char *reason);

#endif
