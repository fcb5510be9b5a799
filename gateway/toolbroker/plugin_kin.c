#include "gateway/toolbroker/plugin_kin.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/clock.h"
#include "gateway/toolbroker/plugin_boot.h"
#include "gateway/toolbroker/plugin_worker.h"

/* The first look after a beginning, and the time from look to look. */
#define FIRST_LOOK_NS (200 * CLOCK_NS_PER_MS)
#define LOOK_NS CLOCK_NS_PER_S

#define MIB (1024u * 1024)

static bool
is_alive(const struct worker *w)
{
    return w->child && w->state != WORKER_STOPPING && w->state != WORKER_DEAD;
}

static void
plan(struct worker *w, uint64_t due_ns)
{
    const struct provider_context *context = w->provider->context;

    w->kin_due_ns = due_ns;
    context->wake_at(context->arg, due_ns);
}

void
plugin_kin_expect(struct worker *w, uint64_t now_ns)
{
    uint64_t due_ns = now_ns + FIRST_LOOK_NS;

    if (w->provider->kind != BROKER_PROVIDER_PLUGIN || w->kin_due_ns != 0)
        return;
    if (w->kin_last_ns != 0 && due_ns < w->kin_last_ns + LOOK_NS)
        due_ns = w->kin_last_ns + LOOK_NS;
    plan(w, due_ns);
}

/* It starts, or has calls: it may start processes now. */
static bool
is_busy(const struct worker *w)
{
    return w->state == WORKER_STARTING || w->state == WORKER_LISTING ||
           w->call_count > 0;
}

uint64_t
plugin_kin_tick(struct provider *p, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;

    for (struct worker *w = p->workers; w; w = w->next) {
        if (w->kin_due_ns == 0 || !is_alive(w))
            continue;
        if (now_ns >= w->kin_due_ns) {
            w->kin_last_ns = now_ns;
            w->kin_due_ns = is_busy(w) ? now_ns + LOOK_NS : 0;
            child_measure(w->child);
        }
        if (w->kin_due_ns != 0 && w->kin_due_ns < due_ns)
            due_ns = w->kin_due_ns;
    }
    return due_ns;
}

void
plugin_kin_found(struct worker *w, const struct child_kin *kin)
{
    struct provider *p = w->provider;
    uint64_t memory_bytes = (uint64_t)p->rule->memory_mb * MIB;

    if (kin->count == 0 || !is_alive(w))
        return;
    if (kin->count > PLUGIN_KIN_MAX) {
        snprintf(w->kin_fault, sizeof w->kin_fault,
                 "it started more than %d processes (there were %" PRIu32 ")",
                 PLUGIN_KIN_MAX, kin->count);
        plugin_worker_fail(w, w->kin_fault);
    } else if (memory_bytes > 0 && kin->bytes > memory_bytes) {
        plugin_boot_memory(p, w->kin_fault, sizeof w->kin_fault);
        plugin_worker_fail(w, w->kin_fault);
    } else if (w->kin_due_ns == 0) {
        plan(w, w->kin_last_ns + LOOK_NS);
    }
}
