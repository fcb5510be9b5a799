/* The plugin folders: which files are plugins, and which may be loaded.
 *
 * A file or folder that everybody may write to is not used: whoever can write
 * there could run code in the gateway's name. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_FOLDER_H
#define GATEWAY_TOOLBROKER_PLUGIN_FOLDER_H

#include <stddef.h>

#include "ipc/status.h"

/* One file found, or something refused: then `reason` is a sentence with the
 * remedy, else NULL. `name` is the file's without ".so" (for a folder, its
 * path). All live during the call. */
typedef void plugin_folder_fn(void *arg, const char *path, const char *name,
                              const char *reason);

/* Visits each *.so of a folder in the order of their names. [loop] */
void plugin_folder_scan(const char *folder, plugin_folder_fn *visit, void *arg);

/* VR_OK if this file may be loaded now; otherwise a sentence in `why`. [any] */
enum vr_status plugin_folder_check(const char *path, char *why,
                                   size_t why_size) VR_NODISCARD;

#endif
