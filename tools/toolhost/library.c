#include "tools/toolhost/library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <ltdl.h>

#include "tools/toolhost/image.h"

#define NAME_MAX_BYTES 64
#define NAME_LETTERS \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
/* Far more than any later minor will need; bounds what we believe. */
#define STRUCT_MAX_BYTES 4096u
/* What ABI 1.0 had; less is no descriptor of ours. */
#define PLUGIN_MIN_BYTES                     \
    (offsetof(struct voxring_plugin, fini) + \
     sizeof(((struct voxring_plugin *)0)->fini))
#define TOOL_MIN_BYTES                     \
    (offsetof(struct voxring_tool, call) + \
     sizeof(((struct voxring_tool *)0)->call))

/* A sanitizer's reports name places in files, and a copy has no name. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOADS_IN_PLACE true
#else
#define LOADS_IN_PLACE false
#endif
/* What a synchronous tool gets that names no time. */
#define SYNC_TIMEOUT_MS 60000u

struct sentence {
    const char *path;
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static enum vr_status
say(const struct sentence *s, const char *format, ...)
{
    va_list args;
    int n = snprintf(s->text, s->size, "%.300s ", s->path);

    va_start(args, format);
    if (n > 0 && (size_t)n < s->size)
        vsnprintf(s->text + n, s->size - (size_t)n, format, args);
    va_end(args);
    return VR_INVALID;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Reads the head alone before it trusts that there is more. */
static enum vr_status
copy_plugin(struct library *l, const struct voxring_plugin *plugin,
            const struct sentence *s)
{
    uint32_t size = plugin->struct_size;

    if (plugin->abi_major != VOXRING_TOOL_ABI_MAJOR)
        return say(s,
                   "is written for plugin ABI %u.%u, this gateway has %u.%u; "
                   "compile it against this gateway's voxring_tool.h",
                   plugin->abi_major, plugin->abi_minor, VOXRING_TOOL_ABI_MAJOR,
                   VOXRING_TOOL_ABI_MINOR);
    if (size < PLUGIN_MIN_BYTES || size > STRUCT_MAX_BYTES)
        return say(s,
                   "has a descriptor of struct_size %u, at least %zu is "
                   "needed; begin it with VOXRING_PLUGIN_HEAD",
                   size, PLUGIN_MIN_BYTES);
    memset(&l->plugin, 0, sizeof l->plugin);
    memcpy(&l->plugin, plugin, smaller(size, sizeof l->plugin));
    return VR_OK;
}

static enum vr_status
check_plugin(const struct voxring_plugin *p, const struct sentence *s)
{
    if (!p->name || p->name[0] == '\0')
        return say(s, "has no name; set voxring_plugin.name");
    if (!p->tools || p->tool_count < 1 || p->tool_count > LIBRARY_TOOLS_MAX)
        return say(s,
                   "offers %u tools, 1 to %d are possible; set tools and "
                   "tool_count",
                   p->tools ? p->tool_count : 0, LIBRARY_TOOLS_MAX);
    if (p->tool_bytes < TOOL_MIN_BYTES || p->tool_bytes > STRUCT_MAX_BYTES ||
        p->tool_bytes % _Alignof(struct voxring_tool) != 0)
        return say(s,
                   "has tool_bytes %u, at least %zu is needed; set it to "
                   "sizeof(struct voxring_tool)",
                   p->tool_bytes, TOOL_MIN_BYTES);
    return VR_OK;
}

static enum vr_status
check_schema(const struct voxring_tool *tool, const struct sentence *s)
{
    cJSON *root;
    const cJSON *type;
    bool good;

    if (!tool->input_schema)
        return VR_OK;
    root = cJSON_ParseWithOpts(tool->input_schema, NULL, 1);
    type = cJSON_GetObjectItemCaseSensitive(root, "type");
    good = cJSON_IsString(type) && strcmp(type->valuestring, "object") == 0;
    if (!root)
        say(s, "has a tool %s whose input_schema is no JSON; correct it",
            tool->name);
    else if (!good)
        say(s,
            "has a tool %s whose input_schema is not for an object; make it "
            "{\"type\":\"object\",\"properties\":{...}}",
            tool->name);
    cJSON_Delete(root);
    return good ? VR_OK : VR_INVALID;
}

static enum vr_status
check_tool(const struct voxring_tool *tool, size_t place,
           const struct sentence *s)
{
    if (!tool->name || tool->name[0] == '\0')
        return say(s, "has no name for its tool number %zu; set .name",
                   place + 1);
    if (strlen(tool->name) > NAME_MAX_BYTES ||
        strspn(tool->name, NAME_LETTERS) != strlen(tool->name))
        return say(s,
                   "has a tool named \"%.80s\"; a name is 1 to %d of "
                   "A-Z a-z 0-9 _ -",
                   tool->name, NAME_MAX_BYTES);
    if (!tool->description || tool->description[0] == '\0')
        return say(s,
                   "has a tool %s without a description; the model decides by "
                   "it when to use the tool",
                   tool->name);
    if (!tool->call)
        return say(s, "has a tool %s without a call function; set .call",
                   tool->name);
    if (tool->mode > VOXRING_ASYNC || tool->threading > VOXRING_PARALLEL)
        return say(s,
                   "has a tool %s with an unknown mode or threading; use the "
                   "values of voxring_tool.h",
                   tool->name);
    return check_schema(tool, s);
}

static enum vr_status
copy_tools(struct library *l, const struct sentence *s)
{
    const unsigned char *at = (const unsigned char *)l->plugin.tools;
    size_t bytes = smaller(l->plugin.tool_bytes, sizeof l->tools[0]);
    enum vr_status status;

    l->tool_count = 0;
    for (size_t i = 0; i < l->plugin.tool_count; i++) {
        struct voxring_tool *tool = &l->tools[i];
        memset(tool, 0, sizeof *tool);
        memcpy(tool, at + i * l->plugin.tool_bytes, bytes);
        if (l->plugin.abi_minor == 0)
            tool->flags = 0; /* was reserved then */
        status = check_tool(tool, i, s);
        if (status != VR_OK)
            return status;
        if (library_find(l, tool->name))
            return say(s, "offers the tool %s twice; rename one of them",
                       tool->name);
        l->tool_count++;
    }
    return VR_OK;
}

enum vr_status
library_read(struct library *l, const struct voxring_plugin *plugin,
             const char *path, char *why, size_t why_size)
{
    const struct sentence s = {path, why, why_size};
    enum vr_status status;

    memset(l, 0, sizeof *l);
    status = copy_plugin(l, plugin, &s);
    if (status == VR_OK)
        status = check_plugin(&l->plugin, &s);
    if (status == VR_OK)
        status = copy_tools(l, &s);
    return status;
}

/* libltdl answers "file not found" whatever the linker said. */
static enum vr_status
say_load_error(const char *path, const struct sentence *s)
{
    const char *error = lt_dlerror();
    void *again = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *better = again ? NULL : dlerror();

    return say(s,
               "cannot be loaded: %.400s; it must be a shared library for "
               "this machine with all it needs installed",
               better  ? better
               : error ? error
                       : "for an unknown reason");
}

/* Loads the private copy of the file, else the file itself. */
static lt_dlhandle
open_library(const char *path, int copy)
{
    lt_dlhandle handle = NULL;
    char name[40];

    if (copy >= 0 && !LOADS_IN_PLACE) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", copy);
        handle = lt_dlopen(name);
    }
    if (!handle)
        handle = lt_dlopenext(path);
    if (copy >= 0)
        close(copy);
    return handle;
}

enum vr_status
library_load(struct library *l, const char *path, char *why, size_t why_size)
{
    const struct sentence s = {path, why, why_size};
    const struct voxring_plugin *plugin;
    lt_dlhandle handle;
    char fault[300], here[PATH_MAX];
    int copy;

    /* The linker looks for a name without a slash in its own folders. */
    if (!strchr(path, '/')) {
        snprintf(here, sizeof here, "./%s", path);
        path = here;
    }
    if (lt_dlinit() != 0)
        return say(&s, "cannot be loaded: libltdl does not start");
    if (image_copy(path, &copy, fault, sizeof fault) != VR_OK)
        return say(&s, "cannot be loaded: %s", fault);
    handle = open_library(path, copy);
    if (!handle)
        return say_load_error(path, &s);
    lt_dlmakeresident(handle);
    plugin = lt_dlsym(handle, "voxring_plugin");
    if (!plugin)
        return say(&s, "exports no symbol voxring_plugin; define it as "
                       "voxring_tool.h shows, with VOXRING_EXPORT");
    return library_read(l, plugin, path, why, why_size);
}

const struct voxring_tool *
library_find(const struct library *l, const char *name)
{
    for (size_t i = 0; i < l->tool_count; i++) {
        if (strcmp(l->tools[i].name, name) == 0)
            return &l->tools[i];
    }
    return NULL;
}

static cJSON *
tool_json(const struct voxring_tool *tool)
{
    cJSON *entry = cJSON_CreateObject();
    cJSON *meta;

    cJSON_AddStringToObject(entry, "name", tool->name);
    cJSON_AddStringToObject(entry, "description", tool->description);
    cJSON_AddRawToObject(entry, "inputSchema",
                         tool->input_schema
                             ? tool->input_schema
                             : "{\"type\":\"object\",\"properties\":{}}");
    meta = cJSON_AddObjectToObject(entry, "_meta");
    cJSON_AddStringToObject(meta, "voxring/mode",
                            tool->mode == VOXRING_ASYNC ? "async" : "sync");
    cJSON_AddStringToObject(meta, "voxring/threading",
                            tool->threading == VOXRING_PARALLEL ? "parallel"
                                                                : "serial");
    cJSON_AddNumberToObject(meta, "voxring/timeout_ms",
                            tool->timeout_ms == 0 && tool->mode == VOXRING_SYNC
                                ? SYNC_TIMEOUT_MS
                                : tool->timeout_ms);
    if (tool->flags & VOXRING_CANCEL_ON_INTERRUPT)
        cJSON_AddTrueToObject(meta, "voxring/cancel_on_interrupt");
    return entry;
}

char *
library_list_json(const struct library *l)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "tools");
    char *text;

    for (size_t i = 0; i < l->tool_count; i++)
        cJSON_AddItemToArray(array, tool_json(&l->tools[i]));
    text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}
