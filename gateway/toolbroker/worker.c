#include "gateway/toolbroker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/provider.h"

struct worker *
worker_new(struct provider *provider)
{
    struct worker *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->provider = provider;
    w->begin_ns = clock_mono_ns();
    uuid_make(w->token);
    w->calls_max = provider->rule->concurrent_calls;
    if (w->calls_max < 1 || w->calls_max > WORKER_CALLS_MAX)
        w->calls_max = WORKER_CALLS_MAX;
    return w;
}

void
worker_free(struct worker **worker)
{
    struct worker *w = *worker;

    *worker = NULL;
    if (!w)
        return;
    cJSON_Delete(w->listed);
    tool_list_fini(&w->tools);
    free(w);
}

bool
worker_can_take(const struct worker *w, const char *tool, bool serial)
{
    if (w->state != WORKER_READY || w->call_count >= w->calls_max)
        return false;
    for (size_t i = 0; serial && i < w->call_count; i++) {
        if (strcmp(w->calls[i].tool, tool) == 0)
            return false;
    }
    return true;
}

/* 0: as long as it likes. */
static uint32_t
time_left_ms(const struct toolcall *call, uint64_t now_ns)
{
    if (call->deadline_ns == UINT64_MAX)
        return 0;
    if (call->deadline_ns <= now_ns)
        return 1;
    return (uint32_t)((call->deadline_ns - now_ns) / CLOCK_NS_PER_MS) + 1;
}

enum vr_status
worker_send_call(struct worker *w, struct router *router, struct toolcall *call,
                 uint64_t now_ns)
{
    struct broker_caller caller = toolcall_caller(call);
    struct worker_call *slot = &w->calls[w->call_count];
    char *text = worker_message_call(call->id, call->tool, call->arguments,
                                     &caller, time_left_ms(call, now_ns));
    enum vr_status status;

    if (!text)
        return VR_NO_MEMORY;
    status = router_send(router, &w->peer, text);
    free(text);
    if (status != VR_OK)
        return status;
    memset(slot, 0, sizeof *slot);
    slot->call_id = call->id;
    snprintf(slot->tool, sizeof slot->tool, "%s", call->tool);
    w->call_count++;
    w->calls_taken++;
    call->worker = w;
    return VR_OK;
}

void
worker_orphan(struct worker *w, struct router *router, uint64_t call_id,
              const char *reason, uint64_t now_ns)
{
    char *text;

    for (size_t i = 0; i < w->call_count; i++) {
        if (w->calls[i].call_id == call_id)
            w->calls[i].orphan_since_ns = now_ns;
    }
    text = worker_message_cancel(call_id, reason);
    /* advisory: a worker that does not hear it is found by its silence */
    if (text && w->peer.count > 0)
        (void)!router_send(router, &w->peer, text);
    free(text);
}

bool
worker_answered(struct worker *w, uint64_t call_id)
{
    for (size_t i = 0; i < w->call_count; i++) {
        if (w->calls[i].call_id != call_id)
            continue;
        w->calls[i] = w->calls[--w->call_count];
        return true;
    }
    return false;
}

size_t
worker_wanted(const struct worker *w)
{
    size_t count = 0;

    for (size_t i = 0; i < w->call_count; i++)
        count += w->calls[i].orphan_since_ns == 0;
    return count;
}

uint64_t
worker_oldest_orphan_ns(const struct worker *w)
{
    uint64_t oldest = 0;

    for (size_t i = 0; i < w->call_count; i++) {
        uint64_t since = w->calls[i].orphan_since_ns;
        if (since != 0 && (oldest == 0 || since < oldest))
            oldest = since;
    }
    return oldest;
}
