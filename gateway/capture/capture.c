/* The input clock: what is given when, with a stream and without. */
#include <assert.h>
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
    c->drain_to = CAPTURE_NO_FRAME;
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

/* ---- chunks out ---- */

static uint64_t
captured_ns(struct capture *c, uint64_t to, uint64_t now_ns)
{
    uint64_t position, stamp_ns;
    if (!ring_host_captured(c->ring, now_ns, &position, &stamp_ns) ||
        position < to)
        return 0;
    uint64_t ago_frames = position - to;
    if (ago_frames > (uint64_t)3600 * c->format.rate_hz)
        return 0;
    uint64_t ago_ns = ago_frames * CLOCK_NS_PER_S / c->format.rate_hz;
    return ago_ns < stamp_ns ? stamp_ns - ago_ns : 0;
}

static void
give(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    const struct capture_window *w = &c->window;
    uint64_t here = ring_host_position(c->ring);
    assert(c->have == c->chunk_samples);
    /* What was sent before comes before what was not. */
    if (w->again)
        c->again_to = c->given + w->again;
    c->given += w->sent;
    c->given_to = w->any ? w->to : here;
    c->chunks++;
    *chunk = (struct capture_chunk){
        .kind = w->sent    ? CAPTURE_AUDIO
                : w->gated ? CAPTURE_GATED
                           : CAPTURE_SILENCE,
        .samples = c->samples,
        .count = c->chunk_samples,
        .from_frame = w->any ? w->from : here,
        .to_frame = w->any ? w->to : here,
        .sent_frames = w->sent,
        .gated_frames = w->gated,
        .resent_frames = w->again,
        .captured_ns = w->any ? captured_ns(c, w->to, now_ns) : 0,
        .sent_mark = c->given,
    };
    c->window = c->ahead;
    memset(&c->ahead, 0, sizeof c->ahead);
    c->chunk_end += c->chunk_frames;
    c->have = 0;
}

/* Fills the rest of the chunk with silence that stands for no frame. */
static void
give_padded(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    size_t at = c->have;
    size_t count = c->chunk_samples - at;
    memset(c->samples + at, 0, count * sizeof *c->samples);
    c->have = c->chunk_samples;
    give(c, now_ns, chunk);
    chunk->inserted_at = at;
    chunk->inserted_count = count;
    c->inserted_samples += count;
}

/* Ends the segment: what the resampler holds comes out, then the rest of the
 * chunk is filled up. True if that gives a chunk. */
static bool
end_segment(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    uint64_t room = c->chunk_end + c->latency_frames - c->fed;
    size_t n = c->silence_left < room ? c->silence_left : (size_t)room;
    c->have += resampler_run(c->resampler, NULL, n, c->samples + c->have);
    c->fed += n;
    c->silence_left -= n;
    if (c->have == c->chunk_samples) {
        give(c, now_ns, chunk);
        return true;
    }
    bool partial = c->have > 0;
    if (partial)
        give_padded(c, now_ns, chunk);
    capture_start_segment(c);
    c->state =
        c->drain_to == CAPTURE_NO_FRAME ? CAPTURE_SILENT : CAPTURE_DRAINED;
    return partial;
}

static void
begin_ending(struct capture *c)
{
    c->state = CAPTURE_ENDING;
    c->silence_left = c->fed ? c->latency_frames : 0;
}

/* Nothing comes: the user is not speaking either. */
static void
listen_to_silence(struct capture *c, uint64_t now_ns)
{
    uint64_t last_ns = ring_host_last_commit_ns(c->ring, now_ns);
    voice_idle(&c->voice, now_ns > last_ns ? now_ns - last_ns : 0, now_ns);
}

static void
begin_silence(struct capture *c, uint64_t now_ns)
{
    begin_ending(c);
    c->silence_ns = now_ns;
    c->inserted_spans++;
    listen_to_silence(c, now_ns);
    if (c->starved)
        return;
    c->starved = true;
    c->starved_ns = now_ns;
    if (c->ops.on_starved)
        c->ops.on_starved(c->arg, ring_host_position(c->ring));
}

/* Takes what there is. Audio that is read again does not end starving: nothing
 * new has come. */
static void
take_frames(struct capture *c, uint64_t now_ns)
{
    uint64_t new_frame;
    if (!capture_fill(c, now_ns, &new_frame))
        return;
    if (c->state == CAPTURE_SILENT)
        c->state = CAPTURE_LIVE;
    if (!c->starved || new_frame == CAPTURE_NO_FRAME)
        return;
    c->starved = false;
    uint64_t ns = now_ns > c->starved_ns ? now_ns - c->starved_ns : 0;
    if (c->ops.on_resumed)
        c->ops.on_resumed(c->arg, new_frame, ns);
}

/* Whether what has waited in the ring must wait on. Less than a chunk there
 * means that it has caught up. */
static bool
held_back(struct capture *c, uint64_t now_ns)
{
    size_t missing = capture_missing(c);
    if (!c->pace.on)
        return false;
    if (ring_host_readable(c->ring) < missing)
        pace_end(&c->pace);
    return !pace_allows(&c->pace, missing * CLOCK_NS_PER_S / c->format.rate_hz,
                        now_ns);
}

/* One chunk of silence when it is due. */
static bool
give_silence(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    if (now_ns < c->silence_ns)
        return false;
    listen_to_silence(c, now_ns);
    give_padded(c, now_ns, chunk);
    capture_start_segment(c);
    c->silence_ns += c->chunk_ns;
    if (c->silence_ns <= now_ns)
        c->silence_ns = now_ns + c->chunk_ns;
    return true;
}

static bool
gap_is_over(struct capture *c, uint64_t now_ns)
{
    uint64_t last_ns = ring_host_last_commit_ns(c->ring, now_ns);
    return now_ns >= last_ns + c->gap_ns && ring_host_readable(c->ring) == 0;
}

static bool
has_stream(const struct capture *c)
{
    return c->state == CAPTURE_LIVE || c->state == CAPTURE_ENDING ||
           c->state == CAPTURE_SILENT;
}

/* The next chunk with frames in it, if it is whole. */
static bool
give_frames(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    take_frames(c, now_ns);
    if (c->have < c->chunk_samples)
        return false;
    give(c, now_ns, chunk);
    return true;
}

bool
capture_poll(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    if (!has_stream(c))
        return false;
    if (c->state != CAPTURE_ENDING) {
        if (held_back(c, now_ns))
            return false;
        if (give_frames(c, now_ns, chunk))
            return true;
    }
    if (c->state == CAPTURE_LIVE && gap_is_over(c, now_ns))
        begin_silence(c, now_ns);
    if (c->state == CAPTURE_ENDING && end_segment(c, now_ns, chunk)) {
        c->silence_ns = now_ns + c->chunk_ns;
        return true;
    }
    return c->state == CAPTURE_SILENT && give_silence(c, now_ns, chunk);
}

bool
capture_drain(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    if (!has_stream(c))
        return false;
    if (c->drain_to == CAPTURE_NO_FRAME)
        c->drain_to = ring_host_head(c->ring);
    if (c->state != CAPTURE_ENDING) {
        if (give_frames(c, now_ns, chunk))
            return true;
        begin_ending(c);
    }
    return end_segment(c, now_ns, chunk);
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
    c->hold_ns = now_ns + CAPTURE_HOLD_NS;
    uint64_t kept = ring_host_readable(c->ring);
    if (c->state == CAPTURE_ENDING && c->silence_left == 0)
        capture_start_segment(c);
    c->state = CAPTURE_HELD;
    c->drain_to = CAPTURE_NO_FRAME;
    ring_host_disarm(c->ring);
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

bool
capture_arm(struct capture *c)
{
    uint64_t frames = capture_missing(c);
    if (c->state == CAPTURE_WATCH)
        frames = c->seen - ring_host_position(c->ring) + c->listen_frames;
    else if (!has_stream(c) || pace_due_ns(&c->pace))
        return false;
    if (c->state == CAPTURE_ENDING)
        return true;
    /* Nothing can be read from it, whatever it says is there. */
    if (ring_host_damaged(c->ring))
        return false;
    return ring_host_arm(c->ring, frames);
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

uint64_t
capture_deadline_ns(const struct capture *c, uint64_t now_ns)
{
    switch (c->state) {
    case CAPTURE_HELD:
    case CAPTURE_WATCH:
        return c->hold_ns > now_ns ? c->hold_ns : now_ns + CAPTURE_HOLD_NS;
    case CAPTURE_LIVE:
        if (pace_due_ns(&c->pace))
            return pace_due_ns(&c->pace);
        return gap_due_ns(c, now_ns);
    case CAPTURE_ENDING:
        return now_ns;
    case CAPTURE_SILENT:
        if (pace_due_ns(&c->pace))
            return pace_due_ns(&c->pace);
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
