/* The stdio transport: the server is a child, a message is a line. */
#ifndef TOOLS_MCP_STDIO_H
#define TOOLS_MCP_STDIO_H

#include "tools/mcp/transport.h"

/* See transport_open(). [loop] */
struct transport *stdio_open(uv_loop_t *loop, const struct setup *setup,
                             const struct transport_events *events, char *why,
                             size_t why_size);

#endif
