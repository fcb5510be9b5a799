/* audioInput events, the only ones on the real-time path: everything but the
 * samples is constant for a stream and is built once. */
#ifndef GATEWAY_SONIC_AUDIO_INPUT_H
#define GATEWAY_SONIC_AUDIO_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct sonic_audio_input;

/* For one AUDIO block. `samples_max` is the largest chunk, at most 2^20.
 * Strings are copied. NULL when memory is out. [loop] */
struct sonic_audio_input *sonic_audio_input_new(const char *prompt_name,
                                                const char *content_name,
                                                size_t samples_max);

/* Accepts NULL inside. [loop] */
void sonic_audio_input_free(struct sonic_audio_input **audio);

/* One audioInput event that carries `count` samples (s16, mono, at the rate of
 * the block). The JSON text is owned by `audio` and valid until the next call;
 * `bytes` gets its length. NULL if `count` is 0 or above samples_max. [rt] */
const char *sonic_audio_input_write(struct sonic_audio_input *audio,
                                    const int16_t *samples, size_t count,
                                    size_t *bytes);

#endif
