#include <string.h>

#include "gateway/clock.h"
#include "gateway/playback/response.h"

/* Losses of a response are told no more often than this. */
#define LOSS_NEWS_NS CLOCK_NS_PER_S

struct response *
response_find(const struct playback *p, uint64_t id)
{
    for (unsigned i = 0; i < RESPONSES_MAX; i++)
        if (p->responses[i].used && p->responses[i].id == id)
            return (struct response *)&p->responses[i];
    return NULL;
}

static bool
older(const struct response *a, const struct response *b)
{
    return !b || a->order < b->order;
}

/* A free place, or the oldest that is over, or the oldest whose audio is all
 * in the ring; NULL if there is none. */
static struct response *
place(struct playback *p)
{
    struct response *over = NULL, *written = NULL;
    for (unsigned i = 0; i < RESPONSES_MAX; i++) {
        struct response *r = &p->responses[i];
        if (!r->used)
            return r;
        if (r->queued > 0 || p->inside == i)
            continue;
        if (r->over && older(r, over))
            over = r;
        if (older(r, written))
            written = r;
    }
    return over ? over : written;
}

uint64_t
response_passed_frames(const struct playback *p, const struct response *r)
{
    if (r->written == 0 || p->listener.position <= r->span.from_frame)
        return 0;
    uint64_t frames = p->listener.position - r->span.from_frame;
    return frames < r->written ? frames : r->written;
}

uint64_t
response_heard_frames(const struct playback *p, const struct response *r)
{
    if (r->interrupted || r->over)
        return r->heard_frames;
    uint64_t passed = response_passed_frames(p, r);
    return passed > r->lost ? passed - r->lost : 0;
}

double
response_milliseconds(const struct playback *p, uint64_t frames)
{
    return (double)frames * 1000 / p->format.rate_hz;
}

void
response_tell(struct playback *p, const struct response *r,
              struct playback_span span,
              void (*on_notice)(void *, const struct playback_notice *))
{
    struct playback_notice notice = {
        .response_id = r->id,
        .turn_id = r->turn_id,
        .span = span,
        .lost_frames = r->untold,
        .heard_ms = response_milliseconds(p, response_heard_frames(p, r)),
        .estimated = p->listener.estimated,
    };
    if (on_notice)
        on_notice(p->arg, &notice);
}

static void
tell_loss(struct playback *p, struct response *r)
{
    response_tell(p, r, r->gone, p->ops.on_lost);
    r->untold = 0;
    r->gone = (struct playback_span){0};
    r->told_ns = p->now_ns;
}

struct response *
response_add(struct playback *p, uint64_t id, uint64_t turn_id)
{
    struct response *r = place(p);
    if (!r)
        return NULL;
    if (r->untold > 0)
        tell_loss(p, r);
    memset(r, 0, sizeof *r);
    r->used = true;
    r->id = id;
    r->turn_id = turn_id;
    r->order = ++p->orders;
    return r;
}

void
response_fix(struct playback *p, struct response *r)
{
    r->heard_frames = response_heard_frames(p, r);
    r->heard_estimated = p->listener.estimated;
    if (r->untold > 0)
        tell_loss(p, r);
    r->over = true;
}

uint64_t
response_loss_due_ns(const struct response *r)
{
    if (!r->used || r->untold == 0)
        return UINT64_MAX;
    return r->told_ns ? r->told_ns + LOSS_NEWS_NS : 0;
}

/* Nothing of it is to be heard any more. */
static bool
is_over(const struct playback *p, const struct response *r)
{
    return r->ended && r->queued == 0 && r->received > 0 &&
           (r->written == 0 || p->listener.position >= r->span.to_frame);
}

/* What of this response has come true since the last look. */
static void
look_at(struct playback *p, struct response *r)
{
    bool over = is_over(p, r);
    if (r->untold > 0 && response_loss_due_ns(r) <= p->now_ns)
        tell_loss(p, r);
    if (!r->started && r->written > r->lost &&
        p->listener.position >= r->span.from_frame) {
        r->started = true;
        response_tell(p, r, r->span, p->ops.on_started);
    }
    if (over) {
        response_fix(p, r);
        response_tell(p, r, r->span, p->ops.on_finished);
    }
}

/* The oldest that is not over and younger than `order`. */
static struct response *
next_open(struct playback *p, uint64_t order)
{
    struct response *next = NULL;
    for (unsigned i = 0; i < RESPONSES_MAX; i++) {
        struct response *r = &p->responses[i];
        if (r->used && !r->over && r->order > order && older(r, next))
            next = r;
    }
    return next;
}

void
response_tell_progress(struct playback *p)
{
    for (struct response *r = next_open(p, 0); r; r = next_open(p, r->order))
        look_at(p, r);
}
