/* The streamable HTTP transport (2025-11-25, "Transports"): each message is a
 * POST, answered as JSON or as a stream of events; a GET stream brings what the
 * server says by itself. */
#ifndef TOOLS_MCP_HTTP_H
#define TOOLS_MCP_HTTP_H

#include "tools/mcp/transport.h"

/* See transport_open(). The setup must outlive it. [loop] */
struct transport *http_open(uv_loop_t *loop, const struct setup *setup,
                            const struct transport_events *events, char *why,
                            size_t why_size);

#endif
