/* What happens between a broker and its plugins: starting them, hearing their
 * workers, and telling the outside. */
#include "gateway/toolbroker/broker_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/toolbroker/plugin_folder.h"
#include "gateway/toolbroker/plugin_talk.h"
#include "gateway/toolbroker/tool_content.h"

static void
notice(struct broker *b, enum broker_notice_kind kind, const char *provider,
       const char *tool, const char *reason)
{
    char who[PATH_MAX], why[1024];
    struct broker_notice n = {kind, who, tool, reason ? why : NULL};

    if (b->closing || !b->callbacks.on_notice)
        return;
    snprintf(who, sizeof who, "%s", provider);
    snprintf(why, sizeof why, "%s", reason ? reason : "");
    tool_content_clean(who);
    tool_content_clean(why);
    b->callbacks.on_notice(b->callbacks.arg, &n);
}

static void
on_plugin_notice(void *arg, enum broker_notice_kind kind, const char *provider,
                 const char *tool, const char *reason)
{
    notice(arg, kind, provider, tool, reason);
}

/* ---- the set of tools ----------------------------------------------------- */

static void
on_clash(void *arg, const struct plugin *holder, const struct plugin *other,
         const struct tool *refused)
{
    struct broker *b = arg;
    char reason[400];

    snprintf(reason, sizeof reason,
             "the tool %s is offered by %.150s and by %.150s; the first keeps "
             "it, rename it in the other or remove one of them",
             refused->name, holder->path, other->path);
    log_error(tools, other->name, "%s", reason);
    notice(b, BROKER_REFUSED, other->name, refused->name, reason);
}

static void
on_gone(void *arg, const struct tool *tool)
{
    notice(arg, BROKER_GONE, tool->provider, tool->name, NULL);
}

static void
on_offered(void *arg, const struct tool *tool)
{
    notice(arg, BROKER_OFFERED, tool->provider, tool->name, NULL);
}

static void
on_plugin_tools_changed(void *arg)
{
    struct broker *b = arg;
    struct tool_set old = b->set;

    if (tool_set_make(&b->set, b->plugins, on_clash, b) != VR_OK)
        log_error(tools, NULL, "out of memory: no tool can be called");
    tool_set_minus(&old, &b->set, on_gone, b);
    tool_set_minus(&b->set, &old, on_offered, b);
    tool_set_fini(&old);
    if (!b->closing && b->callbacks.on_tools_changed)
        b->callbacks.on_tools_changed(b->callbacks.arg);
}

static void
on_plugin_settled(void *arg)
{
    struct broker *b = arg;

    b->unsettled--;
    if (b->unsettled > 0 || b->ready_told || b->closing)
        return;
    b->ready_told = true;
    if (b->callbacks.on_ready)
        b->callbacks.on_ready(b->callbacks.arg);
}

static void
on_plugin_wake_at(void *arg, uint64_t due_ns)
{
    broker_wake_at(arg, due_ns);
}

static void
on_plugin_calls_ended(void *arg)
{
    broker_deliver_soon(arg);
}

static void
on_plugin_worker_closed(void *arg)
{
    broker_finish(arg);
}

static uint32_t
or_default(uint32_t value, uint32_t standard)
{
    return value != 0 ? value : standard;
}

void
broker_fill_context(struct broker *b, const struct broker_config *config)
{
    b->context = (struct plugin_context){
        .loop = b->loop,
        .router = b->router,
        .calls = &b->calls,
        .counters = &b->counters,
        .toolhost_path = b->toolhost_path,
        .endpoint = b->endpoint,
        .result_max_bytes = or_default(config->result_max_bytes, 262144),
        .start_timeout_ms = or_default(config->start_timeout_ms, 30000),
        .hang_grace_ms = or_default(config->hang_grace_ms, 2000),
        .stop_grace_ms = or_default(config->stop_grace_ms, 1000),
        .restart_min_ms = or_default(config->restart_min_ms, 100),
        .restart_max_ms = or_default(config->restart_max_ms, 30000),
        .arg = b,
        .wake_at = on_plugin_wake_at,
        .notice = on_plugin_notice,
        .tools_changed = on_plugin_tools_changed,
        .settled = on_plugin_settled,
        .calls_ended = on_plugin_calls_ended,
        .worker_closed = on_plugin_worker_closed,
    };
}

/* ---- the folders ----------------------------------------------------------- */

static void
refuse_file(struct broker *b, const char *name, const char *reason)
{
    log_error(tools, name, "the plugin is not used: %s", reason);
    notice(b, BROKER_REFUSED, name, NULL, reason);
}

static const struct plugin *
plugin_of_name(const struct broker *b, const char *name)
{
    for (const struct plugin *p = b->plugins; p; p = p->next) {
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

static struct plugin *
make_plugin(struct broker *b, const char *path, const char *name)
{
    const cJSON *config =
        cJSON_GetObjectItemCaseSensitive(b->plugin_config, name);
    char *text = cJSON_IsObject(config) ? cJSON_PrintUnformatted(config) : NULL;
    struct plugin *p = plugin_new(&b->context, name, path, text);

    cJSON_free(text);
    return p;
}

static void
on_file(void *arg, const char *path, const char *name, const char *reason)
{
    struct broker *b = arg;
    const struct plugin *same = plugin_of_name(b, name);
    struct plugin *p = NULL;
    char why[700];

    if (!reason && !tool_content_is_utf8(name, strlen(name)))
        reason = "the file's name is not UTF-8; rename it";
    if (!reason && same) {
        snprintf(why, sizeof why,
                 "%.300s has the name of %.300s; rename or remove one of them",
                 path, same->path);
        reason = why;
    }
    if (!reason)
        p = make_plugin(b, path, name);
    if (!p) {
        refuse_file(b, name, reason ? reason : "out of memory");
        return;
    }
    *b->plugins_tail = p;
    b->plugins_tail = &p->next;
    b->unsettled++;
}

static void
warn_of_spare_config(const struct broker *b)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, b->plugin_config)
    {
        if (!plugin_of_name(b, entry->string))
            log_warn(tools, NULL,
                     "plugins.config.%s is for no plugin: no folder has %s.so",
                     entry->string, entry->string);
    }
}

void
broker_read_folders(struct broker *b)
{
    b->folders_read = true;
    for (size_t i = 0; i < b->plugin_path_count && !b->closing; i++)
        plugin_folder_scan(b->plugin_paths[i], on_file, b);
    warn_of_spare_config(b);
    for (struct plugin *p = b->plugins; p && !b->closing; p = p->next)
        plugin_start(p);
    on_plugin_settled(b);
}

/* ---- what workers say ------------------------------------------------------ */

static void
answer(struct broker *b, const struct router_peer *peer, char *text)
{
    if (!text || router_send(b->router, peer, text) != VR_OK)
        b->counters.unsent_total++;
    free(text);
}

static struct worker *
worker_of_peer(const struct broker *b, const struct router_peer *peer)
{
    for (const struct plugin *p = b->plugins; p; p = p->next) {
        struct worker *w = plugin_talk_find_peer(p, peer);
        if (w)
            return w;
    }
    return NULL;
}

static struct worker *
worker_of_token(const struct broker *b, const char *token)
{
    for (const struct plugin *p = b->plugins; token && p; p = p->next) {
        struct worker *w = plugin_talk_find_token(p, token);
        if (w)
            return w;
    }
    return NULL;
}

/* Only children of this gateway may offer tools: they alone have a token. */
static void
on_stranger(struct broker *b, const struct router_peer *peer,
            const struct worker_message *m)
{
    struct worker *w;

    if (m->kind == WORKER_HELLO) {
        w = worker_of_token(b, m->token);
        if (w) {
            plugin_talk_hello(w, peer, m);
            return;
        }
        b->counters.refused_workers_total++;
        log_warn(tools, NULL, "a worker without a valid token was refused");
        answer(b, peer,
               worker_message_error(
                   m->id, WORKER_ERROR_REFUSED,
                   "This gateway takes tools from its plugin folder only; "
                   "put a plugin there (plugins.path in its config)"));
        return;
    }
    b->counters.malformed_total++;
    if (m->id)
        answer(
            b, peer,
            worker_message_error(m->id, WORKER_ERROR_INVALID,
                                 m->why ? m->why : "Say voxring/hello first"));
}

static void
on_progress(struct broker *b, const struct worker *w,
            const struct worker_message *m)
{
    const struct toolcall *call = toolcall_find(&b->calls, m->call_id);

    if (!call || call->worker != w) {
        b->counters.late_results_total++;
        return;
    }
    if (!b->closing && b->callbacks.on_progress)
        b->callbacks.on_progress(b->callbacks.arg, m->call_id, m->done,
                                 m->total, m->text);
}

void
broker_on_message(void *arg, const struct router_peer *peer, const char *bytes,
                  size_t bytes_count)
{
    struct broker *b = arg;
    struct worker *w = worker_of_peer(b, peer);
    struct worker_message m;

    worker_message_read(&m, bytes, bytes_count);
    if (!w)
        on_stranger(b, peer, &m);
    else if (m.kind == WORKER_PROGRESS)
        on_progress(b, w, &m);
    else
        plugin_talk_message(w, &m);
    worker_message_fini(&m);
}

void
broker_on_malformed(void *arg, const struct router_peer *peer)
{
    struct broker *b = arg;

    (void)peer;
    b->counters.malformed_total++;
}
