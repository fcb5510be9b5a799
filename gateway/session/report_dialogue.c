/* What the bus and the log are told of what is said. */
#include <math.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/log.h"
#include "gateway/session/remember.h"
#include "gateway/session/self.h"

static void
out_span(struct session *s, uint64_t response_id, uint64_t *from, uint64_t *to)
{
    struct playback_span span;
    if (response_id && playback_span(s->playback, response_id, &span)) {
        *from = span.from_frame;
        *to = span.to_frame;
    }
}

static void
on_text(void *arg, const struct dialogue_text *t)
{
    struct session *s = arg;
    struct event_transcript e;
    event_transcript_init(&e);
    e.role = t->user ? "user" : "assistant";
    e.stage = t->final ? "final" : "speculative";
    e.turn = t->turn_id;
    if (t->response_id)
        e.response = t->response_id;
    e.text = t->text;
    e.turn_text = t->turn_text;
    e.trigger = t->trigger;
    out_span(s, t->response_id, &e.out_from_frame, &e.out_to_frame);
    event_transcript_publish(s->services->bus, &s->subject, &e);
    remember_text(s, t);
    s->counters.texts++;
    log_debug(transcript, s->context, "turn %llu, %s (%s): %s",
              (unsigned long long)t->turn_id, e.role, e.stage, t->text);
}

static void
on_response_started(void *arg, const struct response *r)
{
    struct session *s = arg;
    struct event_response e;
    event_response_init(&e);
    e.phase = "started";
    e.response = r->id;
    e.turn = r->turn_id;
    event_response_publish(s->services->bus, &s->subject, &e);
    s->counters.responses++;
    texts_response_started(&s->texts, r->id);
}

static void
on_response_ended(void *arg, const struct response *r)
{
    struct session *s = arg;
    struct event_response e;
    event_response_init(&e);
    e.phase = "ended";
    e.response = r->id;
    e.turn = r->turn_id;
    e.status = response_status_name(r->status);
    e.text =
        r->spoken.bytes ? strbuf_text(&r->spoken) : strbuf_text(&r->planned);
    out_span(s, r->id, &e.out_from_frame, &e.out_to_frame);
    event_response_publish(s->services->bus, &s->subject, &e);
    log_info(session, s->context, "response %llu: %s%s%s",
             (unsigned long long)r->id, e.status, r->reason ? ": " : "",
             r->reason ? r->reason : "");
    texts_response_ended(&s->texts, r);
    remember_response(s, r);
}

static double
seconds_between(uint64_t from_ns, uint64_t to_ns)
{
    if (!from_ns || !to_ns || to_ns < from_ns)
        return NAN;
    return (double)(to_ns - from_ns) / 1e9;
}

static void
add_latencies(struct event_turn *e, const struct turn *t,
              const struct response *r)
{
    uint64_t now_ns = clock_mono_ns();
    e->user_seconds = seconds_between(t->speech_started_ns, t->speech_ended_ns);
    e->total_seconds = seconds_between(t->opened_ns, now_ns);
    if (!r)
        return;
    e->first_text_seconds =
        seconds_between(t->speech_ended_ns, r->first_text_ns);
    e->first_audio_seconds =
        seconds_between(t->speech_ended_ns, r->first_audio_ns);
    e->response_seconds = seconds_between(
        r->started_ns, r->generated_ns ? r->generated_ns : r->ended_ns);
}

static void
note_latencies(struct session *s, const struct event_turn *e)
{
    if (e->first_text_seconds >= 0)
        latency_add(&s->first_text, clock_ns_of_s(e->first_text_seconds));
    if (e->first_audio_seconds >= 0)
        latency_add(&s->first_audio, clock_ns_of_s(e->first_audio_seconds));
}

static void
add_response(struct session *s, struct event_turn *e, const struct response *r)
{
    struct playback_heard heard;
    e->assistant_text =
        r->spoken.bytes ? strbuf_text(&r->spoken) : strbuf_text(&r->planned);
    e->interrupted = r->interrupted;
    if (playback_heard(s->playback, r->id, clock_mono_ns(), &heard)) {
        e->assistant_seconds = heard.received_ms / 1e3;
        if (heard.lost_ms > 0)
            e->lost_ms = (int64_t)heard.lost_ms;
        e->heard_ms = (int64_t)(r->interrupted ? r->heard_ms : heard.heard_ms);
        e->estimated = r->interrupted ? r->heard_estimated : heard.estimated;
    }
}

static void
on_turn(void *arg, const struct turn *t, const struct response *r)
{
    struct session *s = arg;
    struct event_turn e;
    event_turn_init(&e);
    e.turn = t->id;
    e.user_text = strbuf_text(&t->user_text);
    e.tools = calls_of_turn(s->calls, t->id);
    add_latencies(&e, t, r);
    if (r)
        add_response(s, &e, r);
    e.input_speech_tokens = (int64_t)t->tokens.input_speech;
    e.input_text_tokens = (int64_t)t->tokens.input_text;
    e.output_speech_tokens = (int64_t)t->tokens.output_speech;
    e.output_text_tokens = (int64_t)t->tokens.output_text;
    if (s->leg.generation)
        e.stream = s->leg.generation;
    if (e.response_seconds > 0)
        e.output_per_second =
            (double)(t->tokens.output_speech + t->tokens.output_text) /
            e.response_seconds;
    note_latencies(s, &e);
    event_turn_publish(s->services->bus, &s->subject, &e);
    s->counters.turns++;
    report_metrics(s);
}

const struct dialogue_ops report_dialogue_ops = {
    .on_text = on_text,
    .on_response_started = on_response_started,
    .on_response_ended = on_response_ended,
    .on_turn = on_turn,
};

/* ---- the model's other news ---- */

/* Where in the input ring the model's own time falls: as far behind what was
 * sent last as it is behind the audio of the stream. */
uint64_t
report_in_ring_frame(const struct session *s, int64_t offset_ms)
{
    uint64_t at = ring_host_position(s->in_ring);
    int64_t sent_ms = (int64_t)(s->leg.chunks * s->settings->chunk_ms);
    if (offset_ms < 0 || offset_ms > sent_ms)
        return at;
    uint64_t back =
        (uint64_t)(sent_ms - offset_ms) * s->settings->input.rate_hz / 1000;
    return back < at ? at - back : 0;
}

void
report_speech(struct session *s, bool started, int64_t offset_ms)
{
    struct event_speech e;
    const struct turn *turn = dialogue_user_turn(s->dialogue);
    event_speech_init(&e);
    if (turn)
        e.turn = turn->id;
    e.phase = started ? "started" : "ended";
    e.source = "model";
    e.in_ring_frame = report_in_ring_frame(s, offset_ms);
    if (offset_ms >= 0)
        e.offset_ms = offset_ms;
    event_speech_publish(s->services->bus, &s->subject, &e);
}

void
report_usage(struct session *s, const struct token_counts *delta)
{
    const struct token_counts *total = &s->tokens_total;
    struct event_usage e;
    event_usage_init(&e);
    e.delta_input_speech_tokens = (int64_t)delta->input_speech;
    e.delta_input_text_tokens = (int64_t)delta->input_text;
    e.delta_output_speech_tokens = (int64_t)delta->output_speech;
    e.delta_output_text_tokens = (int64_t)delta->output_text;
    e.total_input_speech_tokens = (int64_t)total->input_speech;
    e.total_input_text_tokens = (int64_t)total->input_text;
    e.total_output_speech_tokens = (int64_t)total->output_speech;
    e.total_output_text_tokens = (int64_t)total->output_text;
    event_usage_publish(s->services->bus, &s->subject, &e);
}

void
report_interruption(struct session *s, const struct response *r,
                    const char *reason, double heard_ms, bool estimated,
                    uint64_t flush_to)
{
    struct event_interruption e;
    event_interruption_init(&e);
    e.response = r->id;
    e.turn = r->turn_id;
    e.reason = reason;
    e.heard_ms = (int64_t)heard_ms;
    e.estimated = estimated;
    e.flush_to_frame = flush_to;
    event_interruption_publish(s->services->bus, &s->subject, &e);
    log_info(session, s->context,
             "response %llu interrupted (%s), %lld ms "
             "heard%s",
             (unsigned long long)r->id, reason, (long long)heard_ms,
             estimated ? " (estimated)" : "");
}
