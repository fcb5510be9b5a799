/* One conversation: a name, two rings, a prompt, a voice, a tool set, and the
 * stream that carries it. The only place that sees every station.
 *
 * Everything here belongs to the loop's thread. */
#ifndef GATEWAY_SESSION_SESSION_H
#define GATEWAY_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/config.h"
#include "gateway/control/rpc.h"
#include "gateway/session/machine.h"
#include "gateway/session/services.h"

/* Of a conversation's id, its NUL included. */
#define SESSION_CONVERSATION_BYTES 80

struct ring_host;
struct session;

struct session_ops {
    /* The state moved. The session must not be freed from here, but may be
     * from the loop's next turn on. */
    void (*on_state)(void *arg, struct session *session);
};

/* Creates the session and its rings; no stream yet. `services` and `settings`
 * must outlive it. `conversation` NULL: an id is minted; a longer one than
 * SESSION_CONVERSATION_BYTES is cut. NULL on failure, with a sentence in
 * `problem`. [loop] */
struct session *session_new(const struct services *services,
                            const struct config_session *settings,
                            const char *conversation,
                            const struct session_ops *ops, void *arg,
                            char *problem, size_t problem_size);

/* Drops the stream and the rings at once; what waits for them is answered
 * with an error. Its handles are closed on the loop, which must turn once
 * more. Accepts NULL inside. [loop] */
void session_free(struct session **session);

/* Asks for an edge of the state machine; without one, nothing changes and the
 * return is false. [loop] */
bool session_open(struct session *session);
bool session_close(struct session *session);

const char *session_name(const struct session *session);         /* [loop] */
const char *session_conversation(const struct session *session); /* [loop] */
enum session_state session_state(const struct session *session); /* [loop] */

/* Nothing more can come of it: closed. [loop] */
bool session_is_over(const struct session *session);

/* Its two rings, for rings.json. Live as long as the session. [loop] */
struct ring_host *session_in_ring(struct session *session);
struct ring_host *session_out_ring(struct session *session); /* [loop] */

/* For session.list and session.get: caller frees. [loop] */
cJSON *session_summary(const struct session *session);
cJSON *session_description(struct session *session);

/* Counters and the audio account, for gateway.stats. Caller frees. [loop] */
cJSON *session_stats(struct session *session);

/* session.text: answers `call` when accepted or, with `wait_response`, when
 * the model has answered. [loop] */
void session_text(struct session *session, const char *text, bool wait_response,
                  uint32_t timeout_ms, struct rpc_call *call);

/* Flushes what is being said and discards the rest of it. VR_STATE if the
 * robot says nothing. `heard_ms` gets how much was heard. [loop] */
enum vr_status session_interrupt(struct session *session,
                                 double *heard_ms) VR_NODISCARD;

/* Sends silence in place of the microphone, or no more. [loop] */
void session_mute(struct session *session, bool muted);
bool session_muted(const struct session *session); /* [loop] */

/* The broker's tools, or its readiness, have changed. [loop] */
void session_tools_changed(struct session *session);

/* "name conversation": for log lines. Lives as long as the session. [loop] */
const char *session_context(const struct session *session);

#endif
