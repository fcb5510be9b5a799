/* What `voxring tool test` does to one tool of a plugin. */
#ifndef IPC_CLI_TOOL_EXERCISE_H
#define IPC_CLI_TOOL_EXERCISE_H

#include "ipc/cli/tool_trial.h"

/* Looks at the descriptor that tools/list gave, without a call. True if the
 * tool can be called. [any] */
bool tool_exercise_look(struct tool_trial *trial, const cJSON *tool);

/* Calls it with what fits, what does not, cancelled, and many times. False
 * after a signal. [any] */
bool tool_exercise_calls(struct tool_trial *trial, const cJSON *tool);

/* The result that the model would get of a call's text: how the text becomes a
 * JSON object. Static storage; NULL if it is one. [any] */
const char *tool_exercise_shape(const struct tool_call *call);

/* The tool's own limit, lowered by --timeout, in ms. [any] */
int64_t tool_exercise_limit_ms(const struct cli *cli, const cJSON *tool);

#endif
