#include "gateway/toolbroker/plugin_worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/plugin_boot.h"
#include "gateway/toolbroker/plugin_kin.h"
#include "gateway/toolbroker/plugin_retire.h"
#include "gateway/toolbroker/provider_queue.h"
#include "gateway/toolbroker/provider_talk.h"

/* A plugin that never came up is given up after so many tries. */
#define FIRST_STARTS_MAX 5
/* A worker that lived this long was healthy. */
#define HEALTHY_NS (10 * CLOCK_NS_PER_S)

static bool
is_mcp(const struct provider *p)
{
    return p->kind == BROKER_PROVIDER_MCP;
}

void
plugin_worker_stop(struct worker *w)
{
    if (!w || w->state == WORKER_STOPPING || w->state == WORKER_DEAD)
        return;
    w->state = WORKER_STOPPING;
    child_stop(w->child);
}

void
plugin_worker_fail(struct worker *w, const char *fault)
{
    if (w->state == WORKER_DEAD || w->state == WORKER_STOPPING)
        return;
    if (!w->fault)
        w->fault = fault;
    child_kill(w->child);
}

/* ---- what becomes of one that cannot go on -------------------------------- */

/* Calls that nobody can serve for a while end now. */
static void
fail_queue(struct provider *p, const char *how)
{
    char sentence[400];

    snprintf(sentence, sizeof sentence, "The %s %s is not running: %s",
             provider_kind_noun(p->kind), p->name, how);
    provider_queue_fail(p, sentence);
}

/* A server may come to life later, unlike a plugin: it is tried again and
 * again, and that is told once. */
static void
try_later(struct provider *p, const char *reason)
{
    uint32_t wait_ms = p->context->restart_max_ms;
    char sentence[500];

    p->state = PROVIDER_WAITING;
    p->plugin->due_ns = clock_mono_ns() + wait_ms * CLOCK_NS_PER_MS;
    snprintf(p->plugin->last_death, sizeof p->plugin->last_death, "%s", reason);
    p->context->wake_at(p->context->arg, p->plugin->due_ns);
    fail_queue(p, reason);
    if (!p->plugin->trouble_told) {
        p->plugin->trouble_told = true;
        snprintf(sentence, sizeof sentence, "%s; it is tried again each %u s",
                 reason, (wait_ms + 999) / 1000);
        log_error(tools, p->name, "the MCP server cannot be used: %s",
                  sentence);
        provider_notice(p, BROKER_REFUSED, NULL, sentence);
    }
    provider_settle(p);
}

static void
fail_candidate(struct provider *p, const char *reason)
{
    struct worker *w = p->plugin->candidate;
    char sentence[500];

    p->plugin->candidate = NULL;
    plugin_worker_stop(w);
    snprintf(sentence, sizeof sentence,
             "the new one is not used, the old one goes on: %s", reason);
    log_error(tools, p->name, "the %s was not replaced: %s",
              provider_kind_noun(p->kind), sentence);
    provider_notice(p, BROKER_REFUSED, NULL, sentence);
}

void
plugin_worker_refuse(struct worker *w, const char *reason)
{
    struct provider *p = w->provider;

    if (w == p->plugin->candidate) {
        fail_candidate(p, reason);
    } else if (w != p->plugin->current) {
        plugin_worker_stop(w);
    } else if (w->state == WORKER_READY) {
        log_error(tools, p->name,
                  "its new list of tools is not taken, the old one stays: %s",
                  reason);
        provider_notice(p, BROKER_REFUSED, NULL, reason);
    } else if (is_mcp(p)) {
        p->plugin->current = NULL;
        plugin_worker_stop(w);
        try_later(p, reason);
    } else {
        p->optional = p->plugin->unconfigured;
        provider_refuse(p, reason);
    }
}

/* ---- death ------------------------------------------------------------------ */

static uint64_t
restart_wait_ms(const struct provider *p, uint32_t streak)
{
    uint64_t wait_ms = p->context->restart_min_ms;

    for (uint32_t i = 1; i < streak && wait_ms < p->context->restart_max_ms;
         i++)
        wait_ms *= 2;
    return wait_ms < p->context->restart_max_ms ? wait_ms
                                                : p->context->restart_max_ms;
}

static bool
is_given_up(const struct provider *p, uint32_t streak)
{
    return !p->plugin->was_ready && streak >= FIRST_STARTS_MAX;
}

/* The current worker died unasked, `how` being the cause: another one comes,
 * later each time. */
static void
wait_for_restart(struct provider *p, const char *how)
{
    uint64_t wait_ms;
    char reason[500];

    p->plugin->streak++;
    snprintf(p->plugin->last_death, sizeof p->plugin->last_death, "%s", how);
    if (is_given_up(p, p->plugin->streak)) {
        if (is_mcp(p)) {
            try_later(p, how);
            return;
        }
        snprintf(reason, sizeof reason,
                 "%d starts failed, the last time %s; run voxring-toolhost "
                 "--check %.128s",
                 FIRST_STARTS_MAX, how, p->plugin->path);
        provider_refuse(p, reason);
        return;
    }
    wait_ms = restart_wait_ms(p, p->plugin->streak);
    p->state = PROVIDER_WAITING;
    p->plugin->due_ns = clock_mono_ns() + wait_ms * CLOCK_NS_PER_MS;
    snprintf(reason, sizeof reason, "%s; it starts again in %" PRIu64 " ms",
             how, wait_ms);
    log_error(tools, p->name, "the %s's process died: %s",
              provider_kind_noun(p->kind), reason);
    if (wait_ms > 1000)
        fail_queue(p, how);
    p->context->wake_at(p->context->arg, p->plugin->due_ns);
    provider_notice(p, BROKER_CRASHED, NULL, reason);
    provider_settle(p);
}

/* What a call in this worker, which has just died, is to be told of the next
 * step. */
static void
say_next_step(struct worker *w)
{
    struct provider *p = w->provider;
    uint32_t streak = p->plugin->streak + 1;
    char *next = p->next_step;
    size_t size = sizeof p->next_step;

    if (p->state == PROVIDER_STOPPED)
        snprintf(next, size, "it is not started again: it was removed");
    else if (w != p->plugin->current)
        snprintf(next, size, "a new process has taken over");
    else if (p->plugin->candidate)
        snprintf(next, size, "a new process is about to take over");
    else if (is_given_up(p, streak) && !is_mcp(p))
        snprintf(next, size, "it is not started again: %d starts failed",
                 FIRST_STARTS_MAX);
    else
        snprintf(next, size, "it starts again in %" PRIu64 " ms",
                 restart_wait_ms(p, streak));
}

static void
follow_up_death(struct worker *w, const char *how)
{
    struct provider *p = w->provider;

    if (w == p->plugin->candidate) {
        fail_candidate(p, how);
    } else if (w != p->plugin->current) {
        log_warn(tools, p->name, "an older process of it died: %s", how);
    } else if (p->plugin->candidate) {
        log_error(tools, p->name,
                  "the %s's process died: %s; a new one is "
                  "about to take over",
                  provider_kind_noun(p->kind), how);
        p->plugin->current = p->plugin->candidate;
        p->plugin->candidate = NULL;
        p->state = PROVIDER_STARTING;
        provider_notice(p, BROKER_CRASHED, NULL, how);
    } else {
        p->plugin->current = NULL;
        wait_for_restart(p, how);
    }
}

static void
on_exit_of_worker(void *arg, const char *how, int status)
{
    struct worker *w = arg;
    struct provider *p = w->provider;
    bool was_asked = w->state == WORKER_STOPPING;
    bool was_healthy =
        w->state == WORKER_READY && clock_mono_ns() - w->begin_ns >= HEALTHY_NS;
    char cause[200];

    w->state = WORKER_DEAD;
    w->peer.count = 0;
    plugin_boot_death(p, w->fault ? w->fault : how, w->fault ? -1 : status,
                      cause, sizeof cause);
    if (was_healthy)
        p->plugin->streak = 0;
    say_next_step(w);
    provider_queue_fail_worker(w, cause);
    p->next_step[0] = '\0';
    if (was_asked || p->state == PROVIDER_STOPPED)
        return;
    p->context->counters->child_crashes_total++;
    follow_up_death(w, cause);
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

/* ---- birth ------------------------------------------------------------------- */

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

static void
on_measured(void *arg, const struct child_kin *kin)
{
    plugin_kin_found(arg, kin);
}

static enum vr_status
launch(struct provider *p, struct worker *w, char *why, size_t why_size)
{
    const struct provider_context *context = p->context;
    struct child_callbacks callbacks = {
        w,           on_line,         on_lines_dropped, on_exit_of_worker,
        on_measured, on_closed_worker};
    char *boot = plugin_boot_text(p, w->token);
    /* an MCP server's variables are for the server: the boot text has them */
    struct child_options options = {
        .program = context->toolhost_path,
        .argument = p->plugin->path ? p->plugin->path : "--mcp",
        .env = p->plugin->path ? &p->rule->env : NULL,
        .boot_json = boot,
        .stop_grace_ms = context->stop_grace_ms,
    };
    enum vr_status status;

    if (!boot) {
        snprintf(why, why_size, "Out of memory");
        return VR_NO_MEMORY;
    }
    status = child_start(&w->child, context->loop, &options, &callbacks, why,
                         why_size);
    free(boot);
    return status;
}

/* A process that has been started, or NULL and a sentence. */
static struct worker *
give_birth(struct provider *p, char *why, size_t why_size)
{
    const struct provider_context *context = p->context;
    struct worker *w = worker_new(p);

    context->counters->child_starts_total++;
    snprintf(why, why_size, "Out of memory");
    if (!w || launch(p, w, why, why_size) != VR_OK) {
        worker_free(&w);
        return NULL;
    }
    w->start_deadline_ns =
        w->begin_ns + context->start_timeout_ms * CLOCK_NS_PER_MS;
    w->next = p->workers;
    p->workers = w;
    context->wake_at(context->arg, w->start_deadline_ns);
    plugin_kin_expect(w, w->begin_ns);
    log_debug(tools, p->name, "started as process %d", child_pid(w->child));
    return w;
}

static bool
file_is_fit(struct provider *p, char *why, size_t why_size)
{
    struct plugin_file file;

    p->plugin->file_refused =
        p->plugin->path &&
        plugin_file_look(p->plugin->path, &file, why, why_size) != VR_OK;
    return !p->plugin->file_refused;
}

void
plugin_worker_start(struct provider *p)
{
    char why[1024];

    p->plugin->current = NULL;
    if (!file_is_fit(p, why, sizeof why)) {
        provider_refuse(p, why);
        return;
    }
    p->state = PROVIDER_STARTING;
    p->plugin->current = give_birth(p, why, sizeof why);
    if (!p->plugin->current)
        wait_for_restart(p, why);
}

void
plugin_worker_start_candidate(struct provider *p)
{
    char why[1024];

    if (file_is_fit(p, why, sizeof why))
        p->plugin->candidate = give_birth(p, why, sizeof why);
    if (!p->plugin->candidate)
        fail_candidate(p, why);
}

/* ---- ready --------------------------------------------------------------------- */

/* False if the broker was closed while it was told. */
static bool
take_list(struct provider *p, struct tool_list *list)
{
    if (tool_list_same(list, &p->tools)) {
        tool_list_fini(list);
    } else {
        log_info(tools, p->name, "offers %zu tools", list->count);
        provider_set_tools(p, list);
    }
    return p->state == PROVIDER_READY;
}

static void
become_ready(struct worker *w, struct tool_list *list)
{
    struct provider *p = w->provider;
    bool again = p->plugin->was_ready;

    w->state = WORKER_READY;
    p->state = PROVIDER_READY;
    p->plugin->was_ready = true;
    p->plugin->trouble_told = false;
    if (!take_list(p, list))
        return;
    if (again)
        provider_notice(p, BROKER_RESTARTED, NULL, NULL);
    provider_settle(p);
    provider_queue_send(p);
}

static void
take_over(struct worker *w, struct tool_list *list)
{
    struct provider *p = w->provider;
    struct worker *old = p->plugin->current;

    w->state = WORKER_READY;
    p->plugin->current = w;
    p->plugin->candidate = NULL;
    p->plugin->streak = 0;
    log_info(tools, p->name, "the %s was replaced",
             provider_kind_noun(p->kind));
    plugin_retire(old, p->context->retire_ms);
    if (!take_list(p, list))
        return;
    provider_notice(p, BROKER_REPLACED, NULL, NULL);
    provider_queue_send(p);
}

void
plugin_worker_listed(struct worker *w, struct tool_list *list)
{
    struct provider *p = w->provider;

    if (list->left_out[0])
        provider_notice(p, BROKER_REFUSED, list->left_out, list->left_out_why);
    if (p->state == PROVIDER_STOPPED || p->state == PROVIDER_REFUSED) {
        tool_list_fini(list);
    } else if (list->count == 0 && !is_mcp(p)) {
        tool_list_fini(list);
        plugin_worker_refuse(w,
                             "it offers no tools; remove it from the folder");
    } else if (w == p->plugin->candidate) {
        take_over(w, list);
    } else if (w != p->plugin->current) {
        tool_list_fini(list);
    } else if (w->state == WORKER_READY) {
        (void)!take_list(p, list);
    } else {
        become_ready(w, list);
    }
}

/* ---- time ------------------------------------------------------------------------- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void
replace_hung(struct provider *p)
{
    struct worker *w = p->plugin->current;

    p->context->counters->child_hangs_total++;
    log_warn(tools, p->name,
             "hangs in a call nobody waits for; a new process takes over");
    plugin_retire(w, 0);
    if (p->plugin->candidate) {
        p->plugin->current = p->plugin->candidate;
        p->plugin->candidate = NULL;
        p->state = PROVIDER_STARTING;
    } else {
        plugin_worker_start(p);
    }
}

/* One that has not offered its tools yet. */
static uint64_t
tick_starting(struct worker *w, uint64_t now_ns)
{
    if (now_ns < w->start_deadline_ns)
        return w->start_deadline_ns;
    plugin_worker_fail(w, "it did not offer its tools in time");
    return UINT64_MAX;
}

static uint64_t
tick_current(struct provider *p, uint64_t now_ns)
{
    struct worker *w = p->plugin->current;
    uint64_t orphan_ns, due_ns;

    if (w->state == WORKER_STARTING || w->state == WORKER_LISTING)
        return tick_starting(w, now_ns);
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

uint64_t
plugin_worker_tick(struct provider *p, uint64_t now_ns)
{
    uint64_t due_ns =
        earlier(plugin_retire_tick(p, now_ns), plugin_kin_tick(p, now_ns));

    if (p->state == PROVIDER_STOPPED || p->state == PROVIDER_REFUSED)
        return due_ns;
    if (p->state == PROVIDER_WAITING && now_ns >= p->plugin->due_ns)
        plugin_worker_start(p);
    if (p->state == PROVIDER_WAITING)
        due_ns = earlier(due_ns, p->plugin->due_ns);
    if (p->plugin->candidate)
        due_ns = earlier(due_ns, tick_starting(p->plugin->candidate, now_ns));
    if (p->plugin->current)
        due_ns = earlier(due_ns, tick_current(p, now_ns));
    return due_ns;
}
