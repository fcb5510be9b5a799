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
#include "gateway/session/history.h"
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
    /* One of its rings was made anew. May be NULL. */
    void (*on_rings)(void *arg, struct session *session);
};

/* How a session comes to be. */
struct session_begin {
    const char *conversation; /* NULL: an id is minted, or the file's goes on */
    bool by_control;          /* by session.open, not by the settings file */
};

/* Creates the session and its rings; no stream yet. `services` and `settings`
 * must outlive it. A longer conversation id than SESSION_CONVERSATION_BYTES is
 * cut. NULL on failure, with a sentence in `problem`. [loop] */
struct session *session_new(const struct services *services,
                            const struct config_session *settings,
                            const struct session_begin *begin,
                            const struct session_ops *ops, void *arg,
                            char *problem, size_t problem_size);

/* Opens a stream, or goes to sleep, as its mode says. [loop] */
void session_begin(struct session *session);

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

/* Flushes what is being said and discards the rest of it, and cancels the tools
 * that an interruption is to cancel. VR_STATE if there is neither. `heard_ms`
 * gets how much was heard. [loop] */
enum vr_status session_interrupt(struct session *session,
                                 double *heard_ms) VR_NODISCARD;

/* Sends silence in place of the microphone, or no more. [loop] */
void session_mute(struct session *session, bool muted);
bool session_muted(const struct session *session); /* [loop] */

/* session.update: other settings, an object of some keys. Each applies at once
 * or by a rotation; what can only change by reopening is refused, and then
 * nothing changes. Answers `call`. [loop] */
void session_update(struct session *session, const cJSON *config,
                    struct rpc_call *call);

/* Ends what is being said and goes on with a new stream at once; without
 * `keep_history` only what is pinned is kept. [loop] */
void session_reset(struct session *session, bool keep_history);

/* A next stream is wanted. False without a current one. [loop] */
bool session_rotate(struct session *session);

/* Ends the stream, keeps session and history. False if there is none to end.
 * [loop] */
bool session_sleep(struct session *session);

/* What was said; caller frees. [loop] */
cJSON *session_history(const struct session *session);
uint64_t session_history_revision(const struct session *session); /* [loop] */

/* As history_append() and history_replace(), and the model is told by a
 * rotation. `dropped` gets how many the limits had no room for. [loop] */
enum vr_status session_history_append(struct session *session,
                                      const struct history_message *message,
                                      uint64_t revision, char *why,
                                      size_t why_size) VR_NODISCARD;
enum vr_status session_history_replace(struct session *session,
                                       const struct history_message *messages,
                                       size_t count, uint64_t revision,
                                       size_t *dropped, char *why,
                                       size_t why_size) VR_NODISCARD;

/* The broker's tools, or its readiness, have changed. [loop] */
void session_tools_changed(struct session *session);

/* A tool call that the broker knows by this id says how far it is. False: it
 * is not this session's. [loop] */
bool session_tool_progress(struct session *session, uint64_t broker_id,
                           double done, double total, const char *message);

/* "name conversation": for log lines. Lives as long as the session. [loop] */
const char *session_context(const struct session *session);

#endif
