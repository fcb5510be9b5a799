/* How a tool call is answered, on the stream that asked, and that told. */
#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/calls_state.h"
#include "gateway/session/self.h"
#include "gateway/sonic/encode.h"

static void
tell_result(struct session *s, const struct call *call,
            const struct call_end *end, const char *delivery, uint64_t now_ns)
{
    struct event_tool_result e;
    event_tool_result_init(&e);
    e.call = call->number;
    e.tool = call->tool;
    e.outcome = call->outcome;
    e.content = cJSON_Parse(end->content);
    e.duration_seconds = (double)(now_ns - call->started_ns) / 1e9;
    e.reason = end->reason;
    e.late = call->orphan;
    e.failure = end->failure;
    e.next = end->next;
    e.delivery = delivery;
    const struct tool *tool = broker_find(s->services->broker, call->tool);
    e.provider = end->provider ? end->provider : tool ? tool->provider : NULL;
    event_tool_result_publish(s->services->bus, &s->subject, &e);
    if (end->reason)
        log_warn(tools, s->context, "call %llu: %s: %s: %s%s%s",
                 (unsigned long long)call->number, call->tool, call->outcome,
                 end->reason, end->next ? "; " : "",
                 end->next ? end->next : "");
    else
        log_info(tools, s->context, "call %llu: %s: %s",
                 (unsigned long long)call->number, call->tool, call->outcome);
}

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

static bool
is_wanted(const struct session *s, const struct call *call)
{
    const struct link *link = s->leg.link;
    return !calls_is_detached(call) && link &&
           link_generation(link) == call->generation && !link_finishing(link);
}

/* What a cancelled call sends is one of the things that the sources disagree
 * about (PROTOCOL 7). */
static bool
says_cancelled(const struct session *s)
{
    int how = s->settings->cancelled_result;
    return how == CONFIG_CANCELLED_ERROR ||
           (how == CONFIG_CANCELLED_BY_FAMILY &&
            s->family->features.cancelled_result);
}

/* An answer belongs to the stream that asked (PROTOCOL 6.4), and goes out
 * before that stream's end. VR_OK: it is in the outbox, and nothing else may
 * be; VR_LIMIT: it is too large; VR_CLOSED: there is no stream for it. */
static enum vr_status
send_result(struct session *s, const struct call *call, const char *content)
{
    struct link *link = s->leg.link;
    if (!is_wanted(s, call))
        return VR_CLOSED;
    enum vr_status status = encode_result(link, call, content);
    if (status == VR_LIMIT)
        return status;
    enum vr_status left = status == VR_OK ? link_flush(link) : status;
    if (left == VR_CLOSED)
        log_debug(tools, s->context, "the result of %s finds no stream",
                  call->tool);
    else if (left != VR_OK)
        log_error(tools, s->context, "the result of %s could not be sent: %s",
                  call->tool, vr_status_text(left));
    return left == VR_CLOSED ? left : status;
}

static const struct call_end too_large = {
    .outcome = "error",
    .content = "{\"error\":\"The result is larger than the model takes\"}",
    .reason = "The result is larger than the model takes"};

/* Sends what the call ended with; *end is another if that was too large. How
 * it reached the model. */
static const char *
deliver(struct session *s, const struct call *call, const struct call_end **end)
{
    enum vr_status status;
    if (calls_is_detached(call))
        return (*end)->delivery ? (*end)->delivery : "nothing";
    if (strcmp((*end)->outcome, "cancelled") == 0 && !says_cancelled(s))
        return "nothing";
    status = send_result(s, call, (*end)->content);
    if (status == VR_LIMIT) {
        *end = &too_large;
        status = send_result(s, call, too_large.content);
    }
    return status == VR_OK ? "answer" : "nothing";
}

/* The model waits for it no more. */
static void
settle(struct calls *c, const struct call *call, uint64_t now_ns)
{
    c->open--;
    dialogue_tool_answered(c->session->dialogue, call->response_id, now_ns);
}

bool
calls_answer(struct calls *c, struct call *call, const struct call_end *end)
{
    uint64_t now_ns = clock_mono_ns();
    if (call->outcome)
        return false;
    const char *delivery = deliver(c->session, call, &end);
    call->outcome = end->outcome;
    call->ended_ns = now_ns;
    if (!calls_is_detached(call))
        settle(c, call, now_ns);
    tell_result(c->session, call, end, delivery, now_ns);
    if (!calls_is_detached(call))
        calls_serve(c, call, end);
    return strcmp(delivery, "answer") == 0;
}

void
calls_answer_error(struct calls *c, struct call *call, const char *outcome,
                   const char *reason)
{
    cJSON *object = cJSON_CreateObject();
    jsonx_add_text(object, "error", reason);
    char *content = cJSON_PrintUnformatted(object);
    struct call_end end = {.outcome = outcome,
                           .content = content ? content : "{}",
                           .reason = reason};
    calls_answer(c, call, &end);
    cJSON_free(content);
    cJSON_Delete(object);
}

/* Such as AWS's samples send: the model is told that it runs, and how to ask
 * again. */
static char *
placeholder(const struct call *call)
{
    char sentence[512];
    cJSON *object = cJSON_CreateObject();
    snprintf(sentence, sizeof sentence,
             "%s has begun and its answer is not there yet. Say so to the "
             "user. To learn the answer later, call %s again with the same "
             "input",
             call->tool, call->tool);
    jsonx_add_text(object, "status", "running");
    jsonx_add_text(object, "message", sentence);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

void
calls_hold_place(struct calls *c, struct call *call)
{
    char *content = placeholder(call);
    enum vr_status status =
        send_result(c->session, call, content ? content : "{}");
    cJSON_free(content);
    if (status != VR_OK)
        return; /* its stream is gone: it will be an orphan */
    settle(c, call, clock_mono_ns());
    call->placeheld = true;
    log_info(tools, c->session->context,
             "call %llu: %s runs on; the model has a placeholder",
             (unsigned long long)call->number, call->tool);
}

void
calls_still_running(struct calls *c, struct call *call)
{
    char *content = placeholder(call);
    struct call_end end = {.outcome = "result",
                           .content = content ? content : "{}"};
    calls_answer(c, call, &end);
    cJSON_free(content);
}
