/* A plugin's calls: which wait, which are in a worker, how they end. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_QUEUE_H
#define GATEWAY_TOOLBROKER_PLUGIN_QUEUE_H

#include "gateway/toolbroker/plugin.h"

/* Takes a call over: it is sent now or waits; if no worker is near, it ends
 * here. [loop] */
void plugin_queue_add(struct plugin *plugin, struct toolcall *call);

/* Sends what can be sent. [loop] */
void plugin_queue_send(struct plugin *plugin);

/* Ends a call of this plugin, wherever it is. `why` says so to the worker that
 * has it. [loop] */
void plugin_queue_drop(struct plugin *plugin, struct toolcall *call,
                       enum tool_outcome outcome, const char *why);

/* Ends all calls that wait in the queue. [loop] */
void plugin_queue_fail(struct plugin *plugin, const char *reason);

/* Ends all calls that are in a worker that died of `how`. [loop] */
void plugin_queue_fail_worker(struct worker *worker, const char *how);

/* A worker's answer to a call. [loop] */
void plugin_queue_answer(struct worker *worker,
                         const struct worker_message *message);

#endif
