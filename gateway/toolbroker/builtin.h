/* A provider that is a function of the gateway: one tool, run at once. */
#ifndef GATEWAY_TOOLBROKER_BUILTIN_H
#define GATEWAY_TOOLBROKER_BUILTIN_H

#include "gateway/toolbroker/provider.h"

/* One that is ready. `list` holds its tool and is taken. NULL when memory is
 * out. [loop] */
struct provider *builtin_new(const struct provider_context *context,
                             const char *name, struct tool_list *list,
                             broker_builtin_fn *run, void *arg);

#endif
