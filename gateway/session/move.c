/* The session's moves from state to state, and what each of them does. */
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/opening.h"
#include "gateway/session/recovery.h"
#include "gateway/session/remember.h"
#include "gateway/session/replay.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

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

/* Tells what the stream that is begun now goes on with, and from where. */
static void
tell_current(struct session *s, struct stream_news *news, uint64_t now_ns)
{
    news->boundary_frame = capture_next_frame(s->capture);
    if (s->replay == REPLAY_AUDIO)
        news->resent_from_frame = news->boundary_frame;
    if (s->gap_since_ns)
        news->gap_ns = now_ns - s->gap_since_ns;
    s->gap_since_ns = 0;
    s->replay = REPLAY_NONE;
    report_current(s, news, s->next_reason);
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
    tell_current(s, &news, now_ns);
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
    s->waiting_loss_told = false;
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
    replay_plan_lost(s, now_ns);
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
