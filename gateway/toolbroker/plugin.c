#include "gateway/toolbroker/plugin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/plugin_folder.h"
#include "gateway/toolbroker/plugin_queue.h"
#include "gateway/toolbroker/plugin_talk.h"

/* A plugin that never came up is given up after so many tries. */
#define FIRST_STARTS_MAX 5
/* A worker that lived this long was healthy. */
#define HEALTHY_NS (10 * CLOCK_NS_PER_S)
/* Hung workers with others' calls in them; beyond, the oldest is killed. */
#define RETIRED_MAX 4

struct plugin *
plugin_new(const struct plugin_context *context, const char *name,
           const char *path, const char *config_json)
{
    struct plugin *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->context = context;
    p->queue_tail = &p->queue;
    p->name = strdup(name);
    p->path = strdup(path);
    p->config_json = strdup(config_json ? config_json : "{}");
    if (!p->name || !p->path || !p->config_json)
        plugin_free(&p);
    return p;
}

void
plugin_free(struct plugin **plugin)
{
    struct plugin *p = *plugin;

    *plugin = NULL;
    if (!p)
        return;
    tool_list_fini(&p->tools);
    free(p->name);
    free(p->path);
    free(p->config_json);
    free(p);
}

void
plugin_settle(struct plugin *p)
{
    if (p->settled)
        return;
    p->settled = true;
    p->context->settled(p->context->arg);
}

/* The old list lives until everybody was told. */
void
plugin_set_tools(struct plugin *p, struct tool_list *list)
{
    struct tool_list old = p->tools;

    p->tools = *list;
    memset(list, 0, sizeof *list);
    p->context->tools_changed(p->context->arg);
    tool_list_fini(&old);
}

static void
stop_worker(struct worker *w)
{
    if (w->state == WORKER_STOPPING || w->state == WORKER_DEAD)
        return;
    w->state = WORKER_STOPPING;
    child_stop(w->child);
}

void
plugin_refuse(struct plugin *p, const char *reason)
{
    struct tool_list none = {NULL, 0};
    char sentence[320];

    if (p->state == PLUGIN_REFUSED || p->state == PLUGIN_STOPPED)
        return;
    p->state = PLUGIN_REFUSED;
    log_error(tools, p->name, "the plugin is not used: %s", reason);
    for (struct worker *w = p->workers; w; w = w->next)
        stop_worker(w);
    p->current = NULL;
    snprintf(sentence, sizeof sentence, "The plugin %s is not available",
             p->name);
    plugin_queue_fail(p, sentence);
    p->context->notice(p->context->arg, BROKER_REFUSED, p->name, NULL, reason);
    if (p->tools.count > 0)
        plugin_set_tools(p, &none);
    plugin_settle(p);
}

/* ---- a worker's process -------------------------------------------------- */

static void start_worker(struct plugin *p);

static void
on_line(void *arg, const char *line)
{
    struct worker *w = arg;

    log_info(tools, w->plugin->name, "says: %s", line);
}

static void
on_lines_dropped(void *arg, uint64_t count)
{
    struct worker *w = arg;

    w->plugin->context->counters->output_lines_dropped_total += count;
    log_warn(tools, w->plugin->name,
             "wrote too much: %" PRIu64 " lines are not shown", count);
}

static uint64_t
restart_wait_ns(const struct plugin *p)
{
    uint64_t wait_ms = p->context->restart_min_ms;

    for (uint32_t i = 1; i < p->streak && wait_ms < p->context->restart_max_ms;
         i++)
        wait_ms *= 2;
    if (wait_ms > p->context->restart_max_ms)
        wait_ms = p->context->restart_max_ms;
    return wait_ms * CLOCK_NS_PER_MS;
}

/* The current worker died unasked: another one comes, later each time. */
static void
wait_for_restart(struct plugin *p, const char *how)
{
    uint64_t wait_ns;
    char reason[320];

    p->streak++;
    snprintf(p->last_death, sizeof p->last_death, "%s", how);
    if (!p->was_ready && p->streak >= FIRST_STARTS_MAX) {
        snprintf(reason, sizeof reason,
                 "%d starts failed, the last time %s; run voxring-toolhost "
                 "--check %.128s",
                 FIRST_STARTS_MAX, how, p->path);
        plugin_refuse(p, reason);
        return;
    }
    wait_ns = restart_wait_ns(p);
    p->state = PLUGIN_WAITING;
    p->due_ns = clock_mono_ns() + wait_ns;
    snprintf(reason, sizeof reason, "%s; it starts again in %" PRIu64 " ms",
             how, (uint64_t)(wait_ns / CLOCK_NS_PER_MS));
    log_error(tools, p->name, "the plugin's process died: %s", reason);
    if (wait_ns > CLOCK_NS_PER_S) {
        char sentence[320];
        snprintf(sentence, sizeof sentence, "The plugin %s is not running: %s",
                 p->name, how);
        plugin_queue_fail(p, sentence);
    }
    p->context->wake_at(p->context->arg, p->due_ns);
    p->context->notice(p->context->arg, BROKER_CRASHED, p->name, NULL, reason);
    plugin_settle(p);
}

static void
on_exit_of_worker(void *arg, const char *how)
{
    struct worker *w = arg;
    struct plugin *p = w->plugin;
    bool was_asked = w->state == WORKER_STOPPING;
    bool was_healthy =
        w->state == WORKER_READY && clock_mono_ns() - w->begin_ns >= HEALTHY_NS;

    w->state = WORKER_DEAD;
    w->peer.count = 0;
    if (w->fault)
        how = w->fault;
    plugin_queue_fail_worker(w, how);
    if (was_asked || p->state == PLUGIN_STOPPED)
        return;
    p->context->counters->child_crashes_total++;
    if (was_healthy)
        p->streak = 0;
    if (w == p->current) {
        p->current = NULL;
        wait_for_restart(p, how);
    }
}

static void
on_closed_worker(void *arg)
{
    struct worker *w = arg;
    const struct plugin_context *context = w->plugin->context;
    struct worker **at = &w->plugin->workers;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    worker_free(&w);
    context->worker_closed(context->arg);
}

static char *
boot_text(const struct plugin *p, const struct worker *w)
{
    cJSON *root = cJSON_CreateObject();
    char *text = NULL;

    cJSON_AddNumberToObject(root, "protocol", WORKER_PROTOCOL);
    cJSON_AddStringToObject(root, "endpoint", p->context->endpoint);
    cJSON_AddStringToObject(root, "token", w->token);
    cJSON_AddStringToObject(root, "name", p->name);
    cJSON_AddNumberToObject(root, "result_max_bytes",
                            p->context->result_max_bytes);
    if (cJSON_AddRawToObject(root, "config", p->config_json))
        text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

static enum vr_status
launch(struct plugin *p, struct worker *w, char *why, size_t why_size)
{
    const struct plugin_context *context = p->context;
    struct child_callbacks callbacks = {w, on_line, on_lines_dropped,
                                        on_exit_of_worker, on_closed_worker};
    char *boot = boot_text(p, w);
    enum vr_status status;

    if (!boot) {
        snprintf(why, why_size, "Out of memory");
        return VR_NO_MEMORY;
    }
    status =
        child_start(&w->child, context->loop, context->toolhost_path, p->path,
                    boot, context->stop_grace_ms, &callbacks, why, why_size);
    free(boot);
    return status;
}

static void
start_worker(struct plugin *p)
{
    const struct plugin_context *context = p->context;
    struct worker *w = NULL;
    char why[1024];

    p->current = NULL;
    if (plugin_folder_check(p->path, why, sizeof why) != VR_OK) {
        plugin_refuse(p, why);
        return;
    }
    p->state = PLUGIN_STARTING;
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
    p->current = w;
    context->wake_at(context->arg, w->start_deadline_ns);
    log_debug(tools, p->name, "started as process %d", child_pid(w->child));
}

void
plugin_start(struct plugin *p)
{
    start_worker(p);
}

void
plugin_stop(struct plugin *p)
{
    p->state = PLUGIN_STOPPED;
    p->current = NULL;
    for (struct worker *w = p->workers; w; w = w->next)
        stop_worker(w);
}

void
plugin_fail_worker(struct worker *w, const char *fault)
{
    if (w->state == WORKER_DEAD || w->state == WORKER_STOPPING)
        return;
    if (!w->fault)
        w->fault = fault;
    child_kill(w->child);
}

static void
kill_oldest_retired(struct plugin *p)
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
        plugin_fail_worker(oldest, "it hung in another call");
}

void
plugin_replace_hung(struct plugin *p)
{
    struct worker *w = p->current;

    p->context->counters->child_hangs_total++;
    log_warn(tools, p->name,
             "hangs in a call nobody waits for; a new process takes over");
    if (worker_wanted(w) == 0) {
        stop_worker(w);
    } else {
        w->state = WORKER_RETIRED;
        plugin_talk_send(w, worker_message_drain());
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
tick_current(struct plugin *p, uint64_t now_ns)
{
    struct worker *w = p->current;
    uint64_t orphan_ns, due_ns;

    if (w->state == WORKER_STARTING || w->state == WORKER_LISTING) {
        if (now_ns < w->start_deadline_ns)
            return w->start_deadline_ns;
        plugin_fail_worker(w, "it did not offer its tools in time");
        return UINT64_MAX;
    }
    orphan_ns = worker_oldest_orphan_ns(w);
    if (orphan_ns == 0)
        return UINT64_MAX;
    due_ns = orphan_ns + p->context->hang_grace_ms * CLOCK_NS_PER_MS;
    if (now_ns < due_ns)
        return due_ns;
    plugin_replace_hung(p);
    return p->current ? p->current->start_deadline_ns : UINT64_MAX;
}

uint64_t
plugin_tick(struct plugin *p, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;

    if (p->state == PLUGIN_STOPPED || p->state == PLUGIN_REFUSED)
        return UINT64_MAX;
    if (p->state == PLUGIN_WAITING && now_ns >= p->due_ns)
        start_worker(p);
    if (p->resend_ns != 0 && now_ns >= p->resend_ns)
        plugin_queue_send(p);
    if (p->state == PLUGIN_WAITING)
        due_ns = earlier(due_ns, p->due_ns);
    if (p->resend_ns != 0)
        due_ns = earlier(due_ns, p->resend_ns);
    if (p->current)
        due_ns = earlier(due_ns, tick_current(p, now_ns));
    return due_ns;
}
