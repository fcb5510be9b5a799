#include "gateway/local/endpoint.h"

#include <math.h>
#include <string.h>

#define STEP_MS 10
/* A click is not speech: that many of the last steps must be loud. */
#define ONSET_WINDOW 0xfffu
#define ONSET_STEPS 7
#define ONSET_MS 120
/* Twelve decibels above the room. */
#define ABOVE_FLOOR 16.0
#define FLOOR_RISE 1.002
#define FLOOR_MAX (1000.0 * 1000.0)

void
endpoint_init(struct endpoint *e, const struct endpoint_config *config)
{
    double level = 32768 * pow(10, config->threshold_dbfs / 20.0);

    memset(e, 0, sizeof(*e));
    e->config = *config;
    e->threshold = level * level;
    e->floor = e->threshold / ABOVE_FLOOR;
    e->step_frames = (size_t)config->rate_hz * STEP_MS / 1000;
}

/* The floor falls to a quieter room at once and rises slowly, so that speech
 * does not count as the room. */
static bool
is_loud(struct endpoint *e, double mean_square)
{
    bool loud =
        mean_square > e->threshold && mean_square > e->floor * ABOVE_FLOOR;

    if (mean_square < e->floor)
        e->floor = mean_square;
    else if (e->floor < FLOOR_MAX)
        e->floor = e->floor * FLOOR_RISE + 1;
    return loud;
}

static enum endpoint_event
begin(struct endpoint *e)
{
    if (__builtin_popcount(e->loud_steps & ONSET_WINDOW) < ONSET_STEPS)
        return ENDPOINT_NOTHING;
    e->start_ms = e->now_ms > ONSET_MS ? e->now_ms - ONSET_MS : 0;
    e->loud_ms = e->now_ms;
    e->state = ENDPOINT_SPEECH;
    return ENDPOINT_START;
}

static enum endpoint_event
finish(struct endpoint *e)
{
    e->state = ENDPOINT_QUIET;
    e->loud_steps = 0;
    return ENDPOINT_TURN;
}

static enum endpoint_event
step(struct endpoint *e, bool loud)
{
    uint64_t silence_ms;

    e->now_ms += STEP_MS;
    e->loud_steps = e->loud_steps << 1 | (loud ? 1u : 0u);
    if (e->state == ENDPOINT_QUIET)
        return begin(e);
    if (e->now_ms - e->start_ms >= e->config.utterance_max_ms)
        return finish(e);
    if (loud && e->state == ENDPOINT_SILENCE &&
        __builtin_popcount(e->loud_steps & ONSET_WINDOW) >= ONSET_STEPS) {
        e->loud_ms = e->now_ms;
        e->state = ENDPOINT_SPEECH;
        return ENDPOINT_RESUME;
    }
    if (loud && e->state == ENDPOINT_SPEECH)
        e->loud_ms = e->now_ms;
    silence_ms = e->now_ms - e->loud_ms;
    if (silence_ms >= e->config.turn_ms)
        return finish(e);
    if (e->state == ENDPOINT_SPEECH && silence_ms >= e->config.pause_ms) {
        e->state = ENDPOINT_SILENCE;
        return ENDPOINT_PAUSE;
    }
    return ENDPOINT_NOTHING;
}

enum endpoint_event
endpoint_feed(struct endpoint *e, const int16_t **samples, size_t *frames)
{
    size_t count = e->step_frames - e->in_step;
    double mean_square;

    if (count > *frames)
        count = *frames;
    for (size_t i = 0; i < count; i++)
        e->sum += (double)(*samples)[i] * (*samples)[i];
    *samples += count;
    *frames -= count;
    e->in_step += count;
    if (e->in_step < e->step_frames)
        return ENDPOINT_NOTHING;
    mean_square = e->sum / (double)e->step_frames;
    e->in_step = 0;
    e->sum = 0;
    return step(e, is_loud(e, mean_square));
}

bool
endpoint_finish(struct endpoint *e)
{
    if (e->state == ENDPOINT_QUIET)
        return false;
    finish(e);
    return true;
}
