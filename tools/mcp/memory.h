/* What the processes of a session take. */
#ifndef TOOLS_MCP_MEMORY_H
#define TOOLS_MCP_MEMORY_H

#include <stdint.h>

/* The resident memory of all processes whose session `session` is, in bytes; 0
 * if it cannot be known. [any] */
uint64_t memory_of_session(int session);

#endif
