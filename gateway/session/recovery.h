/* What is done about a stream that ended and nobody asked it to: the table of
 * gateway/bedrock/exceptions.tbl.h, carried out. */
#ifndef GATEWAY_SESSION_RECOVERY_H
#define GATEWAY_SESSION_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/session/report.h"

struct bedrock_end;
struct session;

/* The current stream ended: goes on with another, at once or later, with the
 * next one if that is ready, or gives up. Reports it. [loop] */
void recovery_stream_ended(struct session *session,
                           const struct bedrock_end *end);

/* The gateway gives the current stream up, for what *fault says; it is replaced
 * at once, with continuation. The rest of *fault is filled in and reported.
 * [loop] */
void recovery_give_stream_up(struct session *session,
                             struct session_fault *fault, const char *why);

/* None are found for a session that had some: somebody may be writing them
 * anew. Looks for them slowly; false if it has to be given up. [loop] */
bool recovery_without_credentials(struct session *session);

/* An error of which the stream goes on: reports it, and forgets the tool calls
 * that it is about. [loop] */
void recovery_exception(struct session *session, const struct bedrock_end *end);

/* Opens the next stream when its time has come; looks whether the model has
 * gone deaf. [loop] */
void recovery_tick(struct session *session, uint64_t now_ns);
uint64_t recovery_deadline_ns(const struct session *session, uint64_t now_ns);

/* Somebody asks for it: no more backing off. [loop] */
void recovery_reset(struct session *session);

#endif
