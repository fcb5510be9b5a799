/* One question to an agent, from the message to what comes of it. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_QUESTION_H
#define TOOLS_PLUGINS_AGENT_SEARCH_QUESTION_H

#include <stdint.h>

#include "tools/plugins/agent_search/agent.h"
#include "tools/plugins/agent_search/contexts.h"
#include "tools/voxring_tool.h"

struct question {
    const struct voxring_host *host;
    uint64_t token;
    struct agent *agent;
    char *text;                   /* what is asked */
    char key[CONTEXTS_KEY_BYTES]; /* whose conversation; "": nobody's */
    uint64_t deadline_ns;         /* the call's, by host->now_ns() */
};

/* Asks it and completes the call, exactly once, whatever happens. A call that
 * is cancelled or late is completed first and its task cancelled at the agent
 * after that, which takes a few seconds at most. Blocks; the question stays the
 * caller's. [any] */
void question_run(const struct question *question);

#endif
