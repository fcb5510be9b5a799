#include "tools/mcp/transport.h"

#include "tools/mcp/http.h"
#include "tools/mcp/stdio.h"

struct transport *
transport_open(uv_loop_t *loop, const struct setup *setup,
               const struct transport_events *events, char *why,
               size_t why_size)
{
    if (!setup_usable(setup, why, why_size))
        return NULL;
    return setup->url ? http_open(loop, setup, events, why, why_size)
                      : stdio_open(loop, setup, events, why, why_size);
}
