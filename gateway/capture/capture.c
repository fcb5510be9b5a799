/* Life of the input clock, with a stream and without; when it is looked at. */
#include <stdlib.h>
#include <string.h>

#include "gateway/capture/capture_state.h"
#include "gateway/clock.h"

#define CHUNK_MS_DEFAULT 32
#define GAP_MS_DEFAULT 300
#define SPEECH_DBFS_DEFAULT (-45.0)
#define HANGOVER_MS_DEFAULT 500
#define PREROLL_MS_DEFAULT 300
/* What is worth waking the sentry for. */
#define LISTEN_MS 40

void
capture_start_segment(struct capture *c)
{
    resampler_reset(c->resampler);
    c->fed = 0;
    c->chunk_end = c->chunk_frames;
    c->have = 0;
    c->silence_left = 0;
    memset(&c->window, 0, sizeof c->window);
    memset(&c->ahead, 0, sizeof c->ahead);
}

static bool
allocate(struct capture *c, uint32_t model_rate_hz)
{
    c->resampler = resampler_new(c->format.rate_hz, model_rate_hz);
    if (!c->resampler)
        return false;
    c->latency_frames = resampler_latency_frames(c->resampler);
    c->piece_frames = c->chunk_frames + c->latency_frames;
    c->frames =
        malloc(c->piece_frames * c->format.channels * sizeof *c->frames);
    c->samples = malloc(
        (c->chunk_samples + resampler_bound(c->resampler, c->piece_frames)) *
        sizeof *c->samples);
    return c->frames && c->samples;
}

static bool
config_valid(const struct capture_config *config)
{
    uint32_t hz = config->model_rate_hz, ms = config->chunk_ms;
    return (hz == 8000 || hz == 16000 || hz == 24000) &&
           (ms == 0 ||
            (ms >= CAPTURE_CHUNK_MS_MIN && ms <= CAPTURE_CHUNK_MS_MAX));
}

static uint32_t
or_default(uint32_t value, uint32_t instead)
{
    return value ? value : instead;
}

/* Told by the voice. */
static void
on_edge(void *arg, bool started, uint64_t frame)
{
    struct capture *c = arg;
    if (started && c->state == CAPTURE_WATCH && !c->woken) {
        c->woken = true;
        c->woken_frame = frame;
    }
    if (c->ops.on_speech)
        c->ops.on_speech(c->arg, started, frame);
}

static void
set_listening(struct capture *c, const struct capture_config *config)
{
    uint64_t frames_per_ms = c->format.rate_hz / 1000;
    struct voice_config voice = {
        .rate_hz = c->format.rate_hz,
        .threshold_dbfs = config->speech_threshold_dbfs != 0
                              ? config->speech_threshold_dbfs
                              : SPEECH_DBFS_DEFAULT,
        .hangover_ms =
            or_default(config->speech_hangover_ms, HANGOVER_MS_DEFAULT),
        .on_edge = on_edge,
        .arg = c};
    voice_init(&c->voice, &voice);
    c->preroll_frames =
        or_default(config->preroll_ms, PREROLL_MS_DEFAULT) * frames_per_ms;
    c->notice_frames = VOICE_NOTICE_MS * frames_per_ms;
    c->listen_frames = LISTEN_MS * frames_per_ms;
}

static void
set_times(struct capture *c, const struct capture_config *config)
{
    uint32_t chunk_ms = or_default(config->chunk_ms, CHUNK_MS_DEFAULT);
    c->chunk_samples = config->model_rate_hz / 1000 * chunk_ms;
    c->chunk_frames = c->format.rate_hz / 1000 * chunk_ms;
    c->chunk_ns = chunk_ms * CLOCK_NS_PER_MS;
    c->gap_ns = or_default(config->gap_ms, GAP_MS_DEFAULT) * CLOCK_NS_PER_MS;
    c->state = CAPTURE_HELD;
    c->drain_to = c->asked_at = CAPTURE_NO_FRAME;
}

struct capture *
capture_new(const struct capture_config *config, const struct capture_ops *ops,
            void *arg)
{
    struct capture *c = calloc(1, sizeof *c);
    if (!c || !config_valid(config)) {
        free(c);
        return NULL;
    }
    c->ring = config->ring;
    c->ops = *ops;
    c->arg = arg;
    c->format = ring_host_format(c->ring);
    c->start = ring_host_position(c->ring);
    c->seen = c->sent_to = c->start;
    fates_init(&c->fates, c->start);
    set_times(c, config);
    set_listening(c, config);
    capture_keep(c, config->connect_buffer_ms);
    if (!allocate(c, config->model_rate_hz)) {
        capture_free(&c);
        return NULL;
    }
    capture_start_segment(c);
    return c;
}

void
capture_free(struct capture **capture)
{
    struct capture *c = *capture;
    if (!c)
        return;
    resampler_free(&c->resampler);
    free(c->frames);
    free(c->samples);
    free(c);
    *capture = NULL;
}

size_t
capture_chunk_samples(const struct capture *c)
{
    return c->chunk_samples;
}

/* ---- the stream comes and goes ---- */

void
capture_keep(struct capture *c, uint32_t keep_ms)
{
    c->keep_frames = (uint64_t)keep_ms * (c->format.rate_hz / 1000);
}

uint64_t
capture_hold(struct capture *c, uint64_t now_ns)
{
    c->now_ns = now_ns;
    c->hold_ns = now_ns + CAPTURE_HOLD_NS;
    uint64_t kept = ring_host_readable(c->ring);
    if (c->state == CAPTURE_ENDING && c->silence_left == 0)
        capture_start_segment(c);
    c->state = CAPTURE_HELD;
    c->drain_to = CAPTURE_NO_FRAME;
    capture_disarm(c);
    if (kept <= c->keep_frames)
        return 0;
    uint64_t before = ring_host_position(c->ring);
    uint64_t after = ring_host_seek(c->ring, before + (kept - c->keep_frames));
    uint64_t lost = capture_lose_span(c, CAPTURE_LOSS_WAITING, before, after);
    capture_pass_lost(c);
    return lost;
}

uint64_t
capture_begin(struct capture *c, uint64_t now_ns)
{
    uint64_t lost = capture_hold(c, now_ns);
    c->state = c->silence_left > 0 ? CAPTURE_ENDING : CAPTURE_LIVE;
    c->woken = false;
    pace_begin(&c->pace, now_ns);
    return lost;
}

void
capture_disarm(struct capture *c)
{
    c->asked_at = CAPTURE_NO_FRAME;
    ring_host_disarm(c->ring);
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Until when what has waited, or is too much, is held back; 0: it is not. */
static uint64_t
held_back_ns(const struct capture *c)
{
    return later(pace_due_ns(&c->pace), flow_due_ns(&c->flow));
}

/* What is there at once is work too: who says that there is audio, and never
 * lets it be read, must not have the loop turn for nothing. */
bool
capture_arm(struct capture *c)
{
    uint64_t position = ring_host_position(c->ring);
    uint64_t frames = capture_missing(c);
    capture_disarm(c);
    if (c->state == CAPTURE_WATCH)
        frames = c->seen - position + c->listen_frames;
    else if (!capture_has_stream(c))
        return false;
    if (c->state == CAPTURE_ENDING)
        return true;
    /* Nothing can be read from it, whatever it says is there. */
    if (held_back_ns(c) || ring_host_damaged(c->ring))
        return false;
    if (ring_host_arm(c->ring, frames)) {
        flow_charge(&c->flow, c->chunk_ns, c->now_ns);
        return true;
    }
    c->asked_at = position + frames;
    return false;
}

bool
capture_rung(struct capture *c)
{
    if (c->asked_at == CAPTURE_NO_FRAME ||
        ring_host_head(c->ring) < c->asked_at)
        return false;
    c->asked_at = CAPTURE_NO_FRAME;
    return true;
}

void
capture_by_clock(struct capture *c, bool by_clock)
{
    c->by_clock = by_clock;
}

/* Unread audio in a damaged ring is neither to be had nor a gap: until it is
 * made anew there is nothing to do. */
static uint64_t
gap_due_ns(const struct capture *c, uint64_t now_ns)
{
    if (ring_host_damaged(c->ring) && ring_host_readable(c->ring) > 0)
        return now_ns + CAPTURE_HOLD_NS;
    return ring_host_last_commit_ns(c->ring, now_ns) + c->gap_ns;
}

/* When it is looked for audio although nobody rang. */
static uint64_t
look_ns(const struct capture *c, uint64_t now_ns)
{
    return now_ns + (c->by_clock ? c->chunk_ns : 2 * c->chunk_ns);
}

static uint64_t
watch_deadline_ns(const struct capture *c, uint64_t now_ns)
{
    uint64_t due_ns =
        c->hold_ns > now_ns ? c->hold_ns : now_ns + CAPTURE_HOLD_NS;
    uint64_t held_ns = held_back_ns(c);
    if (held_ns)
        return sooner(due_ns, later(held_ns, now_ns));
    if (c->by_clock || gap_due_ns(c, now_ns) > now_ns)
        return sooner(due_ns, look_ns(c, now_ns));
    return due_ns;
}

uint64_t
capture_deadline_ns(const struct capture *c, uint64_t now_ns)
{
    switch (c->state) {
    case CAPTURE_HELD:
        return c->hold_ns > now_ns ? c->hold_ns : now_ns + CAPTURE_HOLD_NS;
    case CAPTURE_WATCH:
        return watch_deadline_ns(c, now_ns);
    case CAPTURE_LIVE:
        if (held_back_ns(c))
            return held_back_ns(c);
        return sooner(gap_due_ns(c, now_ns), look_ns(c, now_ns));
    case CAPTURE_ENDING:
        return now_ns;
    case CAPTURE_SILENT:
        if (held_back_ns(c))
            return held_back_ns(c);
        return c->silence_ns;
    case CAPTURE_DRAINED:
        break;
    }
    return UINT64_MAX;
}

/* ---- listening ---- */

static void
set_gate(struct capture *c)
{
    gate_set(&c->gate, c->gate_closed || c->muted, ring_host_head(c->ring));
}

void
capture_gate(struct capture *c, bool closed)
{
    c->gate_closed = closed;
    set_gate(c);
}

void
capture_mute(struct capture *c, bool muted)
{
    c->muted = muted;
    set_gate(c);
}

bool
capture_is_starved(const struct capture *c)
{
    return c->starved;
}

void
capture_speech(const struct capture *c, struct capture_speech *speech)
{
    const struct voice *v = &c->voice;
    *speech = (struct capture_speech){.speaking = v->speaking,
                                      .start_frame = v->start_frame,
                                      .end_frame = v->end_frame,
                                      .ended_ns = v->ended_ns,
                                      .loud_ms = v->loud_ms};
}
