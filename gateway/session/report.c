/* What the bus and the log are told about a session: its states, faults,
 * streams and figures. */
#include <math.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/log.h"
#include "gateway/session/self.h"

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
    event_session_state_publish(s->services->bus, &s->subject, &e);
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
    e.ring = f->ring;
    e.recoverable = f->recoverable;
    if (f->retries)
        e.retry_in_ms = f->retry_in_ms;
    if (f->http_status)
        e.http_status = f->http_status;
    e.request_id = f->request_id && f->request_id[0] ? f->request_id : NULL;
    cJSON_Delete(s->last_error);
    s->last_error = event_data(EVENT_error, &e);
    event_error_publish(s->services->bus, &s->subject, &e);
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
    event_stream_publish(s->services->bus, &s->subject, &e);
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
    event_stream_publish(s->services->bus, &s->subject, &e);
    log_info(session, s->context,
             "stream %u current: %s; told %zu messages, said again: %s",
             s->leg.generation, e.reason, news->history_messages, e.replay);
}

/* ---- figures ---- */

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
    report_losses(s, UINT64_MAX);
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
    cJSON_AddNumberToObject(e.counters, "ring_faults_total",
                            (double)rings_faults(s));
    cJSON_AddNumberToObject(e.counters, "rings_recreated_total",
                            (double)rings_recreated(s));
    event_metrics_publish(s->services->bus, &s->subject, &e);
}
