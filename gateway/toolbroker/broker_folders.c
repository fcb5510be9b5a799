/* The providers of a broker that come from its plugin folders and from the MCP
 * servers of its configuration. */
#include "gateway/toolbroker/broker_internal.h"

#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/plugin.h"
#include "gateway/toolbroker/remote.h"

/* ---- what is refused -------------------------------------------------------- */

static void
refuse(struct broker *b, const char *name, const char *reason)
{
    log_error(tools, name, "the plugin is not used: %s", reason);
    broker_notice(b, BROKER_REFUSED, BROKER_PROVIDER_PLUGIN, name, NULL,
                  reason);
}

static void
on_file_refused(void *arg, const char *name, const char *reason,
                bool is_waiting)
{
    struct broker *b = arg;
    const struct provider *running = broker_provider(b, name);
    char sentence[900];

    snprintf(sentence, sizeof sentence, "%s%s", reason,
             running && running->kind == BROKER_PROVIDER_PLUGIN
                 ? "; the old one goes on"
                 : "");
    if (!is_waiting) {
        refuse(b, name, sentence);
        return;
    }
    log_warn(tools, name, "the plugin is not used yet: %s", sentence);
    broker_notice(b, BROKER_REFUSED, BROKER_PROVIDER_PLUGIN, name, NULL,
                  sentence);
}

/* A file that is good, but cannot be used as things are: tried again with each
 * look, told once. */
static void
refuse_entry(struct broker *b, struct plugin_shelf_entry *e, const char *why)
{
    bool told = e->clash_told;

    e->clash_told = true;
    plugin_shelf_note(e, why);
    if (!told)
        refuse(b, e->name, why);
}

static void
tell_clash(struct broker *b, struct plugin_shelf_entry *e, const char *with)
{
    char why[900];

    snprintf(why, sizeof why,
             "%.300s has the name of %.300s; rename or remove one of them",
             e->path, with);
    refuse_entry(b, e, why);
}

/* ---- plugins -------------------------------------------------------------------- */

static struct provider *
make_plugin(struct broker *b, const struct plugin_shelf_entry *e)
{
    const cJSON *config =
        cJSON_GetObjectItemCaseSensitive(b->plugin_config, e->name);
    char *text = cJSON_IsObject(config) ? cJSON_PrintUnformatted(config) : NULL;
    struct provider *p =
        plugin_new(&b->context, e->name, e->path, &e->file, e->folder, text);

    cJSON_free(text);
    return p;
}

static void
add_plugin(struct broker *b, struct plugin_shelf_entry *e)
{
    struct provider *p = NULL;
    char why[200];

    if (broker_is_full(b)) {
        snprintf(why, sizeof why,
                 "there are %d providers of tools already, the most there can "
                 "be; remove one",
                 BROKER_PROVIDERS_MAX);
    } else {
        snprintf(why, sizeof why, "out of memory");
        p = make_plugin(b, e);
    }
    if (!p) {
        refuse_entry(b, e, why);
        return;
    }
    e->clash_told = false;
    broker_insert(b, p);
    b->unsettled++;
    p->ops->start(p);
}

/* Makes the provider of this file's name what the file is. */
static void
use_file(struct broker *b, struct plugin_shelf_entry *e)
{
    struct provider *p = broker_provider(b, e->name);
    char why[400];

    plugin_shelf_note(e, NULL);
    if (p && p->kind == BROKER_PROVIDER_WORKER) {
        snprintf(why, sizeof why, "its name is that of the plugin %.300s",
                 e->path);
        remote_evict(p, why);
        p = NULL;
    }
    if (!p)
        add_plugin(b, e);
    else if (p->kind == BROKER_PROVIDER_BUILTIN)
        tell_clash(b, e, "a tool of the gateway itself");
    else if (p->kind != BROKER_PROVIDER_PLUGIN)
        tell_clash(b, e, provider_source(p));
    else if (strcmp(p->plugin->path, e->path) != 0 ||
             !plugin_file_same(&p->plugin->file, &e->file) ||
             (p->state == PROVIDER_REFUSED && p->plugin->file_refused &&
              plugin_file_look(e->path, &e->file, why, sizeof why) == VR_OK))
        plugin_replace(p, e->path, &e->file, e->folder);
}

static void
remove_missing(struct broker *b)
{
    struct provider *next;
    char why[400];

    for (struct provider *p = b->providers; p && !b->closing; p = next) {
        next = p->next;
        if (p->kind != BROKER_PROVIDER_PLUGIN || p->leaving ||
            plugin_shelf_best(&b->shelf, p->name) ||
            plugin_shelf_at(&b->shelf, p->plugin->path))
            continue;
        snprintf(why, sizeof why, "The plugin %.150s was removed", p->name);
        plugin_leave(p, why);
    }
}

/* What the folders hold becomes what is offered. */
static void
follow_folders(struct broker *b)
{
    remove_missing(b);
    for (struct plugin_shelf_entry *e = b->shelf.entries; e && !b->closing;
         e = e->next) {
        const struct plugin_shelf_entry *best;
        if (e->state != PLUGIN_SHELF_GOOD)
            continue;
        best = plugin_shelf_best(&b->shelf, e->name);
        if (best == e)
            use_file(b, e);
        else
            tell_clash(b, e, best->path);
    }
}

static void
look(struct broker *b, bool at_once)
{
    uint64_t now_ns = clock_mono_ns();

    b->looking = true;
    b->look_due_ns = plugin_shelf_look(&b->shelf, now_ns, at_once);
    if (!b->closing)
        follow_folders(b);
    b->looking = false;
    if (b->closing)
        return;
    if (!b->folders_settled && plugin_shelf_is_settled(&b->shelf, now_ns)) {
        b->folders_settled = true;
        broker_settled(b);
    }
    if (b->folders_settled && !b->watch)
        b->look_due_ns = UINT64_MAX;
    broker_wake_at(b, b->look_due_ns);
}

uint64_t
broker_folders_tick(struct broker *b, uint64_t now_ns)
{
    if (!b->closing && now_ns >= b->look_due_ns)
        look(b, false);
    return b->closing ? UINT64_MAX : b->look_due_ns;
}

/* ---- from the beginning to the end ---------------------------------------------- */

static void
add_servers(struct broker *b)
{
    const struct config_providers *mcp = b->context.mcp;

    for (size_t i = 0; mcp && i < mcp->count && !b->closing; i++) {
        const struct config_provider *server = &mcp->items[i];
        struct provider *p = NULL;
        if (!server->command && !server->url)
            continue;
        if (!broker_is_full(b))
            p = plugin_new_mcp(&b->context, server->name);
        if (!p) {
            log_error(tools, server->name,
                      "the MCP server is not used: there are %d providers of "
                      "tools already, or memory is out",
                      BROKER_PROVIDERS_MAX);
            continue;
        }
        broker_insert(b, p);
        b->unsettled++;
        p->ops->start(p);
    }
}

static void
warn_of_spare_config(const struct broker *b)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, b->plugin_config)
    {
        if (!broker_provider(b, entry->string))
            log_warn(tools, NULL,
                     "plugins.config.%s is for no plugin: no folder has %s.so",
                     entry->string, entry->string);
    }
}

void
broker_warn_of_spare_settings(const struct broker *b)
{
    const struct config_tools *settings = b->context.tool_settings;

    for (size_t i = 0; settings && i < settings->count; i++) {
        if (!broker_find(b, settings->items[i].name))
            log_warn(tools, NULL,
                     "tool_settings.%s is for no tool: nobody offers one of "
                     "that name",
                     settings->items[i].name);
    }
    warn_of_spare_config(b);
}

static void
on_look(void *arg)
{
    struct broker *b = arg;

    if (!b->closing && !b->looking)
        look(b, false);
}

static void
on_watch_closed(void *arg)
{
    struct broker *b = arg;

    b->handles--;
    broker_finish(b);
}

static void
open_watch(struct broker *b)
{
    const char *const *folders = (const char *const *)b->plugin_paths;

    if (!b->watches || b->plugin_path_count == 0)
        return;
    if (folder_watch_open(&b->watch, b->loop, folders, b->plugin_path_count,
                          b->rescan_ms, on_look, on_watch_closed, b) == VR_OK)
        b->handles++;
    else
        log_error(tools, NULL, "out of memory: plugin folders are not watched");
}

void
broker_read_folders(struct broker *b)
{
    b->folders_read = true;
    b->shelf.refused = on_file_refused;
    b->shelf.arg = b;
    open_watch(b);
    add_servers(b);
    if (!b->closing)
        look(b, false);
}

void
broker_close_folders(struct broker *b)
{
    folder_watch_close(&b->watch);
}

/* ---- reload ------------------------------------------------------------------------ */

/* Those that are starting anyway are as new as can be. */
static void
reload_one(struct provider *p, uint64_t begin_ns)
{
    const struct plugin *plugin = p->plugin;
    const struct worker *newest =
        plugin->candidate ? plugin->candidate : plugin->current;

    if (!newest || newest->begin_ns < begin_ns)
        plugin_reload(p);
}

static bool
is_meant(const struct provider *p, const char *name)
{
    return !p->leaving && p->plugin && (!name || strcmp(p->name, name) == 0);
}

enum vr_status
broker_reload(struct broker *b, const char *name, size_t *count, char *why,
              size_t why_size)
{
    uint64_t begin_ns = clock_mono_ns();
    const struct provider *other;

    *count = 0;
    if (b->telling || b->looking) {
        snprintf(why, why_size,
                 "The set of tools is changing this very moment; ask again");
        return VR_AGAIN;
    }
    if (b->folders_read)
        look(b, true);
    for (struct provider *p = b->providers; p && !b->closing; p = p->next) {
        if (!is_meant(p, name))
            continue;
        ++*count;
        reload_one(p, begin_ns);
    }
    if (*count > 0 || !name || b->closing)
        return VR_OK;
    other = broker_provider(b, name);
    if (other)
        snprintf(why, why_size, "%.64s is a %s: the gateway does not start it",
                 name, provider_kind_noun(other->kind));
    else
        snprintf(why, why_size,
                 "There is no plugin or MCP server named %.64s; tool.list "
                 "names them",
                 name);
    return VR_NOT_FOUND;
}
