/* One question to the gateway's control socket. */
#ifndef IPC_CLI_CONTROL_H
#define IPC_CLI_CONTROL_H

#include <cjson/cJSON.h>

#include "ipc/cli/command.h"

/* Calls `method` with `params` (taken; NULL: none) and waits timeout_ms for
 * the answer. What is not found is asked for again while control_starting().
 * CLI_DONE: *result is the caller's, by cJSON_Delete(). Otherwise
 * *result is NULL and a line was printed. [any] */
int control_ask(const struct cli *cli, const char *method, cJSON *params,
                int64_t timeout_ms, cJSON **result);

/* The time that --timeout gives, else default_ms. [any] */
int64_t control_timeout_ms(const struct cli *cli, int64_t default_ms);

/* control_ask() with the session that the first argument names. [any] */
int control_ask_session(const struct cli *cli, const char *method,
                        cJSON **result);

/* True while waiting may help: there is no gateway yet, or it is younger than
 * --connect-timeout and may still be opening its sessions. Prints nothing.
 * [any] */
bool control_starting(const struct cli *cli);

/* Prints JSON: in one line with --json, else indented. [any] */
void control_print(const struct cli *cli, const cJSON *value);

/* A text member, or `otherwise`. Lives as long as `object`. [any] */
const char *control_text(const cJSON *object, const char *member,
                         const char *otherwise);

#endif
