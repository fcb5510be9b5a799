#include "gateway/toolbroker/provider_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/tool_content.h"

/* When a worker's queue was full, it is tried again after this. */
#define RESEND_NS (5 * CLOCK_NS_PER_MS)

void
provider_queue_end(struct provider *p, struct toolcall *call,
                   enum tool_outcome outcome, char *content_json,
                   const char *reason)
{
    struct broker_counters *n = p->context->counters;

    switch (outcome) {
    case TOOL_OK:
        n->calls_ok_total++;
        break;
    case TOOL_ERROR:
        n->calls_error_total++;
        break;
    case TOOL_TIMEOUT:
        n->calls_timeout_total++;
        break;
    case TOOL_CANCELLED:
        n->calls_cancelled_total++;
        break;
    case TOOL_CRASHED:
        n->calls_crashed_total++;
        break;
    }
    toolcall_end(p->context->calls, call, outcome, content_json, reason);
    p->context->calls_ended(p->context->arg);
}

static void
unlink_call(struct provider *p, struct toolcall *call)
{
    struct toolcall **at = &p->queue;

    while (*at && *at != call)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = call->next;
    if (p->queue_tail == &call->next)
        p->queue_tail = at;
    call->next = NULL;
}

void
provider_queue_add(struct provider *p, struct toolcall *call)
{
    char reason[320];

    call->owner = p;
    p->calls_total++;
    if (p->ops->run && p->ops->run(p, call))
        return;
    if (!p->ops->is_near(p, reason, sizeof reason)) {
        provider_queue_end(p, call, TOOL_CRASHED, NULL, reason);
        return;
    }
    call->next = NULL;
    *p->queue_tail = call;
    p->queue_tail = &call->next;
    provider_queue_send(p);
}

/* Tries one call. False if no other should be tried now. */
static bool
send_one(struct provider *p, struct toolcall *call, uint64_t now_ns)
{
    struct worker *w = p->ops->pick(p, call);
    enum vr_status status;

    if (!w)
        return true;
    status = worker_send_call(w, p->context->router, call, now_ns);
    switch (status) {
    case VR_OK:
        unlink_call(p, call);
        return true;
    case VR_AGAIN:
        p->context->counters->unsent_total++;
        p->resend_ns = now_ns + RESEND_NS;
        p->context->wake_at(p->context->arg, p->resend_ns);
        return false;
    case VR_NO_MEMORY:
        unlink_call(p, call);
        provider_queue_end(p, call, TOOL_ERROR, NULL,
                           "The gateway is out of memory");
        return true;
    default:
        p->ops->fail_worker(w, "it closed its connection");
        return false;
    }
}

void
provider_queue_send(struct provider *p)
{
    uint64_t now_ns = clock_mono_ns();
    struct toolcall *call, *next;

    p->resend_ns = 0;
    for (call = p->queue; call; call = next) {
        next = call->next;
        if (!send_one(p, call, now_ns))
            return;
    }
}

uint64_t
provider_queue_tick(struct provider *p, uint64_t now_ns)
{
    if (p->resend_ns != 0 && now_ns >= p->resend_ns)
        provider_queue_send(p);
    return p->resend_ns != 0 ? p->resend_ns : UINT64_MAX;
}

void
provider_queue_drop(struct provider *p, struct toolcall *call,
                    enum tool_outcome outcome, const char *why)
{
    const struct provider_context *context = p->context;
    uint64_t now_ns = clock_mono_ns();
    struct worker *w = call->worker;

    if (w) {
        worker_orphan(w, context->router, call->id, why, now_ns);
        context->wake_at(context->arg,
                         now_ns + context->hang_grace_ms * CLOCK_NS_PER_MS);
    } else {
        unlink_call(p, call);
    }
    if (outcome == TOOL_CANCELLED)
        provider_queue_end(p, call, outcome, tool_content_error("cancelled"),
                           why);
    else
        provider_queue_end(p, call, outcome, NULL, why);
    if (w && w->state == WORKER_RETIRED && worker_wanted(w) == 0)
        p->ops->release_worker(w);
}

void
provider_queue_fail(struct provider *p, const char *reason)
{
    while (p->queue) {
        struct toolcall *call = p->queue;
        unlink_call(p, call);
        provider_queue_end(p, call, TOOL_CRASHED, NULL, reason);
    }
}

void
provider_queue_fail_worker(struct worker *w, const char *how)
{
    struct provider *p = w->provider;
    char reason[320];

    for (size_t i = 0; i < w->call_count; i++) {
        struct toolcall *call =
            toolcall_find(p->context->calls, w->calls[i].call_id);
        if (!call || call->worker != w)
            continue;
        snprintf(reason, sizeof reason,
                 "The tool %s failed: its program stopped in the middle of "
                 "the call, %s",
                 call->tool, how);
        toolcall_blame(call, how, p->next_step);
        provider_queue_end(p, call, TOOL_CRASHED, NULL, reason);
    }
    w->call_count = 0;
}

/* A worker that drains had not begun this call: another one gets it. */
static void
give_back(struct provider *p, struct toolcall *call)
{
    char reason[200];

    call->worker = NULL;
    if (p->leaving) {
        snprintf(reason, sizeof reason,
                 "The %s %.64s was removed before it began the call",
                 provider_kind_noun(p->kind), p->name);
        provider_queue_end(p, call, TOOL_CRASHED, NULL, reason);
        return;
    }
    call->next = p->queue;
    if (!p->queue)
        p->queue_tail = &call->next;
    p->queue = call;
}

/* An answer that cannot be used is told like any other failure. */
static void
blame_answer(const struct provider *p, struct toolcall *call,
             const struct tool_content *content)
{
    char next[160] = "it goes on";

    if (content->is_too_large)
        snprintf(next, sizeof next,
                 "it goes on; %s.%.64s.result_bytes sets how much it may "
                 "answer",
                 provider_rule_section(p->kind), p->name);
    if (content->failure[0])
        toolcall_blame(call, content->failure, next);
}

static void
end_with_answer(struct provider *p, struct toolcall *call,
                const struct worker_message *m)
{
    struct tool_content content;
    char reason[320];

    if (m->kind == WORKER_FAILED) {
        snprintf(reason, sizeof reason, "The tool %s failed: %.200s",
                 call->tool, m->text);
        provider_queue_end(p, call, TOOL_ERROR, NULL, reason);
        return;
    }
    tool_content_read(m->body, p->result_max_bytes, &content);
    if (!content.json) {
        provider_queue_end(p, call, TOOL_ERROR, NULL,
                           "The gateway is out of memory");
        return;
    }
    if (content.outcome == TOOL_OK)
        p->ops->good_result(p);
    blame_answer(p, call, &content);
    provider_queue_end(p, call, content.outcome, content.json,
                       content.outcome == TOOL_OK ? NULL : content.reason);
}

void
provider_queue_answer(struct worker *w, const struct worker_message *m)
{
    struct provider *p = w->provider;
    struct toolcall *call = toolcall_find(p->context->calls, m->call_id);
    bool known = worker_answered(w, m->call_id);

    if (!known || !call || call->worker != w) {
        p->context->counters->late_results_total++;
        log_debug(tools, p->name,
                  "an answer was dropped: nobody waits for it any more");
    } else if (m->kind == WORKER_FAILED && m->code == WORKER_ERROR_NOT_BEGUN &&
               w->state == WORKER_RETIRED) {
        give_back(p, call);
    } else {
        end_with_answer(p, call, m);
    }
    if (w->state == WORKER_RETIRED && worker_wanted(w) == 0)
        p->ops->release_worker(w);
    provider_queue_send(p);
}
