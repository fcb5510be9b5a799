/* What happens to the streams of a session: whose it is, and who is told. */
#include <stdio.h>
#include <string.h>

#include "gateway/bedrock/classify.h"
#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/recovery.h"
#include "gateway/session/self.h"

/* ---- room for one ---- */

struct slot_ticket *
streams_ticket(struct session *s)
{
    for (size_t i = 0; i < sizeof s->tickets / sizeof s->tickets[0]; i++) {
        struct slot_ticket *t = &s->tickets[i];
        bool used = t == s->leg.ticket || t == s->handover.next.ticket;
        for (size_t p = 0; p < PARTING_MAX; p++)
            used = used || t == s->parting[p].leg.ticket;
        if (!used)
            return t;
    }
    return NULL;
}

/* Slots are given in the middle of what others do: the session looks for
 * itself in its own turn. */
void
streams_on_slot(void *arg, struct slot_ticket *ticket)
{
    struct session *s = arg;
    uint64_t now_ns = clock_mono_ns();
    (void)ticket;
    handles_schedule(s, now_ns, now_ns);
}

bool
streams_granted(const struct session *s)
{
    return s->state == SESSION_queued && s->leg.ticket &&
           slots_held(s->leg.ticket);
}

bool
streams_want(struct session *s, const char *reason)
{
    if (!machine_edge(s->state, SESSION_ON_open) || s->state == SESSION_queued)
        return false;
    s->next_reason = reason;
    if (s->leg.ticket && slots_held(s->leg.ticket))
        return session_move(s, SESSION_ON_open, reason);
    if (!s->leg.ticket)
        s->leg.ticket = streams_ticket(s);
    if (slots_ask(s->services->slots, s->leg.ticket, SLOT_STREAM,
                  streams_on_slot, s) == SLOTS_GRANTED)
        return session_move(s, SESSION_ON_open, reason);
    return session_move(s, SESSION_ON_full,
                        "bedrock.max_streams are open already");
}

size_t
streams_open(const struct session *s)
{
    size_t count = (s->leg.link != NULL) + (s->handover.next.link != NULL);
    for (size_t p = 0; p < PARTING_MAX; p++)
        count += s->parting[p].leg.link != NULL;
    return count;
}

/* ---- what the streams tell ---- */

static void
on_link_open(void *arg, struct link *link)
{
    struct session *s = arg;
    if (link == s->leg.link)
        session_move(s, SESSION_ON_connected, "connected");
    else if (link == s->handover.next.link)
        handover_connected(s);
    session_turn(s);
}

static void
on_link_answer(void *arg, struct link *link, const char *request_id)
{
    struct session *s = arg;
    struct leg *leg = leg_of(s, link);
    if (!leg)
        return;
    snprintf(leg->request_id, sizeof leg->request_id, "%s", request_id);
    log_info(bedrock, s->context, "stream %u accepted, request id %s",
             leg->generation, request_id);
    leg->answered = true;
    leg->answered_ns = clock_mono_ns();
    if (leg == &s->handover.next)
        handover_answered(s);
    else if (leg == &s->leg && s->state == SESSION_starting)
        session_move(s, SESSION_ON_answered, "the endpoint answered");
    session_turn(s);
}

/* A stream that hears nothing, or will never answer, may go on counting what
 * it costs and telling that somebody begins to speak. */
static bool
shows_that_it_hears(const struct sonic_event *event)
{
    return event->type != SONIC_USAGE && event->type != SONIC_SPEECH_START;
}

/* What an old stream says belongs to nobody any more, but for what it cost and
 * the rest of an answer that it was let finish. */
static void
on_link_event(void *arg, struct link *link, const struct sonic_event *event)
{
    struct session *s = arg;
    struct leg *leg = leg_of(s, link);
    if (!leg)
        return;
    leg->had_event = true;
    if (shows_that_it_hears(event)) {
        leg->last_sign_ns = clock_mono_ns();
        s->deaf_count = 0;
    }
    if (leg == &s->leg || event->type == SONIC_USAGE || parting_talks(s, link))
        model_event(s, leg, event);
    session_turn(s);
}

static void
on_link_writable(void *arg, struct link *link)
{
    (void)link;
    session_turn(arg);
}

/* An error of which AWS says that the stream survives it. */
static void
on_link_exception(void *arg, struct link *link, const struct bedrock_end *end)
{
    struct session *s = arg;
    if (link == s->leg.link)
        recovery_exception(s, end);
    session_turn(s);
}

/* A stream that was left shortly before may still tell what it cost. */
static void
ended_at_close(struct session *s, const struct bedrock_end *end)
{
    if (end->normal && parting_any(s))
        leg_drop(s, &s->leg, "ended", "the session is closed");
    else if (end->normal)
        session_move(s, SESSION_ON_ended, "the endpoint ended the stream");
    else
        session_move(s, SESSION_ON_lost, bedrock_end_name(end->cause));
}

static void
current_ended(struct session *s, const struct bedrock_end *end)
{
    if (s->state == SESSION_closing)
        ended_at_close(s, end);
    else
        recovery_stream_ended(s, end);
}

static void
on_link_end(void *arg, struct link *link, const struct bedrock_end *end)
{
    struct session *s = arg;
    if (link == s->leg.link)
        current_ended(s, end);
    else if (link == s->handover.next.link)
        handover_lost(s, end);
    else
        parting_ended(s, link);
    session_turn(s);
}

const struct link_ops streams_link_ops = {
    .on_open = on_link_open,
    .on_answer = on_link_answer,
    .on_event = on_link_event,
    .on_exception = on_link_exception,
    .on_writable = on_link_writable,
    .on_end = on_link_end,
};
