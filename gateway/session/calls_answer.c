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

void
calls_answer(struct calls *c, struct call *call, const char *outcome,
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

void
calls_answer_error(struct calls *c, struct call *call, const char *outcome,
                   const char *reason)
{
    cJSON *object = cJSON_CreateObject();
    jsonx_add_text(object, "error", reason);
    char *content = cJSON_PrintUnformatted(object);
    calls_answer(c, call, outcome,
                 content ? content : "{\"error\":\"out of memory\"}", reason);
    cJSON_free(content);
    cJSON_Delete(object);
}
