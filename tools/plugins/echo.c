/* echo: gives back what it is given. The smallest whole plugin; copy it.
 *
 * Build it anywhere, with only voxring_tool.h at hand:
 *
 *     cc -shared -fPIC -o echo.so echo.c -lcjson
 *
 * try it with `voxring-toolhost --check echo.so`, and put it into the
 * gateway's plugin folder. Its config, all of it optional, is
 *
 *     "plugins": {"config": {"echo": {"prefix": "I heard: "}}}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#if __has_include("tools/voxring_tool.h")
#include "tools/voxring_tool.h"
#else
#include <voxring_tool.h>
#endif

static const struct voxring_host *host;
static char prefix[128];

/* Called once. A plugin that cannot work says so here, with the remedy, and is
 * not offered; that is better than a failure in mid-conversation. */
static int
echo_init(const struct voxring_host *h, const char *config_json, char *why,
          size_t why_bytes)
{
    cJSON *config = cJSON_Parse(config_json);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, "prefix");
    int good = !item || (cJSON_IsString(item) &&
                         strlen(item->valuestring) < sizeof prefix);

    host = h;
    if (item && good)
        snprintf(prefix, sizeof prefix, "%s", item->valuestring);
    if (!good)
        snprintf(why, why_bytes,
                 "plugins.config.echo.prefix must be a string of less than "
                 "%zu bytes",
                 sizeof prefix);
    cJSON_Delete(config);
    return good ? 0 : -1;
}

/* Called for each call of the tool. The input has passed the schema below, so
 * "text" is there and is a string. Whatever happens, one complete(). */
static void
echo_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(input, "text");
    cJSON *output = cJSON_CreateObject();
    size_t bytes = 0;
    char *said = NULL;
    char *json = NULL;

    if (cJSON_IsString(text)) {
        bytes = strlen(prefix) + strlen(text->valuestring) + 1;
        said = malloc(bytes);
    }
    if (said) {
        snprintf(said, bytes, "%s%s", prefix, text->valuestring);
        cJSON_AddStringToObject(output, "text", said);
        json = cJSON_PrintUnformatted(output);
    }
    if (json)
        host->complete(call->token, VOXRING_OK, json);
    else
        host->complete(call->token, VOXRING_ERROR,
                       "{\"error\":\"The text could not be repeated\"}");
    cJSON_free(json);
    free(said);
    cJSON_Delete(output);
    cJSON_Delete(input);
}

static const struct voxring_tool tools[] = {{
    .name = "echo",
    .description = "Repeats a text word for word. Use it when the user asks "
                   "you to repeat or echo something.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"text\":{\"type\":\"string\","
                    "\"description\":\"The text to repeat\"}},"
                    "\"required\":[\"text\"]}",
    .mode = VOXRING_SYNC,
    .threading = VOXRING_PARALLEL, /* it keeps nothing between calls */
    .timeout_ms = 5000,
    .call = echo_call,
}};

/* The one symbol that the gateway looks for. */
VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "echo",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = echo_init,
};
