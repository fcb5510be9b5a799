/* What a session's history is given and who hears of it: texts of both sides,
 * its file, the bus. */
#ifndef GATEWAY_SESSION_REMEMBER_H
#define GATEWAY_SESSION_REMEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/session/dialogue.h"

struct session;

/* Makes the history: from the settings, or from the file that has kept it. A
 * file that cannot be used is told and the conversation begins anew. False
 * without memory. [loop] */
bool remember_begin(struct session *session);

/* A piece of what somebody said: FINAL ones are kept. [loop] */
void remember_text(struct session *session, const struct dialogue_text *text);

/* A text that was given to the model in writing. [loop] */
void remember_written(struct session *session, uint64_t turn, const char *text);

/* An answer is over: without FINAL texts, what was planned is kept, because
 * that was said. [loop] */
void remember_response(struct session *session, const struct response *r);

/* An answer is still being said when its stream is left: what is planned of it
 * and not FINAL yet is kept now, or the next model would answer again. [loop] */
void remember_unfinished(struct session *session, const struct response *r);

/* An answer was cut off by the loss of its stream: what is planned of it is kept
 * as interrupted. [loop] */
void remember_cut(struct session *session, const struct response *r);

/* The user's words of this turn will be heard again. [loop] */
void remember_not(struct session *session, uint64_t turn);

/* The history changed, by whom and how: to the file and the bus. `dropped`: how
 * many messages went. [loop] */
void remember_tell(struct session *session, const char *phase,
                   const char *reason, size_t dropped);

/* Other limits hold, by session.update. [loop] */
void remember_limits(struct session *session);

/* The session is closed: the history's file gets its last state. The session
 * is not over before that is on the disk. [loop] */
void remember_end(struct session *session);

/* The session goes away without waiting for that. [loop] */
void remember_forget_end(struct session *session);

#endif
