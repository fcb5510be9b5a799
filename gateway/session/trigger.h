/* What makes a model speak first that takes no text beside the audio (v1): a
 * clip is spoken to it (PROTOCOL 4). The clip takes the microphone's place on
 * the stream, in real time and after a little silence; then silence goes out
 * until the answer begins, or until none has come for 5 s. Meanwhile the
 * microphone's audio waits in the ring, and goes out afterwards by capture's
 * pace: nobody who talks during the clip is lost.
 *
 * It is for a session's first stream, as the greeting is, and said again on
 * the next only if that one was lost before an answer began. What the model
 * heard of it is a transcript marked `trigger`: no part of the turn's
 * user_text, kept in the history as a trigger, and never said again as
 * somebody's words. */
#ifndef GATEWAY_SESSION_TRIGGER_H
#define GATEWAY_SESSION_TRIGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/session/clip.h"

struct leg;
struct response;
struct session;

enum trigger_phase {
    TRIGGER_NONE,
    TRIGGER_CLIP,      /* it is being said */
    TRIGGER_PAUSE,     /* it was said; silence until the answer begins */
    TRIGGER_ANSWERED,  /* the microphone has the word again */
    TRIGGER_UNANSWERED /* the same, for no answer came */
};

struct trigger {
    enum trigger_phase phase;
    struct clip clip;    /* silence, speech, one chunk of silence */
    size_t at;           /* samples of it that were sent */
    bool blocked;        /* the network is full and will tell */
    uint64_t next_ns;    /* when the next chunk is due */
    uint64_t said_ns;    /* when its last one was sent */
    uint64_t turn_id;    /* of what is heard of it; 0: not begun */
    uint64_t answers_id; /* of responses before this one's answer */
    bool unusable;       /* there is no clip, and that was told */
};

/* A stream is about to be begun on `leg`: whether the clip is to be spoken to
 * it. Reads the clip then; one that cannot be used is told. What was heard of
 * it on a stream before is forgotten. [loop] */
bool trigger_prepare(struct session *session, const struct leg *leg);

/* That stream is begun: the clip has the word. [loop] */
void trigger_start(struct session *session);

/* It is no more to be said. The microphone does not go on by this. [loop] */
void trigger_stop(struct session *session);

/* Whether the clip, or the silence behind it, has the microphone's place.
 * [rt] */
bool trigger_active(const struct session *session);

/* The same, and no answer has begun. [loop] */
bool trigger_pending(const struct session *session);

/* Sends what is due of it, or gives the word to the microphone. [loop] */
void trigger_tick(struct session *session, uint64_t now_ns);
uint64_t trigger_deadline_ns(const struct session *session);

/* Whether this is the answer to the clip: no words of the user that waited
 * meanwhile are answered by it. [loop] */
bool trigger_is_answered_by(const struct session *session,
                            const struct response *response);

/* Whether words of the user that come now can only be the clip's. [loop] */
bool trigger_owns_words(const struct session *session);

#endif
