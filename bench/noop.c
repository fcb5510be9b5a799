/* The least a tool can do, compiled by bench/run under several names: answers
 * {}, or with {"crash": true} is gone in the middle of the call. */
#include <signal.h>
#include <string.h>

#include "tools/voxring_tool.h"

#ifndef NOOP_NAME
#define NOOP_NAME "noop"
#endif

static const struct voxring_host *host;

static int
noop_init(const struct voxring_host *h, const char *config_json, char *why,
          size_t why_bytes)
{
    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
    return 0;
}

static void
noop_call(const struct voxring_call *call)
{
    if (strstr(call->input_json, "\"crash\":true"))
        raise(SIGKILL);
    host->complete(call->token, VOXRING_OK, "{}");
}

static const struct voxring_tool tools[] = {
    {.name = NOOP_NAME,
     .description = "Does nothing. Use it when asked to do nothing.",
     .input_schema = "{\"type\":\"object\",\"properties\":{\"crash\":{"
                     "\"type\":\"boolean\"}}}",
     .mode = VOXRING_SYNC,
     .threading = VOXRING_PARALLEL,
     .call = noop_call}};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD, .name = NOOP_NAME, .version = "1.0",
    .tools = tools,      .tool_count = 1,   .tool_bytes = sizeof tools[0],
    .init = noop_init};
