/* The model's tool calls: each toolUse is answered by exactly one toolResult,
 * whatever happens to the tool, the stream or the session. */
#ifndef GATEWAY_SESSION_CALLS_H
#define GATEWAY_SESSION_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/sonic/decode.h"
#include "gateway/toolbroker/broker.h"

/* Calls open at once; the model gets an error for more. */
#define CALLS_MAX 32

struct session;
struct calls;

/* NULL when memory is out. [loop] */
struct calls *calls_new(struct session *session);

/* Calls still running are cancelled; their end finds nobody. Accepts NULL
 * inside. [loop] */
void calls_free(struct calls **calls);

/* The model asks for a tool, on the stream of this generation. [loop] */
void calls_begin(struct calls *calls, uint32_t generation,
                 const struct sonic_event *event);

/* Answers every open call with an error, on the stream if there is one, and
 * cancels it. [loop] */
void calls_cancel_all(struct calls *calls, const char *why);

/* Their stream is gone, another carries on: calls of streams other than `keep`
 * (a generation, 0: of none) run on. What comes of one is the answer to a call
 * of the same tool with the same arguments on the new stream, is told to the
 * model as a text, or is kept for the model to ask again. [loop] */
void calls_orphan(struct calls *calls, uint32_t keep);

/* The user has interrupted: open calls of tools that want it so are cancelled;
 * with a turn's id (0: all) only those of the turns before it. How many.
 * [loop] */
size_t calls_interrupted(struct calls *calls, uint64_t turn_id);

/* Late results that are kept for the model to ask again are forgotten.
 * [loop] */
void calls_forget(struct calls *calls);

/* A call says how far it is; `total` 0: unknown, `message` may be NULL. False:
 * it is not one of these. [loop] */
bool calls_progress(struct calls *calls, uint64_t broker_id, double done,
                    double total, const char *message);

/* The number of the open call that the broker knows by this id, 0 if it is not
 * one of these. [loop] */
uint64_t calls_number(const struct calls *calls, uint64_t broker_id);

/* The model has refused results and waits for none: open calls are cancelled
 * and not answered. [loop] */
void calls_refused(struct calls *calls);

/* The outcome as events and control name it: "result", "error", "timeout" or
 * "cancelled"; a crash is an error. Static storage. [any] */
const char *calls_outcome_name(enum tool_outcome outcome);

/* Calls of the current stream not answered yet. [loop] */
size_t calls_open(const struct calls *calls);

/* What became of the calls of a turn: [{tool, call, outcome}], as far as it is
 * remembered. Caller frees. [loop] */
cJSON *calls_of_turn(const struct calls *calls, uint64_t turn_id);

#endif
