#include "ipc/cli/ring_level.h"

#include <math.h>
#include <stdio.h>

#define RATE_MAX_HZ 48000
#define FULL_SCALE 32768.0

void
ring_level_read(const struct ring_view *view, uint64_t frames,
                struct ring_level *level)
{
    static int16_t samples[RATE_MAX_HZ * 2];
    uint64_t most = view->header.format.rate_hz, end;
    int peak = 0;
    double sum = 0;
    *level = (struct ring_level){0};
    if (view->status != VR_OK || most > RATE_MAX_HZ)
        return;
    level->frames = ring_view_frames(
        view, samples, (size_t)(frames < most ? frames : most), &end);
    size_t count = level->frames * view->header.format.channels;
    for (size_t i = 0; i < count; i++) {
        int size = samples[i] < 0 ? -samples[i] : samples[i];
        peak = size > peak ? size : peak;
        sum += (double)samples[i] * samples[i];
    }
    level->peak = peak / FULL_SCALE;
    level->rms = count ? sqrt(sum / (double)count) / FULL_SCALE : 0;
}

double
ring_level_db(double part)
{
    double db = part > 0 ? 20 * log10(part) : -INFINITY;
    /* never "-0.0" */
    return db > -0.05 ? 0 : db;
}

void
ring_level_text(double part, char text[RING_LEVEL_TEXT_BYTES])
{
    snprintf(text, RING_LEVEL_TEXT_BYTES, "%.1f", ring_level_db(part));
}
