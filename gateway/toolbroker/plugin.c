#include "gateway/toolbroker/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/plugin_kin.h"
#include "gateway/toolbroker/plugin_retire.h"
#include "gateway/toolbroker/plugin_worker.h"
#include "gateway/toolbroker/provider_queue.h"

/* A worker that is nearer than this is worth waiting for. */
#define NEAR_NS (1000 * CLOCK_NS_PER_MS)

static void
free_plugin(struct provider *provider)
{
    struct plugin *p = provider->plugin;

    if (!p)
        return;
    free(p->path);
    free(p->config_json);
    free(p);
}

static void
stop_all(struct provider *p)
{
    p->plugin->current = p->plugin->candidate = NULL;
    for (struct worker *w = p->workers; w; w = w->next)
        plugin_worker_stop(w);
}

static void
stop_plugin(struct provider *p)
{
    p->state = PROVIDER_STOPPED;
    stop_all(p);
}

/* ---- another version ------------------------------------------------------ */

static void
start_anew(struct provider *p)
{
    struct worker *old = p->plugin->current;

    if (p->state == PROVIDER_REFUSED) {
        free(p->refusal);
        p->refusal = NULL;
        p->plugin->was_ready = false;
    }
    p->plugin->streak = 0;
    p->plugin->current = NULL;
    plugin_worker_stop(old);
    plugin_worker_start(p);
}

void
plugin_reload(struct provider *p)
{
    struct worker *newer = p->plugin->candidate;

    p->plugin->trouble_told = false;
    switch (p->state) {
    case PROVIDER_STOPPED:
        break;
    case PROVIDER_READY:
        p->plugin->candidate = NULL;
        plugin_worker_stop(newer);
        plugin_worker_start_candidate(p);
        break;
    default:
        start_anew(p);
        break;
    }
}

void
plugin_replace(struct provider *p, const char *path,
               const struct plugin_file *file, size_t folder)
{
    char *copy = strdup(path);

    if (!copy) {
        log_error(tools, p->name, "out of memory: it was not replaced");
        return;
    }
    free(p->plugin->path);
    p->plugin->path = copy;
    p->plugin->file = *file;
    p->plugin->folder = folder;
    plugin_reload(p);
}

void
plugin_leave(struct provider *p, const char *reason)
{
    struct worker *current = p->plugin->current;
    struct worker *candidate = p->plugin->candidate;

    p->plugin->current = p->plugin->candidate = NULL;
    log_info(tools, p->name, "%s", reason);
    plugin_worker_stop(candidate);
    provider_leave(p, reason);
    plugin_retire(current, p->context->retire_ms);
}

/* ---- what the rest of the broker asks of a plugin ------------------------- */

static struct worker *
pick_worker(struct provider *p, const struct toolcall *call)
{
    struct worker *w = p->plugin->current;

    if (!w || !worker_can_take(w, call->tool, call->serial))
        return NULL;
    plugin_kin_expect(w, clock_mono_ns());
    return w;
}

static bool
is_near(const struct provider *p, char *reason, size_t reason_size)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t due_ns = p->plugin->due_ns;
    uint64_t wait_ms =
        due_ns > now_ns ? (due_ns - now_ns) / CLOCK_NS_PER_MS : 0;

    if (p->state != PROVIDER_WAITING || due_ns <= now_ns + NEAR_NS)
        return true;
    snprintf(reason, reason_size,
             "The %s %.64s is not running: %s. It starts again in %llu s",
             provider_kind_noun(p->kind), p->name, p->plugin->last_death,
             (unsigned long long)((wait_ms + 999) / 1000));
    return false;
}

static void
say_after_timeout(const struct provider *p, const struct toolcall *call,
                  char *next, size_t next_size)
{
    if (call->worker)
        snprintf(next, next_size,
                 "a new process takes over if this one does not end the call "
                 "within %u ms",
                 p->context->hang_grace_ms);
}

static const char *
source(const struct provider *p)
{
    if (p->plugin->path)
        return p->plugin->path;
    return p->rule->command ? p->rule->command
           : p->rule->url   ? p->rule->url
                            : "mcp";
}

static void
on_good_result(struct provider *p)
{
    p->plugin->streak = 0;
}

static struct provider *
make(const struct provider_context *context, enum broker_provider_kind kind,
     const char *name, const char *config_json)
{
    static const struct provider_ops ops = {
        .free = free_plugin,
        .start = plugin_worker_start,
        .stop = stop_plugin,
        .tick = plugin_worker_tick,
        .pick = pick_worker,
        .is_near = is_near,
        .refused = stop_all,
        .fail_worker = plugin_worker_fail,
        .release_worker = plugin_worker_stop,
        .listed = plugin_worker_listed,
        .refuse_worker = plugin_worker_refuse,
        .after_timeout = say_after_timeout,
        .source = source,
        .good_result = on_good_result,
    };
    struct provider *p = provider_new(context, &ops, kind, name);

    if (!p)
        return NULL;
    p->plugin = calloc(1, sizeof *p->plugin);
    if (p->plugin) {
        p->plugin->config_json = strdup(config_json ? config_json : "{}");
        p->plugin->unconfigured = !config_json;
    }
    if (!p->plugin || !p->plugin->config_json)
        provider_free(&p);
    return p;
}

struct provider *
plugin_new(const struct provider_context *context, const char *name,
           const char *path, const struct plugin_file *file, size_t folder,
           const char *config_json)
{
    struct provider *p =
        make(context, BROKER_PROVIDER_PLUGIN, name, config_json);

    if (!p)
        return NULL;
    p->plugin->path = strdup(path);
    p->plugin->file = *file;
    p->plugin->folder = folder;
    if (!p->plugin->path)
        provider_free(&p);
    return p;
}

struct provider *
plugin_new_mcp(const struct provider_context *context, const char *name)
{
    return make(context, BROKER_PROVIDER_MCP, name, NULL);
}
