#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <speex/speex_resampler.h>

#include "gateway/resampler.h"

#define SILENCE_FRAMES 256

struct resampler {
    uint32_t in_hz, out_hz;
    SpeexResamplerState *speex; /* NULL at equal rates */
    size_t latency_frames;
};

struct resampler *
resampler_new(uint32_t in_hz, uint32_t out_hz)
{
    struct resampler *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->in_hz = in_hz;
    r->out_hz = out_hz;
    if (in_hz == out_hz)
        return r;
    r->speex = speex_resampler_init(1, in_hz, out_hz,
                                    SPEEX_RESAMPLER_QUALITY_DEFAULT, NULL);
    if (!r->speex) {
        free(r);
        return NULL;
    }
    r->latency_frames = (size_t)speex_resampler_get_input_latency(r->speex);
    resampler_reset(r);
    return r;
}

void
resampler_free(struct resampler **resampler)
{
    if (!*resampler)
        return;
    if ((*resampler)->speex)
        speex_resampler_destroy((*resampler)->speex);
    free(*resampler);
    *resampler = NULL;
}

void
resampler_reset(struct resampler *r)
{
    if (!r->speex)
        return;
    speex_resampler_reset_mem(r->speex);
    speex_resampler_skip_zeros(r->speex);
}

size_t
resampler_latency_frames(const struct resampler *r)
{
    return r->latency_frames;
}

size_t
resampler_bound(const struct resampler *r, size_t frames)
{
    if (!r->speex)
        return frames;
    return (frames * r->out_hz + r->in_hz - 1) / r->in_hz + 1;
}

static size_t
run(struct resampler *r, const int16_t *in, size_t frames, int16_t *out)
{
    spx_uint32_t taken = (spx_uint32_t)frames;
    spx_uint32_t given = (spx_uint32_t)resampler_bound(r, frames);
    speex_resampler_process_int(r->speex, 0, in, &taken, out, &given);
    assert(taken == frames);
    return given;
}

static size_t
run_silence(struct resampler *r, size_t frames, int16_t *out)
{
    static const int16_t silence[SILENCE_FRAMES];
    size_t given = 0;
    while (frames > 0) {
        size_t n = frames < SILENCE_FRAMES ? frames : SILENCE_FRAMES;
        given += run(r, silence, n, out + given);
        frames -= n;
    }
    return given;
}

size_t
resampler_run(struct resampler *r, const int16_t *in, size_t frames,
              int16_t *out)
{
    if (frames == 0)
        return 0;
    if (r->speex)
        return in ? run(r, in, frames, out) : run_silence(r, frames, out);
    if (in)
        memcpy(out, in, frames * sizeof *out);
    else
        memset(out, 0, frames * sizeof *out);
    return frames;
}
