#include "gateway/session/calls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/calls_state.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"

struct calls *
calls_new(struct session *session)
{
    struct calls *c = calloc(1, sizeof *c);
    if (c)
        c->session = session;
    return c;
}

struct call *
calls_find(struct calls *c, uint64_t number)
{
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        if (c->log[i].number == number)
            return &c->log[i];
    }
    return NULL;
}

static_assert(CALLS_RUNNING_MAX < CALLS_REMEMBERED,
              "a call that is refused needs a place, too");

/* There is always one: fewer may run than are remembered. */
static struct call *
oldest_ended(struct calls *c)
{
    struct call *oldest = NULL;
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        bool open = call->number && !call->outcome;
        if (!open && (!oldest || call->number < oldest->number))
            oldest = call;
    }
    return oldest;
}

void
calls_free(struct calls **calls)
{
    struct calls *c = *calls;
    if (!c)
        return;
    for (struct ticket *t = c->tickets; t; t = t->next) {
        t->calls = NULL;
        struct call *call = calls_find(c, t->number);
        if (call)
            broker_cancel(c->session->services->broker, call->broker_id);
    }
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        free(c->log[i].kept);
        free(c->log[i].kept_reason);
    }
    free(c);
    *calls = NULL;
}

size_t
calls_open(const struct calls *c)
{
    return c->open;
}

static struct call *
find_by_use_id(struct calls *c, const struct sonic_span *id)
{
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (call->number && strlen(call->tool_use_id) == id->bytes &&
            memcmp(call->tool_use_id, id->text, id->bytes) == 0)
            return call;
    }
    return NULL;
}

/* ---- what the broker tells ---- */

static void
forget_ticket(struct calls *c, struct ticket *ticket)
{
    struct ticket **at = &c->tickets;
    while (*at && *at != ticket)
        at = &(*at)->next;
    if (*at)
        *at = ticket->next;
}

const char *
calls_outcome_name(enum tool_outcome outcome)
{
    switch (outcome) {
    case TOOL_OK:
        return "result";
    case TOOL_TIMEOUT:
        return "timeout";
    case TOOL_CANCELLED:
        return "cancelled";
    case TOOL_ERROR:
    case TOOL_CRASHED:
        break;
    }
    return "error";
}

static void
end_with(struct calls *c, struct call *call, const struct tool_result *result)
{
    bool ours = call->cancel_why && result->outcome == TOOL_CANCELLED;
    struct call_end end = {.outcome = calls_outcome_name(result->outcome),
                           .content = result->content_json,
                           .reason = ours ? call->cancel_why : result->reason,
                           .provider = result->provider,
                           .failure = result->failure,
                           .next = result->next};
    if (calls_is_detached(call))
        end.delivery = calls_pass_on(c, call, &end);
    calls_answer(c, call, &end);
}

static void
on_result(void *arg, uint64_t broker_id, const struct tool_result *result)
{
    struct ticket *ticket = arg;
    struct calls *c = ticket->calls;
    (void)broker_id;
    if (c) {
        struct call *call = calls_find(c, ticket->number);
        forget_ticket(c, ticket);
        if (call && !call->outcome) {
            end_with(c, call, result);
            session_turn(c->session);
        }
    }
    free(ticket);
}

/* ---- beginning ---- */

static bool
hand_to_broker(struct calls *c, struct call *call, const char *arguments)
{
    struct session *s = c->session;
    char turn[24];
    snprintf(turn, sizeof turn, "%llu", (unsigned long long)call->turn_id);
    struct broker_caller caller = {.session = s->settings->name,
                                   .conversation = s->conversation,
                                   .turn = turn};
    struct ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return false;
    *ticket =
        (struct ticket){.calls = c, .number = call->number, .next = c->tickets};
    call->broker_id = broker_call(s->services->broker, call->tool, arguments,
                                  &caller, 0, on_result, ticket);
    if (!call->broker_id) {
        free(ticket);
        return false;
    }
    c->tickets = ticket;
    return true;
}

static struct call *
new_call(struct calls *c, uint32_t generation, const struct sonic_event *event,
         const struct tool *tool)
{
    struct session *s = c->session;
    struct call *call = oldest_ended(c);
    free(call->kept);
    free(call->kept_reason);
    memset(call, 0, sizeof *call);
    call->number = ++c->last_number;
    call->started_ns = clock_mono_ns();
    call->generation = generation;
    call->mark = calls_mark(event->u.tool_use.arguments.text);
    call->async = tool && tool->mode == TOOL_ASYNC;
    call->cancellable = tool && tool->cancel_on_interrupt;
    snprintf(call->tool, sizeof call->tool, "%s", event->u.tool_use.name.text);
    snprintf(call->tool_use_id, sizeof call->tool_use_id, "%s",
             event->u.tool_use.id.text);
    struct response *r =
        dialogue_tool_called(s->dialogue, call->tool, call->started_ns);
    call->response_id = r->id;
    call->turn_id = r->turn_id;
    c->open++;
    s->counters.tool_calls++;
    return call;
}

static void
tell_call(struct session *s, const struct call *call, const struct tool *tool,
          const char *arguments)
{
    struct event_tool_call e;
    event_tool_call_init(&e);
    e.call = call->number;
    e.tool = call->tool;
    e.arguments = cJSON_Parse(arguments);
    e.turn = call->turn_id;
    e.response = call->response_id;
    e.tool_use_id = call->tool_use_id;
    if (tool) {
        e.provider = tool->provider;
        e.kind = broker_provider_kind_name(tool->kind);
        e.mode = tool->mode == TOOL_ASYNC ? "async" : "sync";
    }
    if (call->source)
        e.joins = call->source;
    event_tool_call_publish(s->services->bus, &s->subject, &e);
    log_info(tools, s->context, "call %llu: %s",
             (unsigned long long)call->number, call->tool);
}

static bool
can_be_answered(struct calls *c, const struct sonic_event *event)
{
    const struct sonic_span *id = &event->u.tool_use.id;
    const char *context = c->session->context;
    struct call slot;
    if (!id->bytes || id->bytes >= sizeof slot.tool_use_id)
        log_warn(tools, context,
                 "a call of %s has no usable toolUseId (%zu bytes) and cannot "
                 "be answered",
                 event->u.tool_use.name.text, id->bytes);
    else if (find_by_use_id(c, id))
        log_warn(tools, context,
                 "toolUseId %s came twice; the second is "
                 "ignored, one result goes to one use",
                 id->text);
    else
        return true;
    return false;
}

/* Calls that the model does not wait for are no smaller burden. */
static bool
is_full(const struct calls *c)
{
    size_t running = 0;
    for (size_t i = 0; i < CALLS_REMEMBERED; i++)
        running += c->log[i].number && !c->log[i].outcome;
    return c->open >= CALLS_MAX || running >= CALLS_RUNNING_MAX;
}

/* A sentence for the model if the call cannot even begin. */
static const char *
refusal(struct calls *c, const struct sonic_event *event,
        const struct tool *tool)
{
    struct session *s = c->session;
    const struct sonic_span *name = &event->u.tool_use.name;
    if (s->state == SESSION_closing)
        return "The conversation is being closed";
    if (is_full(c))
        return "Too many tools are running already";
    if (name->bytes >= sizeof c->log[0].tool ||
        !setup_tool_allowed(s->settings, name->text, tool))
        return "This conversation has no tool of that name";
    return NULL;
}

static void
run(struct calls *c, struct call *call, const char *arguments)
{
    struct session *s = c->session;
    if (!hand_to_broker(c, call, arguments))
        calls_answer_error(c, call, "error",
                           "The gateway cannot run tools now");
    else if (call->async && !s->family->features.async_tools)
        calls_hold_place(c, call);
}

void
calls_begin(struct calls *c, uint32_t generation,
            const struct sonic_event *event)
{
    struct session *s = c->session;
    if (!can_be_answered(c, event))
        return;
    const struct tool *tool =
        broker_find(s->services->broker, event->u.tool_use.name.text);
    const char *why = refusal(c, event, tool);
    struct call *call = new_call(c, generation, event, tool);
    struct call *source = why ? NULL : calls_source(c, call);
    const char *arguments = event->u.tool_use.arguments.text;
    call->source = source ? source->number : 0;
    tell_call(s, call, tool, arguments);
    if (why)
        calls_answer_error(
            c, call, s->state == SESSION_closing ? "cancelled" : "error", why);
    else if (generation != s->leg.generation)
        calls_make_orphan(c, call);
    if (!call->outcome && source)
        calls_join(c, call, source);
    else if (!call->outcome)
        run(c, call, arguments);
}

/* ---- ending ---- */

bool
calls_is_detached(const struct call *call)
{
    return call->orphan || call->placeheld;
}

size_t
calls_interrupted(struct calls *c, uint64_t turn_id)
{
    size_t count = 0;
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call->outcome || !call->cancellable ||
            !call->broker_id || call->cancel_why ||
            (turn_id && call->turn_id >= turn_id))
            continue;
        call->cancel_why = "The user interrupted";
        broker_cancel(c->session->services->broker, call->broker_id);
        count++;
    }
    return count;
}

static const struct call *
find_open(const struct calls *c, uint64_t broker_id)
{
    for (size_t i = 0; broker_id && i < CALLS_REMEMBERED; i++) {
        const struct call *call = &c->log[i];
        if (call->number && !call->outcome && call->broker_id == broker_id)
            return call;
    }
    return NULL;
}

uint64_t
calls_number(const struct calls *c, uint64_t broker_id)
{
    const struct call *call = find_open(c, broker_id);
    return call ? call->number : 0;
}

bool
calls_progress(struct calls *c, uint64_t broker_id, double done, double total,
               const char *message)
{
    const struct call *call = find_open(c, broker_id);
    struct event_tool_progress e;
    if (!call)
        return false;
    event_tool_progress_init(&e);
    e.call = call->number;
    e.tool = call->tool;
    e.done = done;
    if (total > 0)
        e.total = total;
    e.message = message;
    event_tool_progress_publish(c->session->services->bus, &c->session->subject,
                                &e);
    return true;
}

void
calls_cancel_all(struct calls *c, const char *why)
{
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call->outcome)
            continue;
        calls_answer_error(c, call, "cancelled", why);
        if (call->broker_id)
            broker_cancel(c->session->services->broker, call->broker_id);
    }
}

/* Without an answer on the stream: as if its calls were not its own. */
void
calls_refused(struct calls *c)
{
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call->outcome || calls_is_detached(call))
            continue;
        call->source = 0; /* whatever comes of that one */
        calls_make_orphan(c, call);
        calls_answer_error(c, call, "cancelled", "The model has refused it");
        if (call->broker_id)
            broker_cancel(c->session->services->broker, call->broker_id);
    }
}

cJSON *
calls_of_turn(const struct calls *c, uint64_t turn_id)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < CALLS_REMEMBERED; i++) {
        const struct call *call = &c->log[i];
        if (!call->number || call->turn_id != turn_id)
            continue;
        cJSON *entry = cJSON_CreateObject();
        jsonx_add_text(entry, "tool", call->tool);
        jsonx_add_u64(entry, "call", call->number);
        jsonx_add_text(entry, "outcome",
                       call->outcome ? call->outcome : "open");
        jsonx_put(list, NULL, entry);
    }
    return list;
}
