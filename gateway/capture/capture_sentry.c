/* No stream, and the session sleeps: only listening. */
#include "gateway/capture/capture_state.h"
#include "gateway/clock.h"

/* Nothing is kept but the pre-roll: half a chunk has no future. */
static void
begin_watch(struct capture *c)
{
    uint64_t next = capture_next_frame(c), here = ring_host_position(c->ring);
    uint64_t unsettled = capture_unsettled(c);
    capture_start_segment(c);
    c->gated += unsettled - capture_unsettled(c);
    fates_mark(&c->fates, next > c->sent_to ? next : c->sent_to, here,
               FATE_GATED);
    c->state = CAPTURE_WATCH;
    c->drain_to = CAPTURE_NO_FRAME;
    capture_disarm(c);
}

/* How far the position may come up: speech that began within notice_frames is
 * not known yet. */
static uint64_t
keep_from(const struct capture *c)
{
    uint64_t from = c->woken ? c->woken_frame : c->seen;
    uint64_t keep = c->preroll_frames + (c->woken ? 0 : c->notice_frames);
    return from > keep ? from - keep : 0;
}

static void
listen_to(struct capture *c, size_t frames, bool gated, uint64_t now_ns)
{
    uint64_t position = c->seen;
    if (gated) {
        /* What waits must not be forgotten while it has no fate. */
        capture_gate_to(c, fates_next_floor(&c->fates));
        c->gated +=
            fates_mark(&c->fates, position, position + frames, FATE_GATED);
    }
    capture_mix(c, frames);
    c->seen += frames;
    voice_hear(&c->voice, position, gated ? NULL : c->frames, frames, now_ns);
    capture_gate_to(c, keep_from(c));
}

/* The producer was faster. */
static void
jump(struct capture *c, uint64_t to)
{
    uint64_t from = ring_host_position(c->ring);
    ring_host_seek(c->ring, to);
    capture_lose_span(c, CAPTURE_LOSS_LAPPED, from,
                      ring_host_position(c->ring));
}

static void
listen(struct capture *c, uint64_t now_ns)
{
    uint64_t head = ring_host_head(c->ring);
    int losses = 0;
    capture_gate_to(c, keep_from(c));
    while (c->seen < head && !c->woken && losses < CAPTURE_LOSSES_PER_CALL &&
           flow_allows(&c->flow, now_ns)) {
        bool gated = gate_at(&c->gate, c->seen);
        size_t want = c->piece_frames;
        struct ring_host_span span;
        if (want > head - c->seen)
            want = (size_t)(head - c->seen);
        want = gate_run(&c->gate, c->seen, want);
        size_t got =
            ring_host_peek_at(c->ring, c->seen, c->frames, want, &span);
        flow_charge(&c->flow, got * CLOCK_NS_PER_S / c->format.rate_hz, now_ns);
        if (span.lost_frames > 0) {
            flow_charge(&c->flow, c->chunk_ns, now_ns);
            jump(c, span.position);
            losses++;
            continue;
        }
        if (got == 0)
            return;
        listen_to(c, got, gated, now_ns);
    }
}

bool
capture_sentry(struct capture *c, uint64_t now_ns)
{
    c->now_ns = now_ns;
    if (c->woken) {
        capture_hold(c, now_ns);
        return true;
    }
    if (c->state != CAPTURE_WATCH)
        begin_watch(c);
    listen(c, now_ns);
    uint64_t last_ns = ring_host_last_commit_ns(c->ring, now_ns);
    if (c->seen == ring_host_head(c->ring))
        voice_idle(&c->voice, now_ns > last_ns ? now_ns - last_ns : 0, now_ns);
    c->hold_ns = now_ns + CAPTURE_HOLD_NS;
    if (c->woken)
        c->state = CAPTURE_HELD;
    return c->woken;
}
