#include "ipc/cli/convert.h"

#include <speex/speex_resampler.h>
#include <stdlib.h>
#include <string.h>

#define QUALITY 8

struct convert {
    struct vr_format from, to;
    uint32_t lanes; /* channels while resampling: the smaller number */
    SpeexResamplerState *resampler; /* NULL at equal rates */
    uint64_t frames_in, frames_out;
    size_t room_frames;
    int16_t *mixed;     /* CONVERT_FRAMES frames of lanes */
    int16_t *resampled; /* room_frames of lanes */
    int16_t *ready;     /* room_frames of to.channels */
};

static enum vr_status
make_resampler(struct convert *c)
{
    int error = 0;
    if (c->from.rate_hz == c->to.rate_hz)
        return VR_OK;
    c->resampler = speex_resampler_init(c->lanes, c->from.rate_hz,
                                        c->to.rate_hz, QUALITY, &error);
    if (!c->resampler)
        return VR_NO_MEMORY;
    speex_resampler_skip_zeros(c->resampler);
    return VR_OK;
}

enum vr_status
convert_new(struct convert **convert, struct vr_format from,
            struct vr_format to)
{
    struct convert *c = calloc(1, sizeof *c);
    *convert = c;
    if (!c)
        return VR_NO_MEMORY;
    c->from = from;
    c->to = to;
    c->lanes = from.channels < to.channels ? from.channels : to.channels;
    c->room_frames =
        (size_t)CONVERT_FRAMES * to.rate_hz / from.rate_hz + CONVERT_FRAMES;
    c->mixed = calloc(CONVERT_FRAMES * c->lanes, sizeof *c->mixed);
    c->resampled = calloc(c->room_frames * c->lanes, sizeof *c->resampled);
    c->ready = calloc(c->room_frames * to.channels, sizeof *c->ready);
    if (c->mixed && c->resampled && c->ready && make_resampler(c) == VR_OK)
        return VR_OK;
    convert_free(convert);
    return VR_NO_MEMORY;
}

void
convert_free(struct convert **convert)
{
    struct convert *c = *convert;
    if (!c)
        return;
    if (c->resampler)
        speex_resampler_destroy(c->resampler);
    free(c->mixed);
    free(c->resampled);
    free(c->ready);
    free(c);
    *convert = NULL;
}

/* Channel n goes to lane n modulo the lanes; each lane is the mean of its
 * channels. */
static void
mix_down(const struct convert *c, const int16_t *in, size_t frames)
{
    uint32_t channels = c->from.channels, lanes = c->lanes;
    for (size_t f = 0; f < frames; f++) {
        for (uint32_t lane = 0; lane < lanes; lane++) {
            int32_t sum = 0, count = 0;
            for (uint32_t n = lane; n < channels; n += lanes, count++)
                sum += in[f * channels + n];
            c->mixed[f * lanes + lane] = (int16_t)(sum / count);
        }
    }
}

static size_t
spread(const struct convert *c, const int16_t *lanes, size_t frames)
{
    for (size_t f = 0; f < frames; f++) {
        for (uint32_t n = 0; n < c->to.channels; n++)
            c->ready[f * c->to.channels + n] =
                lanes[f * c->lanes + n % c->lanes];
    }
    return frames;
}

static size_t
resample(struct convert *c, size_t frames)
{
    size_t taken = 0, made = 0;
    while (taken < frames && made < c->room_frames) {
        spx_uint32_t in = (spx_uint32_t)(frames - taken);
        spx_uint32_t out = (spx_uint32_t)(c->room_frames - made);
        speex_resampler_process_interleaved_int(
            c->resampler, c->mixed + taken * c->lanes, &in,
            c->resampled + made * c->lanes, &out);
        taken += in;
        made += out;
        if (in == 0 && out == 0)
            break;
    }
    return made;
}

size_t
convert_push(struct convert *convert, const int16_t *samples_in, size_t frames,
             const int16_t **samples)
{
    struct convert *c = convert;
    mix_down(c, samples_in, frames);
    c->frames_in += frames;
    size_t made = c->resampler ? resample(c, frames) : frames;
    c->frames_out += made;
    *samples = c->ready;
    return spread(c, c->resampler ? c->resampled : c->mixed, made);
}

size_t
convert_finish(struct convert *convert, const int16_t **samples)
{
    struct convert *c = convert;
    uint64_t due =
        (c->frames_in * c->to.rate_hz + c->from.rate_hz / 2) / c->from.rate_hz;
    *samples = c->ready;
    if (!c->resampler || c->frames_out >= due)
        return 0;
    memset(c->mixed, 0, CONVERT_FRAMES * c->lanes * sizeof *c->mixed);
    size_t made = resample(c, CONVERT_FRAMES);
    if (made > due - c->frames_out)
        made = (size_t)(due - c->frames_out);
    c->frames_out += made;
    return spread(c, c->resampled, made);
}
