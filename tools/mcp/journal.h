/* What the bridge has to tell people: a line on stderr, which is the gateway's
 * log when the gateway started this process, or a log message to the gateway
 * where there is a connection. One per process.
 *
 * At most 20 lines a second are told, then how many were not; stderr gets none
 * for debugging. */
#ifndef TOOLS_MCP_JOURNAL_H
#define TOOLS_MCP_JOURNAL_H

#include <stdbool.h>

#include "ipc/status.h"
#include "tools/voxring_tool.h"

/* Takes a line for the gateway; false: it cannot, stderr is used. [loop] */
typedef bool journal_fn(void *arg, int level, const char *line);

/* From now on lines go there first; NULL: to stderr. [loop] */
void journal_to(journal_fn *sink, void *arg);

/* Tells it. `level` is an enum voxring_log_level. Control characters become
 * blanks; a line is cut after 1000 bytes. [loop] */
void journal(int level, const char *format, ...) VR_PRINTF(2, 3);

#endif
