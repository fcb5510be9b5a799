#include "gateway/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/opening.h"
#include "gateway/session/recovery.h"
#include "gateway/session/remember.h"
#include "gateway/session/replay.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

/* ---- actions of the state machine ---- */

static void
do_connect(struct session *s)
{
    enum leg_problem problem = leg_open(s, &s->leg, s->target, false);
    bool waits =
        problem == LEG_NO_CREDENTIALS && recovery_without_credentials(s);
    if (problem != LEG_OK && !waits)
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
use_target(struct session *s)
{
    struct leg_target t = leg_target(s, s->leg.target);
    s->family = setup_family(s->settings, t.model, &s->model_known);
    s->leg.family = s->family;
}

static void
do_set_up(struct session *s)
{
    uint64_t now_ns = clock_mono_ns();
    struct stream_news news = {.resent_from_frame = UINT64_MAX};
    use_target(s);
    enum vr_status status = opening_head(s, &s->leg);
    if (status == VR_OK)
        status = opening_tail(s, &s->leg, &news);
    if (status != VR_OK) {
        opening_failed(s, status, false);
        session_move(s, SESSION_ON_lost, "the set-up could not be made");
        return;
    }
    s->leg.begun = true;
    status = link_flush(s->leg.link);
    if (status != VR_OK)
        log_warn(session, s->context, "the set-up could not be sent: %s",
                 vr_status_text(status));
    pump_begin(s, now_ns);
    news.boundary_frame = capture_next_frame(s->capture);
    if (s->replay == REPLAY_AUDIO)
        news.resent_from_frame = news.boundary_frame;
    if (s->gap_since_ns)
        news.gap_ns = now_ns - s->gap_since_ns;
    s->gap_since_ns = 0;
    s->replay = REPLAY_NONE;
    report_current(s, &news, s->next_reason);
    if (s->leg.answered)
        session_move(s, SESSION_ON_answered, "the endpoint answered early");
}

static void
do_ready(struct session *s)
{
    cJSON_Delete(s->last_error);
    s->last_error = NULL;
    s->clock_corrected = false;
    s->answered_once = true;
    if (!trigger_active(s))
        capture_keep(s->capture, s->settings->connect_buffer_ms);
    rotation_arm(s, clock_mono_ns());
}

/* What hung on the stream is told before its end is. */
void
session_end_dialogue(struct session *s, bool normal, bool goes_on)
{
    playback_end_all(s->playback, clock_mono_ns());
    dialogue_stream_ended(s->dialogue, normal, goes_on, clock_mono_ns());
    memset(s->contents, 0, sizeof s->contents);
    report_metrics(s);
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
    handover_forget(s, "the session has no stream any more");
    parting_drop_all(s);
    leg_drop(s, &s->leg, normal ? "ended" : "dropped",
             normal ? "the session is closed" : "it is lost");
    s->draining = false;
    s->replay = REPLAY_NONE;
    s->utterance.open = false;
    trigger_stop(s);
    session_end_dialogue(s, normal, false);
}

/* The stream is lost and another will be tried: what was being said, and what
 * is still wanted, waits for it. */
static void
do_recover(struct session *s)
{
    uint64_t now_ns = clock_mono_ns();
    struct slot_ticket *ticket = s->leg.ticket;
    handover_forget(s, "the current stream is lost");
    calls_orphan(s->calls, 0);
    replay_plan(s, now_ns);
    pump_settle(s, now_ns);
    s->leg.ticket = NULL; /* kept for the next stream */
    leg_drop(s, &s->leg, "dropped", "it is lost");
    s->leg.ticket = ticket;
    replay_rewind(s, now_ns);
    session_end_dialogue(s, false, replay_wanted(s));
    if (!s->gap_since_ns)
        s->gap_since_ns = now_ns;
}

/* No stream is wanted for now. What is open is ended in order. */
static void
do_rest(struct session *s)
{
    uint64_t now_ns = clock_mono_ns();
    handover_forget(s, "the session goes to sleep");
    calls_cancel_all(s->calls, "The session goes to sleep");
    pump_settle(s, now_ns);
    pump_leave_behind(s);
    pump_forget(s);
    if (s->leg.begun)
        parting_begin(s, &s->leg, 0, s->sleep_why);
    else
        leg_drop(s, &s->leg, "dropped", s->sleep_why);
    trigger_stop(s);
    s->replay = REPLAY_NONE;
    s->utterance.open = false;
    s->gap_since_ns = 0;
    capture_keep(s->capture, s->settings->connect_buffer_ms);
    session_end_dialogue(s, true, false);
    texts_fail(&s->texts, "The session went to sleep before an answer");
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
        handover_forget(s, "the session is closing");
        closing_begin(s);
        break;
    case SESSION_DO_settle:
        let_go(s, true);
        break;
    case SESSION_DO_fail:
        let_go(s, false);
        break;
    case SESSION_DO_recover:
        do_recover(s);
        break;
    case SESSION_DO_rest:
        do_rest(s);
        break;
    case SESSION_DO_ready:
        do_ready(s);
        break;
    case SESSION_DO_nothing:
    case SESSION_ACTION_COUNT:
        break;
    }
}

static int64_t
retry_in_ms(const struct session *s)
{
    uint64_t now_ns = clock_mono_ns();
    if (s->state != SESSION_waiting)
        return -1;
    return s->retry_ns > now_ns
               ? (int64_t)((s->retry_ns - now_ns) / CLOCK_NS_PER_MS)
               : 0;
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
        edge->action == SESSION_DO_settle || edge->action == SESSION_DO_fail ||
        edge->action == SESSION_DO_recover || edge->action == SESSION_DO_rest;
    s->state = edge->to;
    s->state_since_ns = clock_mono_ns();
    if (last)
        act(s, edge->action);
    report_state(s, previous, reason, retry_in_ms(s));
    if (!last)
        act(s, edge->action);
    if (s->state == SESSION_closed)
        remember_end(s);
    if (s->state == edge->to)
        s->ops->on_state(s->arg, s);
    return true;
}

void
session_tools_changed(struct session *s)
{
    session_check_tools(s, clock_mono_ns());
    uint64_t mark = setup_tools_mark(s->settings, s->services->broker);
    if (s->leg.begun && s->leg.tools_mark != mark)
        rotation_want(s, ROTATION_TOOLS);
    else
        rotation_unwant(s, ROTATION_TOOLS);
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
    struct capture_config capture = {
        .ring = s->in_ring,
        .model_rate_hz = c->model_input_rate_hz,
        .chunk_ms = c->chunk_ms,
        .gap_ms = c->gap_ms,
        .connect_buffer_ms = c->connect_buffer_ms,
        .speech_threshold_dbfs = c->speech.threshold_dbfs,
        .speech_hangover_ms = c->speech.hangover_ms,
        .preroll_ms = c->speech.preroll_ms};
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
    bool history = s->dialogue && remember_begin(s);
    snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
    return s->capture && s->playback && s->dialogue && s->calls &&
           s->held_samples && s->handles && history;
}

void
session_go_on_as(struct session *s, const char *conversation)
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

/* Sessions begun together must not come back together. */
static void
init_retry(struct session *s)
{
    const struct config *c = s->services->config;
    struct retry_config config = {
        .base_ms = c->bedrock.retry_base_ms,
        .cap_ms = c->bedrock.retry_cap_ms,
        .budget = c->bedrock.retry_budget,
        .window_ms = (uint32_t)(c->bedrock.retry_window_s * 1000),
        .slow_ms = (uint32_t)(c->bedrock.retry_slow_s * 1000),
        .healthy_after_ms = (uint32_t)(c->bedrock.healthy_after_s * 1000)};
    retry_init(&s->retry, &config, clock_mono_ns() ^ (uint64_t)(uintptr_t)s);
}

struct session *
session_new(const struct services *services,
            const struct config_session *settings,
            const struct session_begin *begin, const struct session_ops *ops,
            void *arg, char *problem, size_t problem_size)
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
    s->by_control = begin->by_control;
    s->conversation_given = begin->conversation && begin->conversation[0];
    s->created_ns = s->activity_ns = s->attached_ns = clock_mono_ns();
    s->deaf_frame = UINT64_MAX;
    s->replay_frame = UINT64_MAX;
    s->family = setup_family(settings, settings->model, &s->model_known);
    session_go_on_as(s, begin->conversation);
    init_retry(s);
    if (!make_parts(s, problem, problem_size)) {
        session_free(&s);
        return NULL;
    }
    handles_watch_bell(s);
    setup_warn(settings, s->family, s->model_known,
               services->config->bedrock.region, s->context);
    report_state(s, SESSION_idle, "created", -1);
    return s;
}

void
session_free(struct session **session)
{
    struct session *s = *session;
    if (!s)
        return;
    texts_fail(&s->texts, "The session was dropped");
    clip_fini(&s->trigger.clip);
    leg_drop(s, &s->leg, "dropped", NULL);
    leg_drop(s, &s->handover.next, "dropped", NULL);
    for (size_t i = 0; i < PARTING_MAX; i++)
        leg_drop(s, &s->parting[i].leg, "dropped", NULL);
    remember_end(s);
    remember_forget_end(s);
    handles_free(&s->handles);
    calls_free(&s->calls);
    dialogue_free(&s->dialogue);
    capture_free(&s->capture);
    playback_free(&s->playback);
    ring_host_close(&s->in_ring);
    ring_host_close(&s->out_ring);
    history_free(&s->history);
    config_session_free(&s->own_settings);
    credentials_wipe(&s->credentials);
    free(s->held_samples);
    cJSON_Delete(s->last_error);
    free(s);
    *session = NULL;
}

bool
session_open(struct session *s)
{
    recovery_reset(s);
    if (s->state == SESSION_failed)
        s->target = 0; /* the fallbacks had their turn */
    s->activity_ns = s->attached_ns = clock_mono_ns();
    s->abandoned = false;
    bool moved = streams_want(s, "asked to open");
    session_turn(s);
    return moved;
}

void
session_begin(struct session *s)
{
    if (rest_begins_awake(s)) {
        session_open(s);
        return;
    }
    rest_sleep(s, s->settings->mode == CONFIG_MODE_MANUAL
                      ? "its mode is manual; session.open wakes it"
                      : "its mode is on_audio; speech wakes it");
    session_turn(s);
}

bool
session_close(struct session *s)
{
    bool moved = session_move(s, SESSION_ON_close, "asked to close");
    session_turn(s);
    return moved;
}
