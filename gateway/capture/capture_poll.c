/* The input clock: which chunk is given when. */
#include <assert.h>
#include <string.h>

#include "gateway/capture/capture_state.h"
#include "gateway/clock.h"

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
    if (!flow_allows(&c->flow, now_ns))
        return true;
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

bool
capture_has_stream(const struct capture *c)
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
    flow_charge(&c->flow, c->chunk_ns, now_ns);
    give(c, now_ns, chunk);
    return true;
}

bool
capture_poll(struct capture *c, uint64_t now_ns, struct capture_chunk *chunk)
{
    c->now_ns = now_ns;
    if (!capture_has_stream(c))
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
    if (!capture_has_stream(c))
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
