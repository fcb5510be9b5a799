/* A plugin as it was written for ABI 1.0: compiled against that header, which
 * is kept here as it was. Its reserved member is not 0, as nobody checked. */
#include "tests/tools/plugins/voxring_tool_1_0.h"

static const struct voxring_host *host;

static int
init(const struct voxring_host *h, const char *config_json, char *why,
     size_t why_bytes)
{
    (void)config_json;
    (void)why;
    (void)why_bytes;
    host = h;
    return h->struct_size >= sizeof *h ? 0 : 1;
}

static void
call(const struct voxring_call *c)
{
    host->log(VOXRING_LOG_INFO, "an old plugin");
    host->complete(c->token, VOXRING_OK,
                   c->struct_size >= sizeof *c ? "{\"old\":true}" : "{}");
}

static const struct voxring_tool tools[] = {
    {"old", "Is old.", NULL, VOXRING_SYNC, VOXRING_SERIAL, 0, 1, call},
    {"old_async", "Is old.", NULL, VOXRING_ASYNC, VOXRING_PARALLEL, 7, 1, call},
};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,         "old", "1.0", tools, 2,
    sizeof(struct voxring_tool), init,  NULL,
};
