/* The providers of a broker: their order, how many there may be, and how they
 * stand. */
#include "gateway/toolbroker/broker_internal.h"

#include <string.h>

#include "gateway/toolbroker/plugin.h"

struct provider *
broker_provider(const struct broker *b, const char *name)
{
    for (struct provider *p = b->providers; p; p = p->next) {
        if (!p->leaving && strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

static int
rank(const struct provider *p)
{
    switch (p->kind) {
    case BROKER_PROVIDER_BUILTIN:
        return 0;
    case BROKER_PROVIDER_PLUGIN:
        return 1;
    case BROKER_PROVIDER_MCP:
        return 2;
    default:
        return 3;
    }
}

/* Whether `p` has its place before `q`: of two that offer one name, the first
 * keeps it. */
static bool
is_before(const struct provider *p, const struct provider *q)
{
    if (rank(p) != rank(q) || p->kind != BROKER_PROVIDER_PLUGIN)
        return rank(p) < rank(q);
    if (p->plugin->folder != q->plugin->folder)
        return p->plugin->folder < q->plugin->folder;
    return strcmp(p->name, q->name) < 0;
}

void
broker_insert(struct broker *b, struct provider *p)
{
    struct provider **at = &b->providers;

    while (*at && !is_before(p, *at))
        at = &(*at)->next;
    p->next = *at;
    *at = p;
}

bool
broker_is_full(const struct broker *b)
{
    size_t count = 0;

    for (const struct provider *p = b->providers; p; p = p->next)
        count += !p->leaving;
    return count >= BROKER_PROVIDERS_MAX;
}

/* ---- for people ------------------------------------------------------------ */

static const char *
state_of(const struct provider *p)
{
    static const char *const names[] = {"starting", "ready", "waiting",
                                        "refused", "stopped"};

    return p->leaving ? "leaving" : names[p->state];
}

static const char *
reason_of(const struct provider *p)
{
    if (p->state == PROVIDER_REFUSED)
        return p->refusal;
    if (p->state == PROVIDER_WAITING && p->plugin)
        return p->plugin->last_death;
    return NULL;
}

static void
add_worker(struct broker_provider *view, const struct worker *w)
{
    if (w->state == WORKER_DEAD || w->state == WORKER_STOPPING)
        return;
    view->workers++;
    view->calls += worker_wanted(w);
    /* the newest comes first */
    if (view->pid == 0 && w->child)
        view->pid = child_pid(w->child);
}

static void
show(const struct provider *p,
     void (*visit)(void *arg, const struct broker_provider *provider),
     void *arg)
{
    struct broker_provider view = {.name = p->name,
                                   .kind = p->kind,
                                   .state = state_of(p),
                                   .source = provider_source(p),
                                   .reason = reason_of(p),
                                   .tools = p->tools.count};

    for (const struct toolcall *call = p->queue; call; call = call->next)
        view.calls++;
    for (const struct worker *w = p->workers; w; w = w->next)
        add_worker(&view, w);
    visit(arg, &view);
}

void
broker_each_provider(const struct broker *b,
                     void (*visit)(void *arg,
                                   const struct broker_provider *provider),
                     void *arg)
{
    for (const struct provider *p = b->providers; p; p = p->next)
        show(p, visit, arg);
}
