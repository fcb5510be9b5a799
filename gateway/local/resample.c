#include "gateway/local/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static unsigned
common_divisor(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static double
sinc(double x)
{
    return fabs(x) < 1e-9 ? 1.0 : sin(PI * x) / (PI * x);
}

/* Each row sums to one, so that a constant stays what it is. */
static void
fill_row(float *row, double offset, double cutoff)
{
    double sum = 0;

    for (int i = 0; i < RESAMPLE_TAPS; i++) {
        double x = i - (RESAMPLE_TAPS / 2 - 1) - offset;
        double edge = x / (RESAMPLE_TAPS / 2.0);
        double window = edge <= -1 || edge >= 1 ? 0
                                                : 0.42 + 0.5 * cos(PI * edge) +
                                                      0.08 * cos(2 * PI * edge);

        row[i] = (float)(window * sinc(x * cutoff));
        sum += row[i];
    }
    for (int i = 0; i < RESAMPLE_TAPS; i++)
        row[i] = (float)(row[i] / sum);
}

bool
resample_init(struct resample *r, long in_hz, long out_hz)
{
    unsigned divisor;
    double cutoff;

    memset(r, 0, sizeof(*r));
    if (in_hz <= 0 || out_hz <= 0)
        return false;
    divisor = common_divisor((unsigned)in_hz, (unsigned)out_hz);
    r->up = (unsigned)out_hz / divisor;
    r->down = (unsigned)in_hz / divisor;
    r->kernel = malloc((size_t)r->up * RESAMPLE_TAPS * sizeof(float));
    if (r->kernel == NULL)
        return false;
    cutoff = out_hz < in_hz ? (double)out_hz / (double)in_hz : 1.0;
    for (unsigned phase = 0; phase < r->up; phase++)
        fill_row(r->kernel + (size_t)phase * RESAMPLE_TAPS,
                 (double)phase / r->up, cutoff * 0.95);
    return true;
}

void
resample_fini(struct resample *r)
{
    free(r->kernel);
    memset(r, 0, sizeof(*r));
}

void
resample_reset(struct resample *r)
{
    memset(r->past, 0, sizeof(r->past));
    r->at = 0;
    r->phase = 0;
}

size_t
resample_bound(const struct resample *r, size_t in_frames)
{
    return in_frames * r->up / r->down + 2;
}

static int16_t
convolve(const struct resample *r)
{
    const float *row = r->kernel + (size_t)r->phase * RESAMPLE_TAPS;
    const float *past = r->past + r->at;
    float sum = 0;

    for (int i = 0; i < RESAMPLE_TAPS; i++)
        sum += row[i] * past[i];
    if (sum > 32767)
        return 32767;
    return sum < -32768 ? -32768 : (int16_t)lrintf(sum);
}

size_t
resample_push(struct resample *r, const int16_t *in, size_t in_frames,
              int16_t *out)
{
    size_t written = 0;

    for (size_t i = 0; i < in_frames; i++) {
        r->past[r->at] = r->past[r->at + RESAMPLE_TAPS] = in[i];
        r->at = (r->at + 1) % RESAMPLE_TAPS;
        while (r->phase < r->up) {
            out[written++] = convolve(r);
            r->phase += r->down;
        }
        r->phase -= r->up;
    }
    return written;
}

size_t
resample_drain(struct resample *r, int16_t *out)
{
    static const int16_t silence[RESAMPLE_TAPS / 2];

    return resample_push(r, silence, RESAMPLE_TAPS / 2, out);
}
