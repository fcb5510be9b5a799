/* How a question ended, as JSON for the model. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_OUTCOME_H
#define TOOLS_PLUGINS_AGENT_SEARCH_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/plugins/agent_search/task.h"

/* The text of the result for a settled task; *is_error tells of which kind.
 * NULL without memory; the caller's to cJSON_free(). [any] */
char *outcome_of_task(const char *agent, const struct task *task,
                      size_t answer_bytes, bool *is_error);

/* The text of an error with that sentence. As outcome_of_task(). [any] */
char *outcome_of_fault(const char *sentence);

#endif
