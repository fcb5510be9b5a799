/* What calls that run ask for in their conversations. */
#include "gateway/toolbroker/broker_internal.h"

#include <stdio.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/worker_ask.h"

/* Events that one provider may publish in a second. */
#define EVENTS_MAX 50
/* What else its calls may ask for in a second: each is work for a session, or
 * goes to the model. */
#define ASKS_MAX 20

/* An answer that is no. */
struct refusal {
    int code;
    char why[400];
};

static bool
is_granted(const struct provider *p, const struct worker_message *m,
           struct refusal *no)
{
    static const char *const places[] = {"plugins.rules", "mcp",
                                         "workers.rules", "builtin"};
    const char *grant = worker_ask_grant_name(m->ask);

    if (p->rule->grants & worker_ask_grant(m->ask))
        return true;
    no->code = WORKER_ERROR_GRANT;
    snprintf(no->why, sizeof no->why,
             "config does not grant \"%s\" to the %s %.64s; add it to "
             "%s.%.64s.grants",
             grant, provider_kind_noun(p->kind), p->name, places[p->kind],
             p->name);
    return false;
}

static bool
is_right(const struct worker_message *m, struct refusal *no)
{
    char fault[200];

    no->code = WORKER_ERROR_PARAMS;
    if (m->why)
        snprintf(no->why, sizeof no->why, "%s: %s",
                 worker_message_ask_method(m->ask), m->why);
    else if (!worker_ask_check(m->ask, m->body, fault, sizeof fault))
        snprintf(no->why, sizeof no->why, "%s: %s",
                 worker_message_ask_method(m->ask), fault);
    else
        return true;
    return false;
}

static bool
is_event_in_time(struct provider *p, struct refusal *no)
{
    if (provider_rate_take(&p->events, EVENTS_MAX, clock_mono_ns()))
        return true;
    no->code = WORKER_ERROR_GRANT;
    snprintf(no->why, sizeof no->why,
             "more than %d events in a second: this one was dropped",
             EVENTS_MAX);
    if (!p->events.told)
        log_warn(tools, p->name,
                 "publishes more than %d events a second; the rest is dropped",
                 EVENTS_MAX);
    p->events.told = true;
    return false;
}

static bool
is_in_time(struct provider *p, const struct worker_message *m,
           struct refusal *no)
{
    if (m->ask == BROKER_ASK_PUBLISH)
        return is_event_in_time(p, no);
    if (provider_rate_take(&p->asks, ASKS_MAX, clock_mono_ns()))
        return true;
    no->code = WORKER_ERROR_INTERNAL;
    snprintf(no->why, sizeof no->why,
             "the calls of %.64s ask for more than %d things in a second; try "
             "again in a second",
             p->name, ASKS_MAX);
    if (!p->asks.told)
        log_warn(tools, p->name,
                 "its calls ask for more than %d things a second of their "
                 "conversations; the rest is refused",
                 ASKS_MAX);
    p->asks.told = true;
    return false;
}

/* The call it is about, if it is one that this worker has and that runs. */
static bool
is_open(const struct broker *b, const struct worker *w,
        const struct worker_message *m, const struct toolcall **call,
        struct refusal *no)
{
    *call = m->call_id ? toolcall_find(&b->calls, m->call_id) : NULL;
    if (m->call_id == 0 || (*call && (*call)->worker == w))
        return true;
    no->code = WORKER_ERROR_OVER;
    snprintf(no->why, sizeof no->why,
             "%s: the call is over, or not one of this worker",
             worker_message_ask_method(m->ask));
    return false;
}

static int
code_of(enum vr_status status)
{
    switch (status) {
    case VR_INVALID:
        return WORKER_ERROR_PARAMS;
    case VR_NOT_FOUND:
    case VR_CLOSED:
        return WORKER_ERROR_OVER;
    case VR_UNSUPPORTED:
        return WORKER_ERROR_METHOD;
    default:
        return WORKER_ERROR_INTERNAL;
    }
}

/* The outside may do anything here, to close the broker included: afterwards
 * neither worker nor call are looked at. */
static bool
do_ask(struct broker *b, const struct provider *p, const struct toolcall *call,
       const struct worker_message *m, cJSON **answer, struct refusal *no)
{
    struct broker_ask ask = {
        .kind = m->ask,
        .call_id = m->call_id,
        .provider = p->name,
        .tool = call ? call->tool : NULL,
        .params = m->body,
    };
    enum vr_status status = VR_UNSUPPORTED;

    if (call)
        ask.caller = toolcall_caller(call);
    snprintf(no->why, sizeof no->why, "The gateway cannot do that");
    if (b->callbacks.on_ask)
        status = b->callbacks.on_ask(b->callbacks.arg, &ask, answer, no->why,
                                     sizeof no->why);
    no->code = code_of(status);
    return status == VR_OK;
}

void
broker_ask(struct broker *b, struct worker *w, const struct router_peer *peer,
           const struct worker_message *m)
{
    struct provider *p = w->provider;
    const struct toolcall *call;
    struct refusal no = {0};
    cJSON *answer = NULL;
    bool done;

    if (b->closing)
        return;
    b->counters.asks_total++;
    done = is_right(m, &no) && is_granted(p, m, &no) &&
           is_open(b, w, m, &call, &no) && is_in_time(p, m, &no) &&
           do_ask(b, p, call, m, &answer, &no);
    if (!done) {
        cJSON_Delete(answer);
        b->counters.asks_refused_total++;
    }
    if (!m->id) {
        if (done)
            cJSON_Delete(answer);
        return;
    }
    if (done)
        broker_answer(b, peer, worker_message_answer(m->id, answer));
    else
        broker_answer(b, peer, worker_message_error(m->id, no.code, no.why));
}
