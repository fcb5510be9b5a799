/* The WAV header parser and the sample decoder, fed in pieces.
 *
 * fuzz-module: ipc/cli/wav.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/wav.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds all in pieces of `piece` bytes; returns where the samples begin. */
static size_t
feed(struct wav *wav, const uint8_t *data, size_t size, size_t piece)
{
    size_t at = 0;
    wav_init(wav);
    while (at < size && wav->state != WAV_DATA && wav->state != WAV_BAD) {
        size_t count = size - at < piece ? size - at : piece;
        size_t used = wav_feed(wav, data + at, count);
        if (used == 0 || used > count)
            abort();
        at += used;
    }
    return at;
}

static void
decode(const struct wav *wav, const uint8_t *data, size_t size)
{
    size_t frames = size / wav->frame_bytes;
    int16_t *samples = malloc(frames * wav->channels * sizeof *samples + 1);
    uint8_t *exact = malloc(frames * wav->frame_bytes + 1);
    if (samples && exact) {
        memcpy(exact, data, frames * wav->frame_bytes);
        wav_decode(wav, exact, frames, samples);
    }
    free(samples);
    free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wav whole, pieces;
    size_t piece = size ? 1 + data[0] % 17 : 1;
    size_t at = feed(&whole, data, size, size ? size : 1);
    if (feed(&pieces, data, size, piece) != at || whole.state != pieces.state)
        abort();
    if (whole.state == WAV_BAD && !whole.problem[0])
        abort();
    if (whole.state != WAV_DATA)
        return 0;
    if (whole.frame_bytes < 1 ||
        whole.frame_bytes > WAV_CHANNELS_MAX * sizeof(double) ||
        whole.rate_hz < WAV_RATE_MIN_HZ || whole.rate_hz > WAV_RATE_MAX_HZ)
        abort();
    decode(&whole, data + at, size - at);
    return 0;
}
