#include "gateway/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"
#include "gateway/session/stream_end.h"
#include "gateway/sonic/encode.h"

static const struct link_ops link_callbacks;

/* ---- actions of the state machine ---- */

static bool
find_credentials(struct session *s, struct credentials *credentials)
{
    char tried[512];
    if (s->services->credentials) {
        *credentials = *s->services->credentials;
        return true;
    }
    if (credentials_load(s->services->config->bedrock.profile, credentials,
                         tried, sizeof tried) == VR_OK)
        return true;
    struct session_fault fault = {.class_ = "config",
                                  .code = "no_credentials",
                                  .message = tried,
                                  .remedy = "Then session.open again",
                                  .component = "bedrock"};
    report_fault(s, &fault);
    return false;
}

static void
open_link(struct session *s, const struct credentials *credentials)
{
    const struct services *services = s->services;
    const struct config *config = services->config;
    struct bedrock_target target = {
        .region = config->bedrock.region,
        .endpoint =
            services->endpoint ? services->endpoint : config->bedrock.endpoint,
        .ca_file =
            services->ca_file ? services->ca_file : config->bedrock.ca_file,
        .model_id = s->settings->model,
        .context = s->context,
        .connect_timeout_ms = config->bedrock.connect_timeout_ms};
    struct link_config link = {.client = services->client,
                               .target = &target,
                               .credentials = credentials,
                               .generation = ++s->generation,
                               .context = s->context,
                               .chunk_samples_max =
                                   capture_chunk_samples(s->capture)};
    char problem[512];
    s->link = link_open(&link, &link_callbacks, s, problem, sizeof problem);
    if (s->link)
        return;
    struct session_fault fault = {
        .class_ = "config",
        .code = "cannot_connect",
        .message = problem,
        .remedy = "Check bedrock.endpoint and bedrock.region",
        .component = "bedrock"};
    report_fault(s, &fault);
}

static void
do_connect(struct session *s)
{
    struct credentials credentials;
    s->opened_ns = clock_mono_ns();
    s->answered = false;
    s->request_id[0] = '\0';
    s->counters.streams++;
    if (find_credentials(s, &credentials)) {
        log_debug(bedrock, s->context, "key %s from %s",
                  log_key_id(credentials.access_key_id), credentials.source);
        open_link(s, &credentials);
    }
    credentials_wipe(&credentials);
    if (!s->link)
        session_move(s, SESSION_ON_lost, "it could not begin");
}

static void
do_prepare(struct session *s)
{
    s->tools_deadline_ns =
        clock_mono_ns() + s->settings->tools_wait_ms * CLOCK_NS_PER_MS;
    session_check_tools(s, clock_mono_ns());
}

static void
queue_opening_text(struct session *s, char *history_text)
{
    enum vr_status status = VR_OK;
    /* Words of the history that were answered on an earlier stream are not to
     * be answered again. */
    if (history_text && !s->counters.responses)
        status =
            texts_add(&s->texts, history_text, false, false, UINT64_MAX, NULL);
    else if (!history_text && s->settings->greeting && !s->greeted &&
             s->family->features.interactive_text)
        status = texts_add(&s->texts, s->settings->greeting, true, false,
                           UINT64_MAX, NULL);
    s->greeted = true;
    free(history_text);
    if (status != VR_OK)
        log_error(session, s->context, "the opening text is not said: %s",
                  vr_status_text(status));
}

static void
set_up_failed(struct session *s, enum vr_status status)
{
    bool large = status == VR_LIMIT;
    struct session_fault fault = {
        .class_ = large ? "config" : "retry",
        .code = "set_up_failed",
        .message = large ? "The settings and tools make an event larger than "
                           "the endpoint takes"
                         : vr_status_text(status),
        .remedy = large ? "Name fewer tools in the session's `tools`, or "
                          "shorten `extra`; then session.open again"
                        : "session.open tries again",
        .component = "session"};
    report_fault(s, &fault);
    session_move(s, SESSION_ON_lost, "the set-up could not be made");
}

static void
do_set_up(struct session *s)
{
    struct setup setup = {.settings = s->settings,
                          .family = s->family,
                          .broker = s->services->broker,
                          .prompt_name = link_prompt_name(s->link),
                          .audio_name = link_audio_name(s->link),
                          .context = s->context};
    char *history_text;
    setup_warn_tools(s->settings, s->services->broker, s->context);
    enum vr_status status =
        setup_encode(&setup, link_outbox(s->link), &history_text);
    if (status == VR_OK && !link_fits(s->link, 0))
        status = VR_LIMIT;
    if (status != VR_OK) {
        free(history_text);
        set_up_failed(s, status);
        return;
    }
    queue_opening_text(s, history_text);
    s->begun = true;
    status = link_flush(s->link);
    if (status != VR_OK)
        log_warn(session, s->context, "the set-up could not be sent: %s",
                 vr_status_text(status));
    capture_begin(s->capture, clock_mono_ns());
    if (s->answered)
        session_move(s, SESSION_ON_answered, "the endpoint answered early");
}

/* The stream is gone, one way or the other: what hung on it is answered. */
static void
let_go(struct session *s, bool normal)
{
    calls_cancel_all(s->calls, normal ? "The conversation was closed"
                                      : "The stream was lost");
    texts_fail(&s->texts, normal ? "The session was closed"
                                 : "The stream was lost before an answer");
    pump_settle(s, clock_mono_ns());
    pump_forget(s);
    link_free(&s->link);
    s->begun = false;
    s->draining = false;
    memset(s->contents, 0, sizeof s->contents);
    playback_end_all(s->playback, clock_mono_ns());
    dialogue_stream_ended(s->dialogue, normal, clock_mono_ns());
    report_metrics(s);
}

static void
do_settle(struct session *s)
{
    let_go(s, true);
}

static void
do_fail(struct session *s)
{
    let_go(s, false);
}

static void
act(struct session *s, enum session_action action)
{
    switch (action) {
    case SESSION_DO_connect:
        do_connect(s);
        break;
    case SESSION_DO_prepare:
        do_prepare(s);
        break;
    case SESSION_DO_set_up:
        do_set_up(s);
        break;
    case SESSION_DO_wind_up:
        closing_begin(s);
        break;
    case SESSION_DO_settle:
        do_settle(s);
        break;
    case SESSION_DO_fail:
        do_fail(s);
        break;
    case SESSION_DO_ready:
        cJSON_Delete(s->last_error);
        s->last_error = NULL;
        break;
    case SESSION_DO_nothing:
    case SESSION_ACTION_COUNT:
        break;
    }
}

bool
session_move(struct session *s, enum session_event event, const char *reason)
{
    const struct session_edge *edge = machine_edge(s->state, event);
    if (!edge) {
        s->counters.missing_edges++;
        log_debug(session, s->context, "%s changes nothing while %s",
                  machine_event_name(event), machine_state_name(s->state));
        return false;
    }
    enum session_state previous = s->state;
    bool last =
        edge->action == SESSION_DO_settle || edge->action == SESSION_DO_fail;
    s->state = edge->to;
    s->state_since_ns = clock_mono_ns();
    if (last)
        act(s, edge->action);
    report_state(s, previous, reason);
    if (!last)
        act(s, edge->action);
    if (s->state == edge->to)
        s->ops->on_state(s->arg, s);
    return true;
}

/* ---- the stream ---- */

static void
on_link_open(void *arg, struct link *link)
{
    struct session *s = arg;
    (void)link;
    session_move(s, SESSION_ON_connected, "connected");
    session_turn(s);
}

static void
on_link_answer(void *arg, struct link *link, const char *request_id)
{
    struct session *s = arg;
    (void)link;
    snprintf(s->request_id, sizeof s->request_id, "%s", request_id);
    log_info(bedrock, s->context, "accepted, request id %s", request_id);
    s->answered = true;
    if (s->state == SESSION_starting)
        session_move(s, SESSION_ON_answered, "the endpoint answered");
    session_turn(s);
}

static void
on_link_event(void *arg, struct link *link, const struct sonic_event *event)
{
    struct session *s = arg;
    if (link == s->link || event->type == SONIC_USAGE)
        model_event(s, event);
    session_turn(s);
}

static void
on_link_writable(void *arg, struct link *link)
{
    struct session *s = arg;
    (void)link;
    session_turn(s);
}

static void
on_link_end(void *arg, struct link *link, const struct bedrock_end *end)
{
    struct session *s = arg;
    (void)link;
    if (end->normal && s->state == SESSION_closing) {
        session_move(s, SESSION_ON_ended, "the endpoint ended the stream");
    } else {
        if (s->state != SESSION_closing)
            stream_end_report(s, end);
        session_move(s, SESSION_ON_lost, bedrock_end_name(end->cause));
    }
    session_turn(s);
}

static const struct link_ops link_callbacks = {
    .on_open = on_link_open,
    .on_answer = on_link_answer,
    .on_event = on_link_event,
    .on_writable = on_link_writable,
    .on_end = on_link_end,
};

void
session_tools_changed(struct session *s)
{
    session_check_tools(s, clock_mono_ns());
    session_turn(s);
}

/* ---- life ---- */

static void
on_ring_fault(void *arg, enum ring_fault kind, const char *sentence)
{
    struct session *s = arg;
    struct session_fault fault = {
        .class_ = "retry",
        .code = ring_host_fault_name(kind),
        .message = sentence,
        .remedy = "Find the process that wrote there: voxring session get "
                  "names the ring's users",
        .component = "ring",
        .recoverable = true};
    report_fault(s, &fault);
}

static bool
open_ring(struct session *s, enum vr_ring which, struct ring_host **ring,
          char *problem, size_t problem_size)
{
    const struct config_session *c = s->settings;
    bool in = which == VR_RING_IN;
    struct ring_host_config config = {
        .runtime_dir = s->services->runtime_dir,
        .instance = s->services->instance,
        .session = c->name,
        .ring = which,
        .format = {.rate_hz = in ? c->input.rate_hz : c->output.rate_hz,
                   .channels = in ? c->input.channels : c->output.channels},
        .on_fault = on_ring_fault,
        .fault_arg = s};
    config.min_frames = ring_host_min_frames(which, config.format.rate_hz,
                                             c->outage_buffer_s * 1000);
    config.shared_with_group = s->services->ring_shared;
    config.group = s->services->ring_group;
    return ring_host_open(ring, &config, problem, problem_size) == VR_OK;
}

static bool
make_parts(struct session *s, char *problem, size_t problem_size)
{
    const struct config_session *c = s->settings;
    if (!open_ring(s, VR_RING_IN, &s->in_ring, problem, problem_size) ||
        !open_ring(s, VR_RING_OUT, &s->out_ring, problem, problem_size))
        return false;
    struct capture_config capture = {.ring = s->in_ring,
                                     .model_rate_hz = c->model_input_rate_hz,
                                     .chunk_ms = c->chunk_ms,
                                     .gap_ms = c->gap_ms,
                                     .connect_buffer_ms = c->connect_buffer_ms};
    struct playback_config playback = {
        .ring = s->out_ring, .model_rate_hz = c->model_output_rate_hz};
    s->capture = capture_new(&capture, &report_capture_ops, s);
    s->playback = playback_new(&playback, &report_playback_ops, s);
    s->dialogue = dialogue_new(&report_dialogue_ops, s);
    s->calls = calls_new(s);
    if (s->capture)
        s->held_samples =
            calloc(capture_chunk_samples(s->capture), sizeof *s->held_samples);
    s->handles = handles_new(s);
    snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
    return s->capture && s->playback && s->dialogue && s->calls &&
           s->held_samples && s->handles;
}

static void
name_it(struct session *s, const char *conversation)
{
    if (conversation && conversation[0])
        snprintf(s->conversation, sizeof s->conversation, "%s", conversation);
    else
        uuid_make(s->conversation);
    snprintf(s->context, sizeof s->context, "%s %s", s->settings->name,
             s->conversation);
    s->subject.session = s->settings->name;
    s->subject.conversation = s->conversation;
}

struct session *
session_new(const struct services *services,
            const struct config_session *settings, const char *conversation,
            const struct session_ops *ops, void *arg, char *problem,
            size_t problem_size)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
        return NULL;
    }
    s->services = services;
    s->settings = settings;
    s->ops = ops;
    s->arg = arg;
    s->family = setup_family(settings, &s->model_known);
    name_it(s, conversation);
    if (!make_parts(s, problem, problem_size)) {
        session_free(&s);
        return NULL;
    }
    handles_watch_bell(s);
    setup_warn(settings, s->family, s->model_known,
               services->config->bedrock.region, s->context);
    report_state(s, SESSION_idle, "created");
    return s;
}

void
session_free(struct session **session)
{
    struct session *s = *session;
    if (!s)
        return;
    texts_fail(&s->texts, "The session was dropped");
    link_free(&s->link);
    handles_free(&s->handles);
    calls_free(&s->calls);
    dialogue_free(&s->dialogue);
    capture_free(&s->capture);
    playback_free(&s->playback);
    ring_host_close(&s->in_ring);
    ring_host_close(&s->out_ring);
    free(s->held_samples);
    cJSON_Delete(s->last_error);
    free(s);
    *session = NULL;
}

bool
session_open(struct session *s)
{
    bool moved = session_move(s, SESSION_ON_open, "asked to open");
    session_turn(s);
    return moved;
}

bool
session_close(struct session *s)
{
    bool moved = session_move(s, SESSION_ON_close, "asked to close");
    session_turn(s);
    return moved;
}
