#include "gateway/session/handover.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/classify.h"
#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/boundary.h"
#include "gateway/session/opening.h"
#include "gateway/session/remember.h"
#include "gateway/session/replay.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

/* Changes so close together are one. */
#define SETTLE_NS (300 * CLOCK_NS_PER_MS)

/* Rotation is spread by so many per cent either way, so that sessions opened
 * together do not rotate together. */
#define JITTER_PERCENT 10

/* A stream that was begun and gets no audio dies after 55 s (PROTOCOL 5.3):
 * after this part of rotate_after_s, and at most 45 s, it is made anew. */
#define STALE_PART 8
#define STALE_NS (45 * CLOCK_NS_PER_S)

/* How long a slot is waited for when all are taken. */
#define NO_ROOM_NS (3 * CLOCK_NS_PER_S)

/* However soon credentials run out, a stream lives so long. */
#define LIFE_MIN_NS (10 * CLOCK_NS_PER_S)

/* How often it is looked whether a boundary has come, beside all events. */
#define LOOK_NS (100 * CLOCK_NS_PER_MS)

static const struct {
    const char *name;
    bool change;    /* of what a stream is begun with */
    bool impatient; /* does not wait for a boundary */
} reasons[] = {
    [HANDOVER_RESET] = {"reset", false, true},
    [HANDOVER_ASKED] = {"asked for", false, false},
    [HANDOVER_CHANGE] = {"the settings changed", true, false},
    [HANDOVER_TOOLS] = {"the tools changed", true, false},
    [HANDOVER_HISTORY] = {"the history was changed", true, false},
    [HANDOVER_CREDENTIALS] = {"the credentials run out", false, false},
    [HANDOVER_AGE] = {"its age", false, false},
    [HANDOVER_HOME] = {"back to the configured model and region", false, false},
};

const char *
handover_phase_name(enum handover_phase phase)
{
    static const char *const names[] = {"none", "queued", "opening", "ready"};
    return names[phase];
}

/* ---- when ---- */

static uint64_t
jittered(uint64_t ns)
{
    uint64_t part = ns / 100 * JITTER_PERCENT;
    return part ? ns - part + (uint64_t)random() % (2 * part) : ns;
}

/* Credentials that expire sooner, by the endpoint's clock, move the rotation
 * forward. */
static void
heed_credentials(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    int64_t server_ms = clock_wall_ms() + *s->services->clock_offset_ms;
    int64_t left_ms = s->leg.expires_ms - server_ms;
    if (!s->leg.expires_ms)
        return;
    uint64_t left_ns = left_ms > 0 ? (uint64_t)left_ms * CLOCK_NS_PER_MS : 0;
    uint64_t margin_ns = clock_ns_of_s(s->settings->credential_margin_s);
    uint64_t due_ns = now_ns + (left_ns > margin_ns ? left_ns - margin_ns : 0);
    if (due_ns < s->leg.opened_ns + LIFE_MIN_NS)
        due_ns = s->leg.opened_ns + LIFE_MIN_NS;
    if (due_ns >= h->due_ns)
        return;
    h->due_ns = due_ns;
    h->by_credentials = true;
    if (now_ns + left_ns < h->deadline_ns)
        h->deadline_ns = now_ns + left_ns;
    if (h->deadline_ns < due_ns)
        h->deadline_ns = due_ns;
}

void
handover_arm(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    bool on = s->settings->continuation == CONFIG_CONTINUATION_ON;
    uint64_t never = UINT64_MAX;
    h->by_credentials = false;
    h->due_ns = on ? s->leg.opened_ns +
                         jittered(clock_ns_of_s(s->settings->rotate_after_s))
                   : never;
    h->deadline_ns =
        on ? s->leg.opened_ns + clock_ns_of_s(s->settings->rotate_deadline_s)
           : never;
    if (on && h->due_ns > h->deadline_ns)
        h->due_ns = h->deadline_ns;
    if (on)
        heed_credentials(s, now_ns);
    if (s->leg.target != 0 &&
        now_ns >=
            s->fallback_ns +
                clock_ns_of_s(s->services->config->bedrock.fallback_retry_s))
        handover_want(s, HANDOVER_HOME);
}

void
handover_want(struct session *s, enum handover_reason reason)
{
    struct handover *h = &s->handover;
    uint64_t now_ns = clock_mono_ns();
    if (!h->wanted)
        h->wanted_ns = now_ns;
    h->wanted |= 1u << reason;
    if (reasons[reason].change)
        h->change_ns = now_ns;
    if (reasons[reason].impatient)
        h->not_before_ns = 0;
}

static void
want_by_time(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    if (h->due_ns && now_ns >= h->due_ns && !h->wanted)
        handover_want(s,
                      h->by_credentials ? HANDOVER_CREDENTIALS : HANDOVER_AGE);
    if (s->leg.target != 0 && !h->wanted &&
        now_ns >=
            s->fallback_ns +
                clock_ns_of_s(s->services->config->bedrock.fallback_retry_s))
        handover_want(s, HANDOVER_HOME);
}

static enum handover_reason
first_reason(const struct handover *h)
{
    for (int r = 0; r < HANDOVER_REASON_COUNT; r++) {
        if (h->wanted & 1u << r)
            return (enum handover_reason)r;
    }
    return HANDOVER_ASKED;
}

static bool
is_impatient(const struct handover *h)
{
    return (h->wanted & 1u << HANDOVER_RESET) != 0;
}

bool
handover_resets(const struct session *s)
{
    return is_impatient(&s->handover);
}

/* ---- the next stream ---- */

static void
drop_next(struct session *s, const char *why)
{
    struct handover *h = &s->handover;
    leg_drop(s, &h->next, "dropped", why);
    h->phase = HANDOVER_NONE;
    h->begun_ns = 0;
}

/* Tries again later, and later each time. */
static void
postpone(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    uint64_t gap_ns = clock_ns_of_s(s->settings->rotate_gap_s);
    unsigned doublings = h->failures < 3 ? h->failures : 3;
    h->failures++;
    h->not_before_ns = now_ns + (gap_ns << doublings);
    s->counters.refused_next++;
}

void
handover_unwant(struct session *s, enum handover_reason reason)
{
    struct handover *h = &s->handover;
    uint32_t before = h->wanted;
    h->wanted &= ~(1u << reason);
    if (before && !h->wanted)
        drop_next(s, "what it was for is as before");
}

void
handover_forget(struct session *s, const char *why)
{
    struct handover *h = &s->handover;
    drop_next(s, why);
    *h = (struct handover){.not_before_ns = h->not_before_ns};
}

static size_t
next_target(const struct session *s, uint64_t now_ns)
{
    uint64_t home_ns =
        s->fallback_ns +
        clock_ns_of_s(s->services->config->bedrock.fallback_retry_s);
    return s->leg.target == 0 || now_ns >= home_ns ? 0 : s->leg.target;
}

static void
open_next(struct session *s)
{
    struct handover *h = &s->handover;
    uint64_t now_ns = clock_mono_ns();
    size_t target = next_target(s, now_ns);
    if (leg_open(s, &h->next, target, true) == LEG_OK) {
        h->phase = HANDOVER_OPENING;
        return;
    }
    drop_next(s, "it could not begin");
    postpone(s, now_ns);
}

/* The credentials found are those that run out: a stream with them would not
 * live longer. */
static bool
still_the_same(struct session *s, uint64_t now_ns)
{
    struct credentials found;
    char tried[512];
    if (s->handover.wanted != 1u << HANDOVER_CREDENTIALS)
        return false;
    bool same = s->services->credentials ||
                credentials_load(s->services->config->bedrock.profile, &found,
                                 tried, sizeof tried) != VR_OK ||
                (credentials_same(&found, &s->credentials) &&
                 found.expires_ms <= s->leg.expires_ms);
    credentials_wipe(&found);
    if (!same)
        return false;
    if (!s->handover.failures)
        log_warn(bedrock, s->context,
                 "the credentials run out and no newer ones are found; looking "
                 "again until the stream ends");
    postpone(s, now_ns);
    return true;
}

static void
begin_next(struct session *s, uint64_t now_ns)
{
    struct handover *h = &s->handover;
    if (still_the_same(s, now_ns))
        return;
    h->next.ticket = streams_ticket(s);
    h->phase = HANDOVER_QUEUED;
    h->queued_ns = now_ns;
    if (slots_ask(s->services->slots, h->next.ticket, SLOT_NEXT,
                  streams_on_slot, s) == SLOTS_GRANTED)
        open_next(s);
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
    if (status == VR_OK)
        return;
    opening_failed(s, status, true);
    drop_next(s, "its set-up could not be made");
    postpone(s, clock_mono_ns());
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
    if (h->next.target != s->leg.target) {
        s->fallback_ns = now_ns;
        h->wanted &= ~(1u << HANDOVER_HOME);
    }
    drop_next(s, why);
    postpone(s, now_ns);
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
    memset(&h->next, 0, sizeof h->next);
    s->target = s->leg.target;
    s->family = s->leg.family;
    s->leg.begun = true;
    slots_promote(s->services->slots, s->leg.ticket, old);
    *h = (struct handover){
        .not_before_ns = now_ns + clock_ns_of_s(s->settings->rotate_gap_s)};
    handover_arm(s, now_ns);
    s->counters.rotations++;
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
        opening_failed(s, status, true);
        drop_next(s, "its set-up could not be made");
        postpone(s, now_ns);
        return false;
    }
    if (rewind) {
        /* An answer that had begun and was not heard comes anew. */
        if (replay_wanted(s))
            session_end_dialogue(s, false, true);
        pump_leave_behind(s);
        replay_rewind(s, now_ns);
        pump_begin(s, now_ns);
    }
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
    replay_plan(s, now_ns);
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
                setup_tools_mark(s->settings, s->services->broker));
}

static bool
may_begin(struct session *s, uint64_t now_ns)
{
    const struct handover *h = &s->handover;
    if (!h->wanted || now_ns < h->not_before_ns ||
        (h->change_ns && now_ns < h->change_ns + SETTLE_NS))
        return false;
    bool tools_waited_for =
        now_ns >= h->wanted_ns + clock_ns_of_s(s->settings->rotate_tool_wait_s);
    /* Begun too early it would only grow stale. */
    return is_impatient(h) || boundary_near(s, now_ns) ||
           (tools_waited_for && boundary_quiet(s, now_ns)) ||
           (h->deadline_ns &&
            now_ns >= h->deadline_ns - (h->deadline_ns - h->due_ns) / 3);
}

/* The wall comes: an answer that is being generated gets a little more, the
 * user's speech is said again to the next. */
static bool
must_change(struct session *s, uint64_t now_ns)
{
    const struct handover *h = &s->handover;
    const struct response *r = dialogue_current(s->dialogue);
    if (is_impatient(h))
        return true;
    if (!h->deadline_ns || now_ns < h->deadline_ns)
        return false;
    bool generating = r && !r->generated && !r->tools_pending;
    uint64_t grace_ns = (h->deadline_ns - h->due_ns) / 6;
    return !generating || now_ns >= h->deadline_ns + grace_ns;
}

/* As many streams as may be are open, and perhaps nobody closes one for hours:
 * then the next one takes the slot of the current one, after it. */
static bool
must_change_in_place(struct session *s, uint64_t now_ns)
{
    const struct slots *slots = s->services->slots;
    bool no_room = slots_open(slots) >= slots_limit(slots) &&
                   now_ns >= s->handover.queued_ns + NO_ROOM_NS;
    return must_change(s, now_ns) ||
           (no_room && boundary_reached(s, false, now_ns));
}

static void
change_in_place(struct session *s, uint64_t now_ns)
{
    const char *reason = reasons[first_reason(&s->handover)].name;
    s->retry_ns = now_ns;
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
    const struct handover *h = &s->handover;
    uint64_t tool_wait_ns = clock_ns_of_s(s->settings->rotate_tool_wait_s);
    bool despite_tools = now_ns >= h->wanted_ns + tool_wait_ns;
    const char *reason = reasons[first_reason(h)].name;
    s->replay = REPLAY_NONE;
    s->replay_frame = UINT64_MAX;
    if (boundary_reached(s, despite_tools, now_ns)) {
        change_over(s, false, reason);
    } else if (must_change(s, now_ns)) {
        if (is_impatient(h))
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
    want_by_time(s, now_ns);
    if (h->phase != HANDOVER_NONE && is_superseded(s))
        drop_next(s, "the settings changed again");
    if (h->phase == HANDOVER_QUEUED && slots_held(h->next.ticket))
        open_next(s);
    if (h->phase == HANDOVER_QUEUED && must_change_in_place(s, now_ns)) {
        change_in_place(s, now_ns);
        return;
    }
    if (h->phase == HANDOVER_READY)
        try_change(s, now_ns);
    if (h->phase > HANDOVER_QUEUED && is_stale(s, now_ns))
        drop_next(s, "no boundary came in time; it is made anew");
    if (h->phase == HANDOVER_NONE && may_begin(s, now_ns))
        begin_next(s, now_ns);
}

uint64_t
handover_deadline_ns(const struct session *s, uint64_t now_ns)
{
    const struct handover *h = &s->handover;
    if (s->state != SESSION_streaming)
        return UINT64_MAX;
    if (!h->wanted)
        return h->due_ns && h->due_ns > now_ns ? h->due_ns : UINT64_MAX;
    if (h->phase == HANDOVER_NONE && h->not_before_ns > now_ns)
        return h->not_before_ns;
    return now_ns + LOOK_NS;
}
