#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/capture/capture.h"
#include "gateway/capture/gate.h"
#include "gateway/clock.h"
#include "gateway/resampler.h"

#define CHUNK_MS_DEFAULT 32
#define GAP_MS_DEFAULT 300
/* How often frames are given up while there is no stream. */
#define HOLD_NS CLOCK_NS_PER_S
/* A loss while copying means a producer that is faster than memory; it is not
 * waited for. */
#define LOSSES_PER_POLL 4
#define NO_LIMIT UINT64_MAX

enum state {
    HELD,   /* no stream: frames stay in the ring */
    LIVE,   /* real audio, or a gap shorter than gap_ms */
    ENDING, /* the last frames before a gap leave the resampler */
    SILENT, /* silence runs */
    DRAINED /* the stream ends and has got everything */
};

/* The frames that have their place in one chunk. */
struct window {
    bool any;
    uint64_t from, to;
    uint64_t sent, gated;
};

struct capture {
    /* Constant. */
    struct ring_host *ring;
    struct capture_ops ops;
    void *arg;
    struct vr_format format;
    uint64_t start; /* position of the ring when it was taken over */
    size_t chunk_samples, chunk_frames;
    uint64_t chunk_ns, gap_ns, keep_frames;
    size_t latency_frames;
    struct resampler *resampler;

    /* The clock. */
    enum state state;
    uint64_t hold_ns;    /* when to look again while there is no stream */
    uint64_t silence_ns; /* when the next silence is due */
    bool starved;
    uint64_t starved_ns; /* since when */
    uint64_t drain_to;   /* position where draining ends, NO_LIMIT else */

    /* The chunk in the making. A segment is audio without a gap; the chunk in
     * hand ends with its frame number chunk_end, and the resampler wants
     * latency_frames more before it gives the last samples. */
    uint64_t fed, chunk_end;
    size_t silence_left; /* ENDING: frames still to be fed */
    size_t have;         /* samples in `samples` */
    struct window window, ahead;
    int16_t *samples; /* a chunk, and what resampler_bound() rounds up */
    int16_t *frames;  /* as they lie in the ring */

    /* Listening. */
    bool gate_closed, muted;
    struct gate gate;

    /* The account. */
    uint64_t sent, gated, lost;
    uint64_t given, settled; /* frames in chunks; of these, sent or dropped */
    uint64_t inserted_samples, inserted_spans, chunks;
};

static void
start_segment(struct capture *c)
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
    size_t most = c->chunk_frames + c->latency_frames;
    c->frames = malloc(most * c->format.channels * sizeof *c->frames);
    c->samples =
        malloc((c->chunk_samples + resampler_bound(c->resampler, most)) *
               sizeof *c->samples);
    return c->frames && c->samples;
}

static bool
config_valid(const struct capture_config *config, uint32_t chunk_ms)
{
    uint32_t hz = config->model_rate_hz;
    return (hz == 8000 || hz == 16000 || hz == 24000) &&
           chunk_ms >= CAPTURE_CHUNK_MS_MIN && chunk_ms <= CAPTURE_CHUNK_MS_MAX;
}

struct capture *
capture_new(const struct capture_config *config, const struct capture_ops *ops,
            void *arg)
{
    uint32_t chunk_ms = config->chunk_ms ? config->chunk_ms : CHUNK_MS_DEFAULT;
    uint32_t gap_ms = config->gap_ms ? config->gap_ms : GAP_MS_DEFAULT;
    struct capture *c = calloc(1, sizeof *c);
    if (!c || !config_valid(config, chunk_ms)) {
        free(c);
        return NULL;
    }
    c->ring = config->ring;
    c->ops = *ops;
    c->arg = arg;
    c->format = ring_host_format(c->ring);
    c->start = ring_host_position(c->ring);
    c->chunk_samples = config->model_rate_hz / 1000 * chunk_ms;
    c->chunk_frames = c->format.rate_hz / 1000 * chunk_ms;
    c->chunk_ns = chunk_ms * CLOCK_NS_PER_MS;
    c->gap_ns = gap_ms * CLOCK_NS_PER_MS;
    c->keep_frames =
        (uint64_t)config->connect_buffer_ms * (c->format.rate_hz / 1000);
    c->state = HELD;
    c->drain_to = NO_LIMIT;
    if (!allocate(c, config->model_rate_hz)) {
        capture_free(&c);
        return NULL;
    }
    start_segment(c);
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

static void
lose(struct capture *c, enum capture_loss why, uint64_t frames)
{
    if (frames == 0)
        return;
    c->lost += frames;
    if (c->ops.on_lost)
        c->ops.on_lost(c->arg, why, frames, ring_host_position(c->ring));
}

/* ---- frames in ---- */

static void
extend(struct window *window, uint64_t position, size_t frames, bool gated)
{
    if (!window->any)
        window->from = position;
    window->any = true;
    window->to = position + frames;
    *(gated ? &window->gated : &window->sent) += frames;
}

/* Two channels become one, in place. */
static void
mix(int16_t *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        frames[i] = (int16_t)((frames[2 * i] + frames[2 * i + 1]) / 2);
}

/* Frames that may be read now: up to the end of the chunk, of what the
 * resampler looks ahead, of this side of the gate, of what is drained. */
static size_t
wanted(struct capture *c)
{
    uint64_t position = ring_host_position(c->ring);
    uint64_t end = c->chunk_end;
    if (c->fed >= end)
        end += c->latency_frames;
    if (position >= c->drain_to)
        return 0;
    size_t frames = (size_t)(end - c->fed);
    if (frames > c->drain_to - position)
        frames = (size_t)(c->drain_to - position);
    return gate_run(&c->gate, position, frames);
}

static void
feed(struct capture *c, uint64_t position, size_t frames, bool gated)
{
    if (c->format.channels == 2)
        mix(c->frames, frames);
    extend(c->fed < c->chunk_end ? &c->window : &c->ahead, position, frames,
           gated);
    if (gated)
        c->gated += frames;
    c->have += resampler_run(c->resampler, gated ? NULL : c->frames, frames,
                             c->samples + c->have);
    c->fed += frames;
    ring_host_advance(c->ring, frames);
}

/* Takes from the ring what the chunk in hand wants; true if there was
 * anything. */
static bool
fill(struct capture *c)
{
    bool any = false;
    int losses = 0;
    while (losses < LOSSES_PER_POLL) {
        bool gated = gate_at(&c->gate, ring_host_position(c->ring));
        size_t want = wanted(c);
        struct ring_host_span span = {0};
        size_t got = want ? ring_host_peek(c->ring, c->frames, want, &span) : 0;
        if (span.lost_frames > 0) {
            lose(c, CAPTURE_LOSS_LAPPED, span.lost_frames);
            losses++;
            continue;
        }
        if (got == 0)
            return any;
        feed(c, span.position, got, gated);
        any = true;
    }
    return any;
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
    const struct window *w = &c->window;
    uint64_t here = ring_host_position(c->ring);
    assert(c->have == c->chunk_samples);
    c->given += w->sent;
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
    start_segment(c);
    c->state = c->drain_to == NO_LIMIT ? SILENT : DRAINED;
    return partial;
}

static void
begin_ending(struct capture *c)
{
    c->state = ENDING;
    c->silence_left = c->fed ? c->latency_frames : 0;
}

static void
begin_silence(struct capture *c, uint64_t now_ns)
{
    begin_ending(c);
    c->silence_ns = now_ns;
    c->inserted_spans++;
    if (c->starved)
        return;
    c->starved = true;
    c->starved_ns = now_ns;
    if (c->ops.on_starved)
        c->ops.on_starved(c->arg, ring_host_position(c->ring));
}

static void
on_frames(struct capture *c, uint64_t now_ns)
{
    if (c->state == SILENT)
        c->state = LIVE;
    if (!c->starved)
        return;
    c->starved = false;
    uint64_t first = c->window.any ? c->window.from : c->ahead.from;
    uint64_t ns = now_ns > c->starved_ns ? now_ns - c->starved_ns : 0;
    if (c->ops.on_resumed)
        c->ops.on_resumed(c->arg, first, ns);
}

/* One chunk of silence when it is due. */
static bool
give_silence(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    if (now_ns < c->silence_ns)
        return false;
    give_padded(c, now_ns, chunk);
    start_segment(c);
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

bool
capture_poll(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    if (c->state == HELD || c->state == DRAINED)
        return false;
    if (c->state == LIVE || c->state == SILENT) {
        if (fill(c))
            on_frames(c, now_ns);
        if (c->have == c->chunk_samples) {
            give(c, now_ns, chunk);
            return true;
        }
    }
    if (c->state == LIVE && gap_is_over(c, now_ns))
        begin_silence(c, now_ns);
    if (c->state == ENDING && end_segment(c, now_ns, chunk)) {
        c->silence_ns = now_ns + c->chunk_ns;
        return true;
    }
    return c->state == SILENT && give_silence(c, now_ns, chunk);
}

bool
capture_drain(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    if (c->state == HELD || c->state == DRAINED)
        return false;
    if (c->drain_to == NO_LIMIT)
        c->drain_to = ring_host_head(c->ring);
    if (c->state != ENDING) {
        if (fill(c))
            on_frames(c, now_ns);
        if (c->have == c->chunk_samples) {
            give(c, now_ns, chunk);
            return true;
        }
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
capture_next_frame(const struct capture *c)
{
    return c->window.any ? c->window.from : ring_host_position(c->ring);
}

uint64_t
capture_rewind(struct capture *c, uint64_t frame, uint64_t now_ns)
{
    (void)frame;
    capture_hold(c, now_ns);
    capture_chunks_dropped(c);
    return capture_next_frame(c);
}

void
capture_speech(const struct capture *c, struct capture_speech *speech)
{
    (void)c;
    memset(speech, 0, sizeof *speech);
}

bool
capture_sentry(struct capture *c, uint64_t now_ns)
{
    capture_hold(c, now_ns);
    return false;
}

uint64_t
capture_hold(struct capture *c, uint64_t now_ns)
{
    c->hold_ns = now_ns + HOLD_NS;
    uint64_t kept = ring_host_readable(c->ring);
    if (c->state == ENDING && c->silence_left == 0)
        start_segment(c);
    c->state = HELD;
    c->drain_to = NO_LIMIT;
    ring_host_disarm(c->ring);
    if (kept <= c->keep_frames)
        return 0;
    uint64_t before = ring_host_position(c->ring);
    uint64_t after = ring_host_seek(c->ring, before + (kept - c->keep_frames));
    lose(c, CAPTURE_LOSS_WAITING, after - before);
    return after - before;
}

uint64_t
capture_begin(struct capture *c, uint64_t now_ns)
{
    uint64_t lost = capture_hold(c, now_ns);
    c->state = c->silence_left > 0 ? ENDING : LIVE;
    return lost;
}

bool
capture_arm(struct capture *c)
{
    if (c->state == HELD || c->state == DRAINED)
        return false;
    if (c->state == ENDING)
        return true;
    return ring_host_arm(c->ring, c->chunk_end + c->latency_frames - c->fed);
}

uint64_t
capture_deadline_ns(const struct capture *c, uint64_t now_ns)
{
    switch (c->state) {
    case HELD:
        return c->hold_ns > now_ns ? c->hold_ns : now_ns + HOLD_NS;
    case LIVE:
        return ring_host_last_commit_ns(c->ring, now_ns) + c->gap_ns;
    case ENDING:
        return now_ns;
    case SILENT:
        return c->silence_ns;
    case DRAINED:
        break;
    }
    return UINT64_MAX;
}

void
capture_chunk_sent(struct capture *c, const struct capture_chunk *chunk)
{
    if (chunk->sent_mark <= c->settled || chunk->sent_mark > c->given)
        return;
    c->sent += chunk->sent_mark - c->settled;
    c->settled = chunk->sent_mark;
}

uint64_t
capture_chunks_dropped(struct capture *c)
{
    uint64_t dropped = c->given - c->settled;
    c->settled = c->given;
    lose(c, CAPTURE_LOSS_UNSENT, dropped);
    return dropped;
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

/* ---- the account ---- */

void
capture_account(struct capture *c, struct capture_account *account)
{
    uint64_t making = c->window.sent + c->ahead.sent;
    uint64_t head = ring_host_head(c->ring);
    uint64_t in_ring = head - ring_host_position(c->ring);
    *account = (struct capture_account){
        .produced = head - c->start,
        .sent = c->sent,
        .gated = c->gated,
        .lost = c->lost,
        .pending = in_ring + making + (c->given - c->settled),
        .inserted_samples = c->inserted_samples,
        .inserted_spans = c->inserted_spans,
        .chunks = c->chunks,
    };
}

bool
capture_account_balances(const struct capture_account *a)
{
    return a->produced == a->sent + a->gated + a->lost + a->pending;
}
