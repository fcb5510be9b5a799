/* A plugin whose descriptor is bent by macros; each is given by -D. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/voxring_tool.h"

#ifndef NAME
#define NAME "shape"
#endif
#ifndef TOOL_NAME
#define TOOL_NAME "shape"
#endif
#ifndef SECOND_NAME
#define SECOND_NAME "second"
#endif
#ifndef DESCRIPTION
#define DESCRIPTION "Has a shape."
#endif
#ifndef SCHEMA
#define SCHEMA NULL
#endif
#ifdef MAJOR
#define MINOR 0 /* of a major that is not ours */
#else
#define MAJOR VOXRING_TOOL_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR VOXRING_TOOL_ABI_MINOR
#endif
#ifndef STRUCT_SIZE
#define STRUCT_SIZE sizeof voxring_plugin
#endif
#ifndef COUNT
#define COUNT 2
#endif
#ifndef CALL
#define CALL call
#endif
#ifndef SYMBOL
#define SYMBOL voxring_plugin
#endif

#ifdef NEWER
/* What a later minor of the ABI could look like. */
struct newer_tool {
    struct voxring_tool tool;
    const char *icon;
    uint64_t cost;
};
struct newer_plugin {
    struct voxring_plugin plugin;
    void (*pause)(void);
    uint64_t flags[4];
};
#define TOOL_TYPE struct newer_tool
#else
#define TOOL_TYPE struct voxring_tool
#endif
#ifndef TOOL_BYTES
#define TOOL_BYTES sizeof(TOOL_TYPE)
#endif

static const struct voxring_host *host;

static void
call(const struct voxring_call *c)
{
    host->complete(c->token, VOXRING_OK, "{\"shape\":\"round\"}");
}

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    host = h;
#ifdef INIT_EXIT
    _exit(9);
#endif
#ifdef INIT_HANG
    for (;;)
        pause();
#endif
    if (!strstr(config_json, "no_key"))
        return 0;
    snprintf(why, why_bytes,
             "it needs an API key; set plugins.config.shape.key");
    return -1;
}

#ifdef FINI_FILE
static void
fini(void)
{
    FILE *f = fopen(FINI_FILE, "w");

    if (f)
        fclose(f);
}
#else
#define fini NULL
#endif

#ifdef CONSTRUCTOR_ABORTS
__attribute__((constructor)) static void
constructor(void)
{
    _exit(11);
}
#endif

#ifdef LACKS_FUNCTION
void function_that_nobody_has(void);
void *volatile keep = (void *)function_that_nobody_has;
#endif

static const TOOL_TYPE tools[] = {
#ifdef NEWER
    {{TOOL_NAME, DESCRIPTION, SCHEMA, 0, 0, 0, 0, CALL}, "icon", 3},
    {{SECOND_NAME, DESCRIPTION, SCHEMA, 0, 0, 0, 0, CALL}, "icon", 3},
#else
    {TOOL_NAME, DESCRIPTION, SCHEMA, 0, 0, 0, 0, CALL},
    {SECOND_NAME, DESCRIPTION, SCHEMA, 0, 0, 0, 0, CALL},
#endif
};

#ifdef NEWER
extern VOXRING_EXPORT const struct newer_plugin newer __asm__("voxring_plugin");
const struct newer_plugin newer = {
    {sizeof(struct newer_plugin), MAJOR, MINOR, NAME, "1",
     (const struct voxring_tool *)tools, COUNT, TOOL_BYTES, init, fini},
    NULL,
    {1, 2, 3, 4}};
#else
VOXRING_EXPORT const struct voxring_plugin SYMBOL = {
    STRUCT_SIZE, MAJOR, MINOR, NAME, "1", tools, COUNT, TOOL_BYTES, init, fini};
#endif
