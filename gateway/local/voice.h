/* Speech from text: espeak-ng where it is built in, a tone for each syllable
 * where it is not. Finished sentences are cached, because a script says the
 * same few again and again to many conversations.
 *
 * espeak-ng keeps its state in globals: all of this runs on one thread. A
 * sentence of four seconds takes seven milliseconds to make, the longest
 * one that speech.c asks for twenty. */
#ifndef GATEWAY_LOCAL_VOICE_H
#define GATEWAY_LOCAL_VOICE_H

#include <stddef.h>
#include <stdint.h>

struct voice;

/* Finished speech, shared: voice_release() when done. */
struct pcm {
    unsigned references;
    long rate_hz;
    size_t frames;
    int16_t *samples;
};

/* NULL when espeak-ng has no data or memory is out. `words_per_minute` as
 * espeak counts them. [loop] */
struct voice *voice_new(int words_per_minute);
void voice_free(struct voice **voice);

/* The text spoken by that voiceId (an unknown one speaks as the first), at
 * `rate_hz`. Never empty. NULL without memory. [loop] */
struct pcm *voice_say(struct voice *voice, const char *text,
                      const char *voice_id, long rate_hz);
/* Accepts NULL. [loop] */
void voice_release(struct pcm **pcm);

#endif
