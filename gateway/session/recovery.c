#include "gateway/session/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/classify.h"
#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"
#include "gateway/session/stream_end.h"

/* AWS accepts five minutes of difference. */
#define CLOCK_DIFFERENCE_MS (4 * 60 * 1000)

/* Speech as short as this may be a knock on the table. */
#define DEAF_LOUD_MS 400
#define DEAF_DOUBLINGS 5

/* ---- elsewhere ---- */

/* The next target, for when the budget on this one is spent or it refuses for
 * good; comes round to the first. False if there is only one. */
static bool
go_elsewhere(struct session *s, uint64_t now_ns)
{
    if (leg_target_count(s) < 2)
        return false;
    s->target = (s->leg.target + 1) % leg_target_count(s);
    s->fallback_ns = now_ns;
    retry_reset(&s->retry);
    struct leg_target t = leg_target(s, s->target);
    log_warn(session, s->context, "going on with %s in %s", t.model, t.region);
    return true;
}

/* ---- what is to be done ---- */

struct plan {
    bool goes_on;
    uint64_t delay_ns;
};

/* Once, until a stream has lived again: what follows is told attempt by
 * attempt. */
static void
tell_outage(struct session *s, unsigned attempts, uint64_t delay_ns)
{
    char message[128];
    snprintf(message, sizeof message,
             "%u attempts have failed; from now on it is tried slowly",
             attempts);
    struct session_fault fault = {
        .class_ = "retry",
        .code = "outage",
        .message = message,
        .remedy = "See the errors before; session.open tries at once",
        .component = "session",
        .recoverable = true,
        .retries = true,
        .retry_in_ms = (int64_t)(delay_ns / CLOCK_NS_PER_MS)};
    report_fault(s, &fault);
}

static struct plan
again(struct session *s, const struct bedrock_end *end, bool at_once,
      uint64_t now_ns)
{
    bool good = s->leg.had_event;
    struct retry_verdict v =
        retry_after_death(&s->retry, now_ns, now_ns - s->leg.opened_ns, good,
                          at_once, end->retry_after_ms * CLOCK_NS_PER_MS);
    if (v.spent && go_elsewhere(s, now_ns))
        return (struct plan){.goes_on = true};
    if (v.spent && !s->slow)
        tell_outage(s, v.attempt, v.delay_ns);
    s->slow = v.spent;
    return (struct plan){.goes_on = true, .delay_ns = v.delay_ns};
}

/* Nothing helps on this target. */
static struct plan
elsewhere_or_give_up(struct session *s, uint64_t now_ns)
{
    bool untried = s->target + 1 < leg_target_count(s);
    return (struct plan){.goes_on = untried && go_elsewhere(s, now_ns)};
}

static bool
renewed(const struct session *s)
{
    struct credentials now;
    char tried[512];
    if (s->services->credentials)
        return false;
    bool other = credentials_load(s->services->config->bedrock.profile, &now,
                                  tried, sizeof tried) == VR_OK &&
                 !credentials_same(&now, &s->credentials);
    credentials_wipe(&now);
    return other;
}

/* New credentials may help; the same ones will be refused again, unless they
 * come from a file that somebody may renew. */
static struct plan
with_new_credentials(struct session *s, const struct bedrock_end *end,
                     uint64_t now_ns)
{
    if (renewed(s))
        return again(s, end, true, now_ns);
    if (!s->answered_once || !credentials_may_change(&s->credentials))
        return elsewhere_or_give_up(s, now_ns);
    double slow_s = s->services->config->bedrock.retry_slow_s;
    return (struct plan){.goes_on = true, .delay_ns = clock_ns_of_s(slow_s)};
}

/* A signature is refused and the endpoint's clock is far from ours: then it is
 * signed by that clock, once for each stream that was answered. */
static bool
correct_clock(struct session *s, const struct bedrock_end *end,
              const struct classification *c)
{
    int64_t *offset_ms = s->services->clock_offset_ms;
    int64_t off_ms = end->server_ahead_ms;
    if (!c->clock_suspect || !off_ms || s->clock_corrected ||
        llabs(off_ms - *offset_ms) < CLOCK_DIFFERENCE_MS)
        return false;
    s->clock_corrected = true;
    *offset_ms = off_ms;
    char message[256];
    snprintf(message, sizeof message,
             "The machine's clock is %lld s %s the endpoint's; signatures are "
             "made by the endpoint's from now on",
             llabs(off_ms) / 1000, off_ms > 0 ? "behind" : "ahead of");
    struct session_fault fault = {
        .class_ = "config",
        .code = "clock_skew",
        .message = message,
        .remedy = "Set the machine's clock, for example by NTP",
        .component = "bedrock",
        .request_id = end->request_id,
        .recoverable = true,
        .retries = true};
    report_fault(s, &fault);
    return true;
}

/* Without continuation a conversation ends with the stream that carried it. */
static bool
ends_with_stream(const struct session *s)
{
    return s->leg.answered &&
           s->settings->continuation == CONFIG_CONTINUATION_OFF;
}

static struct plan
plan_for(struct session *s, const struct bedrock_end *end,
         const struct classification *c, uint64_t now_ns)
{
    if (ends_with_stream(s))
        return (struct plan){.goes_on = false};
    switch (c->action) {
    case CLASSIFY_ACTION_stay:
    case CLASSIFY_ACTION_reconnect:
        return again(s, end, true, now_ns);
    case CLASSIFY_ACTION_back_off:
        return again(s, end, false, now_ns);
    case CLASSIFY_ACTION_refresh:
        return with_new_credentials(s, end, now_ns);
    case CLASSIFY_ACTION_give_up:
    case CLASSIFY_ACTION_COUNT:
        break;
    }
    return elsewhere_or_give_up(s, now_ns);
}

/* ---- doing it ---- */

static void
go_on(struct session *s, uint64_t delay_ns, const char *why)
{
    s->retry_ns = clock_mono_ns() + delay_ns;
    s->counters.reconnects++;
    if (handover_rescue(s, why))
        return;
    if (!session_move(s, SESSION_ON_cut, why))
        return;
    if (s->slow && s->leg.ticket) {
        slots_release(s->services->slots, s->leg.ticket);
        s->leg.ticket = NULL;
    }
}

void
recovery_stream_ended(struct session *s, const struct bedrock_end *end)
{
    uint64_t now_ns = clock_mono_ns();
    const struct classification *c = classify_end(end);
    if (correct_clock(s, end, c)) {
        go_on(s, 0, "the clock was off");
        return;
    }
    struct plan plan = plan_for(s, end, c, now_ns);
    stream_end_report(s, end, plan.goes_on, plan.delay_ns);
    if (plan.goes_on)
        go_on(s, plan.delay_ns, bedrock_end_name(end->cause));
    else
        session_move(s, SESSION_ON_lost, bedrock_end_name(end->cause));
}

void
recovery_give_stream_up(struct session *s, struct session_fault *fault,
                        const char *why)
{
    static const struct bedrock_end end;
    struct plan plan = {.goes_on = false};
    if (!ends_with_stream(s))
        plan = again(s, &end, true, clock_mono_ns());
    fault->recoverable = plan.goes_on;
    fault->retries = plan.goes_on;
    fault->retry_in_ms = (int64_t)(plan.delay_ns / CLOCK_NS_PER_MS);
    report_fault(s, fault);
    if (plan.goes_on)
        go_on(s, plan.delay_ns, why);
    else
        session_move(s, SESSION_ON_lost, why);
}

bool
recovery_without_credentials(struct session *s)
{
    double slow_s = s->services->config->bedrock.retry_slow_s;
    if (!s->answered_once ||
        s->settings->continuation != CONFIG_CONTINUATION_ON)
        return false;
    s->retry_ns = clock_mono_ns() + clock_ns_of_s(slow_s);
    if (!session_move(s, SESSION_ON_cut, "there are no credentials"))
        return false;
    if (s->leg.ticket)
        slots_release(s->services->slots, s->leg.ticket);
    s->leg.ticket = NULL;
    return true;
}

void
recovery_exception(struct session *s, const struct bedrock_end *end)
{
    const struct response *r = dialogue_current(s->dialogue);
    bool waits = r && r->tools_pending;
    stream_end_report(s, end, true, 0);
    calls_refused(s->calls);
    if (waits)
        dialogue_left(s->dialogue, "tool_refused", clock_mono_ns());
}

void
recovery_reset(struct session *s)
{
    retry_reset(&s->retry);
    s->slow = false;
    s->retry_ns = 0;
}

/* ---- deafness ---- */

static bool
may_be_deaf(const struct session *s, struct capture_speech *speech)
{
    capture_speech(s->capture, speech);
    return s->state == SESSION_streaming && s->settings->deaf_after_s > 0 &&
           !speech->speaking && speech->ended_ns &&
           speech->loud_ms >= DEAF_LOUD_MS &&
           speech->start_frame != s->deaf_frame &&
           speech->ended_ns > s->leg.answered_ns &&
           s->leg.last_sign_ns < s->speech_ns;
}

/* What several streams in a row do not hear may be noise: each is given twice
 * the time of the one before. */
static uint64_t
deaf_at_ns(const struct session *s, const struct capture_speech *speech)
{
    unsigned doublings =
        s->deaf_count < DEAF_DOUBLINGS ? s->deaf_count : DEAF_DOUBLINGS;
    uint64_t after_ns = clock_ns_of_s(s->settings->deaf_after_s);
    return speech->ended_ns + (after_ns << doublings);
}

/* The stream is alive and nothing came of what was said: heard by nobody. */
static void
look_for_deafness(struct session *s, uint64_t now_ns)
{
    struct capture_speech speech;
    if (!may_be_deaf(s, &speech) || now_ns < deaf_at_ns(s, &speech))
        return;
    s->deaf_frame = speech.start_frame;
    s->deaf_count++;
    s->counters.deaf++;
    char message[160];
    snprintf(message, sizeof message,
             "Speech ended %.1f s ago and the model has given no sign of it",
             (double)(now_ns - speech.ended_ns) / 1e9);
    struct session_fault fault = {
        .class_ = "retry",
        .code = "deaf",
        .message = message,
        .remedy = "Nothing to do: a new stream hears it again. If it repeats, "
                  "raise speech.threshold_dbfs above the noise around",
        .component = "bedrock",
        .request_id = s->leg.request_id};
    recovery_give_stream_up(s, &fault, "deaf");
}

void
recovery_tick(struct session *s, uint64_t now_ns)
{
    if (s->state == SESSION_waiting && now_ns >= s->retry_ns)
        streams_want(s, "after a loss");
    look_for_deafness(s, now_ns);
}

uint64_t
recovery_deadline_ns(const struct session *s, uint64_t now_ns)
{
    struct capture_speech speech;
    if (s->state == SESSION_waiting)
        return s->retry_ns > now_ns ? s->retry_ns : now_ns;
    return may_be_deaf(s, &speech) ? deaf_at_ns(s, &speech) : UINT64_MAX;
}
