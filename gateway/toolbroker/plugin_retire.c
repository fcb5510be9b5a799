#include "gateway/toolbroker/plugin_retire.h"

#include <stdio.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/plugin_worker.h"
#include "gateway/toolbroker/provider_queue.h"
#include "gateway/toolbroker/provider_talk.h"

/* Older processes with calls in them; beyond, the oldest is killed. */
#define RETIRED_MAX 4

static void
kill_oldest_retired(struct provider *p)
{
    struct worker *oldest = NULL;
    unsigned count = 0;

    for (struct worker *w = p->workers; w; w = w->next) {
        if (w->state != WORKER_RETIRED)
            continue;
        count++;
        oldest = w; /* new ones are put first */
    }
    if (count > RETIRED_MAX)
        plugin_worker_fail(oldest, "too many older processes of it were busy");
}

void
plugin_retire(struct worker *w, uint32_t limit_ms)
{
    struct provider *p;
    uint64_t limit_ns = limit_ms * CLOCK_NS_PER_MS;

    if (!w || w->state == WORKER_STOPPING || w->state == WORKER_DEAD)
        return;
    if (w->state != WORKER_READY || worker_wanted(w) == 0) {
        plugin_worker_stop(w);
        return;
    }
    p = w->provider;
    w->state = WORKER_RETIRED;
    w->start_deadline_ns = limit_ms > 0 ? clock_mono_ns() + limit_ns : 0;
    if (limit_ms > 0)
        p->context->wake_at(p->context->arg, w->start_deadline_ns);
    provider_talk_send(w, worker_message_drain());
    kill_oldest_retired(p);
}

/* Calls that could go on for ever would keep an older process for ever. */
static void
end_endless_calls(struct worker *w)
{
    struct provider *p = w->provider;
    char reason[300];

    for (size_t i = 0; i < w->call_count && w->state == WORKER_RETIRED; i++) {
        struct toolcall *call =
            toolcall_find(p->context->calls, w->calls[i].call_id);
        if (!call || call->worker != w || call->deadline_ns != UINT64_MAX)
            continue;
        snprintf(reason, sizeof reason,
                 "The tool %s was ended: its %s %.64s was replaced or removed, "
                 "and it was still running %u ms later",
                 call->tool, provider_kind_noun(p->kind), p->name,
                 p->context->retire_ms);
        toolcall_blame(call,
                       "it was replaced or removed in the middle of the "
                       "call",
                       NULL);
        provider_queue_drop(p, call, TOOL_ERROR, reason);
    }
}

uint64_t
plugin_retire_tick(struct provider *p, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;

    for (struct worker *w = p->workers; w; w = w->next) {
        if (w->state != WORKER_RETIRED || w->start_deadline_ns == 0)
            continue;
        if (now_ns >= w->start_deadline_ns) {
            w->start_deadline_ns = 0;
            end_endless_calls(w);
        } else if (w->start_deadline_ns < due_ns) {
            due_ns = w->start_deadline_ns;
        }
    }
    return due_ns;
}
