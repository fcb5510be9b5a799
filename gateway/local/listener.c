#include "gateway/local/listener.h"

#include <stdlib.h>
#include <string.h>

#define PREROLL_MS 400
#define BURST_MS 3000.0
/* Audio that has waited may come at once for so long, then this many times
 * faster than real time; clocks and chunks are let off a little. */
#define CATCH_UP 2.0
#define TOLERANCE_MS 150.0
#define HEARD_BYTES 1024
#define EAR_FRAMES 512

bool
listener_open(struct listener *l, const struct endpoint_config *config,
              uint64_t now_ms)
{
    listener_close(l);
    endpoint_init(&l->endpoint, config);
    l->rate_hz = config->rate_hz;
    l->frames = 0;
    l->speech_frames = 0;
    l->since_ms = now_ms;
    l->fed_ms = now_ms;
    l->credit_ms = BURST_MS;
    l->hurried = false;
    l->preroll_room = (size_t)config->rate_hz * PREROLL_MS / 1000;
    l->preroll_at = 0;
    l->preroll_used = 0;
    l->preroll = calloc(l->preroll_room, sizeof(*l->preroll));
    l->open = resample_init(&l->to_ear, config->rate_hz, EAR_RATE_HZ) &&
              l->preroll != NULL;
    if (!l->open)
        listener_close(l);
    return l->open;
}

void
listener_close(struct listener *l)
{
    char heard[HEARD_BYTES];

    ear_close(&l->ear, heard, sizeof(heard));
    resample_fini(&l->to_ear);
    free(l->preroll);
    l->preroll = NULL;
    l->open = false;
    l->speaking = false;
    l->paused = false;
}

static void
feed_ear(struct listener *l, const int16_t *samples, size_t frames)
{
    /* From 8 kHz there are twice as many. */
    int16_t out[EAR_FRAMES * 2 + 2];

    while (l->ear != NULL && frames > 0) {
        size_t count = frames < EAR_FRAMES ? frames : EAR_FRAMES;

        ear_feed(l->ear, out, resample_push(&l->to_ear, samples, count, out));
        samples += count;
        frames -= count;
    }
}

static void
keep_preroll(struct listener *l, const int16_t *samples, size_t frames)
{
    for (size_t i = 0; i < frames; i++) {
        l->preroll[l->preroll_at] = samples[i];
        l->preroll_at = (l->preroll_at + 1) % l->preroll_room;
    }
    l->preroll_used += frames;
    if (l->preroll_used > l->preroll_room)
        l->preroll_used = l->preroll_room;
}

static void
open_ear(struct listener *l)
{
    size_t first, tail;

    if (l->ears == NULL)
        return;
    l->ear = ear_open(l->ears);
    if (l->ear == NULL) {
        l->ops.on_deaf(l->arg);
        return;
    }
    resample_reset(&l->to_ear);
    first =
        (l->preroll_at + l->preroll_room - l->preroll_used) % l->preroll_room;
    tail = l->preroll_room - first;
    if (tail > l->preroll_used)
        tail = l->preroll_used;
    feed_ear(l, l->preroll + first, tail);
    feed_ear(l, l->preroll, l->preroll_used - tail);
}

static void
tell_pause(struct listener *l)
{
    if (!l->paused)
        l->ops.on_pause(l->arg, l->endpoint.loud_ms, l->endpoint.now_ms);
    l->paused = true;
}

static void
end_utterance(struct listener *l)
{
    char heard[HEARD_BYTES];

    tell_pause(l);
    l->speaking = false;
    ear_close(&l->ear, heard, sizeof(heard));
    l->ops.on_utterance(l->arg, heard);
}

static void
on_endpoint(struct listener *l, enum endpoint_event event)
{
    switch (event) {
    case ENDPOINT_NOTHING:
        break;
    case ENDPOINT_START:
        l->speaking = true;
        l->paused = false;
        l->ops.on_speech(l->arg, l->endpoint.start_ms);
        open_ear(l);
        break;
    case ENDPOINT_RESUME:
        l->paused = false;
        l->ops.on_resume(l->arg, l->endpoint.loud_ms);
        break;
    case ENDPOINT_PAUSE:
        tell_pause(l);
        break;
    case ENDPOINT_TURN:
        end_utterance(l);
        break;
    }
}

/* What is left of the burst: it grows back with time and shrinks with audio. */
static double
spend(struct listener *l, double audio_ms, uint64_t now_ms)
{
    double passed_ms = now_ms > l->fed_ms ? (double)(now_ms - l->fed_ms) : 0;
    double credit_ms = l->credit_ms + passed_ms * l->time_scale * CATCH_UP;

    l->fed_ms = now_ms;
    l->credit_ms = (credit_ms < BURST_MS ? credit_ms : BURST_MS) - audio_ms;
    return l->credit_ms;
}

static void
watch_pace(struct listener *l, size_t frames, uint64_t now_ms)
{
    double per_frame_ms = 1000 / (double)l->rate_hz;
    double sent_ms = (double)l->frames * per_frame_ms;
    double wall_ms = (double)(now_ms - l->since_ms) * l->time_scale;
    double credit_ms = spend(l, (double)frames * per_frame_ms, now_ms);
    bool hurried = sent_ms > wall_ms + BURST_MS && credit_ms < -TOLERANCE_MS;

    if (hurried && !l->hurried)
        l->ops.on_hurry(l->arg);
    l->hurried = hurried;
}

void
listener_feed(struct listener *l, const int16_t *samples, size_t frames,
              uint64_t now_ms)
{
    l->frames += frames;
    watch_pace(l, frames, now_ms);
    while (frames > 0) {
        const int16_t *from = samples;
        enum endpoint_event event =
            endpoint_feed(&l->endpoint, &samples, &frames);
        size_t used = (size_t)(samples - from);

        if (l->speaking) {
            l->speech_frames += used;
            feed_ear(l, from, used);
        }
        keep_preroll(l, from, used);
        on_endpoint(l, event);
    }
}

void
listener_finish(struct listener *l)
{
    if (l->open && endpoint_finish(&l->endpoint))
        end_utterance(l);
    listener_close(l);
}

uint64_t
listener_speech_ms(const struct listener *l)
{
    return l->rate_hz == 0 ? 0 : l->speech_frames * 1000 / (uint64_t)l->rate_hz;
}
