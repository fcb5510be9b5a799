#include "gateway/toolbroker/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* _meta: {"voxring/mode": "async", "voxring/threading": "parallel",
 * "voxring/timeout_ms": 5000}; each may be missing. */
static void
read_meta(struct tool *tool, const cJSON *meta)
{
    const cJSON *mode = cJSON_GetObjectItemCaseSensitive(meta, "voxring/mode");
    const cJSON *threading =
        cJSON_GetObjectItemCaseSensitive(meta, "voxring/threading");
    const cJSON *timeout =
        cJSON_GetObjectItemCaseSensitive(meta, "voxring/timeout_ms");

    tool->mode = TOOL_SYNC;
    if (cJSON_IsString(mode) && strcmp(mode->valuestring, "async") == 0)
        tool->mode = TOOL_ASYNC;
    tool->serial = !(cJSON_IsString(threading) &&
                     strcmp(threading->valuestring, "parallel") == 0);
    tool->timeout_ms =
        tool->mode == TOOL_SYNC ? TOOL_SYNC_TIMEOUT_MS : TOOL_ASYNC_TIMEOUT_MS;
    if (cJSON_IsNumber(timeout) && timeout->valuedouble >= 1)
        tool->timeout_ms = timeout->valuedouble < TOOL_TIMEOUT_MAX_MS
                               ? (uint32_t)timeout->valuedouble
                               : TOOL_TIMEOUT_MAX_MS;
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
    if (status != VR_OK) {
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

static bool
tool_same(const struct tool *a, const struct tool *b)
{
    return strcmp(a->name, b->name) == 0 &&
           strcmp(a->description, b->description) == 0 &&
           strcmp(a->schema_json, b->schema_json) == 0 &&
           a->timeout_ms == b->timeout_ms && a->mode == b->mode &&
           a->serial == b->serial;
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
