/* A tool's input schema: what is wrong with it, input that fits it, and input
 * that does not. Of JSON Schema, what tools' schemas use. */
#ifndef IPC_CLI_TOOL_SCHEMA_H
#define IPC_CLI_TOOL_SCHEMA_H

#include <cjson/cJSON.h>

#include "ipc/cli/tool_report.h"

/* Adds to *report what is wrong with the schema of `tool`. True if nothing
 * failed. [any] */
bool tool_schema_check(const cJSON *schema, const char *tool,
                       struct tool_report *report);

/* A value that fits, as far as it can be told (no pattern, no format): with
 * what is required, or `all` that is named; the caller's. NULL when memory is
 * out. [any] */
cJSON *tool_schema_sample(const cJSON *schema, bool all);

/* Input number `index` that the gateway would not let through, or that is at
 * the edge; *what names it, in static storage. JSON text, the caller's by
 * free(); NULL behind the last one. [any] */
char *tool_schema_bad(const cJSON *schema, unsigned index, const char **what);

#endif
