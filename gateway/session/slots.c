#include "gateway/session/slots.h"

#include <assert.h>
#include <stdlib.h>

struct queue {
    struct slot_ticket *first, *last;
    size_t count;
};

struct slots {
    size_t max_streams, max_handovers;
    size_t open, handovers;
    struct queue queues[2]; /* by enum slot_kind */
    /* Streams that went before the first hand-over while it could have gone. */
    unsigned overtaken;
    bool granting; /* an outer call goes on with what is changed meanwhile */
};

struct slots *
slots_new(size_t max_streams, size_t max_handovers)
{
    struct slots *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->max_streams = max_streams ? max_streams : 1;
    s->max_handovers = max_handovers ? max_handovers : 1;
    return s;
}

void
slots_free(struct slots **slots)
{
    struct slots *s = *slots;
    if (!s)
        return;
    assert(s->open == 0 && slots_waiting(s) == 0);
    free(s);
    *slots = NULL;
}

static void
enqueue(struct slots *s, struct slot_ticket *t)
{
    struct queue *q = &s->queues[t->kind];
    t->state = SLOT_WAITING;
    t->before = q->last;
    t->after = NULL;
    if (q->last)
        q->last->after = t;
    else
        q->first = t;
    q->last = t;
    q->count++;
}

static void
dequeue(struct slots *s, struct slot_ticket *t)
{
    struct queue *q = &s->queues[t->kind];
    if (t->kind == SLOT_NEXT && q->first == t)
        s->overtaken = 0;
    if (t->before)
        t->before->after = t->after;
    else
        q->first = t->after;
    if (t->after)
        t->after->before = t->before;
    else
        q->last = t->before;
    q->count--;
    t->before = t->after = NULL;
    t->state = SLOT_IDLE;
}

/* Who is to have the slot that is free, NULL if there is none or nobody. */
static struct slot_ticket *
pick(const struct slots *s)
{
    struct slot_ticket *stream = s->queues[SLOT_STREAM].first;
    struct slot_ticket *next = s->queues[SLOT_NEXT].first;
    if (s->open >= s->max_streams)
        return NULL;
    if (s->handovers >= s->max_handovers)
        return stream;
    if (next && (!stream || s->overtaken >= SLOTS_OVERTAKEN_MAX))
        return next;
    return stream;
}

static void
grant(struct slots *s, struct slot_ticket *t)
{
    bool passes = t->kind == SLOT_STREAM && s->queues[SLOT_NEXT].first &&
                  s->handovers < s->max_handovers;
    dequeue(s, t);
    s->overtaken += passes;
    t->state = SLOT_HELD;
    t->token = t->kind == SLOT_NEXT;
    s->open++;
    s->handovers += t->token;
}

/* Callbacks may come back into this file; what they free is granted here, by
 * the outermost call, so the stack does not grow with the queue. */
static void
grant_waiting(struct slots *s)
{
    struct slot_ticket *t;
    if (s->granting)
        return;
    s->granting = true;
    while ((t = pick(s))) {
        grant(s, t);
        t->on_granted(t->arg, t);
    }
    s->granting = false;
}

enum slots_answer
slots_ask(struct slots *s, struct slot_ticket *t, enum slot_kind kind,
          slots_granted_fn *on_granted, void *arg)
{
    assert(t->state == SLOT_IDLE && on_granted);
    t->kind = kind;
    t->on_granted = on_granted;
    t->arg = arg;
    enqueue(s, t);
    if (pick(s) != t)
        return SLOTS_QUEUED;
    grant(s, t);
    return SLOTS_GRANTED;
}

bool
slots_cancel(struct slots *s, struct slot_ticket *t)
{
    if (t->state != SLOT_WAITING)
        return false;
    dequeue(s, t);
    return true;
}

void
slots_release(struct slots *s, struct slot_ticket *t)
{
    if (slots_cancel(s, t) || t->state == SLOT_IDLE)
        return;
    s->open--;
    s->handovers -= t->token;
    t->token = false;
    t->state = SLOT_IDLE;
    grant_waiting(s);
}

void
slots_promote(struct slots *s, struct slot_ticket *next,
              struct slot_ticket *old)
{
    assert(next->state == SLOT_HELD && next->kind == SLOT_NEXT && next != old);
    next->kind = SLOT_STREAM;
    if (old && old->state == SLOT_HELD && !old->token) {
        next->token = false;
        old->token = true;
        return;
    }
    next->token = false;
    s->handovers--;
    grant_waiting(s);
}

bool
slots_held(const struct slot_ticket *t)
{
    return t->state == SLOT_HELD;
}

size_t
slots_waiting_for(const struct slots *s, enum slot_kind kind)
{
    return s->queues[kind].count;
}

size_t
slots_waiting(const struct slots *s)
{
    return s->queues[SLOT_STREAM].count + s->queues[SLOT_NEXT].count;
}

size_t
slots_ahead(const struct slot_ticket *t)
{
    size_t ahead = 0;
    assert(t->state == SLOT_WAITING);
    while ((t = t->before))
        ahead++;
    return ahead;
}

size_t
slots_open(const struct slots *s)
{
    return s->open;
}

size_t
slots_handovers(const struct slots *s)
{
    return s->handovers;
}

size_t
slots_limit(const struct slots *s)
{
    return s->max_streams;
}
