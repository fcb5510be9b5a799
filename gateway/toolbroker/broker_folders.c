/* The plugin folders of a broker: which plugins there are. */
#include "gateway/toolbroker/broker_internal.h"

#include <stdio.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/toolbroker/plugin.h"
#include "gateway/toolbroker/plugin_folder.h"
#include "gateway/toolbroker/tool_content.h"

static void
refuse_file(struct broker *b, const char *name, const char *reason)
{
    log_error(tools, name, "the plugin is not used: %s", reason);
    broker_notice(b, BROKER_REFUSED, BROKER_PROVIDER_PLUGIN, name, NULL,
                  reason);
}

static struct provider *
make_plugin(struct broker *b, const char *path, const char *name)
{
    const cJSON *config =
        cJSON_GetObjectItemCaseSensitive(b->plugin_config, name);
    char *text = cJSON_IsObject(config) ? cJSON_PrintUnformatted(config) : NULL;
    struct provider *p = plugin_new(&b->context, name, path, text);

    cJSON_free(text);
    return p;
}

static void
on_file(void *arg, const char *path, const char *name, const char *reason)
{
    struct broker *b = arg;
    const struct provider *same = broker_provider(b, name);
    struct provider *p = NULL;
    char why[700];

    if (!reason && !tool_content_is_utf8(name, strlen(name)))
        reason = "the file's name is not UTF-8; rename it";
    if (!reason && same) {
        snprintf(why, sizeof why,
                 "%.300s has the name of %.300s; rename or remove one of them",
                 path, provider_source(same));
        reason = why;
    }
    if (!reason)
        p = make_plugin(b, path, name);
    if (!p) {
        refuse_file(b, name, reason ? reason : "out of memory");
        return;
    }
    *b->providers_tail = p;
    b->providers_tail = &p->next;
    b->unsettled++;
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
broker_read_folders(struct broker *b)
{
    b->folders_read = true;
    for (size_t i = 0; i < b->plugin_path_count && !b->closing; i++)
        plugin_folder_scan(b->plugin_paths[i], on_file, b);
    warn_of_spare_config(b);
    for (struct provider *p = b->providers; p && !b->closing; p = p->next)
        p->ops->start(p);
    broker_settled(b);
}
