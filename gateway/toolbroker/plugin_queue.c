#include "gateway/toolbroker/plugin_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/tool_content.h"

/* A worker that is nearer than this is worth waiting for. */
#define NEAR_NS (1000 * CLOCK_NS_PER_MS)
/* When a worker's queue was full, it is tried again after this. */
#define RESEND_NS (5 * CLOCK_NS_PER_MS)

static void
end_call(struct plugin *p, struct toolcall *call, enum tool_outcome outcome,
         char *content_json, const char *reason)
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
unlink_call(struct plugin *p, struct toolcall *call)
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

static void
not_running(const struct plugin *p, char *reason, size_t size)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t wait_ms =
        p->due_ns > now_ns ? (p->due_ns - now_ns) / CLOCK_NS_PER_MS : 0;

    snprintf(reason, size,
             "The plugin %s is not running: %s. It starts again in %llu s",
             p->name, p->last_death,
             (unsigned long long)((wait_ms + 999) / 1000));
}

void
plugin_queue_add(struct plugin *p, struct toolcall *call)
{
    char reason[320];

    call->plugin = p;
    if (p->state == PLUGIN_WAITING && p->due_ns > clock_mono_ns() + NEAR_NS) {
        not_running(p, reason, sizeof reason);
        end_call(p, call, TOOL_CRASHED, NULL, reason);
        return;
    }
    call->next = NULL;
    *p->queue_tail = call;
    p->queue_tail = &call->next;
    plugin_queue_send(p);
}

/* Tries one call. False if no other should be tried now. */
static bool
send_one(struct plugin *p, struct toolcall *call, uint64_t now_ns)
{
    struct worker *w = p->current;
    enum vr_status status;

    if (!worker_can_take(w, call->tool, call->serial))
        return w->call_count < WORKER_CALLS_MAX;
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
        end_call(p, call, TOOL_ERROR, NULL, "The gateway is out of memory");
        return true;
    default:
        plugin_fail_worker(w, "it closed its connection");
        return false;
    }
}

void
plugin_queue_send(struct plugin *p)
{
    uint64_t now_ns = clock_mono_ns();
    struct toolcall *call, *next;

    p->resend_ns = 0;
    if (!p->current || p->current->state != WORKER_READY)
        return;
    for (call = p->queue; call; call = next) {
        next = call->next;
        if (!send_one(p, call, now_ns))
            return;
    }
}

void
plugin_queue_drop(struct plugin *p, struct toolcall *call,
                  enum tool_outcome outcome, const char *why)
{
    const struct plugin_context *context = p->context;
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
        end_call(p, call, outcome, tool_content_error("cancelled"), why);
    else
        end_call(p, call, outcome, NULL, why);
    if (w && w->state == WORKER_RETIRED && worker_wanted(w) == 0) {
        w->state = WORKER_STOPPING;
        child_stop(w->child);
    }
}

void
plugin_queue_fail(struct plugin *p, const char *reason)
{
    while (p->queue) {
        struct toolcall *call = p->queue;
        unlink_call(p, call);
        end_call(p, call, TOOL_CRASHED, NULL, reason);
    }
}

void
plugin_queue_fail_worker(struct worker *w, const char *how)
{
    struct plugin *p = w->plugin;
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
        end_call(p, call, TOOL_CRASHED, NULL, reason);
    }
    w->call_count = 0;
}

/* A worker that drains had not begun this call: another one gets it. */
static void
give_back(struct plugin *p, struct toolcall *call)
{
    call->worker = NULL;
    call->next = p->queue;
    if (!p->queue)
        p->queue_tail = &call->next;
    p->queue = call;
}

static void
end_with_answer(struct plugin *p, struct toolcall *call,
                const struct worker_message *m)
{
    struct tool_content content;
    char reason[320];

    if (m->kind == WORKER_FAILED) {
        snprintf(reason, sizeof reason, "The tool %s failed: %.200s",
                 call->tool, m->text);
        end_call(p, call, TOOL_ERROR, NULL, reason);
        return;
    }
    tool_content_read(m->body, p->context->result_max_bytes, &content);
    if (!content.json) {
        end_call(p, call, TOOL_ERROR, NULL, "The gateway is out of memory");
        return;
    }
    if (content.outcome == TOOL_OK)
        p->streak = 0;
    end_call(p, call, content.outcome, content.json,
             content.outcome == TOOL_OK ? NULL : content.reason);
}

void
plugin_queue_answer(struct worker *w, const struct worker_message *m)
{
    struct plugin *p = w->plugin;
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
    if (w->state == WORKER_RETIRED && worker_wanted(w) == 0) {
        w->state = WORKER_STOPPING;
        child_stop(w->child);
    }
    plugin_queue_send(p);
}
