#include "gateway/session/dialogue.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"

/* Power of two; late events reach back at most this far. */
#define REMEMBERED 8u

/* FINAL texts follow the audio; a response waits this long for them. */
#define SETTLE_NS (1000 * CLOCK_NS_PER_MS)

/* A response that stays open and silent this long, with no tool running, has
 * been forgotten by the model. */
#define STALL_NS (30 * CLOCK_NS_PER_S)

struct dialogue {
    const struct dialogue_ops *ops;
    void *arg;
    struct response responses[REMEMBERED];
    struct turn turns[REMEMBERED];
    uint64_t last_response_id, last_turn_id;
    uint64_t current_id;  /* response being generated, 0: none */
    uint64_t text_end_ns; /* a text END_TURN waits for audio since then */
};

struct dialogue *
dialogue_new(const struct dialogue_ops *ops, void *arg)
{
    struct dialogue *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->ops = ops;
    d->arg = arg;
    for (size_t i = 0; i < REMEMBERED; i++) {
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
    for (size_t i = 0; i < REMEMBERED; i++) {
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
    struct response *r = &d->responses[id % REMEMBERED];
    return id && r->id == id ? r : NULL;
}

struct turn *
dialogue_turn(struct dialogue *d, uint64_t id)
{
    struct turn *t = &d->turns[id % REMEMBERED];
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

static struct turn *
new_turn(struct dialogue *d, uint64_t now_ns)
{
    uint64_t id = ++d->last_turn_id;
    struct turn *t = &d->turns[id % REMEMBERED];
    publish_turn(d, t->id ? t : NULL);
    forget_tools(t);
    struct strbuf text = t->user_text;
    strbuf_clear(&text);
    *t = (struct turn){.id = id, .user_text = text, .opened_ns = now_ns};
    return t;
}

/* The user's open turn, a fresh one if the model has begun to answer. */
static struct turn *
user_turn(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = dialogue_turn(d, d->last_turn_id);
    return t && !t->user_done && !t->trigger ? t : new_turn(d, now_ns);
}

static bool
turn_is_over(const struct response *r)
{
    return r && r->status != RESPONSE_OPEN &&
           (r->played || r->interrupted || !r->has_audio ||
            r->status == RESPONSE_ERROR);
}

static void
publish_turn_if_over(struct dialogue *d, const struct response *r)
{
    if (turn_is_over(r))
        publish_turn(d, dialogue_turn(d, r->turn_id));
}

/* ---- responses ---- */

static void
end_response(struct dialogue *d, struct response *r,
             enum response_status status, const char *reason, uint64_t now_ns)
{
    if (r->status != RESPONSE_OPEN)
        return;
    r->status = status;
    r->reason = reason;
    r->ended_ns = now_ns;
    if (d->current_id == r->id && !r->discarding)
        d->current_id = 0;
    d->ops->on_response_ended(d->arg, r);
    publish_turn_if_over(d, r);
}

static struct response *
new_response(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = dialogue_turn(d, d->last_turn_id);
    if (!t || t->user_done)
        t = new_turn(d, now_ns);
    t->user_done = true;
    uint64_t id = ++d->last_response_id;
    struct response *r = &d->responses[id % REMEMBERED];
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

/* The response that new content of the assistant belongs to. */
static struct response *
open_response(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (r && r->generated && !r->tools_pending) {
        /* New content after END_TURN is a new response; the old one's FINAL
         * texts may still follow. */
        end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
        r = NULL;
    }
    if (!r)
        r = new_response(d, now_ns);
    r->last_activity_ns = now_ns;
    return r;
}

static bool
texts_settled(const struct response *r)
{
    return r->planned_count && r->spoken_count >= r->planned_count;
}

static void
settle(struct dialogue *d, struct response *r, uint64_t now_ns)
{
    bool waited = r->generated && now_ns >= r->generated_ns + SETTLE_NS;
    if (r->generated && !r->tools_pending && (waited || texts_settled(r))) {
        if (d->current_id == r->id)
            d->current_id = 0;
        end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
    }
}

/* ---- what comes in ---- */

static void
user_goes_on(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (r && r->discarding)
        d->current_id = 0;
    else if (r && r->generated && !r->tools_pending)
        end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
}

void
dialogue_speech_started(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = user_turn(d, now_ns);
    if (!t->user_text.bytes || !t->speech_started_ns)
        t->speech_started_ns = now_ns;
    t->speech_ended_ns = 0;
    t->speech_end_measured = false;
}

void
dialogue_speech_ended(struct dialogue *d, uint64_t ended_ns)
{
    struct turn *t = dialogue_turn(d, d->last_turn_id);
    if (!t || t->user_done)
        return;
    t->speech_ended_ns = ended_ns;
    t->speech_end_measured = true;
}

void
dialogue_user_text(struct dialogue *d, const char *text, size_t bytes,
                   uint64_t now_ns)
{
    if (!bytes)
        return;
    user_goes_on(d, now_ns);
    struct turn *t = user_turn(d, now_ns);
    if (!t->speech_ended_ns)
        t->speech_ended_ns = now_ns;
    strbuf_append_words(&t->user_text, text, bytes);
    struct dialogue_text said = {.user = true,
                                 .final = true,
                                 .turn_id = t->id,
                                 .text = text,
                                 .turn_text = strbuf_text(&t->user_text)};
    d->ops->on_text(d->arg, &said);
}

void
dialogue_text_input(struct dialogue *d, const char *text, bool silent,
                    uint64_t now_ns)
{
    struct turn *t = user_turn(d, now_ns);
    t->text_input = true;
    if (!silent)
        strbuf_append_words(&t->user_text, text, strlen(text));
}

uint64_t
dialogue_trigger(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = new_turn(d, now_ns);
    t->trigger = true;
    return t->id;
}

void
dialogue_trigger_text(struct dialogue *d, uint64_t turn_id, const char *text)
{
    struct dialogue_text said = {.user = true,
                                 .final = true,
                                 .trigger = true,
                                 .turn_id = turn_id,
                                 .text = text,
                                 .turn_text = text};
    d->ops->on_text(d->arg, &said);
}

static void
tell_assistant(struct dialogue *d, const struct response *r, bool final,
               const char *text)
{
    const struct strbuf *all = final ? &r->spoken : &r->planned;
    struct dialogue_text said = {.final = final,
                                 .turn_id = r->turn_id,
                                 .response_id = r->id,
                                 .text = text,
                                 .turn_text = strbuf_text(all)};
    d->ops->on_text(d->arg, &said);
}

void
dialogue_planned(struct dialogue *d, const char *text, size_t bytes,
                 uint64_t now_ns)
{
    if (!bytes)
        return;
    struct response *r = open_response(d, now_ns);
    if (!r->first_text_ns)
        r->first_text_ns = now_ns;
    r->planned_count++;
    strbuf_append_words(&r->planned, text, bytes);
    d->text_end_ns = 0;
    tell_assistant(d, r, false, text);
}

/* FINAL texts come after their audio: while the current response has not been
 * generated, they are the previous one's if that one lacks some. */
struct response *
dialogue_speaker(struct dialogue *d)
{
    struct response *r = dialogue_latest(d);
    struct response *before = r ? dialogue_response(d, r->id - 1) : NULL;
    if (before && before->spoken_count < before->planned_count &&
        !r->generated && !r->interrupted && !r->spoken_count)
        return before;
    return r;
}

/* An answer that was cut never gets all its FINAL texts: then the words
 * themselves tell whose they are. */
static struct response *
spoken_by(struct dialogue *d, const char *text, uint64_t now_ns)
{
    struct response *r = dialogue_speaker(d), *latest = dialogue_latest(d);
    if (!r)
        return open_response(d, now_ns);
    if (r != latest && strstr(strbuf_text(&latest->planned), text) &&
        !strstr(strbuf_text(&r->planned), text))
        return latest;
    return r;
}

void
dialogue_spoken(struct dialogue *d, const char *text, size_t bytes,
                uint64_t now_ns)
{
    if (!bytes)
        return;
    struct response *r = spoken_by(d, text, now_ns);
    r->last_activity_ns = now_ns;
    r->spoken_count++;
    strbuf_append_words(&r->spoken, text, bytes);
    tell_assistant(d, r, true, text);
}

void
dialogue_spoken_end(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (r && r->status == RESPONSE_OPEN)
        settle(d, r, now_ns);
}

struct response *
dialogue_audio_begin(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = open_response(d, now_ns);
    r->has_audio = true;
    d->text_end_ns = 0;
    return r;
}

void
dialogue_audio(struct dialogue *d, struct response *r, uint64_t now_ns)
{
    (void)d;
    if (!r->first_audio_ns)
        r->first_audio_ns = now_ns;
    r->last_activity_ns = now_ns;
}

void
dialogue_generated(struct dialogue *d, struct response *r, uint64_t now_ns)
{
    if (!r)
        r = dialogue_current(d);
    if (!r || r->generated)
        return;
    r->generated = true;
    r->generated_ns = now_ns;
    if (r->discarding && d->current_id == r->id)
        d->current_id = 0;
    if (r->status == RESPONSE_OPEN)
        settle(d, r, now_ns);
}

void
dialogue_text_end_turn(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (r && !r->has_audio && !r->generated)
        d->text_end_ns = now_ns;
}

struct response *
dialogue_tool_called(struct dialogue *d, const char *name, uint64_t now_ns)
{
    struct response *r = open_response(d, now_ns);
    struct turn *t = dialogue_turn(d, r->turn_id);
    r->tools_pending++;
    char *copy = t && t->tool_count < DIALOGUE_TOOLS_MAX ? strdup(name) : NULL;
    if (copy)
        t->tools[t->tool_count++] = copy;
    return r;
}

void
dialogue_tool_answered(struct dialogue *d, uint64_t response_id,
                       uint64_t now_ns)
{
    struct response *r = dialogue_response(d, response_id);
    if (!r || !r->tools_pending)
        return;
    r->tools_pending--;
    r->last_activity_ns = now_ns;
    if (r->generated)
        r->generated_ns = now_ns;
}

bool
dialogue_interrupted(struct dialogue *d, struct response *r, bool model_stopped,
                     double heard_ms, bool estimated, uint64_t now_ns)
{
    if (model_stopped && r->discarding) {
        r->discarding = false;
        if (d->current_id == r->id)
            d->current_id = 0;
    }
    if (r->interrupted)
        return false;
    r->interrupted = true;
    r->heard_ms = heard_ms;
    r->heard_estimated = estimated;
    r->discarding = !model_stopped && !r->generated;
    end_response(d, r, RESPONSE_INTERRUPTED, NULL, now_ns);
    publish_turn_if_over(d, r);
    return true;
}

void
dialogue_played(struct dialogue *d, uint64_t response_id, uint64_t now_ns)
{
    struct response *r = dialogue_response(d, response_id);
    (void)now_ns;
    if (!r || r->played || !r->generated)
        return;
    r->played = true;
    publish_turn_if_over(d, r);
}

void
dialogue_usage(struct dialogue *d, const struct token_counts *delta)
{
    struct turn *t = dialogue_turn(d, d->last_turn_id);
    if (!t)
        return;
    t->tokens.input_speech += delta->input_speech;
    t->tokens.input_text += delta->input_text;
    t->tokens.output_speech += delta->output_speech;
    t->tokens.output_text += delta->output_text;
}

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
        end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
    else if (r && normal)
        end_response(d, r, RESPONSE_INTERRUPTED, "session_closed", now_ns);
    else if (r)
        end_response(d, r, RESPONSE_ERROR, "stream_lost", now_ns);
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
    uint64_t oldest =
        d->last_turn_id > REMEMBERED ? d->last_turn_id - REMEMBERED : 0;
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
    end_response(d, r, RESPONSE_ERROR, reason, now_ns);
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
        settle(d, r, now_ns);
    if (dialogue_current(d) == r && !r->tools_pending &&
        now_ns >= r->last_activity_ns + STALL_NS) {
        r->discarding = false;
        d->current_id = 0;
        end_response(d, r, RESPONSE_ERROR, "stalled", now_ns);
    }
}

uint64_t
dialogue_deadline_ns(const struct dialogue *d)
{
    const struct response *r = &d->responses[d->current_id % REMEMBERED];
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
