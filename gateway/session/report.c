/* What the bus and the log are told about a session. */
#include <math.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/remember.h"
#include "gateway/session/self.h"

static struct bus *
bus_of(const struct session *s)
{
    return s->services->bus;
}

void
report_state(struct session *s, enum session_state previous, const char *reason,
             int64_t retry_in_ms)
{
    struct event_session_state e;
    event_session_state_init(&e);
    e.state = machine_state_name(s->state);
    if (previous != s->state)
        e.previous = machine_state_name(previous);
    e.reason = reason;
    if (s->leg.generation)
        e.stream = s->leg.generation;
    if (retry_in_ms >= 0)
        e.retry_in_ms = retry_in_ms;
    e.model =
        s->leg.model[0] ? s->leg.model : leg_target(s, s->leg.target).model;
    e.voice = s->settings->voice;
    event_session_state_publish(bus_of(s), &s->subject, &e);
    log_info(session, s->context, "%s (%s): %s", e.state, reason,
             machine_state_what(s->state));
}

/* AWS's sentences end with one, ours do not. */
static const char *
full_stop(const char *sentence)
{
    size_t bytes = strlen(sentence);
    return bytes && sentence[bytes - 1] == '.' ? "" : ".";
}

void
report_fault(struct session *s, const struct session_fault *f)
{
    struct event_error e;
    event_error_init(&e);
    e.class_ = f->class_;
    e.code = f->code;
    e.message = f->message;
    e.remedy = f->remedy;
    e.component = f->component;
    e.recoverable = f->recoverable;
    if (f->retries)
        e.retry_in_ms = f->retry_in_ms;
    if (f->http_status)
        e.http_status = f->http_status;
    e.request_id = f->request_id && f->request_id[0] ? f->request_id : NULL;
    cJSON_Delete(s->last_error);
    s->last_error = event_data(EVENT_error, &e);
    event_error_publish(bus_of(s), &s->subject, &e);
    s->counters.errors++;
    log_error(session, s->context, "%s: %s: %s%s %s%s%s", f->component, f->code,
              f->message, full_stop(f->message), f->remedy,
              e.request_id ? ". Request id " : "",
              e.request_id ? e.request_id : "");
}

/* ---- streams ---- */

static void
fill_stream(struct session *s, const struct leg *leg, const char *phase,
            const char *reason, struct event_stream *e)
{
    struct leg_target t = leg_target(s, leg->target);
    event_stream_init(e);
    e->phase = phase;
    e->stream = leg->generation;
    e->reason = reason;
    e->model = leg->model;
    e->region = t.region;
    e->age_seconds = (double)(clock_mono_ns() - leg->opened_ns) / 1e9;
    e->request_id = leg->request_id[0] ? leg->request_id : NULL;
}

void
report_stream(struct session *s, const struct leg *leg, const char *phase,
              const char *reason)
{
    struct event_stream e;
    fill_stream(s, leg, phase, reason, &e);
    event_stream_publish(bus_of(s), &s->subject, &e);
    log_info(session, s->context, "stream %u %s: %s", leg->generation, phase,
             reason);
}

void
report_current(struct session *s, const struct stream_news *news,
               const char *reason)
{
    static const char *const replays[] = {"none", "text", "audio"};
    struct event_stream e;
    fill_stream(s, &s->leg, "current", reason ? reason : "", &e);
    e.history_messages = (int64_t)news->history_messages;
    e.history_bytes = (int64_t)news->history_bytes;
    e.boundary_frame = news->boundary_frame;
    e.resent_from_frame = news->resent_from_frame;
    e.replay = replays[news->replay];
    e.gap_seconds = (double)news->gap_ns / 1e9;
    event_stream_publish(bus_of(s), &s->subject, &e);
    log_info(session, s->context,
             "stream %u current: %s; told %zu messages, said again: %s",
             s->leg.generation, e.reason, news->history_messages, e.replay);
}

/* ---- dialogue ---- */

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
    event_transcript_publish(bus_of(s), &s->subject, &e);
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
    event_response_publish(bus_of(s), &s->subject, &e);
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
    event_response_publish(bus_of(s), &s->subject, &e);
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
    event_turn_publish(bus_of(s), &s->subject, &e);
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
    event_speech_publish(bus_of(s), &s->subject, &e);
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
    event_usage_publish(bus_of(s), &s->subject, &e);
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
    event_interruption_publish(bus_of(s), &s->subject, &e);
    log_info(session, s->context,
             "response %llu interrupted (%s), %lld ms "
             "heard%s",
             (unsigned long long)r->id, reason, (long long)heard_ms,
             estimated ? " (estimated)" : "");
}

/* ---- audio ---- */

static void
tell_playback(struct session *s, const char *phase,
              const struct playback_notice *notice)
{
    struct event_playback e;
    event_playback_init(&e);
    e.phase = phase;
    e.response = notice->response_id;
    e.from_frame = notice->span.from_frame;
    e.to_frame = notice->span.to_frame;
    e.estimated = notice->estimated;
    event_playback_publish(bus_of(s), &s->subject, &e);
}

static void
on_play_started(void *arg, const struct playback_notice *notice)
{
    tell_playback(arg, "started", notice);
}

/* Of its audio: the turn may be over. */
static void
nothing_left(struct session *s, const struct playback_notice *notice)
{
    if (s->played_count < SESSION_PLAYED)
        s->played[s->played_count++] = notice->response_id;
}

static void
on_play_finished(void *arg, const struct playback_notice *notice)
{
    tell_playback(arg, "finished", notice);
    nothing_left(arg, notice);
}

static void
on_play_flushed(void *arg, const struct playback_notice *notice)
{
    tell_playback(arg, "flushed", notice);
    nothing_left(arg, notice);
}

static void
on_play_overflow(void *arg, const struct playback_notice *notice)
{
    struct session_fault fault = {
        .class_ = "peer",
        .code = "playback_overflow",
        .message = "The player is so far behind that audio of the model is "
                   "dropped",
        .remedy = "Look at the player: does it read, and report vr_played()?",
        .component = "playback",
        .recoverable = true};
    (void)notice;
    report_fault(arg, &fault);
}

const struct playback_ops report_playback_ops = {
    .on_started = on_play_started,
    .on_finished = on_play_finished,
    .on_flushed = on_play_flushed,
    .on_overflow = on_play_overflow,
};

static void
tell_capture(struct session *s, const char *phase, uint64_t frames,
             uint64_t at_frame)
{
    struct event_capture e;
    event_capture_init(&e);
    e.phase = phase;
    e.frames = frames;
    e.in_ring_frame = at_frame;
    event_capture_publish(bus_of(s), &s->subject, &e);
}

static void
on_starved(void *arg, uint64_t frame)
{
    tell_capture(arg, "starved", EVENT_NO_U64, frame);
}

static void
on_resumed(void *arg, uint64_t frame, uint64_t starved_ns)
{
    (void)starved_ns;
    tell_capture(arg, "resumed", EVENT_NO_U64, frame);
}

static void
on_lost(void *arg, enum capture_loss why, uint64_t frames, uint64_t frame)
{
    static const char *const reasons[] = {
        [CAPTURE_LOSS_LAPPED] = "the producer overwrote them unread",
        [CAPTURE_LOSS_WAITING] = "they are older than connect_buffer_ms",
        [CAPTURE_LOSS_UNSENT] = "their stream ended before it sent them",
    };
    struct session *s = arg;
    tell_capture(s, "lost", frames, frame);
    log_warn(capture, s->context, "%llu frames before %llu are lost: %s",
             (unsigned long long)frames, (unsigned long long)frame,
             reasons[why]);
}

/* Speech by its energy: what a stream is given up for if it does not hear it,
 * and where what was said begins if it has to be said again. */
static void
on_speech(void *arg, bool started, uint64_t frame)
{
    struct session *s = arg;
    uint64_t now_ns = clock_mono_ns();
    s->activity_ns = now_ns;
    if (started) {
        s->speech_ns = now_ns;
        utterance_began(&s->utterance, frame, false, now_ns);
    } else {
        utterance_ended(&s->utterance, false, now_ns);
    }
    struct event_speech e;
    event_speech_init(&e);
    e.phase = started ? "started" : "ended";
    e.source = "gateway";
    e.in_ring_frame = frame;
    event_speech_publish(bus_of(s), &s->subject, &e);
}

const struct capture_ops report_capture_ops = {
    .on_speech = on_speech,
    .on_starved = on_starved,
    .on_resumed = on_resumed,
    .on_lost = on_lost,
};

void
report_producer(struct session *s, bool attached)
{
    struct ring_peer peer;
    struct event_capture e;
    event_capture_init(&e);
    ring_host_producer(s->in_ring, &peer);
    e.phase = attached ? "producer_attached" : "producer_lost";
    e.in_ring_frame = ring_host_head(s->in_ring);
    e.producer = attached ? peer.name : NULL;
    event_capture_publish(bus_of(s), &s->subject, &e);
    log_info(ring, s->context, "%s%s%s",
             attached ? "producer attached: " : "the producer left",
             attached ? peer.name : "", "");
}

static double
quantile_seconds(const struct latency *l, double share)
{
    return l->count ? (double)latency_quantile_ns(l, share) / 1e9 : NAN;
}

static void
add_streams(struct session *s, struct event_metrics *e)
{
    const struct history_totals *history = history_totals(s->history);
    e->in_capacity = ring_host_capacity_frames(s->in_ring);
    e->out_capacity = ring_host_capacity_frames(s->out_ring);
    e->streams_open = (int64_t)streams_open(s);
    if (s->leg.link)
        e->stream_age_seconds =
            (double)(clock_mono_ns() - s->leg.opened_ns) / 1e9;
    e->rotations = (int64_t)s->counters.rotations;
    e->reconnects = (int64_t)s->counters.reconnects;
    e->replays = (int64_t)s->counters.replays;
    e->deaf = (int64_t)s->counters.deaf;
    e->history_messages = (int64_t)history->messages;
    e->history_bytes = (int64_t)history->bytes;
    e->first_text_p50_seconds = quantile_seconds(&s->first_text, 0.5);
    e->first_text_p95_seconds = quantile_seconds(&s->first_text, 0.95);
    e->first_audio_p50_seconds = quantile_seconds(&s->first_audio, 0.5);
    e->first_audio_p95_seconds = quantile_seconds(&s->first_audio, 0.95);
}

void
report_metrics(struct session *s)
{
    struct capture_account in;
    struct playback_account out;
    struct event_metrics e;
    capture_account(s->capture, &in);
    playback_account(s->playback, clock_mono_ns(), &out);
    event_metrics_init(&e);
    e.in_produced = in.produced;
    e.in_sent = in.sent;
    e.in_gated = in.gated;
    e.in_lost = in.lost;
    e.in_pending = in.pending;
    e.in_resent = in.resent;
    e.in_inserted = in.inserted_samples;
    e.out_received = out.received;
    e.out_played = out.played;
    e.out_flushed = out.flushed;
    e.out_pending = out.pending;
    e.out_lost = out.lost;
    add_streams(s, &e);
    e.counters = session_counters(s);
    event_metrics_publish(bus_of(s), &s->subject, &e);
}
