#include "gateway/session/dialogue.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/session/dialogue_state.h"

/* FINAL texts follow the audio; a response waits this long for them. */
#define SETTLE_NS (1000 * CLOCK_NS_PER_MS)

/* A response that stays open and silent this long, with no tool running, has
 * been forgotten by the model. */
#define STALL_NS (30 * CLOCK_NS_PER_S)

struct dialogue *
dialogue_new(const struct dialogue_ops *ops, void *arg)
{
    struct dialogue *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->ops = ops;
    d->arg = arg;
    for (size_t i = 0; i < DIALOGUE_REMEMBERED; i++) {
        strbuf_init(&d->responses[i].planned, DIALOGUE_TEXT_BYTES_MAX);
        strbuf_init(&d->responses[i].spoken, DIALOGUE_TEXT_BYTES_MAX);
        strbuf_init(&d->turns[i].user_text, DIALOGUE_TEXT_BYTES_MAX);
    }
    return d;
}

static void
forget_tools(struct turn *t)
{
    for (size_t i = 0; i < t->tool_count; i++)
        free((char *)t->tools[i]);
    t->tool_count = 0;
}

void
dialogue_free(struct dialogue **dialogue)
{
    struct dialogue *d = *dialogue;
    if (!d)
        return;
    for (size_t i = 0; i < DIALOGUE_REMEMBERED; i++) {
        strbuf_fini(&d->responses[i].planned);
        strbuf_fini(&d->responses[i].spoken);
        strbuf_fini(&d->turns[i].user_text);
        forget_tools(&d->turns[i]);
    }
    free(d);
    *dialogue = NULL;
}

struct response *
dialogue_response(struct dialogue *d, uint64_t id)
{
    struct response *r = &d->responses[id % DIALOGUE_REMEMBERED];
    return id && r->id == id ? r : NULL;
}

struct turn *
dialogue_turn(struct dialogue *d, uint64_t id)
{
    struct turn *t = &d->turns[id % DIALOGUE_REMEMBERED];
    return id && t->id == id ? t : NULL;
}

const struct turn *
dialogue_user_turn(struct dialogue *d)
{
    const struct turn *t = dialogue_turn(d, d->last_turn_id);
    return t && !t->user_done && !t->trigger ? t : NULL;
}

struct response *
dialogue_current(struct dialogue *d)
{
    return dialogue_response(d, d->current_id);
}

struct response *
dialogue_latest(struct dialogue *d)
{
    return dialogue_response(d, d->last_response_id);
}

const char *
response_status_name(enum response_status status)
{
    static const char *const names[] = {"open", "complete", "interrupted",
                                        "error"};
    return names[status];
}

uint64_t
dialogue_last_turn_id(const struct dialogue *d)
{
    return d->last_turn_id;
}

void
dialogue_go_on_from(struct dialogue *d, uint64_t turn_id)
{
    if (turn_id < UINT64_MAX / 2 && turn_id > d->last_turn_id)
        d->last_turn_id = turn_id;
}

/* ---- turns ---- */

static bool
turn_is_empty(const struct turn *t, const struct response *r)
{
    return !t->user_text.bytes && !t->tool_count &&
           (!r || (!r->planned.bytes && !r->spoken.bytes && !r->has_audio));
}

static void
publish_turn(struct dialogue *d, struct turn *t)
{
    if (!t || t->published || t->kept)
        return;
    const struct response *r = dialogue_response(d, t->response_id);
    t->published = true;
    if (!turn_is_empty(t, r))
        d->ops->on_turn(d->arg, t, r);
}

struct turn *
dialogue_new_turn(struct dialogue *d, uint64_t now_ns)
{
    uint64_t id = ++d->last_turn_id;
    struct turn *t = &d->turns[id % DIALOGUE_REMEMBERED];
    publish_turn(d, t->id ? t : NULL);
    forget_tools(t);
    struct strbuf text = t->user_text;
    strbuf_clear(&text);
    *t = (struct turn){.id = id, .user_text = text, .opened_ns = now_ns};
    return t;
}

struct turn *
dialogue_open_turn(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = dialogue_turn(d, d->last_turn_id);
    return t && !t->user_done && !t->trigger ? t : dialogue_new_turn(d, now_ns);
}

static bool
turn_is_over(const struct response *r)
{
    return r && r->status != RESPONSE_OPEN &&
           (r->played || r->interrupted || !r->has_audio ||
            r->status == RESPONSE_ERROR);
}

void
dialogue_publish_if_over(struct dialogue *d, const struct response *r)
{
    if (turn_is_over(r))
        publish_turn(d, dialogue_turn(d, r->turn_id));
}

/* ---- responses ---- */

void
dialogue_end_response(struct dialogue *d, struct response *r,
                      enum response_status status, const char *reason,
                      uint64_t now_ns)
{
    if (r->status != RESPONSE_OPEN)
        return;
    r->status = status;
    r->reason = reason;
    r->ended_ns = now_ns;
    if (d->current_id == r->id && !r->discarding)
        d->current_id = 0;
    d->ops->on_response_ended(d->arg, r);
    dialogue_publish_if_over(d, r);
}

static struct response *
new_response(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = dialogue_turn(d, d->last_turn_id);
    if (!t || t->user_done)
        t = dialogue_new_turn(d, now_ns);
    t->user_done = true;
    uint64_t id = ++d->last_response_id;
    struct response *r = &d->responses[id % DIALOGUE_REMEMBERED];
    struct strbuf planned = r->planned, spoken = r->spoken;
    strbuf_clear(&planned);
    strbuf_clear(&spoken);
    *r = (struct response){.id = id,
                           .turn_id = t->id,
                           .planned = planned,
                           .spoken = spoken,
                           .started_ns = now_ns,
                           .last_activity_ns = now_ns};
    t->response_id = id;
    d->current_id = id;
    d->text_end_ns = 0;
    d->ops->on_response_started(d->arg, r);
    return r;
}

static bool
texts_settled(const struct response *r)
{
    return r->planned_count && r->spoken_count >= r->planned_count;
}

static bool
has_said_all(const struct response *r)
{
    return r->generated || texts_settled(r) ||
           (!r->planned_count && !r->has_audio);
}

struct response *
dialogue_left_aside(struct dialogue *d)
{
    struct response *r = dialogue_current(d);
    const struct turn *t = dialogue_turn(d, d->last_turn_id);
    if (!r || !r->tools_pending || !has_said_all(r) || !t ||
        t->id <= r->turn_id || t->user_done)
        return NULL;
    return t->text_input || t->user_text.bytes ? r : NULL;
}

struct response *
dialogue_open_response(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (r && ((r->generated && !r->tools_pending) || dialogue_left_aside(d))) {
        /* New content after END_TURN is a new response; the old one's FINAL
         * texts may still follow. */
        dialogue_end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
        r = NULL;
    }
    if (!r)
        r = new_response(d, now_ns);
    r->last_activity_ns = now_ns;
    return r;
}

void
dialogue_settle(struct dialogue *d, struct response *r, uint64_t now_ns)
{
    bool waited = r->generated && now_ns >= r->generated_ns + SETTLE_NS;
    if (r->generated && !r->tools_pending && (waited || texts_settled(r))) {
        if (d->current_id == r->id)
            d->current_id = 0;
        dialogue_end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
    }
}

/* ---- its stream ends, time passes ---- */

const struct turn *
dialogue_unanswered_turn(struct dialogue *d)
{
    const struct turn *t = dialogue_turn(d, d->last_turn_id);
    const struct response *r = t ? dialogue_response(d, t->response_id) : NULL;
    if (!t || t->published || t->trigger)
        return NULL;
    return !r || (!r->first_audio_ns && !r->generated) ? t : NULL;
}

void
dialogue_unheard(struct dialogue *d, struct response *r)
{
    (void)d;
    r->first_audio_ns = 0;
    r->has_audio = false;
}

void
dialogue_unsay(struct dialogue *d, uint64_t turn_id)
{
    struct turn *t = dialogue_turn(d, turn_id);
    if (!t)
        return;
    strbuf_clear(&t->user_text);
    t->speech_ended_ns = 0;
    t->speech_end_measured = false;
}

static void
end_current(struct dialogue *d, bool normal, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    bool whole = r && (r->generated || (normal && d->text_end_ns));
    if (r && whole)
        dialogue_end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
    else if (r && normal)
        dialogue_end_response(d, r, RESPONSE_INTERRUPTED, "session_closed",
                              now_ns);
    else if (r)
        dialogue_end_response(d, r, RESPONSE_ERROR, "stream_lost", now_ns);
    d->current_id = 0;
}

static void
end_turn(struct dialogue *d, struct turn *t)
{
    publish_turn(d, t);
    if (t && t->kept) {
        t->kept = false;
        t->user_done = false;
        t->response_id = 0;
    } else if (t) {
        t->user_done = true; /* words of another stream are another turn */
    }
}

void
dialogue_stream_ended(struct dialogue *d, bool normal, bool goes_on,
                      uint64_t now_ns)
{
    const struct turn *kept = goes_on ? dialogue_unanswered_turn(d) : NULL;
    if (kept)
        dialogue_turn(d, kept->id)->kept = true;
    end_current(d, normal, now_ns);
    uint64_t oldest = d->last_turn_id > DIALOGUE_REMEMBERED
                          ? d->last_turn_id - DIALOGUE_REMEMBERED
                          : 0;
    for (uint64_t id = oldest + 1; id <= d->last_turn_id; id++)
        end_turn(d, dialogue_turn(d, id));
}

void
dialogue_left(struct dialogue *d, const char *reason, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (!r || r->generated)
        return;
    r->discarding = false;
    dialogue_end_response(d, r, RESPONSE_ERROR, reason, now_ns);
    d->current_id = 0;
}

void
dialogue_tick(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (!r)
        return;
    if (d->text_end_ns && now_ns >= d->text_end_ns + SETTLE_NS) {
        d->text_end_ns = 0;
        dialogue_generated(d, r, now_ns);
    }
    if (now_ns >= r->generated_ns + SETTLE_NS)
        dialogue_settle(d, r, now_ns);
    if (dialogue_current(d) == r && !r->tools_pending &&
        now_ns >= r->last_activity_ns + STALL_NS) {
        r->discarding = false;
        d->current_id = 0;
        dialogue_end_response(d, r, RESPONSE_ERROR, "stalled", now_ns);
    }
}

uint64_t
dialogue_deadline_ns(const struct dialogue *d)
{
    const struct response *r =
        &d->responses[d->current_id % DIALOGUE_REMEMBERED];
    if (!d->current_id)
        return UINT64_MAX;
    uint64_t due =
        r->tools_pending ? UINT64_MAX : r->last_activity_ns + STALL_NS;
    if (d->text_end_ns && d->text_end_ns + SETTLE_NS < due)
        due = d->text_end_ns + SETTLE_NS;
    if (r->generated && !r->tools_pending && r->generated_ns + SETTLE_NS < due)
        due = r->generated_ns + SETTLE_NS;
    return due;
}
