/* A plugin's shared library: loaded, and its descriptor checked and copied.
 *
 * The descriptor may be older or newer than this host, so it is copied into
 * structs of our own, as far as both sides have it. Never unloaded: code that
 * threads may be running must not go away. */
#ifndef TOOLS_TOOLHOST_LIBRARY_H
#define TOOLS_TOOLHOST_LIBRARY_H

#include <stddef.h>

#include "ipc/status.h"
#include "tools/voxring_tool.h"

#define LIBRARY_TOOLS_MAX 64

struct library {
    struct voxring_plugin plugin;
    struct voxring_tool tools[LIBRARY_TOOLS_MAX];
    size_t tool_count;
};

/* Loads `path` and checks everything that can be checked without running the
 * plugin's functions. On failure `why` holds a sentence with file, fault and
 * remedy. [any] one library per process */
enum vr_status library_load(struct library *library, const char *path,
                            char *why, size_t why_size) VR_NODISCARD;

/* Checks and copies a descriptor, as library_load() does after loading.
 * [any] */
enum vr_status library_read(struct library *library,
                            const struct voxring_plugin *plugin,
                            const char *path, char *why,
                            size_t why_size) VR_NODISCARD;

/* The tool of that name, or NULL. [any] */
const struct voxring_tool *library_find(const struct library *library,
                                        const char *name);

/* What tools/list answers, {"tools": [...]}, malloc'ed; NULL when memory is
 * out. [any] */
char *library_list_json(const struct library *library);

#endif
