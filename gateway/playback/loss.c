/* What a damaged ring takes with it. */
#include "gateway/clock.h"
#include "gateway/playback/response.h"

/* Audio waits so long for a ring that is to be made anew: what comes later than
 * that is no answer any more. */
#define AWAY_NS (3 * CLOCK_NS_PER_S)

static void
lose_written(struct playback *p, struct response *r)
{
    uint64_t unheard = r->written - response_passed_frames(p, r);
    if (!r->used || r->over || unheard == 0)
        return;
    uint64_t from = p->listener.position;
    if (from < r->span.from_frame)
        from = r->span.from_frame;
    r->gone = (struct playback_span){from, r->span.to_frame};
    r->lost += unheard;
    r->untold += unheard;
}

/* Who comes to a new ring says that it played all before: that is not to be
 * believed. */
static void
lose_ring(struct playback *p, uint64_t now_ns)
{
    listener_pass_time(&p->listener, now_ns);
    for (unsigned i = 0; i < RESPONSES_MAX; i++)
        lose_written(p, &p->responses[i]);
    listener_lose(&p->listener, now_ns);
}

static void
lose_queue(struct playback *p)
{
    for (unsigned i = 0; i < RESPONSES_MAX; i++) {
        struct response *r = &p->responses[i];
        if (!r->used || r->queued == 0)
            continue;
        p->lost += queue_remove(&p->queue, i);
        r->dropped += r->queued;
        r->untold += r->queued;
        r->queued = 0;
    }
}

void
loss_update(struct playback *p, uint64_t now_ns)
{
    struct loss *loss = &p->loss;
    p->now_ns = now_ns;
    bool damaged = ring_host_damaged(p->ring);
    if (damaged && !loss->away)
        loss->away_ns = now_ns;
    loss->away = damaged;
    if (damaged || ring_host_epoch(p->ring) != loss->epoch)
        lose_ring(p, now_ns);
    loss->epoch = ring_host_epoch(p->ring);
    listener_update(&p->listener, now_ns);
    if (damaged && now_ns - loss->away_ns >= AWAY_NS)
        lose_queue(p);
}

size_t
loss_room(const struct playback *p, size_t most)
{
    if (ring_host_damaged(p->ring))
        return 0;
    uint64_t frames = ring_host_lap_frames(p->ring, p->listener.unplayed);
    return frames < most ? (size_t)frames : most;
}
