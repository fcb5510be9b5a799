#include <string.h>

#include "gateway/playback/response.h"

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

struct response *
response_add(struct playback *p, uint64_t id, uint64_t turn_id)
{
    struct response *r = place(p);
    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    r->used = true;
    r->id = id;
    r->turn_id = turn_id;
    r->order = ++p->orders;
    return r;
}

uint64_t
response_heard_frames(const struct playback *p, const struct response *r)
{
    if (r->interrupted || r->over)
        return r->heard_frames;
    if (r->written == 0 || p->listener.position <= r->span.from_frame)
        return 0;
    uint64_t frames = p->listener.position - r->span.from_frame;
    return frames < r->written ? frames : r->written;
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
        .heard_ms = response_milliseconds(p, response_heard_frames(p, r)),
        .estimated = p->listener.estimated,
    };
    if (on_notice)
        on_notice(p->arg, &notice);
}

void
response_fix(struct playback *p, struct response *r)
{
    r->heard_frames = response_heard_frames(p, r);
    r->heard_estimated = p->listener.estimated;
    r->over = true;
}

/* What of this response has come true since the last look. */
static void
look_at(struct playback *p, struct response *r)
{
    uint64_t position = p->listener.position;
    if (r->written == 0 || r->over)
        return;
    if (!r->started && position >= r->span.from_frame) {
        r->started = true;
        response_tell(p, r, r->span, p->ops.on_started);
    }
    if (r->ended && r->queued == 0 && position >= r->span.to_frame) {
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
