/* Which conversation with an agent belongs to which conversation of the robot,
 * so that a further question goes on where the last one ended. The newest
 * CONTEXTS_MAX are kept. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_CONTEXTS_H
#define TOOLS_PLUGINS_AGENT_SEARCH_CONTEXTS_H

#include <stdbool.h>

#include "tools/plugins/agent_search/task.h"

#define CONTEXTS_MAX 64u
#define CONTEXTS_KEY_BYTES 256

/* What the agent calls it. */
struct context {
    char context_id[TASK_ID_BYTES]; /* "" for none yet */
    char task_id[TASK_ID_BYTES];    /* a task that waits for an answer, or "" */
};

/* Looks up what is known of a conversation with an agent; all empty if
 * nothing. A waiting task is handed out once: the next message answers it. A
 * key "" is nobody's. [any] */
void contexts_take(const char *key, unsigned agent, struct context *context);

/* Remembers it, in place of what was known. [any] */
void contexts_put(const char *key, unsigned agent,
                  const struct context *context);

/* Forgets everything. [any] */
void contexts_clear(void);

#endif
