/* What a running call may ask for in its conversation, sans-IO: whether the
 * params are of the right types and sizes. */
#ifndef GATEWAY_TOOLBROKER_WORKER_ASK_H
#define GATEWAY_TOOLBROKER_WORKER_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/toolbroker/broker.h"

#define WORKER_ASK_NAME_MAX_BYTES 64
#define WORKER_ASK_DATA_MAX_BYTES (16 * 1024)   /* of an event */
#define WORKER_ASK_TEXT_MAX_BYTES (8 * 1024)    /* said to the model */
#define WORKER_ASK_CONFIG_MAX_BYTES (64 * 1024) /* settings */
#define WORKER_ASK_REASON_MAX_BYTES 512
#define WORKER_ASK_WITHIN_MAX_MS 300000

/* True if `params`, an object, are right for this. If not, `why` holds a
 * sentence that says which member must be what. [any] */
bool worker_ask_check(enum broker_ask_kind ask, const cJSON *params, char *why,
                      size_t why_size);

/* The bit of enum config_grant that allows it, and its name in config. Static
 * storage. [any] */
uint32_t worker_ask_grant(enum broker_ask_kind ask);
const char *worker_ask_grant_name(enum broker_ask_kind ask);

#endif
