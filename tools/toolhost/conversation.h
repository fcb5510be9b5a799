/* What a plugin may do to the conversation of its call, as the gateway's config
 * grants it. */
#ifndef TOOLS_TOOLHOST_CONVERSATION_H
#define TOOLS_TOOLHOST_CONVERSATION_H

#include <stdint.h>

#include "tools/voxring_tool.h"

/* The service "voxring.conversation/1". Static storage. [any] */
const struct voxring_conversation *conversation_table(void);

/* voxring_host.publish. [any] */
int conversation_publish(uint64_t token, const char *name,
                         const char *data_json);

#endif
