/* A client's side of a conversation for tests: fake time, what came out kept
 * as parsed events, short calls for what goes in. */
#ifndef TESTS_LOCAL_TALK_H
#define TESTS_LOCAL_TALK_H

#include "gateway/local/conversation.h"

#include <cjson/cJSON.h>

struct talk {
    struct script *script;
    struct conversation *conversation;
    uint64_t now_ms;
    cJSON *events; /* what was emitted, the named object of each event */
    cJSON *notes;  /* "kind: text" */
    char exception[64];
    char message[256];
    bool ended;
    long rate_hz;
};

/* Opens a conversation with the script's text (NULL: the built-in one). */
void talk_open(struct talk *t, const char *script, enum conversation_ear ear,
               const char *model);
void talk_open_scaled(struct talk *t, const char *script,
                      enum conversation_ear ear, const char *model,
                      double time_scale);
void talk_close(struct talk *t);

/* One event, as its whole JSON; printf-like. */
void talk_send(struct talk *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* sessionStart, promptStart with the tools, SYSTEM. */
void talk_setup(struct talk *t, const char *tools);
/* and the AUDIO block, at 16 kHz. */
void talk_start(struct talk *t, const char *tools);
void talk_text(struct talk *t, const char *name, const char *text);
void talk_result(struct talk *t, const char *name, const char *tool_use_id,
                 const char *result);
/* Audio in real time: chunks of 32 ms, time passing with them. */
void talk_audio(struct talk *t, const int16_t *samples, size_t frames);
void talk_silence(struct talk *t, unsigned ms);
void talk_tone(struct talk *t, unsigned ms);
/* Time passes without input; ticks at each deadline. */
void talk_wait(struct talk *t, unsigned ms);
/* contentEnd, promptEnd, sessionEnd. */
void talk_finish(struct talk *t);

/* The first event of that name at or after *from; moves *from past it. */
const cJSON *talk_find(const struct talk *t, const char *name, int *from);
int talk_count(const struct talk *t, const char *name);
/* The first TEXT content of that role and stage at or after *from. */
const char *talk_said(const struct talk *t, const char *role, const char *stage,
                      int *from);
/* How many notes begin with `kind`. */
int talk_notes(const struct talk *t, const char *kind);
/* Every event's name, and stage or stop reason where it has one, on one
 * line; runs of audioOutput are one. */
char *talk_flow(const struct talk *t);
const char *talk_string(const cJSON *object, const char *key);

#endif
