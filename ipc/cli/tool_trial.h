/* A plugin under test: calls with an end that is always told, and a new
 * process when the old one died or hangs. */
#ifndef IPC_CLI_TOOL_TRIAL_H
#define IPC_CLI_TOOL_TRIAL_H

#include "ipc/cli/tool_host.h"
#include "ipc/cli/tool_report.h"

struct tool_trial {
    const struct cli *cli;
    const char *plugin;
    const cJSON *config; /* borrowed; may be NULL */
    struct tool_report *report;
    struct tool_host *host; /* NULL: none runs */
    unsigned last_id;
    unsigned extra;               /* answers that nobody waited for */
    struct tool_host_counts sums; /* of the hosts before this one */
};

enum tool_call_end {
    TOOL_CALL_ANSWERED,
    TOOL_CALL_DIED,   /* `text` says how the process ended */
    TOOL_CALL_SILENT, /* limit_ms passed */
    TOOL_CALL_STOPPED /* by a signal, or nothing can be started */
};

struct tool_call {
    const char *tool;
    const char *arguments_json;
    int64_t timeout_ms; /* what the plugin is told; < 0: no limit */
    int64_t limit_ms;   /* how long is waited */
    bool cancel;        /* cancelled a little later */

    enum tool_call_end end;
    bool is_error;
    int rpc_code; /* of an error that is no result; else 0 */
    char *text;   /* tool_call_fini() frees it */
    double took_ms;
    unsigned progress;
};

/* Starts the plugin and has it greet. CLI_DONE; otherwise *why says what was
 * wrong (for the caller's free()), or is NULL when it was told already. [any]
 */
int tool_trial_start(struct tool_trial *trial, char **why);

/* The `tools` of tools/list, the caller's; NULL if no good answer came. [any]
 */
cJSON *tool_trial_list(struct tool_trial *trial);

/* Makes one call and fills in its end. After a death or a silence the host is
 * gone; the next call starts a new one. [any] */
void tool_trial_call(struct tool_trial *trial, struct tool_call *call);

/* Frees what a call holds. [any] */
void tool_call_fini(struct tool_call *call);

/* Notes what the host has counted and ends it. [any] */
void tool_trial_stop(struct tool_trial *trial);

#endif
