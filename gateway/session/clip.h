/* A short piece of speech from a WAV file, as the model takes it. */
#ifndef GATEWAY_SESSION_CLIP_H
#define GATEWAY_SESSION_CLIP_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

#define CLIP_SECONDS_MAX 10
#define CLIP_WHY_BYTES 4400 /* a path and a sentence */

struct clip {
    int16_t *samples; /* mono, owned */
    size_t count;     /* never 0 after clip_load() */
};

/* Reads a WAV file: 16-bit PCM, mono or stereo (mixed), 8 to 48 kHz, at most
 * CLIP_SECONDS_MAX; other chunks in it are passed over. The samples are
 * resampled to `rate_hz`. VR_INVALID: no such file, or not such a one;
 * VR_NO_MEMORY. `why` says what is wrong with it, after the path. What is no
 * plain file is refused, never waited for. Free with clip_fini(), also after a
 * failure. [loop] */
enum vr_status clip_load(struct clip *clip, const char *path, uint32_t rate_hz,
                         char *why, size_t why_size) VR_NODISCARD;

void clip_fini(struct clip *clip); /* [loop] */

#endif
