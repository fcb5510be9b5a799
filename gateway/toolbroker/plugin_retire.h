/* Processes of a plugin that another one has taken over from: they take no new
 * calls, finish those that they have, and end. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_RETIRE_H
#define GATEWAY_TOOLBROKER_PLUGIN_RETIRE_H

#include "gateway/toolbroker/plugin.h"

/* Lets it finish what it has begun, and then end; what it has not begun comes
 * back. `limit_ms`: how long calls without a limit of their own may go on, 0:
 * as long as they like. Accepts NULL. [loop] */
void plugin_retire(struct worker *worker, uint32_t limit_ms);

/* Ends calls whose time is over; returns when to come again, UINT64_MAX for
 * never. [loop] */
uint64_t plugin_retire_tick(struct provider *provider, uint64_t now_ns);

#endif
