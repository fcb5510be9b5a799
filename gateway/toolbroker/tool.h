/* What one provider offers: struct tool (see broker.h) read from a tools/list
 * answer. */
#ifndef GATEWAY_TOOLBROKER_TOOL_H
#define GATEWAY_TOOLBROKER_TOOL_H

#include "gateway/toolbroker/broker.h"

#define TOOL_LIST_MAX 64
#define TOOL_NAME_MAX_BYTES 64
#define TOOL_SYNC_TIMEOUT_MS 60000u
#define TOOL_TIMEOUT_MAX_MS 86400000u
/* What is sent to the model with every prompt has its bounds. */
#define TOOL_DESCRIPTION_MAX_BYTES 4096
#define TOOL_SCHEMA_MAX_BYTES (64 * 1024)

/* One provider's tools. */
struct tool_list {
    struct tool *tools;
    size_t count;
    /* One that was left out (the last of them), and why; "" if none was. */
    char left_out[TOOL_NAME_MAX_BYTES + 1];
    char left_out_why[240];
};

/* Reads the result of tools/list: {"tools": [{name, description, inputSchema,
 * _meta}]}; of a tool's other members nothing is kept. A tool without a schema
 * takes no input, one without a description is described by its name; a
 * description that is too long is cut, a tool with too long a schema is left
 * out, and the log says so. VR_PROTOCOL and a sentence in `why` if anything
 * else is wrong; then the list is empty. The list is the caller's to
 * tool_list_fini(). [loop] */
enum vr_status tool_list_read(struct tool_list *list, const char *provider,
                              const cJSON *result, char *why,
                              size_t why_size) VR_NODISCARD;

/* Puts what the configuration says of single tools (`settings`, may be NULL)
 * and of their provider (no call longer than `longest_s`, 0: no such bound)
 * in the place of what the provider says. What is said of the tool itself
 * goes before its provider's bound. [loop] */
void tool_list_settle(struct tool_list *list,
                      const struct config_tools *settings, double longest_s);

/* Whether both lists offer the same to the model. [any] */
bool tool_list_same(const struct tool_list *a, const struct tool_list *b);

/* Frees what is in the list. Accepts an empty one. [any] */
void tool_list_fini(struct tool_list *list);

#endif
