/* What stands in a message or an artifact: its parts, as text. */
#ifndef TOOLS_PLUGINS_AGENT_SEARCH_MESSAGE_H
#define TOOLS_PLUGINS_AGENT_SEARCH_MESSAGE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "tools/plugins/agent_search/text.h"

/* Appends the parts of a message (A2A 0.3 and 1.0), one to a line: text as it
 * is, data as JSON, a file as a note in brackets, because the model can neither
 * read nor say it. Other parts and other JSON add nothing. [any] */
void message_read(const cJSON *message, struct text *out);

/* The same for an artifact. Its texts follow each other without a break: an
 * agent that streams cuts them anywhere. [any] */
void message_read_artifact(const cJSON *artifact, struct text *out);

/* Whether the agent said it, and not the user. [any] */
bool message_is_agents(const cJSON *message);

/* The string member of that name; "" if there is none. Lives as long as the
 * object. [any] */
const char *message_string(const cJSON *object, const char *name);

#endif
