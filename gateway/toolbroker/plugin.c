#include "gateway/toolbroker/plugin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/plugin_folder.h"
#include "gateway/toolbroker/provider_queue.h"
#include "gateway/toolbroker/provider_talk.h"

/* A plugin that never came up is given up after so many tries. */
#define FIRST_STARTS_MAX 5
/* A worker that lived this long was healthy. */
#define HEALTHY_NS (10 * CLOCK_NS_PER_S)
/* Hung workers with others' calls in them; beyond, the oldest is killed. */
#define RETIRED_MAX 4

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
stop_worker(struct worker *w)
{
    if (w->state == WORKER_STOPPING || w->state == WORKER_DEAD)
        return;
    w->state = WORKER_STOPPING;
    child_stop(w->child);
}

static void
on_refused(struct provider *p)
{
    for (struct worker *w = p->workers; w; w = w->next)
        stop_worker(w);
    p->plugin->current = NULL;
}

/* ---- a worker's process -------------------------------------------------- */

static void start_worker(struct provider *p);

static void
on_line(void *arg, const char *line)
{
    struct worker *w = arg;

    log_info(tools, w->provider->name, "says: %s", line);
}

static void
on_lines_dropped(void *arg, uint64_t count)
{
    struct worker *w = arg;

    w->provider->context->counters->output_lines_dropped_total += count;
    log_warn(tools, w->provider->name,
             "wrote too much: %" PRIu64 " lines are not shown", count);
}

static uint64_t
restart_wait_ns(const struct provider *p)
{
    uint64_t wait_ms = p->context->restart_min_ms;

    for (uint32_t i = 1;
         i < p->plugin->streak && wait_ms < p->context->restart_max_ms; i++)
        wait_ms *= 2;
    if (wait_ms > p->context->restart_max_ms)
        wait_ms = p->context->restart_max_ms;
    return wait_ms * CLOCK_NS_PER_MS;
}

/* The current worker died unasked: another one comes, later each time. */
static void
wait_for_restart(struct provider *p, const char *how)
{
    uint64_t wait_ns;
    char reason[320];

    p->plugin->streak++;
    snprintf(p->plugin->last_death, sizeof p->plugin->last_death, "%s", how);
    if (!p->plugin->was_ready && p->plugin->streak >= FIRST_STARTS_MAX) {
        snprintf(reason, sizeof reason,
                 "%d starts failed, the last time %s; run voxring-toolhost "
                 "--check %.128s",
                 FIRST_STARTS_MAX, how, p->plugin->path);
        provider_refuse(p, reason);
        return;
    }
    wait_ns = restart_wait_ns(p);
    p->state = PROVIDER_WAITING;
    p->plugin->due_ns = clock_mono_ns() + wait_ns;
    snprintf(reason, sizeof reason, "%s; it starts again in %" PRIu64 " ms",
             how, (uint64_t)(wait_ns / CLOCK_NS_PER_MS));
    log_error(tools, p->name, "the plugin's process died: %s", reason);
    if (wait_ns > CLOCK_NS_PER_S) {
        char sentence[320];
        snprintf(sentence, sizeof sentence, "The plugin %s is not running: %s",
                 p->name, how);
        provider_queue_fail(p, sentence);
    }
    p->context->wake_at(p->context->arg, p->plugin->due_ns);
    provider_notice(p, BROKER_CRASHED, NULL, reason);
    provider_settle(p);
}

static void
on_exit_of_worker(void *arg, const char *how)
{
    struct worker *w = arg;
    struct provider *p = w->provider;
    bool was_asked = w->state == WORKER_STOPPING;
    bool was_healthy =
        w->state == WORKER_READY && clock_mono_ns() - w->begin_ns >= HEALTHY_NS;

    w->state = WORKER_DEAD;
    w->peer.count = 0;
    if (w->fault)
        how = w->fault;
    provider_queue_fail_worker(w, how);
    if (was_asked || p->state == PROVIDER_STOPPED)
        return;
    p->context->counters->child_crashes_total++;
    if (was_healthy)
        p->plugin->streak = 0;
    if (w == p->plugin->current) {
        p->plugin->current = NULL;
        wait_for_restart(p, how);
    }
}

static void
on_closed_worker(void *arg)
{
    struct worker *w = arg;
    const struct provider_context *context = w->provider->context;
    struct worker **at = &w->provider->workers;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    worker_free(&w);
    context->worker_closed(context->arg);
}

static char *
boot_text(const struct provider *p, const struct worker *w)
{
    cJSON *root = cJSON_CreateObject();
    char *text = NULL;

    cJSON_AddNumberToObject(root, "protocol", WORKER_PROTOCOL);
    cJSON_AddStringToObject(root, "endpoint", p->context->endpoint);
    cJSON_AddStringToObject(root, "token", w->token);
    cJSON_AddStringToObject(root, "name", p->name);
    cJSON_AddNumberToObject(root, "result_max_bytes",
                            p->result_max_bytes);
    if (cJSON_AddRawToObject(root, "config", p->plugin->config_json))
        text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

static enum vr_status
launch(struct provider *p, struct worker *w, char *why, size_t why_size)
{
    const struct provider_context *context = p->context;
    struct child_callbacks callbacks = {w, on_line, on_lines_dropped,
                                        on_exit_of_worker, on_closed_worker};
    char *boot = boot_text(p, w);
    enum vr_status status;

    if (!boot) {
        snprintf(why, why_size, "Out of memory");
        return VR_NO_MEMORY;
    }
    status = child_start(&w->child, context->loop, context->toolhost_path,
                         p->plugin->path, boot, context->stop_grace_ms,
                         &callbacks, why, why_size);
    free(boot);
    return status;
}

static void
start_worker(struct provider *p)
{
    const struct provider_context *context = p->context;
    struct worker *w = NULL;
    char why[1024];

    p->plugin->current = NULL;
    if (plugin_folder_check(p->plugin->path, why, sizeof why) != VR_OK) {
        provider_refuse(p, why);
        return;
    }
    p->state = PROVIDER_STARTING;
    context->counters->child_starts_total++;
    snprintf(why, sizeof why, "Out of memory");
    w = worker_new(p);
    if (!w || launch(p, w, why, sizeof why) != VR_OK) {
        worker_free(&w);
        wait_for_restart(p, why);
        return;
    }
    w->start_deadline_ns =
        w->begin_ns + context->start_timeout_ms * CLOCK_NS_PER_MS;
    w->next = p->workers;
    p->workers = w;
    p->plugin->current = w;
    context->wake_at(context->arg, w->start_deadline_ns);
    log_debug(tools, p->name, "started as process %d", child_pid(w->child));
}

static void
stop_plugin(struct provider *p)
{
    p->state = PROVIDER_STOPPED;
    p->plugin->current = NULL;
    for (struct worker *w = p->workers; w; w = w->next)
        stop_worker(w);
}

static void
fail_worker(struct worker *w, const char *fault)
{
    if (w->state == WORKER_DEAD || w->state == WORKER_STOPPING)
        return;
    if (!w->fault)
        w->fault = fault;
    child_kill(w->child);
}

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
        fail_worker(oldest, "it hung in another call");
}

static void
replace_hung(struct provider *p)
{
    struct worker *w = p->plugin->current;

    p->context->counters->child_hangs_total++;
    log_warn(tools, p->name,
             "hangs in a call nobody waits for; a new process takes over");
    if (worker_wanted(w) == 0) {
        stop_worker(w);
    } else {
        w->state = WORKER_RETIRED;
        provider_talk_send(w, worker_message_drain());
        kill_oldest_retired(p);
    }
    start_worker(p);
}

/* ---- time --------------------------------------------------------------- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
tick_current(struct provider *p, uint64_t now_ns)
{
    struct worker *w = p->plugin->current;
    uint64_t orphan_ns, due_ns;

    if (w->state == WORKER_STARTING || w->state == WORKER_LISTING) {
        if (now_ns < w->start_deadline_ns)
            return w->start_deadline_ns;
        fail_worker(w, "it did not offer its tools in time");
        return UINT64_MAX;
    }
    orphan_ns = worker_oldest_orphan_ns(w);
    if (orphan_ns == 0)
        return UINT64_MAX;
    due_ns = orphan_ns + p->context->hang_grace_ms * CLOCK_NS_PER_MS;
    if (now_ns < due_ns)
        return due_ns;
    replace_hung(p);
    return p->plugin->current ? p->plugin->current->start_deadline_ns
                              : UINT64_MAX;
}

static uint64_t
tick_plugin(struct provider *p, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;

    if (p->state == PROVIDER_STOPPED || p->state == PROVIDER_REFUSED)
        return UINT64_MAX;
    if (p->state == PROVIDER_WAITING && now_ns >= p->plugin->due_ns)
        start_worker(p);
    if (p->state == PROVIDER_WAITING)
        due_ns = earlier(due_ns, p->plugin->due_ns);
    if (p->plugin->current)
        due_ns = earlier(due_ns, tick_current(p, now_ns));
    return due_ns;
}

/* ---- what the rest of the broker asks of a plugin ------------------------ */

/* A worker that is nearer than this is worth waiting for. */
#define NEAR_NS (1000 * CLOCK_NS_PER_MS)

static struct worker *
pick_worker(struct provider *p, const struct toolcall *call)
{
    struct worker *w = p->plugin->current;

    return w && worker_can_take(w, call->tool, call->serial) ? w : NULL;
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
             "The plugin %s is not running: %s. It starts again in %llu s",
             p->name, p->plugin->last_death,
             (unsigned long long)((wait_ms + 999) / 1000));
    return false;
}

static void
release_worker(struct worker *w)
{
    stop_worker(w);
}

static void
become_ready(struct worker *w, struct tool_list *list)
{
    struct provider *p = w->provider;
    bool again = p->plugin->was_ready;

    w->state = WORKER_READY;
    p->state = PROVIDER_READY;
    p->plugin->was_ready = true;
    if (again && tool_list_same(list, &p->tools)) {
        tool_list_fini(list);
    } else {
        log_info(tools, p->name, "offers %zu tools", list->count);
        provider_set_tools(p, list);
    }
    if (p->state != PROVIDER_READY)
        return;
    if (again)
        provider_notice(p, BROKER_RESTARTED, NULL, NULL);
    provider_settle(p);
    provider_queue_send(p);
}

static void
on_listed(struct worker *w, struct tool_list *list)
{
    if (list->count == 0) {
        tool_list_fini(list);
        provider_refuse(w->provider,
                        "it offers no tools; remove it from the folder");
    } else {
        become_ready(w, list);
    }
}

static void
refuse_worker(struct worker *w, const char *reason)
{
    provider_refuse(w->provider, reason);
}

static const char *
source(const struct provider *p)
{
    return p->plugin->path;
}

static void
on_good_result(struct provider *p)
{
    p->plugin->streak = 0;
}

struct provider *
plugin_new(const struct provider_context *context, const char *name,
           const char *path, const char *config_json)
{
    static const struct provider_ops ops = {
        .free = free_plugin,
        .start = start_worker,
        .stop = stop_plugin,
        .tick = tick_plugin,
        .pick = pick_worker,
        .is_near = is_near,
        .refused = on_refused,
        .fail_worker = fail_worker,
        .release_worker = release_worker,
        .listed = on_listed,
        .refuse_worker = refuse_worker,
        .source = source,
        .good_result = on_good_result,
    };
    struct provider *p =
        provider_new(context, &ops, BROKER_PROVIDER_PLUGIN, name);

    if (!p)
        return NULL;
    p->plugin = calloc(1, sizeof *p->plugin);
    if (p->plugin) {
        p->plugin->path = strdup(path);
        p->plugin->config_json = strdup(config_json ? config_json : "{}");
    }
    if (!p->plugin || !p->plugin->path || !p->plugin->config_json)
        provider_free(&p);
    return p;
}
