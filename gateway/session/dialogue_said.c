/* What is said in a dialogue: what of it belongs to which turn and response. */
#include <string.h>

#include "gateway/session/dialogue_state.h"

static void
user_goes_on(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_current(d);
    if (r && r->discarding)
        d->current_id = 0;
    else if (r && r->generated && !r->tools_pending)
        dialogue_end_response(d, r, RESPONSE_COMPLETE, NULL, now_ns);
}

void
dialogue_speech_started(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = dialogue_open_turn(d, now_ns);
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
    struct turn *t = dialogue_open_turn(d, now_ns);
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
    struct turn *t = dialogue_open_turn(d, now_ns);
    t->text_input = true;
    if (!silent)
        strbuf_append_words(&t->user_text, text, strlen(text));
}

uint64_t
dialogue_trigger(struct dialogue *d, uint64_t now_ns)
{
    struct turn *t = dialogue_new_turn(d, now_ns);
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
    struct response *r = dialogue_open_response(d, now_ns);
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
        return dialogue_open_response(d, now_ns);
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
        dialogue_settle(d, r, now_ns);
}

struct response *
dialogue_audio_begin(struct dialogue *d, uint64_t now_ns)
{
    struct response *r = dialogue_open_response(d, now_ns);
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
        dialogue_settle(d, r, now_ns);
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
    struct response *r = dialogue_open_response(d, now_ns);
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
    dialogue_end_response(d, r, RESPONSE_INTERRUPTED, NULL, now_ns);
    dialogue_publish_if_over(d, r);
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
    dialogue_publish_if_over(d, r);
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
