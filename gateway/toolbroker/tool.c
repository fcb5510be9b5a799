#include "gateway/toolbroker/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/log.h"
#include "gateway/toolbroker/tool_content.h"

static void
tool_fini(struct tool *tool)
{
    free(tool->name);
    free(tool->description);
    free(tool->schema_json);
    free(tool->provider);
    cJSON_Delete(tool->schema);
    memset(tool, 0, sizeof *tool);
}

void
tool_list_fini(struct tool_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        tool_fini(&list->tools[i]);
    free(list->tools);
    list->tools = NULL;
    list->count = 0;
}

static bool
name_is_good(const char *name)
{
    size_t n = strlen(name);

    return n >= 1 && n <= TOOL_NAME_MAX_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static bool
meta_says(const cJSON *meta, const char *key, const char *text)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(meta, key);

    return cJSON_IsString(item) && strcmp(item->valuestring, text) == 0;
}

/* What a tool has that says nothing of its time. */
static uint32_t
standard_timeout_ms(enum tool_mode mode)
{
    return mode == TOOL_SYNC ? TOOL_SYNC_TIMEOUT_MS : 0;
}

static uint32_t
bounded_ms(double ms)
{
    if (ms < 1)
        return 1;
    return ms < TOOL_TIMEOUT_MAX_MS ? (uint32_t)ms : TOOL_TIMEOUT_MAX_MS;
}

/* _meta: {"voxring/mode": "async", "voxring/threading": "parallel",
 * "voxring/timeout_ms": 5000, "voxring/cancel_on_interrupt": true}; each may
 * be missing. */
static void
read_meta(struct tool *tool, const cJSON *meta)
{
    const cJSON *timeout =
        cJSON_GetObjectItemCaseSensitive(meta, "voxring/timeout_ms");

    tool->mode =
        meta_says(meta, "voxring/mode", "async") ? TOOL_ASYNC : TOOL_SYNC;
    tool->serial = !meta_says(meta, "voxring/threading", "parallel");
    tool->cancel_on_interrupt = cJSON_IsTrue(
        cJSON_GetObjectItemCaseSensitive(meta, "voxring/cancel_on_interrupt"));
    tool->timeout_said = cJSON_IsNumber(timeout) && timeout->valuedouble >= 1;
    tool->timeout_ms = tool->timeout_said ? bounded_ms(timeout->valuedouble)
                                          : standard_timeout_ms(tool->mode);
}

/* A missing schema means a tool without input. */
static enum vr_status
read_schema(struct tool *tool, const cJSON *schema, char *why, size_t why_size)
{
    const cJSON *type;

    if (!schema || cJSON_IsNull(schema))
        tool->schema = cJSON_Parse("{\"type\":\"object\",\"properties\":{}}");
    else
        tool->schema = cJSON_Duplicate(schema, 1);
    type = cJSON_GetObjectItemCaseSensitive(tool->schema, "type");
    if (!cJSON_IsObject(tool->schema) || !cJSON_IsString(type) ||
        strcmp(type->valuestring, "object") != 0) {
        snprintf(why, why_size,
                 "the schema of tool %s must be an object with "
                 "\"type\":\"object\"",
                 tool->name);
        return VR_PROTOCOL;
    }
    tool->schema_json = cJSON_PrintUnformatted(tool->schema);
    if (!tool->schema_json)
        return VR_NO_MEMORY;
    if (tool_content_is_utf8(tool->schema_json, strlen(tool->schema_json)))
        return VR_OK;
    snprintf(why, why_size, "the schema of tool %s is not UTF-8", tool->name);
    return VR_PROTOCOL;
}

/* Cuts at the end of a character. */
static void
bound_description(struct tool *tool)
{
    size_t bytes = TOOL_DESCRIPTION_MAX_BYTES;

    if (strlen(tool->description) <= bytes)
        return;
    log_warn(tools, tool->provider,
             "the description of tool %s has %zu bytes; the model gets the "
             "first %d of them",
             tool->name, strlen(tool->description), TOOL_DESCRIPTION_MAX_BYTES);
    while (bytes > 0 &&
           ((unsigned char)tool->description[bytes] & 0xc0) == 0x80)
        bytes--;
    tool->description[bytes] = '\0';
}

static bool
is_text(const cJSON *item)
{
    return cJSON_IsString(item) && item->valuestring[0] != '\0' &&
           tool_content_is_utf8(item->valuestring, strlen(item->valuestring));
}

static enum vr_status
tool_read(struct tool *tool, const char *provider, const cJSON *entry,
          char *why, size_t why_size)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(entry, "name");
    const cJSON *description =
        cJSON_GetObjectItemCaseSensitive(entry, "description");

    if (!cJSON_IsString(name) || !name_is_good(name->valuestring)) {
        snprintf(why, why_size,
                 "a tool has no usable name: 1 to 64 of A-Z a-z 0-9 _ -");
        return VR_PROTOCOL;
    }
    tool->name = strdup(name->valuestring);
    tool->provider = strdup(provider);
    /* The model needs some description; the name is better than none. */
    tool->description = strdup(is_text(description) ? description->valuestring
                                                    : name->valuestring);
    if (!tool->name || !tool->provider || !tool->description)
        return VR_NO_MEMORY;
    bound_description(tool);
    read_meta(tool, cJSON_GetObjectItemCaseSensitive(entry, "_meta"));
    return read_schema(tool,
                       cJSON_GetObjectItemCaseSensitive(entry, "inputSchema"),
                       why, why_size);
}

static bool
list_has(const struct tool_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->tools[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool
is_left_out(struct tool_list *list, const struct tool *tool)
{
    size_t bytes = strlen(tool->schema_json);

    if (bytes <= TOOL_SCHEMA_MAX_BYTES)
        return false;
    snprintf(list->left_out, sizeof list->left_out, "%s", tool->name);
    snprintf(list->left_out_why, sizeof list->left_out_why,
             "the schema of tool %.64s has %zu bytes, more than the %d that "
             "are allowed; make it shorter",
             tool->name, bytes, TOOL_SCHEMA_MAX_BYTES);
    log_error(tools, tool->provider, "%s", list->left_out_why);
    return true;
}

static enum vr_status
list_add(struct tool_list *list, const char *provider, const cJSON *entry,
         char *why, size_t why_size)
{
    struct tool tool;
    enum vr_status status;

    memset(&tool, 0, sizeof tool);
    status = tool_read(&tool, provider, entry, why, why_size);
    if (status == VR_OK && list_has(list, tool.name)) {
        snprintf(why, why_size, "it names tool %s twice", tool.name);
        status = VR_PROTOCOL;
    }
    if (status != VR_OK || is_left_out(list, &tool)) {
        tool_fini(&tool);
        return status;
    }
    list->tools[list->count++] = tool;
    return VR_OK;
}

enum vr_status
tool_list_read(struct tool_list *list, const char *provider,
               const cJSON *result, char *why, size_t why_size)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(result, "tools");
    int count = cJSON_GetArraySize(array);
    const cJSON *entry;
    enum vr_status status = VR_OK;

    memset(list, 0, sizeof *list);
    snprintf(why, why_size, "memory is out");
    if (!cJSON_IsArray(array) || count > TOOL_LIST_MAX) {
        snprintf(why, why_size,
                 "its tools/list answer needs an array \"tools\" of at most %d",
                 TOOL_LIST_MAX);
        return VR_PROTOCOL;
    }
    list->tools = calloc((size_t)count + 1, sizeof *list->tools);
    if (!list->tools)
        return VR_NO_MEMORY;
    cJSON_ArrayForEach(entry, array)
    {
        status = list_add(list, provider, entry, why, why_size);
        if (status != VR_OK)
            break;
    }
    if (status != VR_OK)
        tool_list_fini(list);
    return status;
}

static void
replace_description(struct tool *tool, const char *description)
{
    char *copy = strdup(description);

    if (!copy)
        return;
    free(tool->description);
    tool->description = copy;
    bound_description(tool);
}

static void
apply(struct tool *tool, const struct config_tool *setting)
{
    if (setting->mode != 0) {
        tool->mode =
            setting->mode == CONFIG_TOOL_ASYNC ? TOOL_ASYNC : TOOL_SYNC;
        if (!tool->timeout_said)
            tool->timeout_ms = standard_timeout_ms(tool->mode);
    }
    if (setting->cancel_on_interrupt >= 0)
        tool->cancel_on_interrupt = setting->cancel_on_interrupt != 0;
    if (setting->description)
        replace_description(tool, setting->description);
}

void
tool_list_settle(struct tool_list *list, const struct config_tools *settings,
                 double longest_s)
{
    uint32_t longest_ms = longest_s > 0 ? bounded_ms(longest_s * 1000) : 0;

    for (size_t i = 0; i < list->count; i++) {
        struct tool *tool = &list->tools[i];
        const struct config_tool *setting =
            settings ? config_tool_find(settings, tool->name) : NULL;
        if (setting)
            apply(tool, setting);
        if (longest_ms != 0 &&
            (tool->timeout_ms == 0 || tool->timeout_ms > longest_ms))
            tool->timeout_ms = longest_ms;
        if (setting && setting->timeout_s == 0)
            tool->timeout_ms = 0;
        else if (setting && setting->timeout_s > 0)
            tool->timeout_ms = bounded_ms(setting->timeout_s * 1000);
    }
}

static bool
tool_same(const struct tool *a, const struct tool *b)
{
    return strcmp(a->name, b->name) == 0 &&
           strcmp(a->description, b->description) == 0 &&
           strcmp(a->schema_json, b->schema_json) == 0 &&
           a->timeout_ms == b->timeout_ms && a->mode == b->mode &&
           a->serial == b->serial &&
           a->cancel_on_interrupt == b->cancel_on_interrupt;
}

bool
tool_list_same(const struct tool_list *a, const struct tool_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!tool_same(&a->tools[i], &b->tools[i]))
            return false;
    }
    return true;
}
