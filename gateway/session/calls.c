#include "gateway/session/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/self.h"
#include "gateway/session/setup.h"
#include "gateway/sonic/encode.h"
#include "ipc/fnv.h"

/* Calls whose ids and outcomes are remembered after their end. */
#define REMEMBERED 64u

struct call {
    uint64_t number; /* the gateway's id, counts from 1 in each session */
    uint64_t broker_id;
    uint64_t turn_id, response_id;
    uint32_t generation;
    uint64_t started_ns;
    const char *outcome; /* NULL while it is open; static storage */
    bool orphan;         /* its stream is gone */
    uint64_t mark;       /* of its arguments */
    uint64_t partner;    /* orphan: the call it answers; else: its orphan */
    char *kept;          /* an orphan's result, until it is asked for */
    uint64_t ended_ns;
    char tool[65];
    char tool_use_id[80];
};

/* How long a late result is kept for the model to ask again. */
#define KEPT_NS (300 * CLOCK_NS_PER_S)

/* Of a late result that is told as a text. */
#define TOLD_BYTES 8192

/* What the broker holds: outlives the session if it must. */
struct ticket {
    struct calls *calls; /* NULL once they are gone */
    uint64_t number;
    struct ticket *next;
};

struct calls {
    struct session *session;
    struct call log[REMEMBERED]; /* in no order */
    struct ticket *tickets;
    uint64_t last_number;
    size_t open;
};

struct calls *
calls_new(struct session *session)
{
    struct calls *c = calloc(1, sizeof *c);
    if (c)
        c->session = session;
    return c;
}

static struct call *
find_by_number(struct calls *c, uint64_t number)
{
    for (size_t i = 0; i < REMEMBERED; i++) {
        if (c->log[i].number == number)
            return &c->log[i];
    }
    return NULL;
}

/* There is always one: fewer may be open than are remembered. */
static struct call *
oldest_ended(struct calls *c)
{
    struct call *oldest = NULL;
    for (size_t i = 0; i < REMEMBERED; i++) {
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
        struct call *call = find_by_number(c, t->number);
        if (call)
            broker_cancel(c->session->services->broker, call->broker_id);
    }
    for (size_t i = 0; i < REMEMBERED; i++)
        free(c->log[i].kept);
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
    for (size_t i = 0; i < REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (call->number && strlen(call->tool_use_id) == id->bytes &&
            memcmp(call->tool_use_id, id->text, id->bytes) == 0)
            return call;
    }
    return NULL;
}

/* ---- telling ---- */

static void
tell_call(struct session *s, const struct call *call, const char *arguments)
{
    struct event_tool_call e;
    event_tool_call_init(&e);
    e.call = call->number;
    e.tool = call->tool;
    e.arguments = cJSON_Parse(arguments);
    e.turn = call->turn_id;
    e.response = call->response_id;
    e.tool_use_id = call->tool_use_id;
    event_tool_call_publish(s->services->bus, &s->subject, &e);
    log_info(tools, s->context, "call %llu: %s",
             (unsigned long long)call->number, call->tool);
}

static void
tell_result(struct session *s, const struct call *call, const char *content,
            const char *reason, uint64_t now_ns)
{
    struct event_tool_result e;
    event_tool_result_init(&e);
    e.call = call->number;
    e.tool = call->tool;
    e.outcome = call->outcome;
    e.content = cJSON_Parse(content);
    e.duration_seconds = (double)(now_ns - call->started_ns) / 1e9;
    e.reason = reason;
    e.late = call->orphan;
    event_tool_result_publish(s->services->bus, &s->subject, &e);
    if (reason)
        log_warn(tools, s->context, "call %llu: %s: %s: %s",
                 (unsigned long long)call->number, call->tool, call->outcome,
                 reason);
    else
        log_info(tools, s->context, "call %llu: %s: %s",
                 (unsigned long long)call->number, call->tool, call->outcome);
}

/* ---- answering ---- */

/* VR_LIMIT: it is more than the endpoint takes; nothing is sent. */
static enum vr_status
encode_result(struct link *link, const struct call *call, const char *content)
{
    char name[UUID_TEXT_BYTES];
    uuid_make(name);
    struct sonic_tool_result result = {.prompt_name = link_prompt_name(link),
                                       .content_name = name,
                                       .tool_use_id = call->tool_use_id,
                                       .content = content,
                                       .content_bytes = strlen(content)};
    size_t first = sonic_batch_count(link_outbox(link));
    enum vr_status status =
        sonic_encode_tool_result(link_outbox(link), &result);
    if (status != VR_OK || link_fits(link, first))
        return status;
    sonic_batch_truncate(link_outbox(link), first);
    return VR_LIMIT;
}

/* An answer belongs to the stream that asked (PROTOCOL 6.4), and goes out
 * before that stream's end. False if it is too large. */
static bool
send_result(struct session *s, const struct call *call, const char *content)
{
    struct link *link = s->leg.link;
    if (call->orphan || !link || link_generation(link) != call->generation ||
        link_finishing(link))
        return true;
    enum vr_status status = encode_result(link, call, content);
    if (status == VR_LIMIT)
        return false;
    if (status == VR_OK)
        status = link_flush(link);
    if (status == VR_CLOSED)
        log_debug(tools, s->context, "the result of %s finds no stream",
                  call->tool);
    else if (status != VR_OK)
        log_error(tools, s->context, "the result of %s could not be sent: %s",
                  call->tool, vr_status_text(status));
    return true;
}

static void
answer(struct calls *c, struct call *call, const char *outcome,
       const char *content, const char *reason)
{
    uint64_t now_ns = clock_mono_ns();
    if (call->outcome)
        return;
    if (!send_result(c->session, call, content)) {
        outcome = "error";
        reason = "The result is larger than the model takes";
        content = "{\"error\":\"The result is larger than the model takes\"}";
        send_result(c->session, call, content);
    }
    call->outcome = outcome;
    call->ended_ns = now_ns;
    if (!call->orphan) {
        c->open--;
        dialogue_tool_answered(c->session->dialogue, call->response_id, now_ns);
    }
    tell_result(c->session, call, content, reason, now_ns);
}

static void
answer_error(struct calls *c, struct call *call, const char *outcome,
             const char *reason)
{
    cJSON *object = cJSON_CreateObject();
    jsonx_add_text(object, "error", reason);
    char *content = cJSON_PrintUnformatted(object);
    answer(c, call, outcome,
           content ? content : "{\"error\":\"out of memory\"}", reason);
    cJSON_free(content);
    cJSON_Delete(object);
}

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

/* ---- results that come after their stream ---- */

/* An instruction, because the model takes a mere statement for the user's. */
static void
tell_model(struct session *s, const struct call *call, const char *content)
{
    char text[TOLD_BYTES];
    size_t fits = history_cut(content, strlen(content), TOLD_BYTES - 256);
    snprintf(text, sizeof text,
             "The tool %s, which you called before, has answered now: %.*s. "
             "Tell the user what it says, unless it does not matter any more",
             call->tool, (int)fits, content);
    enum vr_status status = texts_add_quiet(&s->texts, text);
    if (status != VR_OK)
        log_error(tools, s->context,
                  "the late result of %s cannot be told to the model: %s",
                  call->tool, vr_status_text(status));
}

/* The question that it was called for is said to the new stream again, which
 * will ask for it again, too. */
static bool
asked_anew(struct session *s, const struct call *orphan)
{
    const struct turn *turn = dialogue_turn(s->dialogue, orphan->turn_id);
    return turn && !turn->published && turn->response_id != orphan->response_id;
}

static void
pass_on(struct calls *c, struct call *orphan, const char *content)
{
    struct session *s = c->session;
    struct call *asker =
        orphan->partner ? find_by_number(c, orphan->partner) : NULL;
    s->counters.late_results++;
    if (asker && !asker->outcome)
        answer(c, asker, orphan->outcome, content, NULL);
    else if (s->family->features.interactive_text && !asked_anew(s, orphan))
        tell_model(s, orphan, content);
    else
        orphan->kept = strdup(content);
}

/* An orphan of the same call, running or with its result kept. */
static struct call *
find_orphan(struct calls *c, const struct call *wanted, uint64_t now_ns)
{
    for (size_t i = 0; i < REMEMBERED; i++) {
        struct call *call = &c->log[i];
        bool same = call->number && call->orphan && !call->partner &&
                    call->mark == wanted->mark &&
                    strcmp(call->tool, wanted->tool) == 0;
        bool kept = call->kept && now_ns < call->ended_ns + KEPT_NS;
        if (same && (!call->outcome || kept))
            return call;
    }
    return NULL;
}

/* The model asks on the new stream what it had asked on the old one. */
static bool
adopt(struct calls *c, struct call *call)
{
    struct call *orphan = find_orphan(c, call, clock_mono_ns());
    if (!orphan)
        return false;
    orphan->partner = call->number;
    call->partner = orphan->number;
    if (orphan->outcome)
        answer(c, call, orphan->outcome, orphan->kept, NULL);
    return true;
}

static void
make_orphan(struct calls *c, struct call *call)
{
    struct call *own = call->partner ? find_by_number(c, call->partner) : NULL;
    uint64_t now_ns = clock_mono_ns();
    dialogue_tool_answered(c->session->dialogue, call->response_id, now_ns);
    c->open--;
    call->orphan = true;
    if (!call->partner)
        return;
    /* It only waited for another orphan, which is free again. */
    if (own)
        own->partner = 0;
    answer_error(c, call, "cancelled", "Its stream is gone");
}

void
calls_orphan(struct calls *c, uint32_t keep)
{
    for (size_t i = 0; c->open && i < REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (call->number && !call->outcome && !call->orphan &&
            (!keep || call->generation != keep))
            make_orphan(c, call);
    }
}

static void
on_result(void *arg, uint64_t broker_id, const struct tool_result *result)
{
    struct ticket *ticket = arg;
    struct calls *c = ticket->calls;
    (void)broker_id;
    if (c) {
        struct call *call = find_by_number(c, ticket->number);
        forget_ticket(c, ticket);
        if (call && !call->outcome) {
            answer(c, call, calls_outcome_name(result->outcome),
                   result->content_json, result->reason);
            if (call->orphan)
                pass_on(c, call, result->content_json);
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
new_call(struct calls *c, uint32_t generation, const struct sonic_event *event)
{
    struct session *s = c->session;
    struct call *call = oldest_ended(c);
    free(call->kept);
    memset(call, 0, sizeof *call);
    call->number = ++c->last_number;
    call->started_ns = clock_mono_ns();
    call->generation = generation;
    call->mark = fnv_text(FNV_BASIS, event->u.tool_use.arguments.text);
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

void
calls_begin(struct calls *c, uint32_t generation,
            const struct sonic_event *event)
{
    struct session *s = c->session;
    if (!can_be_answered(c, event))
        return;
    bool full = c->open >= CALLS_MAX;
    struct call *call = new_call(c, generation, event);
    const char *arguments = event->u.tool_use.arguments.text;
    tell_call(s, call, arguments);
    if (s->state == SESSION_closing)
        answer_error(c, call, "cancelled", "The conversation is being closed");
    else if (full)
        answer_error(c, call, "error", "Too many tools are running already");
    else if (event->u.tool_use.name.bytes >= sizeof call->tool ||
             !setup_tool_allowed(s->settings, call->tool))
        answer_error(c, call, "error",
                     "This conversation has no tool of that name");
    else if (adopt(c, call))
        log_info(tools, s->context,
                 "call %llu is answered by one of the stream before",
                 (unsigned long long)call->number);
    else if (!hand_to_broker(c, call, arguments))
        answer_error(c, call, "error", "The gateway cannot run tools now");
    if (!call->outcome && generation != s->leg.generation)
        make_orphan(c, call);
}

void
calls_cancel_all(struct calls *c, const char *why)
{
    for (size_t i = 0; i < REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call->outcome)
            continue;
        answer_error(c, call, "cancelled", why);
        if (call->broker_id)
            broker_cancel(c->session->services->broker, call->broker_id);
    }
}

/* Without an answer on the stream: as if its calls were not its own. */
void
calls_refused(struct calls *c)
{
    for (size_t i = 0; i < REMEMBERED; i++) {
        struct call *call = &c->log[i];
        if (!call->number || call->outcome || call->orphan)
            continue;
        make_orphan(c, call);
        if (!call->outcome)
            answer_error(c, call, "cancelled", "The model has refused it");
        if (call->broker_id)
            broker_cancel(c->session->services->broker, call->broker_id);
    }
}

cJSON *
calls_of_turn(const struct calls *c, uint64_t turn_id)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < REMEMBERED; i++) {
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
