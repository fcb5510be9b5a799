/* What has been published: each topic's last sequence, and the events a
 * snapshot repeats. Bounded by BUS_SESSIONS_MAX and BUS_TOOLS_MAX. Used by
 * bus.c only. */
#ifndef GATEWAY_EVENTS_LEDGER_H
#define GATEWAY_EVENTS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/events/bus.h"

#define LEDGER_SESSION_BYTES 64 /* a session's name and its NUL */
#define LEDGER_TOPIC_BYTES 128
#define LEDGER_TOOL_BYTES 384 /* a tool's name and its provider's */

struct ledger;

/* NULL when memory is out. [loop] */
struct ledger *ledger_new(void);

/* Accepts NULL inside. [loop] */
void ledger_free(struct ledger **ledger);

/* Writes "v1/transcript/robot"; `session` NULL is the gateway. [any] */
void ledger_topic(enum event_type type, const char *session,
                  char topic[LEDGER_TOPIC_BYTES]);

/* The topic's next sequence, from 1; 0 when memory is out. [loop] */
uint64_t ledger_next(struct ledger *ledger, enum event_type type,
                     const char *session, uint64_t now_ns);

/* Keeps a copy of an event that a snapshot repeats; others are let pass.
 * Follows ledger_next() of the same topic. [loop] */
void ledger_keep(struct ledger *ledger, enum event_type type,
                 const char *session, const cJSON *event);

/* Topics that have a sequence. [loop] */
size_t ledger_topics(const struct ledger *ledger);

/* {topic: "sequence"} of those that published at or after `since_ns`. Caller
 * frees. [loop] */
cJSON *ledger_sequences(const struct ledger *ledger, uint64_t since_ns);

/* Copies of the events kept, in an array. Caller frees. [loop] */
cJSON *ledger_states(const struct ledger *ledger);

#endif
