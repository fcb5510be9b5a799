/* Streaming sample rate conversion by a windowed sinc, mono s16. */
#ifndef GATEWAY_LOCAL_RESAMPLE_H
#define GATEWAY_LOCAL_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESAMPLE_TAPS 32

struct resample {
    unsigned up, down;             /* reduced ratio, output : input */
    unsigned phase;                /* 0..up-1, of the next output frame */
    float *kernel;                 /* up rows of RESAMPLE_TAPS */
    float past[RESAMPLE_TAPS * 2]; /* ring kept twice, so a row is straight */
    unsigned at;
};

/* False without memory, or for a rate that is not positive. [any] */
bool resample_init(struct resample *r, long in_hz, long out_hz);
void resample_fini(struct resample *r);
/* Forgets the past, as at the start of a stream. [any] */
void resample_reset(struct resample *r);

/* Frames that `in_frames` can become at most. [any] */
size_t resample_bound(const struct resample *r, size_t in_frames);

/* Takes all of `in`; writes at most resample_bound() frames to `out` and
 * returns how many. The output lags by RESAMPLE_TAPS / 2 input frames, which
 * resample_drain() gives. [any] */
size_t resample_push(struct resample *r, const int16_t *in, size_t in_frames,
                     int16_t *out);
/* As resample_push() of RESAMPLE_TAPS / 2 frames of silence. [any] */
size_t resample_drain(struct resample *r, int16_t *out);

#endif
