/* Frames in: from the ring, for the first time or again, to the resampler. */
#include "gateway/capture/capture_state.h"

/* Frames that lie together in the ring and have one fate. */
struct run {
    enum fate fate;
    bool again; /* looked at before */
    size_t frames;
};

size_t
capture_missing(const struct capture *c)
{
    return (size_t)(c->chunk_end + c->latency_frames - c->fed);
}

void
capture_mix(const struct capture *c, size_t frames)
{
    if (c->format.channels != 2)
        return;
    for (size_t i = 0; i < frames; i++)
        c->frames[i] = (int16_t)((c->frames[2 * i] + c->frames[2 * i + 1]) / 2);
}

/* Frames that may be read now: up to the end of the chunk, of what the
 * resampler looks ahead, of what is drained. */
static size_t
wanted(const struct capture *c, uint64_t position)
{
    uint64_t end = c->chunk_end;
    if (c->fed >= end)
        end += c->latency_frames;
    if (position >= c->drain_to)
        return 0;
    uint64_t frames = end - c->fed;
    if (frames > c->drain_to - position)
        frames = c->drain_to - position;
    return (size_t)frames;
}

static size_t
at_most(size_t frames, uint64_t most)
{
    return frames < most ? frames : (size_t)most;
}

static struct run
next_run(struct capture *c, uint64_t position)
{
    size_t frames = wanted(c, position);
    if (position >= c->seen)
        return (struct run){.fate = gate_at(&c->gate, position) ? FATE_GATED
                                                                : FATE_NONE,
                            .frames = gate_run(&c->gate, position, frames)};
    uint64_t end;
    enum fate fate = fates_at(&c->fates, position, &end);
    if (end > c->seen)
        end = c->seen;
    /* Lost frames have no place in the chunk: it need not want them. */
    if (fate == FATE_LOST)
        return (struct run){fate, true, (size_t)(end - position)};
    if (position < c->sent_to && end > c->sent_to)
        end = c->sent_to;
    return (struct run){fate, true, at_most(frames, end - position)};
}

static void
extend(struct capture_window *w, uint64_t position, size_t frames,
       enum fate fate, bool sent_before)
{
    if (!w->any)
        w->from = position;
    w->any = true;
    w->to = position + frames;
    if (fate == FATE_GATED)
        w->gated += frames;
    else
        w->sent += frames;
    if (fate == FATE_NONE && sent_before)
        w->again += frames;
}

/* Frames that nobody has looked at before. */
static void
look_at(struct capture *c, uint64_t position, size_t frames, bool gated,
        uint64_t now_ns)
{
    if (gated)
        c->gated +=
            fates_mark(&c->fates, position, position + frames, FATE_GATED);
    c->seen = position + frames;
    voice_hear(&c->voice, position, gated ? NULL : c->frames, frames, now_ns);
}

static void
feed(struct capture *c, uint64_t position, const struct run *run, size_t frames,
     uint64_t now_ns)
{
    bool gated = run->fate == FATE_GATED;
    capture_mix(c, frames);
    if (!run->again)
        look_at(c, position, frames, gated, now_ns);
    extend(c->fed < c->chunk_end ? &c->window : &c->ahead, position, frames,
           run->fate, position < c->sent_to);
    c->have += resampler_run(c->resampler, gated ? NULL : c->frames, frames,
                             c->samples + c->have);
    c->fed += frames;
    ring_host_advance(c->ring, frames);
}

/* Reads a part of the run. False if nothing could be read. */
static bool
read_run(struct capture *c, const struct run *run, uint64_t position,
         uint64_t now_ns, int *losses)
{
    struct ring_host_span span = {0};
    size_t got = run->frames
                     ? ring_host_peek(c->ring, c->frames, run->frames, &span)
                     : 0;
    if (span.lost_frames > 0) {
        capture_lose_span(c, CAPTURE_LOSS_LAPPED, position, span.position);
        flow_charge(&c->flow, c->chunk_ns, now_ns);
        return ++*losses < CAPTURE_LOSSES_PER_CALL;
    }
    if (got > 0)
        feed(c, position, run, got, now_ns);
    return got > 0;
}

bool
capture_fill(struct capture *c, uint64_t now_ns, uint64_t *new_frame)
{
    uint64_t fed = c->fed, seen = c->seen;
    int losses = 0;
    *new_frame = CAPTURE_NO_FRAME;
    for (;;) {
        uint64_t position = ring_host_position(c->ring);
        struct run run = next_run(c, position);
        uint64_t fed_before = c->fed;
        if (run.fate == FATE_LOST)
            ring_host_advance(c->ring, run.frames);
        else if (!read_run(c, &run, position, now_ns, &losses))
            return c->fed > fed;
        else if (*new_frame == CAPTURE_NO_FRAME && c->fed > fed_before &&
                 position >= seen)
            *new_frame = position;
    }
}

void
capture_pass_lost(struct capture *c)
{
    uint64_t position = ring_host_position(c->ring), end;
    if (position < c->seen && fates_at(&c->fates, position, &end) == FATE_LOST)
        ring_host_advance(c->ring, end - position);
}
