/* Names of tools as a model takes them: 1 to 64 of A-Z a-z 0-9 _ -. */
#ifndef TOOLS_MCP_NAMES_H
#define TOOLS_MCP_NAMES_H

#include <stdbool.h>

#define NAMES_MAX_BYTES 64

/* Makes one of a server's: `prefix` (NULL: none) and then the name, where each
 * character that is not allowed becomes '_'. What is too long is cut and ends
 * with a hash of the whole. False if the name is empty. [any] */
bool names_map(const char *prefix, const char *name,
               char mapped[NAMES_MAX_BYTES + 1]);

#endif
