#include "gateway/session/parting.h"

#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"

/* How long an ended stream is read for its last usage. */
#define READ_NS (5 * CLOCK_NS_PER_S)

/* Whatever it was still saying is over, whole or not. */
static void
hush(struct session *s, struct parting *p, uint64_t now_ns)
{
    const struct response *r = dialogue_current(s->dialogue);
    if (!p->talking)
        return;
    p->talking = false;
    if (!r || r->generated)
        return;
    playback_end(s->playback, r->id, now_ns);
    dialogue_left(s->dialogue, "stream_lost", now_ns);
}

static void
finish(struct session *s, struct parting *p, uint64_t now_ns)
{
    hush(s, p, now_ns);
    p->deadline_ns = now_ns + READ_NS;
    if (p->leg.begun)
        closing_send_ends(s, p->leg.link);
    link_finish(p->leg.link);
}

static struct parting *
place(struct session *s)
{
    struct parting *oldest = &s->parting[0];
    for (size_t i = 0; i < PARTING_MAX; i++) {
        struct parting *p = &s->parting[i];
        if (!p->leg.link)
            return p;
        if (p->leg.generation < oldest->leg.generation)
            oldest = p;
    }
    hush(s, oldest, clock_mono_ns());
    leg_drop(s, &oldest->leg, "dropped", "later streams have ended, too");
    return oldest;
}

void
parting_begin(struct session *s, struct leg *leg, uint64_t talk_ns,
              const char *reason)
{
    uint64_t now_ns = clock_mono_ns();
    struct parting *p = place(s);
    *p = (struct parting){
        .leg = *leg, .talking = talk_ns > 0, .end_by_ns = now_ns + talk_ns};
    memset(leg, 0, sizeof *leg);
    report_stream(s, &p->leg, "ending", reason);
    if (!p->talking)
        finish(s, p, now_ns);
}

bool
parting_talks(const struct session *s, const struct link *link)
{
    for (size_t i = 0; i < PARTING_MAX; i++) {
        if (s->parting[i].leg.link == link)
            return s->parting[i].talking;
    }
    return false;
}

void
parting_hush(struct session *s)
{
    for (size_t i = 0; i < PARTING_MAX; i++) {
        struct parting *p = &s->parting[i];
        if (p->leg.link && p->talking)
            finish(s, p, clock_mono_ns());
    }
}

bool
parting_ended(struct session *s, const struct link *link)
{
    for (size_t i = 0; i < PARTING_MAX; i++) {
        if (s->parting[i].leg.link != link)
            continue;
        hush(s, &s->parting[i], clock_mono_ns());
        leg_drop(s, &s->parting[i].leg, "ended", "its end was answered");
        return true;
    }
    return false;
}

static void
go_on(struct session *s, struct parting *p, uint64_t now_ns)
{
    if (p->talking && now_ns >= p->end_by_ns)
        finish(s, p, now_ns);
    else if (!p->talking && now_ns >= p->deadline_ns)
        leg_drop(s, &p->leg, "dropped", "the endpoint did not end it in time");
    else if (link_flush(p->leg.link) != VR_OK)
        log_debug(session, s->context, "stream %u takes nothing any more",
                  p->leg.generation);
}

uint64_t
parting_tick(struct session *s, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < PARTING_MAX; i++) {
        struct parting *p = &s->parting[i];
        if (p->leg.link)
            go_on(s, p, now_ns);
        uint64_t due_ns = p->talking ? p->end_by_ns : p->deadline_ns;
        if (p->leg.link && due_ns < next_ns)
            next_ns = due_ns;
    }
    return next_ns;
}

bool
parting_any(const struct session *s)
{
    for (size_t i = 0; i < PARTING_MAX; i++) {
        if (s->parting[i].leg.link)
            return true;
    }
    return false;
}

void
parting_drop_all(struct session *s)
{
    for (size_t i = 0; i < PARTING_MAX; i++)
        leg_drop(s, &s->parting[i].leg, "dropped", "the session ends");
}
