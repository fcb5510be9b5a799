/* What the user is saying, or said last, as long as nothing answers it: what
 * has to be said again to another stream when this one is lost. Sans-IO. */
#ifndef GATEWAY_SESSION_UTTERANCE_H
#define GATEWAY_SESSION_UTTERANCE_H

#include <stdbool.h>
#include <stdint.h>

struct utterance {
    bool open;            /* not answered yet */
    bool speaking;        /* as far as the model said */
    bool heard;           /* the model gave a sign of it */
    bool text;            /* its FINAL text is there */
    uint64_t start_frame; /* of the input ring; UINT64_MAX: written, not said */
    uint64_t began_ns;
    uint64_t sign_ns;   /* the last sign of it, by the model or by its energy */
    uint64_t answer_ns; /* when its answer began, once it is not open */
};

/* It begins, or goes on after a pause: `frame` is where in the input ring.
 * `by_model`: the model says so, else its energy does. [loop] */
void utterance_began(struct utterance *utterance, uint64_t frame, bool by_model,
                     uint64_t now_ns);
void utterance_ended(struct utterance *utterance, bool by_model,
                     uint64_t now_ns);

/* Its words came, by the model or in writing. `speech_frame` is where the
 * newest speech began, in case that nobody told before. [loop] */
void utterance_words(struct utterance *utterance, uint64_t speech_frame,
                     uint64_t now_ns);

/* Audio of a response that began at `response_ns` came, or its end: if that is
 * later than the utterance, it is its answer. [loop] */
void utterance_answered(struct utterance *utterance, uint64_t response_ns);

/* The answer that began at `response_ns` was lost before it was heard: what it
 * answered is open again. False if it answered something else. [loop] */
bool utterance_reopen(struct utterance *utterance, uint64_t response_ns);

/* An answer must be due: said, or being said, and not answered for less than
 * `patience_ns` since the last sign of it. [loop] */
bool utterance_pending(const struct utterance *utterance, uint64_t now_ns,
                       uint64_t patience_ns);

#endif
