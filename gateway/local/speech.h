/* Says one text at a time: splits it into sentences and sends for each the
 * SPECULATIVE text and an AUDIO block, in chunks of varying length, faster
 * than real time; later the FINAL texts. Knows what a listener who plays
 * everything at once would still be hearing. */
#ifndef GATEWAY_LOCAL_SPEECH_H
#define GATEWAY_LOCAL_SPEECH_H

#include "gateway/local/emit.h"
#include "gateway/local/script.h"
#include "gateway/local/voice.h"

struct speech {
    struct emit *emit;
    struct voice *voice;
    const struct script_numbers *numbers;
    const char *voice_id; /* the prompt's */
    long rate_hz;

    char *text;       /* being said; cut into sentences as it goes */
    const char *rest; /* what has not begun yet */
    char *sentence;   /* what has, NULL between texts */
    bool last;        /* the text ends the turn */
    struct pcm *pcm;
    size_t at_frame;
    uint64_t next_us;
    uint32_t seed;

    cJSON *said; /* sentences without their FINAL yet */
    uint64_t out_ms_rest;
    uint64_t play_end_us; /* on the clock of now_ms */
};

/* Everything is borrowed for life. [loop] */
void speech_init(struct speech *s, struct emit *emit, struct voice *voice,
                 const struct script_numbers *numbers);
/* Forgets a text under way without a word. [loop] */
void speech_fini(struct speech *s);
/* The prompt's voice, borrowed, and rate. [loop] */
void speech_set_voice(struct speech *s, const char *voice_id, long rate_hz);

/* Begins a text; the one before must be over. `last`: its last sentence ends
 * the turn. A blank text is over at once. [loop] */
void speech_begin(struct speech *s, const char *text, bool last,
                  uint64_t now_ms);
bool speech_active(const struct speech *s);
/* Sends what is due. [loop] */
void speech_tick(struct speech *s, uint64_t now_ms);
/* When speech_tick() has something to send. [loop] */
uint64_t speech_deadline_ms(const struct speech *s);

/* Sends the FINAL texts of what was said; the last one with `stop_reason`.
 * False: there was none. [loop] */
bool speech_finals(struct speech *s, const char *stop_reason);

/* Whether a listener still hears something; forget: no more. [loop] */
bool speech_is_heard(const struct speech *s, uint64_t now_ms);
void speech_forget(struct speech *s);

/* Stops in mid-sentence: the AUDIO block ends, what was not sent is cut from
 * the text. [loop] */
void speech_cut(struct speech *s);

#endif
