/* What `voxring tool test` found: a line for each check, or JSON at the end. */
#ifndef IPC_CLI_TOOL_REPORT_H
#define IPC_CLI_TOOL_REPORT_H

#include <cjson/cJSON.h>

#include "ipc/cli/command.h"
#include "ipc/status.h"

enum tool_verdict { TOOL_OK, TOOL_WARN, TOOL_FAIL };

struct tool_report {
    bool json;
    cJSON *checks; /* with json: an array */
    unsigned warnings, failures;
};

/* Prints, or with `json` keeps, one finding; `tool` is NULL for the whole
 * plugin. [any] */
void tool_report_add(struct tool_report *report, enum tool_verdict verdict,
                     const char *tool, const char *check, const char *format,
                     ...) VR_PRINTF(5, 6);

/* The last line, or the JSON; frees. Returns the exit code. [any] */
int tool_report_end(struct tool_report *report, const char *plugin);

#endif
