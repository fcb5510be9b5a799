/* What became of each frame, and going back. */
#include "gateway/capture/capture_state.h"

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void
capture_lose(struct capture *c, enum capture_loss why, uint64_t frames)
{
    if (frames == 0)
        return;
    c->lost += frames;
    if (c->ops.on_lost)
        c->ops.on_lost(c->arg, why, frames, ring_host_position(c->ring));
}

uint64_t
capture_lose_span(struct capture *c, enum capture_loss why, uint64_t from,
                  uint64_t to)
{
    uint64_t frames =
        fates_mark(&c->fates, later(from, c->sent_to), to, FATE_LOST);
    c->seen = later(c->seen, to);
    capture_lose(c, why, frames);
    return frames;
}

void
capture_gate_to(struct capture *c, uint64_t to)
{
    uint64_t from = ring_host_position(c->ring);
    if (to <= from)
        return;
    c->gated += fates_mark(&c->fates, later(from, c->sent_to), to, FATE_GATED);
    ring_host_advance(c->ring, to - from);
}

static uint64_t
given_unsettled(const struct capture *c)
{
    return c->given - later(c->settled, c->again_to);
}

uint64_t
capture_unsettled(const struct capture *c)
{
    uint64_t making = c->window.sent - c->window.again;
    return making + c->ahead.sent - c->ahead.again + given_unsettled(c);
}

void
capture_chunk_sent(struct capture *c, const struct capture_chunk *chunk)
{
    uint64_t mark = chunk->sent_mark;
    if (mark <= c->settled || mark > c->given)
        return;
    uint64_t again_to = mark < c->again_to ? mark : c->again_to;
    uint64_t again = again_to > c->settled ? again_to - c->settled : 0;
    c->resent += again;
    c->sent += mark - c->settled - again;
    c->settled = mark;
    c->sent_to = later(c->sent_to, chunk->to_frame);
}

uint64_t
capture_chunks_dropped(struct capture *c)
{
    uint64_t dropped = given_unsettled(c);
    c->settled = c->given;
    if (dropped > 0) {
        fates_mark(&c->fates, c->sent_to, c->given_to, FATE_LOST);
        c->sent_to = c->given_to;
    }
    capture_lose(c, CAPTURE_LOSS_UNSENT, dropped);
    return dropped;
}

/* ---- going back ---- */

uint64_t
capture_next_frame(const struct capture *c)
{
    return c->window.any ? c->window.from : ring_host_position(c->ring);
}

uint64_t
capture_unsent_frame(const struct capture *c)
{
    uint64_t frame = later(c->sent_to, c->fates.floor), end;
    uint64_t next = capture_next_frame(c);
    while (frame < next && fates_at(&c->fates, frame, &end) != FATE_NONE)
        frame = end;
    return frame < next ? frame : next;
}

/* Of the frames in [from, to), all of them seen, those without a fate. */
static uint64_t
without_fate(const struct capture *c, uint64_t from, uint64_t to)
{
    from = later(from, c->sent_to);
    return from < to ? to - from - fates_count(&c->fates, from, to) : 0;
}

uint64_t
capture_rewind(struct capture *c, uint64_t frame, uint64_t now_ns)
{
    uint64_t was = ring_host_position(c->ring), next = capture_next_frame(c);
    uint64_t unsettled = capture_unsettled(c);
    frame = later(frame < next ? frame : next, c->fates.floor);
    capture_start_segment(c);
    c->settled = c->again_to = c->given;
    c->state = CAPTURE_HELD;
    c->hold_ns = now_ns + CAPTURE_HOLD_NS;
    c->drain_to = CAPTURE_NO_FRAME;
    capture_disarm(c);
    uint64_t now = ring_host_seek(c->ring, frame);
    uint64_t back = now < was ? now : was;
    uint64_t gone = unsettled - without_fate(c, back, was);
    fates_mark(&c->fates, c->sent_to, back, FATE_LOST);
    c->sent_to = later(c->sent_to, back);
    capture_lose(c, CAPTURE_LOSS_UNSENT, gone);
    capture_lose_span(c, CAPTURE_LOSS_LAPPED, was, now);
    capture_pass_lost(c);
    return ring_host_position(c->ring);
}

/* ---- a damaged ring ---- */

uint64_t
capture_ring_lost(struct capture *c)
{
    uint64_t from = ring_host_position(c->ring);
    uint64_t to = ring_host_head(c->ring);
    capture_disarm(c);
    ring_host_advance(c->ring, to - from);
    return capture_lose_span(c, CAPTURE_LOSS_RING, from, to);
}

/* ---- the account ---- */

void
capture_account(struct capture *c, struct capture_account *account)
{
    uint64_t head = ring_host_head(c->ring);
    uint64_t waiting = ring_host_position(c->ring);
    uint64_t seen = without_fate(c, waiting, c->seen);
    *account = (struct capture_account){
        .produced = head - c->start,
        .sent = c->sent,
        .gated = c->gated,
        .lost = c->lost,
        .pending = head - c->seen + seen + capture_unsettled(c),
        .resent = c->resent,
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
