/* What a running tool asks for in its conversation: the same that control
 * offers, done for the session that called it. */
#ifndef GATEWAY_SESSION_ASKS_H
#define GATEWAY_SESSION_ASKS_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "gateway/toolbroker/broker.h"

struct daemon;
struct asks;

/* NULL when memory is out. [loop] */
struct asks *asks_new(struct daemon *daemon);

/* Accepts NULL inside. [loop] */
void asks_free(struct asks **asks);

/* broker_callbacks.on_ask; `arg` is the daemon. [loop] */
enum vr_status asks_answer(void *arg, const struct broker_ask *ask,
                           cJSON **answer, char *why, size_t why_size);

/* The tool that ends a conversation; a broker_builtin_fn, `arg` is the daemon.
 * [loop] */
enum tool_outcome asks_end_conversation(void *arg,
                                        const struct broker_caller *caller,
                                        const cJSON *arguments, char **text);

#endif
