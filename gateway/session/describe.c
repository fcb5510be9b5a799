/* A session as control shows it. */
#include "gateway/bedrock/stream.h"
#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

const char *
session_name(const struct session *s)
{
    return s->settings->name;
}

const char *
session_conversation(const struct session *s)
{
    return s->conversation;
}

const char *
session_context(const struct session *s)
{
    return s->context;
}

enum session_state
session_state(const struct session *s)
{
    return s->state;
}

bool
session_is_over(const struct session *s)
{
    return s->state == SESSION_closed && !s->history_end;
}

bool
session_muted(const struct session *s)
{
    return s->muted;
}

struct ring_host *
session_in_ring(struct session *s)
{
    return s->in_ring;
}

struct ring_host *
session_out_ring(struct session *s)
{
    return s->out_ring;
}

cJSON *
session_summary(const struct session *s)
{
    cJSON *o = cJSON_CreateObject();
    jsonx_add_text(o, "session", s->settings->name);
    jsonx_add_text(o, "conversation", s->conversation);
    jsonx_add_text(o, "state", machine_state_name(s->state));
    jsonx_add_text(o, "model", s->settings->model);
    if (s->last_error)
        jsonx_put(o, "error", cJSON_Duplicate(s->last_error, true));
    cJSON_AddNumberToObject(
        o, "state_seconds",
        s->state_since_ns ? (double)(clock_mono_ns() - s->state_since_ns) / 1e9
                          : 0);
    return o;
}

static void
add_peer(cJSON *ring, const char *key, const struct ring_peer *peer)
{
    static const char *const states[] = {"none", "present", "stopped"};
    cJSON *o = cJSON_AddObjectToObject(ring, key);
    jsonx_add_text(o, "state", states[peer->state]);
    if (peer->state == RING_PEER_NONE)
        return;
    jsonx_add_text(o, "name", peer->name);
    cJSON_AddNumberToObject(o, "pid", peer->pid);
}

static cJSON *
describe_ring(struct ring_host *ring)
{
    cJSON *o = cJSON_CreateObject();
    struct vr_format format = ring_host_format(ring);
    jsonx_add_text(o, "name", ring_host_name(ring));
    cJSON_AddNumberToObject(o, "rate_hz", format.rate_hz);
    cJSON_AddNumberToObject(o, "channels", format.channels);
    jsonx_add_u64(o, "capacity_frames", ring_host_capacity_frames(ring));
    jsonx_add_u64(o, "head_frame", ring_host_head(ring));
    return o;
}

static void
add_rings(struct session *s, cJSON *o)
{
    struct ring_peer peer;
    cJSON *rings = cJSON_AddObjectToObject(o, "rings");
    cJSON *in = describe_ring(s->in_ring), *out = describe_ring(s->out_ring);
    ring_host_producer(s->in_ring, &peer);
    add_peer(in, "producer", &peer);
    jsonx_add_u64(in, "read_frame", ring_host_position(s->in_ring));
    ring_host_player(s->out_ring, &peer);
    add_peer(out, "player", &peer);
    jsonx_add_u64(out, "played_frame", ring_host_played(s->out_ring));
    cJSON_AddNumberToObject(out, "readers",
                            ring_host_reader_count(s->out_ring));
    jsonx_put(rings, "in", in);
    jsonx_put(rings, "out", out);
}

static void
add_family(const struct session *s, cJSON *o)
{
    const struct sonic_family *f = s->family;
    const struct sonic_voice *voice;
    cJSON *family = cJSON_AddObjectToObject(o, "can");
    jsonx_add_text(family, "family", f->name);
    jsonx_add_text(family, "title", f->title);
    cJSON_AddBoolToObject(family, "model_known", s->model_known);
    cJSON_AddBoolToObject(family, "endpointing_sensitivity",
                          f->features.endpointing_sensitivity);
    cJSON_AddBoolToObject(family, "text", f->features.interactive_text);
    cJSON_AddBoolToObject(family, "tool_choice", f->features.tool_choice);
    cJSON_AddBoolToObject(family, "async_tools", f->features.async_tools);
    cJSON_AddBoolToObject(family, "interim_results",
                          f->features.interim_results);
    cJSON_AddBoolToObject(family, "cancelled_result",
                          f->features.cancelled_result);
    cJSON_AddBoolToObject(family, "system_speech", f->features.system_speech);
    cJSON_AddBoolToObject(family, "speech_events", f->features.speech_events);
    cJSON *rates = cJSON_AddArrayToObject(family, "rates_hz");
    for (const uint32_t *rate = f->rates_hz; *rate; rate++)
        jsonx_put(rates, NULL, cJSON_CreateNumber(*rate));
    cJSON *regions = cJSON_AddArrayToObject(family, "regions");
    for (const char *const *region = f->regions; *region; region++)
        jsonx_put(regions, NULL, cJSON_CreateString(*region));
    cJSON *voices = cJSON_AddArrayToObject(family, "voices");
    for (size_t i = 0; (voice = sonic_family_voice_at(f, i)); i++)
        jsonx_put(voices, NULL, cJSON_CreateString(voice->id));
}

static void
add_tools(const struct session *s, cJSON *o)
{
    const struct broker *broker = s->services->broker;
    cJSON *tools = cJSON_AddArrayToObject(o, "tools");
    for (size_t i = 0; i < broker_tool_count(broker); i++) {
        const struct tool *t = broker_tool_at(broker, i);
        if (setup_tool_allowed(s->settings, t->name, t))
            jsonx_put(tools, NULL, cJSON_CreateString(t->name));
    }
}

static double
seconds_until(uint64_t due_ns)
{
    uint64_t now_ns = clock_mono_ns();
    return due_ns > now_ns ? (double)(due_ns - now_ns) / 1e9 : 0;
}

static void
add_when(const struct session *s, cJSON *stream)
{
    const struct rotation *r = &s->rotation;
    if (s->leg.link)
        cJSON_AddNumberToObject(stream, "age_seconds",
                                (double)(clock_mono_ns() - s->leg.opened_ns) /
                                    1e9);
    if (s->state == SESSION_streaming && r->due_ns && r->due_ns != UINT64_MAX)
        cJSON_AddNumberToObject(stream, "rotates_in_seconds",
                                seconds_until(r->due_ns));
    if (s->state == SESSION_waiting)
        cJSON_AddNumberToObject(stream, "retry_in_seconds",
                                seconds_until(s->retry_ns));
    if (s->state == SESSION_queued)
        cJSON_AddNumberToObject(stream, "queued_behind",
                                (double)slots_ahead(s->leg.ticket));
}

static void
add_stream(const struct session *s, cJSON *o)
{
    struct leg_target t = leg_target(s, s->leg.target);
    cJSON *stream = cJSON_AddObjectToObject(o, "stream");
    cJSON_AddNumberToObject(stream, "generation", s->leg.generation);
    cJSON_AddBoolToObject(stream, "open", s->leg.link != NULL);
    jsonx_add_text(stream, "request_id", s->leg.request_id);
    jsonx_add_text(stream, "model", t.model);
    jsonx_add_text(stream, "region", t.region);
    cJSON_AddBoolToObject(stream, "fallback", s->leg.target != 0);
    jsonx_add_text(stream, "next", handover_phase_name(s->handover.phase));
    add_when(s, stream);
}

static void
add_history(const struct session *s, cJSON *o)
{
    const struct history_totals *t = history_totals(s->history);
    cJSON *history = cJSON_AddObjectToObject(o, "history");
    jsonx_add_u64(history, "revision", history_revision(s->history));
    cJSON_AddNumberToObject(history, "messages", (double)t->messages);
    cJSON_AddNumberToObject(history, "bytes", (double)t->bytes);
    cJSON_AddNumberToObject(history, "pinned", (double)t->pinned_messages);
    cJSON_AddBoolToObject(history, "kept_in_file", s->history_file != NULL);
}

cJSON *
session_description(struct session *s)
{
    cJSON *o = session_summary(s);
    jsonx_add_text(o, "what", machine_state_what(s->state));
    cJSON_AddBoolToObject(o, "muted", s->muted);
    add_stream(s, o);
    add_history(s, o);
    add_rings(s, o);
    add_family(s, o);
    add_tools(s, o);
    jsonx_put(o, "config", config_session_to_json(s->settings));
    return o;
}

/* ---- figures ---- */

static void
add_count(cJSON *o, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(o, name, (double)value);
}

static void
add_model_counters(const struct session *s, cJSON *o)
{
    const struct sonic_counters *c =
        s->leg.link ? link_counters(s->leg.link) : NULL;
    if (!c)
        return;
    add_count(o, "model_events_total", c->events);
    add_count(o, "model_malformed_total", c->malformed);
    add_count(o, "model_wrong_type_total", c->wrong_type);
    add_count(o, "model_unknown_events_total", c->unknown_events);
}

cJSON *
session_counters(const struct session *s)
{
    cJSON *o = cJSON_CreateObject();
    add_count(o, "streams_total", s->counters.streams);
    add_count(o, "turns_total", s->counters.turns);
    add_count(o, "responses_total", s->counters.responses);
    add_count(o, "interruptions_total", s->counters.interruptions);
    add_count(o, "transcripts_total", s->counters.texts);
    add_count(o, "tool_calls_total", s->counters.tool_calls);
    add_count(o, "audio_events_total", s->counters.audio_events);
    add_count(o, "errors_total", s->counters.errors);
    add_count(o, "rotations_total", s->counters.rotations);
    add_count(o, "reconnects_total", s->counters.reconnects);
    add_count(o, "replays_total", s->counters.replays);
    add_count(o, "deaf_total", s->counters.deaf);
    add_count(o, "refused_next_streams_total", s->counters.refused_next);
    add_count(o, "late_tool_results_total", s->counters.late_results);
    add_model_counters(s, o);
    return o;
}

static void
add_account(struct session *s, cJSON *o)
{
    struct capture_account in;
    struct playback_account out;
    capture_account(s->capture, &in);
    playback_account(s->playback, clock_mono_ns(), &out);
    cJSON *input = cJSON_AddObjectToObject(o, "input_frames");
    add_count(input, "produced", in.produced);
    add_count(input, "sent", in.sent);
    add_count(input, "gated", in.gated);
    add_count(input, "lost", in.lost);
    add_count(input, "pending", in.pending);
    add_count(input, "resent", in.resent);
    add_count(input, "inserted_samples", in.inserted_samples);
    add_count(input, "inserted_spans", in.inserted_spans);
    add_count(input, "chunks", in.chunks);
    add_count(input, "capacity", ring_host_capacity_frames(s->in_ring));
    cJSON *output = cJSON_AddObjectToObject(o, "output_frames");
    add_count(output, "received", out.received);
    add_count(output, "played", out.played);
    add_count(output, "flushed", out.flushed);
    add_count(output, "pending", out.pending);
    add_count(output, "queued", out.queued);
    add_count(output, "lost", out.lost);
    add_count(output, "capacity", ring_host_capacity_frames(s->out_ring));
}

static void
add_latency(cJSON *o, const char *name, const struct latency *l)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};
    cJSON *latency = cJSON_AddObjectToObject(o, name);
    add_count(latency, "count", l->count);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        cJSON_AddNumberToObject(
            latency, quantiles[i].name,
            (double)latency_quantile_ns(l, quantiles[i].share) / 1e9);
    cJSON_AddNumberToObject(latency, "max", (double)l->max_ns / 1e9);
}

static void
add_figures(const struct session *s, cJSON *o)
{
    const struct history_totals *h = history_totals(s->history);
    cJSON *streams = cJSON_AddObjectToObject(o, "streams");
    add_count(streams, "open", streams_open(s));
    cJSON_AddNumberToObject(
        streams, "age_seconds",
        s->leg.link ? (double)(clock_mono_ns() - s->leg.opened_ns) / 1e9 : 0);
    cJSON *history = cJSON_AddObjectToObject(o, "history");
    add_count(history, "messages", h->messages);
    add_count(history, "bytes", h->bytes);
    add_count(history, "dropped_messages_total", h->dropped_messages);
}

cJSON *
session_stats(struct session *s)
{
    cJSON *o = session_summary(s);
    add_account(s, o);
    cJSON *tokens = cJSON_AddObjectToObject(o, "tokens");
    add_count(tokens, "input_speech", s->tokens_total.input_speech);
    add_count(tokens, "input_text", s->tokens_total.input_text);
    add_count(tokens, "output_speech", s->tokens_total.output_speech);
    add_count(tokens, "output_text", s->tokens_total.output_text);
    add_latency(o, "mic_to_wire_seconds", &s->mic_to_wire);
    add_latency(o, "end_of_speech_to_first_text_seconds", &s->first_text);
    add_latency(o, "end_of_speech_to_first_audio_seconds", &s->first_audio);
    add_figures(s, o);
    jsonx_put(o, "rings", rings_stats(s));
    jsonx_put(o, "counters", session_counters(s));
    return o;
}
