/* What one provider offers: struct tool (see broker.h) read from a tools/list
 * answer. */
#ifndef GATEWAY_TOOLBROKER_TOOL_H
#define GATEWAY_TOOLBROKER_TOOL_H

#include "gateway/toolbroker/broker.h"

#define TOOL_LIST_MAX 64
#define TOOL_NAME_MAX_BYTES 64
#define TOOL_SYNC_TIMEOUT_MS 60000u
#define TOOL_ASYNC_TIMEOUT_MS 3600000u
#define TOOL_TIMEOUT_MAX_MS 86400000u

/* One provider's tools. */
struct tool_list {
    struct tool *tools;
    size_t count;
};

/* Reads the result of tools/list: {"tools": [{name, description, inputSchema,
 * _meta}]}. VR_PROTOCOL and a sentence in `why` if any of it is wrong; then
 * the list is empty. The list is the caller's to tool_list_fini(). [any] */
enum vr_status tool_list_read(struct tool_list *list, const char *provider,
                              const cJSON *result, char *why,
                              size_t why_size) VR_NODISCARD;

/* Whether both lists offer the same to the model. [any] */
bool tool_list_same(const struct tool_list *a, const struct tool_list *b);

/* Frees what is in the list. Accepts an empty one. [any] */
void tool_list_fini(struct tool_list *list);

#endif
