/* The providers of a broker: their order, how many there may be, and how they
 * stand. */
#include "gateway/toolbroker/broker_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "gateway/toolbroker/plugin.h"
#include "gateway/toolbroker/tool_content.h"

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

/* Why the file of a plugin that there is is not what runs, or NULL. */
static const char *
trouble_of(const struct broker *b, const struct provider *p)
{
    const struct plugin_shelf_entry *e =
        p->kind == BROKER_PROVIDER_PLUGIN
            ? plugin_shelf_at(&b->shelf, p->plugin->path)
            : NULL;

    return e ? e->trouble : NULL;
}

static const char *
reason_of(const struct broker *b, const struct provider *p)
{
    const char *trouble = trouble_of(b, p);

    if (trouble)
        return trouble;
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

typedef void visit_fn(void *arg, const struct broker_provider *provider);

static void
show(const struct broker *b, const struct provider *p, visit_fn *visit,
     void *arg)
{
    struct broker_provider view = {.name = p->name,
                                   .kind = p->kind,
                                   .state = state_of(p),
                                   .source = provider_source(p),
                                   .reason = reason_of(b, p),
                                   .tools = p->tools.count};

    for (const struct toolcall *call = p->queue; call; call = call->next)
        view.calls++;
    for (const struct worker *w = p->workers; w; w = w->next)
        add_worker(&view, w);
    visit(arg, &view);
}

/* What is not used, and so is no provider. */
static void
show_unused(const char *name, const char *path, const char *state,
            const char *reason, visit_fn *visit, void *arg)
{
    char who[PATH_MAX], where[PATH_MAX], why[1024];
    struct broker_provider view = {.name = who,
                                   .kind = BROKER_PROVIDER_PLUGIN,
                                   .state = state,
                                   .source = where,
                                   .reason = why};

    snprintf(who, sizeof who, "%s", name);
    snprintf(where, sizeof where, "%s", path);
    snprintf(why, sizeof why, "%s", reason);
    tool_content_clean(who);
    tool_content_clean(where);
    tool_content_clean(why);
    visit(arg, &view);
}

static bool
is_run(const struct broker *b, const char *path)
{
    for (const struct provider *p = b->providers; p; p = p->next) {
        if (!p->leaving && p->kind == BROKER_PROVIDER_PLUGIN &&
            strcmp(p->plugin->path, path) == 0)
            return true;
    }
    return false;
}

static void
show_shelf(const struct broker *b, visit_fn *visit, void *arg)
{
    const struct plugin_shelf *shelf = &b->shelf;

    for (const struct plugin_shelf_entry *e = shelf->entries; e; e = e->next) {
        const char *reason = e->trouble;
        if (!reason && e->state != PLUGIN_SHELF_GOOD)
            reason = "it is new; it is used when it has been still for a "
                     "moment";
        if (reason && !is_run(b, e->path))
            show_unused(e->name, e->path,
                        e->state == PLUGIN_SHELF_NEW ? "waiting" : "refused",
                        reason, visit, arg);
    }
    for (size_t i = 0; i < shelf->folder_count; i++) {
        const struct plugin_shelf_folder *folder = &shelf->folders[i];
        if (folder->trouble)
            show_unused(folder->path, folder->path, "refused", folder->trouble,
                        visit, arg);
    }
}

void
broker_each_provider(const struct broker *b,
                     void (*visit)(void *arg,
                                   const struct broker_provider *provider),
                     void *arg)
{
    for (const struct provider *p = b->providers; p; p = p->next)
        show(b, p, visit, arg);
    show_shelf(b, visit, arg);
}
