/* A plugin in voxring-toolhost, with this program as its gateway: a private
 * socket, the start message, the plugin's process. What a plugin asks of the
 * gateway in a call (publish, text ...) is answered and counted. */
#ifndef IPC_CLI_TOOL_HOST_H
#define IPC_CLI_TOOL_HOST_H

#include <cjson/cJSON.h>

#include "ipc/cli/command.h"

struct tool_host;

/* What tool_host_wait() saw. */
enum tool_news {
    TOOL_MESSAGE, /* an answer or a progress; *message is the caller's */
    TOOL_ENDED,   /* the process is gone: tool_host_end() */
    TOOL_NOTHING, /* deadline passed */
    TOOL_STOPPED  /* stop_wanted() */
};

/* What came from the plugin beside answers. */
struct tool_host_counts {
    unsigned stdout_bytes; /* written to standard output */
    unsigned requests;     /* voxring/publish, text, update, history, end */
    unsigned spare;        /* told: a call was completed twice */
    unsigned broken;       /* messages that are no JSON-RPC */
    char line[256];        /* the last on stdout, stderr or in the log */
};

/* Starts the plugin with `config` (borrowed; NULL: {}). *host is the caller's
 * until tool_host_close(). Otherwise an exit code after a line on stderr:
 * CLI_USAGE, CLI_FAILED. Whether the plugin can be loaded is told by what
 * follows. [any] */
int tool_host_open(struct tool_host **host, const struct cli *cli,
                   const char *plugin, const cJSON *config);

/* Waits until deadline_ns (vr_now_ns()'s clock) at most. [any] */
enum tool_news tool_host_wait(struct tool_host *host, uint64_t deadline_ns,
                              cJSON **message);

/* Sends a request, or with a NULL id a notification. `params_json` is JSON
 * text and may be NULL. False if it cannot be sent. [any] */
bool tool_host_send(struct tool_host *host, const char *id, const char *method,
                    const char *params_json);

/* Waits for its voxring/hello and welcomes it. TOOL_MESSAGE: *refusal is ""
 * or what it says, for the caller's free(). [any] */
enum tool_news tool_host_greet(struct tool_host *host, uint64_t deadline_ns,
                               char **refusal);

/* How the process ended, "" while it runs. Lives as long as the host. [any] */
const char *tool_host_end(const struct tool_host *host);

/* Whether it ended with status 0. [any] */
bool tool_host_ended_well(const struct tool_host *host);

/* Lives as long as the host. [any] */
const struct tool_host_counts *tool_host_counts(struct tool_host *host);

/* Private memory of the process in use, in bytes; 0 if it is gone. [any] */
uint64_t tool_host_memory_bytes(const struct tool_host *host);

/* Tells it to end, as the gateway does; tool_host_wait() then tells when it
 * has. [any] */
void tool_host_dismiss(struct tool_host *host);

/* Kills what is left, removes files, frees and NULLs. NULL is fine. [any] */
void tool_host_close(struct tool_host **host);

#endif
