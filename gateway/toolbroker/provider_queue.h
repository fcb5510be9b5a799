/* A plugin's calls: which wait, which are in a worker, how they end. */
#ifndef GATEWAY_TOOLBROKER_PROVIDER_QUEUE_H
#define GATEWAY_TOOLBROKER_PROVIDER_QUEUE_H

#include "gateway/toolbroker/provider.h"

/* Takes a call over: it is sent now or waits; if no worker is near, it ends
 * here. [loop] */
void provider_queue_add(struct provider *provider, struct toolcall *call);

/* Sends what can be sent. [loop] */
void provider_queue_send(struct provider *provider);

/* Tries again what a full connection did not take; returns when to come again,
 * UINT64_MAX for never. [loop] */
uint64_t provider_queue_tick(struct provider *provider, uint64_t now_ns);

/* Ends a call that is neither in the queue nor in a worker any more; takes
 * `content_json`, as toolcall_end(). [loop] */
void provider_queue_end(struct provider *provider, struct toolcall *call,
                        enum tool_outcome outcome, char *content_json,
                        const char *reason);

/* Ends a call of this provider, wherever it is. `why` says so to the worker
 * that has it. [loop] */
void provider_queue_drop(struct provider *provider, struct toolcall *call,
                         enum tool_outcome outcome, const char *why);

/* Ends all calls that wait in the queue. [loop] */
void provider_queue_fail(struct provider *provider, const char *reason);

/* Ends all calls that are in a worker that died of `how`. [loop] */
void provider_queue_fail_worker(struct worker *worker, const char *how);

/* A worker's answer to a call. [loop] */
void provider_queue_answer(struct worker *worker,
                           const struct worker_message *message);

#endif
