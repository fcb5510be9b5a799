/* What a playback can be asked, and when it wants to be called. */
#include "gateway/clock.h"
#include "gateway/playback/response.h"

/* How often queued audio looks for room in the ring. */
#define QUEUE_LOOK_NS (100 * CLOCK_NS_PER_MS)

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

uint64_t
playback_deadline_ns(const struct playback *p, uint64_t now_ns)
{
    const struct listener *l = &p->listener;
    uint64_t due_ns = UINT64_MAX;
    uint64_t head = ring_host_head(p->ring);
    if (p->queue.frames > 0)
        due_ns = now_ns + QUEUE_LOOK_NS;
    if (l->position < head)
        due_ns = sooner(due_ns, listener_eta_ns(l, head, now_ns));
    for (unsigned i = 0; i < RESPONSES_MAX; i++) {
        const struct response *r = &p->responses[i];
        due_ns = sooner(due_ns, later(response_loss_due_ns(r), now_ns + 1));
        if (!r->used || r->written == 0 || r->over)
            continue;
        if (!r->started && r->written > r->lost)
            due_ns =
                sooner(due_ns, listener_eta_ns(l, r->span.from_frame, now_ns));
        else if (l->position < r->span.to_frame)
            due_ns =
                sooner(due_ns, listener_eta_ns(l, r->span.to_frame, now_ns));
    }
    return due_ns;
}

/* ---- questions ---- */

bool
playback_is_busy(struct playback *p, uint64_t now_ns)
{
    const struct listener *l = &p->listener;
    loss_update(p, now_ns);
    if (l->position < ring_host_head(p->ring))
        return true;
    /* What waits behind a player that has stopped playing is not heard. */
    return p->queue.frames > 0 && (p->loss.away || loss_room(p, 1) > 0);
}

uint64_t
playback_position(struct playback *p, uint64_t now_ns, bool *estimated)
{
    loss_update(p, now_ns);
    if (estimated)
        *estimated = p->listener.estimated;
    return p->listener.position;
}

/* Where queued audio of a response will be. */
static struct playback_span
queued_span(const struct playback *p, const struct response *r)
{
    uint64_t at = ring_host_head(p->ring);
    uint64_t before = 0;
    for (unsigned i = 0; i < RESPONSES_MAX; i++)
        if (p->responses[i].used && p->responses[i].order < r->order)
            before += p->responses[i].queued;
    return (struct playback_span){at + before, at + before + r->queued};
}

bool
playback_span(const struct playback *p, uint64_t response_id,
              struct playback_span *span)
{
    const struct response *r = response_find(p, response_id);
    if (!r || r->written + r->queued == 0)
        return false;
    *span = r->span;
    if (r->queued > 0) {
        struct playback_span queued = queued_span(p, r);
        span->to_frame = queued.to_frame;
        if (r->written == 0)
            span->from_frame = queued.from_frame;
    }
    return true;
}

bool
playback_heard(struct playback *p, uint64_t response_id, uint64_t now_ns,
               struct playback_heard *heard)
{
    const struct response *r = response_find(p, response_id);
    loss_update(p, now_ns);
    if (!r || r->received == 0)
        return false;
    bool fixed = r->interrupted || r->over;
    heard->received_ms = response_milliseconds(p, r->received);
    heard->heard_ms = response_milliseconds(p, response_heard_frames(p, r));
    heard->lost_ms = response_milliseconds(p, r->lost + r->dropped);
    heard->estimated = fixed ? r->heard_estimated : p->listener.estimated;
    return true;
}

/* ---- the account ---- */

void
playback_account(struct playback *p, uint64_t now_ns,
                 struct playback_account *account)
{
    loss_update(p, now_ns);
    const struct listener *l = &p->listener;
    *account = (struct playback_account){
        .received = p->received,
        .played = l->heard_frames,
        .flushed = p->flushed + l->flushed_frames,
        .lost = p->lost + l->lost_frames,
        .pending = ring_host_head(p->ring) - l->position + p->queue.frames,
        .queued = p->queue.frames,
    };
}

bool
playback_account_balances(const struct playback_account *a)
{
    return a->received == a->played + a->flushed + a->pending + a->lost;
}
