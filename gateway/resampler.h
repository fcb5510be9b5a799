/* Mono audio from one rate to another, with every sample accounted for.
 *
 * The filter looks ahead: what comes out lags behind what went in by the
 * latency. Counted from new or reset, after n + latency frames in, exactly
 * ceil(n * out_hz / in_hz) samples have come out, the first of them in line
 * with the first frame. So a caller that ends with as many frames of silence
 * as the latency loses nothing and gains nothing. */
#ifndef GATEWAY_RESAMPLER_H
#define GATEWAY_RESAMPLER_H

#include <stddef.h>
#include <stdint.h>

struct resampler;

/* Equal rates make a plain copy. NULL when memory is out. [loop] */
struct resampler *resampler_new(uint32_t in_hz, uint32_t out_hz);

/* Accepts NULL inside. [loop] */
void resampler_free(struct resampler **resampler);

/* Forgets all that went in. [rt] */
void resampler_reset(struct resampler *resampler);

/* In frames of the input; 0 at equal rates. [rt] */
size_t resampler_latency_frames(const struct resampler *resampler);

/* Most samples that `frames` frames can bring forth. [rt] */
size_t resampler_bound(const struct resampler *resampler, size_t frames);

/* Takes `frames` frames, of silence if `in` is NULL, and returns how many
 * samples it wrote to `out`, which has room for resampler_bound(). Allocates
 * nothing. [rt] */
size_t resampler_run(struct resampler *resampler, const int16_t *in,
                     size_t frames, int16_t *out);

#endif
