/* Joins a server and the gateway: lists, calls, progress, cancelling, and what
 * happens when one of them goes. */
#ifndef TOOLS_MCP_BRIDGE_H
#define TOOLS_MCP_BRIDGE_H

#include "tools/mcp/setup.h"

#define BRIDGE_EXIT_REFUSED 3
#define BRIDGE_EXIT_MEMORY 4
#define BRIDGE_EXIT_ENDED 5

/* Runs until it is over; returns the exit status of the process: 0 it was told
 * to end (or, in SETUP_CHECK, has printed the tools), 1 a person has to change
 * something, and those above for the gateway. Takes over SIGTERM and SIGINT.
 * [loop] once per process */
int bridge_run(const struct setup *setup);

#endif
