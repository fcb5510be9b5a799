/* The plugin folders: which of their files are plugins.
 *
 * A folder that everybody may write to is not used: whoever can write there
 * could run code in the gateway's name. */
#ifndef GATEWAY_TOOLBROKER_PLUGIN_FOLDER_H
#define GATEWAY_TOOLBROKER_PLUGIN_FOLDER_H

#include <stddef.h>

#include "ipc/status.h"

/* One file found; `name` is without ".so". Both live during the call. */
typedef void plugin_folder_fn(void *arg, const char *path, const char *name);

/* Visits each *.so of a folder in the order of their names. Otherwise a
 * sentence with the remedy in `why`, and nothing was visited: VR_NOT_FOUND
 * when there is no such folder, VR_DENIED, VR_INVALID, VR_SYSTEM. [loop] */
enum vr_status plugin_folder_scan(const char *folder, plugin_folder_fn *visit,
                                  void *arg, char *why,
                                  size_t why_size) VR_NODISCARD;

#endif
