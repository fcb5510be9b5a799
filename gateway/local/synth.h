/* The synthesiser below voice.h: text to raw speech at its own rate. Exactly
 * one implementation is built in. */
#ifndef GATEWAY_LOCAL_SYNTH_H
#define GATEWAY_LOCAL_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a voiceId sounds. */
struct synth_voice {
    const char *id;
    const char *espeak;
    int pitch;
};

struct synth_audio {
    int16_t *samples; /* malloc'ed */
    size_t frames;
    size_t room_frames;
    bool failed; /* memory is out, or the limit was passed */
};

/* Starts it for the whole process; may be called again. 0 when it cannot
 * be, otherwise its sample rate in Hz. [loop] */
long synth_start(void);

/* Appends the spoken text to `audio`. [loop] */
void synth_say(struct synth_audio *audio, const char *text,
               const struct synth_voice *voice, int words_per_minute);

/* For implementations: appends frames, up to five minutes. [loop] */
bool synth_append(struct synth_audio *audio, const int16_t *samples,
                  size_t frames);

#endif
