#include "gateway/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/session/recovery.h"
#include "gateway/session/remember.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

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
        .on_fault = rings_on_fault,
        .fault_arg = in ? &s->rings.in : &s->rings.out};
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
    rings_init(s);
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
    bell_watch(s);
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
    bell_unwatch(s);
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

void
session_tools_changed(struct session *s)
{
    session_check_tools(s, clock_mono_ns());
    uint64_t mark =
        setup_tools_mark(s->settings, s->family, s->services->broker);
    if (s->leg.begun && s->leg.tools_mark != mark)
        rotation_want(s, ROTATION_TOOLS);
    else
        rotation_unwant(s, ROTATION_TOOLS);
    session_turn(s);
}

bool
session_tool_progress(struct session *s, uint64_t broker_id, double done,
                      double total, const char *message)
{
    return calls_progress(s->calls, broker_id, done, total, message);
}
