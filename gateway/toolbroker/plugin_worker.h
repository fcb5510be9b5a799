/* The processes of a plugin or an MCP server: their start, their death, and
 * what follows from it. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_WORKER_H
#define GATEWAY_TOOLBROKER_PLUGIN_WORKER_H

#include "gateway/toolbroker/plugin.h"

/* Starts one that is to take all new calls. [loop] */
void plugin_worker_start(struct provider *provider);

/* Starts one that takes over when it is ready. [loop] */
void plugin_worker_start_candidate(struct provider *provider);

/* Asks it to end. Accepts NULL. [loop] */
void plugin_worker_stop(struct worker *worker);

/* Kills it; `fault` (static storage) is told as the cause of its death.
 * [loop] */
void plugin_worker_fail(struct worker *worker, const char *fault);

/* It cannot be used, for `reason`. [loop] */
void plugin_worker_refuse(struct worker *worker, const char *reason);

/* It has offered its tools; takes what is in `list`. [loop] */
void plugin_worker_listed(struct worker *worker, struct tool_list *list);

/* Does what is due in all processes of a provider; returns when to come again,
 * UINT64_MAX for never. [loop] */
uint64_t plugin_worker_tick(struct provider *provider, uint64_t now_ns);

#endif
