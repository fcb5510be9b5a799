#include "gateway/toolbroker/remote_tools.h"

#include <stdio.h>
#include <string.h>

#include "gateway/log.h"

/* Tools that config leaves out are told one by one up to this. */
#define LEFT_OUT_TOLD 8

static const char *
name_of(const cJSON *entry)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(entry, "name");

    return cJSON_IsString(name) ? name->valuestring : NULL;
}

static bool
is_allowed(const struct config_provider *rule, const char *name)
{
    if (rule->tools.all || !name)
        return true;
    for (size_t i = 0; i < rule->tools.count; i++) {
        if (strcmp(rule->tools.items[i], name) == 0)
            return true;
    }
    return false;
}

static void
tell_left_out(struct worker *w, const char *tool)
{
    struct provider *p = w->provider;
    char reason[320];

    snprintf(reason, sizeof reason,
             "config does not let the worker %s offer the tool %.64s; add it "
             "to workers.rules.%s.tools",
             p->name, tool, p->rule->name);
    log_warn(tools, p->name, "%s", reason);
    provider_notice(p, BROKER_REFUSED, tool, reason);
}

/* Takes what config does not allow out of a list. */
static void
leave_out(struct worker *w, cJSON *tools)
{
    int told = w->left_out_told ? LEFT_OUT_TOLD : 0;
    cJSON *entry, *next;

    for (entry = tools ? tools->child : NULL; entry; entry = next) {
        next = entry->next;
        if (is_allowed(w->provider->rule, name_of(entry)))
            continue;
        w->left_out_told = true;
        if (told++ < LEFT_OUT_TOLD)
            tell_left_out(w, name_of(entry));
        cJSON_Delete(cJSON_DetachItemViaPointer(tools, entry));
    }
}

static bool
list_has(const struct tool_list *list, const char *name)
{
    for (size_t i = 0; name && i < list->count; i++) {
        if (strcmp(list->tools[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Takes out what could not be read as a tool. */
static void
keep_what_was_read(struct worker *w, cJSON *tools, const struct tool_list *list)
{
    cJSON *entry, *next;

    for (entry = tools ? tools->child : NULL; entry; entry = next) {
        next = entry->next;
        if (!list_has(list, name_of(entry)))
            cJSON_Delete(cJSON_DetachItemViaPointer(tools, entry));
    }
    if (list->left_out[0])
        provider_notice(w->provider, BROKER_REFUSED, list->left_out,
                        list->left_out_why);
}

static bool
same_tool(struct tool *a, struct tool *b)
{
    struct tool_list list_a = {.tools = a, .count = 1};
    struct tool_list list_b = {.tools = b, .count = 1};

    return tool_list_same(&list_a, &list_b);
}

/* Another worker of the name offers a tool of the same name, but not the
 * same. */
static void
warn_of_difference(const struct worker *w, const struct tool_list *list)
{
    for (struct worker *o = w->provider->workers; o; o = o->next) {
        if (o == w || o->state == WORKER_DEAD)
            continue;
        for (size_t i = 0; i < list->count * o->tools.count; i++) {
            struct tool *mine = &list->tools[i / o->tools.count];
            struct tool *other = &o->tools.tools[i % o->tools.count];
            if (strcmp(mine->name, other->name) == 0 && !same_tool(mine, other))
                log_warn(tools, w->provider->name,
                         "its processes describe the tool %s differently; the "
                         "first one's description is used",
                         mine->name);
        }
    }
}

enum vr_status
remote_tools_take(struct worker *w, const cJSON *result, char *why,
                  size_t why_size)
{
    cJSON *listed = cJSON_Duplicate(result, 1);
    struct tool_list list;
    enum vr_status status;

    snprintf(why, why_size, "memory is out");
    if (!listed)
        return VR_NO_MEMORY;
    leave_out(w, cJSON_GetObjectItemCaseSensitive(listed, "tools"));
    status = tool_list_read(&list, w->provider->name, listed, why, why_size);
    if (status != VR_OK) {
        cJSON_Delete(listed);
        return status;
    }
    warn_of_difference(w, &list);
    remote_tools_drop(w);
    w->listed = listed;
    w->tools = list;
    keep_what_was_read(w, cJSON_GetObjectItemCaseSensitive(listed, "tools"),
                       &w->tools);
    return VR_OK;
}

void
remote_tools_drop(struct worker *w)
{
    cJSON_Delete(w->listed);
    w->listed = NULL;
    tool_list_fini(&w->tools);
}

bool
remote_tools_offers(const struct worker *w, const char *tool)
{
    return list_has(&w->tools, tool);
}

static bool
has_name(const cJSON *tools, const char *name)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, tools)
    {
        if (strcmp(name_of(entry), name) == 0)
            return true;
    }
    return false;
}

/* Adds a worker's tools that are not there yet. False: there are too many, or
 * memory is out. */
static bool
add_tools_of(cJSON *tools, const struct worker *w)
{
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(w->listed, "tools");
    cJSON *entry;

    cJSON_ArrayForEach(entry, own)
    {
        if (has_name(tools, name_of(entry)))
            continue;
        if (cJSON_GetArraySize(tools) >= TOOL_LIST_MAX ||
            !cJSON_AddItemReferenceToArray(tools, entry))
            return false;
    }
    return true;
}

/* The living first, so that a successor's tools count, not those of the one
 * that died. */
static bool
add_all(cJSON *tools, const struct provider *p)
{
    bool whole = true;

    for (int dead = 0; dead <= 1; dead++) {
        for (const struct worker *w = p->workers; w; w = w->next) {
            if ((w->state == WORKER_DEAD) == (dead == 1))
                whole = add_tools_of(tools, w) && whole;
        }
    }
    return whole;
}

void
remote_tools_unite(struct provider *p)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *tools = cJSON_AddArrayToObject(root, "tools");
    struct tool_list list = {.tools = NULL};
    char why[400] = "memory is out";
    enum vr_status status = VR_NO_MEMORY;

    if (tools && !add_all(tools, p))
        log_warn(tools, p->name,
                 "its processes together offer more than %d tools; the rest is "
                 "left out",
                 TOOL_LIST_MAX);
    if (tools)
        status = tool_list_read(&list, p->name, root, why, sizeof why);
    cJSON_Delete(root);
    if (status != VR_OK) {
        log_error(tools, p->name, "its tools stay as they were: %s", why);
        return;
    }
    tool_list_settle(&list, p->context->tool_settings, p->rule->timeout_s);
    if (tool_list_same(&list, &p->tools))
        tool_list_fini(&list);
    else
        provider_set_tools(p, &list);
}
