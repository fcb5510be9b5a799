/* What the model says: its events become turns, responses, audio, tool calls
 * and signs of barge-in. */
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"
#include "ipc/fnv.h"

/* ---- which content belongs to which response ---- */

static uint64_t
hash_of(const struct sonic_span *id)
{
    uint64_t hash = fnv_bytes(FNV_BASIS, id->text, id->bytes);
    return hash ? hash : 1;
}

static void
remember_content(struct session *s, const struct sonic_span *id,
                 uint64_t response_id)
{
    struct open_content *c = &s->contents[s->content_next++ % SESSION_CONTENTS];
    c->id_hash = hash_of(id);
    c->response_id = response_id;
}

static struct response *
response_of(struct session *s, const struct sonic_span *id)
{
    uint64_t hash = hash_of(id);
    for (size_t i = 0; i < SESSION_CONTENTS; i++) {
        if (s->contents[i].id_hash == hash)
            return dialogue_response(s->dialogue, s->contents[i].response_id);
    }
    return NULL;
}

/* ---- events ---- */

static void
on_speech_start(struct session *s, const struct sonic_event *e, uint64_t now_ns)
{
    dialogue_speech_started(s->dialogue, now_ns);
    utterance_began(&s->utterance,
                    report_in_ring_frame(s, e->u.speech.offset_ms), true,
                    now_ns);
    report_speech(s, true, e->u.speech.offset_ms);
    cut_signalled(s, CUT_SPEECH_START, NULL);
}

/* The model notices the end of speech later than it was; it says how much. */
static void
on_speech_end(struct session *s, const struct sonic_event *e, uint64_t now_ns)
{
    int64_t late_ms = 0;
    if (e->u.speech.offset_ms >= 0 &&
        e->u.speech.detection_offset_ms > e->u.speech.offset_ms)
        late_ms = e->u.speech.detection_offset_ms - e->u.speech.offset_ms;
    if (late_ms > 10000)
        late_ms = 0;
    dialogue_speech_ended(s->dialogue,
                          now_ns - (uint64_t)late_ms * CLOCK_NS_PER_MS);
    utterance_ended(&s->utterance, true, now_ns);
    report_speech(s, false, e->u.speech.offset_ms);
}

static void
on_content_start(struct session *s, const struct sonic_event *e,
                 uint64_t now_ns)
{
    const struct response *owner = e->stage == SONIC_STAGE_FINAL
                                       ? dialogue_speaker(s->dialogue)
                                       : dialogue_latest(s->dialogue);
    if (e->role == SONIC_ROLE_USER)
        return;
    if (e->content == SONIC_CONTENT_TEXT && owner)
        remember_content(s, &e->content_id, owner->id);
    if (e->content != SONIC_CONTENT_AUDIO)
        return;
    uint32_t rate_hz = e->u.content_start.rate_hz;
    if (rate_hz && rate_hz != s->settings->model_output_rate_hz)
        log_warn(sonic, s->context,
                 "the model announces audio at %u Hz, asked for was %u Hz",
                 rate_hz, s->settings->model_output_rate_hz);
    struct response *r = dialogue_audio_begin(s->dialogue, now_ns);
    remember_content(s, &e->content_id, r->id);
}

/* The model may be done with an answer long before it is heard, and then sees
 * no interruption when the user speaks. Words of the user that began after the
 * answer did are one all the same. */
static bool
talked_over(struct session *s, uint64_t now_ns)
{
    const struct response *r = dialogue_latest(s->dialogue);
    const struct turn *t = dialogue_user_turn(s->dialogue);
    return r && t && r->has_audio && r->generated && !r->played &&
           t->id > r->turn_id && t->speech_started_ns > r->started_ns &&
           playback_is_busy(s->playback, now_ns);
}

static void
on_words(struct session *s, uint64_t now_ns)
{
    struct capture_speech speech;
    capture_speech(s->capture, &speech);
    utterance_words(&s->utterance,
                    speech.ended_ns || speech.speaking ? speech.start_frame
                                                       : UINT64_MAX,
                    now_ns);
}

/* While a tool runs there may be nothing to talk over: words of a turn after
 * the one that called it are a barge-in, too. */
static void
interrupt_tools(struct session *s)
{
    const struct turn *turn = dialogue_user_turn(s->dialogue);
    if (turn)
        calls_interrupted(s->calls, turn->id);
}

static void
on_text(struct session *s, const struct sonic_event *e, uint64_t now_ns)
{
    const struct sonic_span *text = &e->u.text;
    if (e->role == SONIC_ROLE_USER && text->bytes && trigger_owns_words(s)) {
        dialogue_trigger_text(s->dialogue, s->trigger.turn_id, text->text);
    } else if (e->role == SONIC_ROLE_USER && text->bytes) {
        if (talked_over(s, now_ns))
            cut_signalled(s, CUT_USER_TEXT, NULL);
        dialogue_user_text(s->dialogue, text->text, text->bytes, now_ns);
        on_words(s, now_ns);
        interrupt_tools(s);
    } else if (e->role == SONIC_ROLE_USER)
        log_debug(sonic, s->context, "an empty text of the user is ignored");
    else if (e->role != SONIC_ROLE_ASSISTANT)
        log_debug(sonic, s->context, "a text of role \"%s\" is passed over",
                  sonic_role_name(e->role));
    else if (e->stage == SONIC_STAGE_SPECULATIVE)
        dialogue_planned(s->dialogue, text->text, text->bytes, now_ns);
    else
        dialogue_spoken(s->dialogue, text->text, text->bytes, now_ns);
}

static void
answered(struct session *s, const struct response *r)
{
    if (!trigger_is_answered_by(s, r))
        utterance_answered(&s->utterance, r->started_ns);
}

static void
on_audio(struct session *s, const struct sonic_event *e, uint64_t now_ns)
{
    struct response *r = response_of(s, &e->content_id);
    if (!r)
        r = dialogue_current(s->dialogue);
    if (!r) {
        r = dialogue_audio_begin(s->dialogue, now_ns);
        remember_content(s, &e->content_id, r->id);
    }
    dialogue_audio(s->dialogue, r, now_ns);
    answered(s, r);
    s->counters.audio_events++;
    playback_write(s->playback, r->id, r->turn_id, e->u.audio.samples,
                   e->u.audio.count, now_ns);
}

static void
generated(struct session *s, struct response *r, uint64_t now_ns)
{
    /* What ends after our promptEnd was cut by it, whatever the model says. */
    if (s->state == SESSION_closing)
        return;
    if (!r)
        r = dialogue_current(s->dialogue);
    if (!r)
        return;
    struct playback_span span;
    uint64_t id = r->id;
    answered(s, r);
    dialogue_generated(s->dialogue, r, now_ns);
    playback_end(s->playback, id, now_ns);
    if (!playback_span(s->playback, id, &span))
        dialogue_played(s->dialogue, id, now_ns);
}

static void
on_content_end(struct session *s, const struct sonic_event *e, uint64_t now_ns)
{
    bool audio = e->content == SONIC_CONTENT_AUDIO;
    struct response *r = response_of(s, &e->content_id);
    if (e->role == SONIC_ROLE_USER)
        return;
    if (e->stage == SONIC_STAGE_FINAL &&
        e->u.end.reason != SONIC_STOP_INTERRUPTED)
        dialogue_spoken_end(s->dialogue, now_ns);
    switch (e->u.end.reason) {
    case SONIC_STOP_INTERRUPTED:
        cut_signalled(s, CUT_STOP_REASON, r);
        break;
    case SONIC_STOP_END_TURN:
        if (audio)
            generated(s, r, now_ns);
        else if (e->content == SONIC_CONTENT_TEXT)
            dialogue_text_end_turn(s->dialogue, now_ns);
        break;
    case SONIC_STOP_NONE:
    case SONIC_STOP_PARTIAL_TURN:
    case SONIC_STOP_TOOL_USE:
    case SONIC_STOP_OTHER:
        break;
    }
}

static void
on_usage(struct session *s, const struct sonic_event *e)
{
    const struct sonic_usage *u = &e->u.usage;
    struct token_counts delta = {.input_speech = u->delta_input.speech,
                                 .input_text = u->delta_input.text,
                                 .output_speech = u->delta_output.speech,
                                 .output_text = u->delta_output.text};
    if (!u->has_delta)
        return;
    s->tokens_total.input_speech += delta.input_speech;
    s->tokens_total.input_text += delta.input_text;
    s->tokens_total.output_speech += delta.output_speech;
    s->tokens_total.output_text += delta.output_text;
    dialogue_usage(s->dialogue, &delta);
    report_usage(s, &delta);
}

/* The model answers something else while tools run. */
static void
end_left_aside(struct session *s, const struct sonic_event *e, uint64_t now_ns)
{
    bool answer = e->role == SONIC_ROLE_ASSISTANT || e->type == SONIC_TOOL_USE;
    struct response *r = answer ? dialogue_left_aside(s->dialogue) : NULL;
    if (r && !r->generated)
        generated(s, r, now_ns);
}

/* The new stream answers: what the old one still says is no more to be heard
 * together with it. */
static void
hush_old(struct session *s, const struct leg *leg, const struct sonic_event *e)
{
    bool answer = e->role == SONIC_ROLE_ASSISTANT || e->type == SONIC_TOOL_USE;
    if (leg == &s->leg && answer)
        parting_hush(s);
}

void
model_event(struct session *s, const struct leg *leg,
            const struct sonic_event *e)
{
    uint64_t now_ns = clock_mono_ns();
    s->activity_ns = now_ns;
    hush_old(s, leg, e);
    end_left_aside(s, e, now_ns);
    switch (e->type) {
    case SONIC_SPEECH_START:
        on_speech_start(s, e, now_ns);
        break;
    case SONIC_SPEECH_END:
        on_speech_end(s, e, now_ns);
        break;
    case SONIC_CONTENT_START:
        on_content_start(s, e, now_ns);
        break;
    case SONIC_TEXT:
        on_text(s, e, now_ns);
        break;
    case SONIC_AUDIO:
        on_audio(s, e, now_ns);
        break;
    case SONIC_CONTENT_END:
        on_content_end(s, e, now_ns);
        break;
    case SONIC_TOOL_USE:
        calls_begin(s->calls, leg->generation, e);
        break;
    case SONIC_INTERRUPTED:
        cut_signalled(s, CUT_MARKER, response_of(s, &e->content_id));
        break;
    case SONIC_USAGE:
        on_usage(s, e);
        break;
    case SONIC_COMPLETION_END:
        generated(s, NULL, now_ns);
        break;
    case SONIC_UNKNOWN:
        s->counters.unknown_events++;
        break;
    case SONIC_COMPLETION_START:
    case SONIC_EVENT_TYPE_COUNT:
        break;
    }
}
