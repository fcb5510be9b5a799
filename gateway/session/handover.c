#include "gateway/session/handover.h"

#include "gateway/bedrock/classify.h"
#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/boundary.h"
#include "gateway/session/opening.h"
#include "gateway/session/remember.h"
#include "gateway/session/replay.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

/* A stream that was begun and gets no audio dies after 55 s (PROTOCOL 5.3):
 * after this part of rotate_after_s, and at most 45 s, it is made anew. */
#define STALE_PART 8
#define STALE_NS (45 * CLOCK_NS_PER_S)

/* How long a slot is waited for when all are taken. */
#define NO_ROOM_NS (3 * CLOCK_NS_PER_S)

/* How often it is looked whether a boundary has come, beside all events. */
#define LOOK_NS (100 * CLOCK_NS_PER_MS)

const char *
handover_phase_name(enum handover_phase phase)
{
    static const char *const names[] = {"none", "queued", "opening", "ready"};
    return names[phase];
}

/* ---- the next stream ---- */

void
handover_drop(struct session *s, const char *why)
{
    struct handover *h = &s->handover;
    leg_drop(s, &h->next, "dropped", why);
    h->phase = HANDOVER_NONE;
    h->begun_ns = 0;
}

void
handover_forget(struct session *s, const char *why)
{
    handover_drop(s, why);
    s->handover = (struct handover){.phase = HANDOVER_NONE};
    rotation_forget(s);
}

static void
open_next(struct session *s)
{
    struct handover *h = &s->handover;
    uint64_t now_ns = clock_mono_ns();
    size_t target = rotation_target(s, now_ns);
    if (leg_open(s, &h->next, target, true) == LEG_OK) {
        h->phase = HANDOVER_OPENING;
        return;
    }
    handover_drop(s, "it could not begin");
    rotation_postpone(s, now_ns);
}

static void
begin_next(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    h->next.ticket = streams_ticket(s);
    h->phase = HANDOVER_QUEUED;
    h->queued_ns = now_ns;
    if (slots_ask(s->services->slots, h->next.ticket, SLOT_NEXT,
                  streams_on_slot, s) == SLOTS_GRANTED)
        open_next(s);
}

/* The current stream goes on; another next one is tried later. */
static void
fail_set_up(struct session *s, enum vr_status status)
{
    opening_failed(s, status, true);
    handover_drop(s, "its set-up could not be made");
    rotation_postpone(s, clock_mono_ns());
}

void
handover_connected(struct session *s)
{
    struct handover *h = &s->handover;
    bool known;
    h->next.family =
        setup_family(s->settings, leg_target(s, h->next.target).model, &known);
    enum vr_status status = opening_head(s, &h->next);
    if (status == VR_OK)
        status = link_flush(h->next.link);
    h->begun_ns = clock_mono_ns();
    if (status != VR_OK)
        fail_set_up(s, status);
}

void
handover_answered(struct session *s)
{
    s->handover.phase = HANDOVER_READY;
}

/* The way home is looked for again later; what else was wanted goes on where
 * the session is. */
static void
lose_next(struct session *s, const char *why)
{
    struct handover *h = &s->handover;
    uint64_t now_ns = clock_mono_ns();
    if (h->next.target != s->leg.target)
        rotation_stay_away(s, now_ns);
    handover_drop(s, why);
    rotation_postpone(s, now_ns);
}

void
handover_lost(struct session *s, const struct bedrock_end *end)
{
    const struct classification *c = classify_end(end);
    log_warn(session, s->context,
             "stream %u, the next, is gone (%s %s); the current one goes on. "
             "%s",
             s->handover.next.generation, end->code, end->message, c->remedy);
    lose_next(s, bedrock_end_name(end->cause));
}

/* ---- the change-over ---- */

static void
take_place(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    struct slot_ticket *old = s->leg.ticket;
    s->leg = h->next;
    s->target = s->leg.target;
    s->family = s->leg.family;
    s->leg.begun = true;
    slots_promote(s->services->slots, s->leg.ticket, old);
    *h = (struct handover){.phase = HANDOVER_NONE};
    rotation_done(s, now_ns);
}

static void
flush_begun(struct session *s)
{
    enum vr_status status = link_flush(s->leg.link);
    if (status != VR_OK)
        log_debug(session, s->context, "the set-up waits: %s",
                  vr_status_text(status));
}

/* How long the answer that the old stream still generates may take. */
static uint64_t
talk_time_ns(struct session *s)
{
    const struct response *r = dialogue_current(s->dialogue);
    bool talks = r && !r->generated && r->has_audio && !r->interrupted;
    return talks ? 5 * CLOCK_NS_PER_S : 0;
}

/* What the old stream may not finish is over. At a boundary it waits for a
 * tool, whose result will be another answer; else it was cut off, and what was
 * asked is asked again if that is planned. */
static void
leave_answer(struct session *s, bool at_boundary, uint64_t now_ns)
{
    const struct response *r = dialogue_current(s->dialogue);
    if (!r || r->generated)
        return;
    if (!at_boundary) {
        session_end_dialogue(s, false, replay_wanted(s));
        return;
    }
    playback_end(s->playback, r->id, now_ns);
    dialogue_generated(s->dialogue, NULL, now_ns);
}

/* The next stream begins where what is said again does. */
static void
go_back(struct session *s, uint64_t now_ns)
{
    /* An answer that had begun and was not heard comes anew. */
    if (replay_wanted(s))
        session_end_dialogue(s, false, true);
    pump_leave_behind(s);
    replay_rewind(s, now_ns);
    pump_begin(s, now_ns);
}

/* Puts the next stream in the current one's place. With `rewind`, what was
 * being said is said to it again; else each frame goes to exactly one. */
static bool
change_over(struct session *s, bool rewind, const char *reason)
{
    uint64_t now_ns = clock_mono_ns();
    struct stream_news news = {.resent_from_frame = UINT64_MAX};
    uint64_t talk_ns = rewind ? talk_time_ns(s) : 0;
    const struct response *r = dialogue_current(s->dialogue);
    if (r && !r->generated && (talk_ns || !rewind))
        remember_unfinished(s, r);
    enum vr_status status = opening_tail(s, &s->handover.next, &news);
    if (status != VR_OK) {
        fail_set_up(s, status);
        return false;
    }
    if (rewind)
        go_back(s, now_ns);
    news.boundary_frame = capture_unsent_frame(s->capture);
    if (s->replay == REPLAY_AUDIO)
        news.resent_from_frame = news.boundary_frame;
    struct leg old = s->leg;
    take_place(s, now_ns);
    calls_orphan(s->calls, s->leg.generation);
    if (old.link)
        parting_begin(s, &old, talk_ns, reason);
    if (!talk_ns)
        leave_answer(s, !rewind, now_ns);
    flush_begun(s);
    s->replay = REPLAY_NONE;
    session_move(s, SESSION_ON_handed_over, reason);
    report_current(s, &news, reason);
    return true;
}

bool
handover_rescue(struct session *s, const char *reason)
{
    uint64_t now_ns = clock_mono_ns();
    if (s->state != SESSION_streaming || s->handover.phase != HANDOVER_READY)
        return false;
    calls_orphan(s->calls, 0);
    replay_plan_lost(s, now_ns);
    pump_settle(s, now_ns);
    session_end_dialogue(s, false, replay_wanted(s));
    leg_drop(s, &s->leg, "dropped", reason);
    return change_over(s, true, reason);
}

/* ---- going on ---- */

static bool
is_stale(const struct session *s, uint64_t now_ns)
{
    const struct handover *h = &s->handover;
    uint64_t stale_ns = clock_ns_of_s(s->settings->rotate_after_s) / STALE_PART;
    if (stale_ns > STALE_NS)
        stale_ns = STALE_NS;
    return h->begun_ns && now_ns >= h->begun_ns + stale_ns;
}

static bool
is_superseded(struct session *s)
{
    const struct leg *next = &s->handover.next;
    return s->handover.begun_ns &&
           (next->serial != s->settings_serial ||
            next->tools_mark !=
                setup_tools_mark(s->settings, s->family, s->services->broker));
}

/* As many streams as may be are open, and perhaps nobody closes one for hours:
 * then the next one takes the slot of the current one, after it. */
static bool
must_change_in_place(struct session *s, uint64_t now_ns)
{
    const struct slots *slots = s->services->slots;
    bool no_room = slots_open(slots) >= slots_limit(slots) &&
                   now_ns >= s->handover.queued_ns + NO_ROOM_NS;
    return rotation_must_change(s, now_ns) ||
           (no_room && boundary_reached(s, false, now_ns));
}

static void
change_in_place(struct session *s, uint64_t now_ns)
{
    const char *reason = rotation_reason(s);
    s->retry_ns = now_ns;
    s->rotation.not_before_ns =
        now_ns + clock_ns_of_s(s->settings->rotate_gap_s);
    s->counters.rotations++;
    closing_send_ends(s, s->leg.link);
    if (link_flush(s->leg.link) != VR_OK)
        log_debug(session, s->context, "the ends of stream %u do not go out",
                  s->leg.generation);
    if (session_move(s, SESSION_ON_cut, "no room for a stream beside this one"))
        streams_want(s, reason);
}

static void
try_change(struct session *s, uint64_t now_ns)
{
    bool despite_tools = rotation_waited_for_tools(s, now_ns);
    const char *reason = rotation_reason(s);
    s->replay = REPLAY_NONE;
    s->replay_frame = UINT64_MAX;
    if (boundary_reached(s, despite_tools, now_ns)) {
        change_over(s, false, reason);
    } else if (rotation_must_change(s, now_ns)) {
        if (rotation_resets(s))
            cut_signalled(s, CUT_CONTROL, NULL); /* begun since the reset */
        else
            replay_plan(s, now_ns);
        change_over(s, true, reason);
    }
}

void
handover_tick(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    if (s->state != SESSION_streaming)
        return;
    rotation_tick(s, now_ns);
    if (h->phase != HANDOVER_NONE && is_superseded(s))
        handover_drop(s, "the settings changed again");
    if (h->phase == HANDOVER_QUEUED && slots_held(h->next.ticket))
        open_next(s);
    if (h->phase == HANDOVER_QUEUED && must_change_in_place(s, now_ns)) {
        change_in_place(s, now_ns);
        return;
    }
    if (h->phase == HANDOVER_READY)
        try_change(s, now_ns);
    if (h->phase > HANDOVER_QUEUED && is_stale(s, now_ns))
        handover_drop(s, "no boundary came in time; it is made anew");
    if (h->phase == HANDOVER_NONE && rotation_may_begin(s, now_ns))
        begin_next(s, now_ns);
}

uint64_t
handover_deadline_ns(const struct session *s, uint64_t now_ns)
{
    const struct rotation *r = &s->rotation;
    if (s->state != SESSION_streaming)
        return UINT64_MAX;
    if (!r->wanted)
        return r->due_ns && r->due_ns > now_ns ? r->due_ns : UINT64_MAX;
    if (s->handover.phase == HANDOVER_NONE && r->not_before_ns > now_ns)
        return r->not_before_ns;
    return now_ns + LOOK_NS;
}
