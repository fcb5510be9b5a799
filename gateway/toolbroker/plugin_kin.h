/* What a plugin's process has started: how many processes, and what memory they
 * take with it.
 *
 * That is looked at a moment after each start and after calls begin, and each
 * second while calls run in it or there are such processes; otherwise never. An
 * MCP server is expected to have processes, and its bridge looks at its
 * memory. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_KIN_H
#define GATEWAY_TOOLBROKER_PLUGIN_KIN_H

#include "gateway/toolbroker/child_kin.h"
#include "gateway/toolbroker/plugin.h"

/* Processes that one of a plugin may start. */
#define PLUGIN_KIN_MAX 64

/* Something begins in this worker in which it may start processes. [loop] */
void plugin_kin_expect(struct worker *worker, uint64_t now_ns);

/* What was found: a worker with too much is killed. [loop] */
void plugin_kin_found(struct worker *worker, const struct child_kin *kin);

/* Looks at all that are due; returns when to come again, UINT64_MAX for
 * never. [loop] */
uint64_t plugin_kin_tick(struct provider *provider, uint64_t now_ns);

#endif
