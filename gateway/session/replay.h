/* What was being said when a stream was left is said again to the next one:
 * once, as text or as audio. */
#ifndef GATEWAY_SESSION_REPLAY_H
#define GATEWAY_SESSION_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct session;

/* Decides it, from what is unanswered, while the dialogue still knows: sets
 * session->replay and replay_frame, and queues texts. [loop] */
void replay_plan(struct session *session, uint64_t now_ns);

/* The same for a stream that is lost and may have been answering: an answer that
 * was hardly heard is taken back and comes anew; of any other, what was planned
 * is kept as interrupted. [loop] */
void replay_plan_lost(struct session *session, uint64_t now_ns);

/* Whether words of the user wait for the next stream. [loop] */
bool replay_wanted(const struct session *session);

/* Takes back what was not handed to TLS, goes back in the input ring as
 * planned, and keeps there what an outage allows. The stream has let go of its
 * audio. [loop] */
void replay_rewind(struct session *session, uint64_t now_ns);

#endif
