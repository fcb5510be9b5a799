/* The host vtable that plugins are given. */
#ifndef TOOLS_TOOLHOST_HOST_H
#define TOOLS_TOOLHOST_HOST_H

#include "tools/voxring_tool.h"

/* The one vtable. Static storage; `config_json` must live on. [any] */
const struct voxring_host *host_table(const char *config_json);

#endif
