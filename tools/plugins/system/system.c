/* system: how the machine itself is doing.
 *
 * Config, all of it optional:
 *
 *     "plugins": {"config": {"system": {"disk": "/data"}}}
 *
 * `disk` is a folder of the file system that matters ("/"), `thermal` where
 * the temperature sensors are ("/sys/class/thermal"). */
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tools/plugins/shared/input.h"
#include "tools/plugins/shared/reply.h"
#include "tools/plugins/system/probe.h"
#include "tools/voxring_tool.h"

static const struct voxring_host *host;
static struct probe_places places;

static const struct subject {
    const char *name;
    probe_fn *probe;
} subjects[] = {
    {"uptime", probe_uptime},   {"load", probe_load},
    {"memory", probe_memory},   {"disk", probe_disk},
    {"network", probe_network}, {"temperature", probe_temperature},
};
#define SUBJECTS (sizeof subjects / sizeof subjects[0])

/* One subject, or with NULL all that this machine tells. Returns how many told
 * something. */
static unsigned
look(const char *what, char *text, cJSON *output)
{
    unsigned told = 0;

    for (size_t i = 0; i < SUBJECTS; i++) {
        size_t before = strlen(text);
        if (what && strcmp(what, subjects[i].name) != 0)
            continue;
        if (subjects[i].probe(&places, text, output))
            told++;
        else if (!what)
            text[before] = '\0'; /* an overview is of what there is */
    }
    return told;
}

static void
system_call(const struct voxring_call *call)
{
    cJSON *input = cJSON_Parse(call->input_json);
    cJSON *output = cJSON_CreateObject();
    char what[32] = "all";
    char text[PROBE_TEXT_BYTES] = "";
    enum input_found found = input_text(input, "what", what, sizeof what);
    unsigned told = 0;

    cJSON_Delete(input);
    if (found != INPUT_BAD)
        told = look(strcmp(what, "all") == 0 ? NULL : what, text, output);
    while (text[0] && text[strlen(text) - 1] == ' ')
        text[strlen(text) - 1] = '\0';
    if (told > 0) {
        cJSON_AddStringToObject(output, "text", text);
        reply_object(host, call->token, output);
        return;
    }
    cJSON_Delete(output);
    if (text[0])
        reply_error(host, call->token, "%s", text);
    else
        reply_error(host, call->token,
                    "what must be all, uptime, load, memory, disk, network or "
                    "temperature");
}

static int
system_init(const struct voxring_host *h, const char *config_json, char *why,
            size_t why_bytes)
{
    cJSON *config = cJSON_Parse(config_json);
    const char *wrong = NULL;

    host = h;
    snprintf(places.disk, sizeof places.disk, "/");
    snprintf(places.thermal, sizeof places.thermal, "/sys/class/thermal");
    if (input_text(config, "disk", places.disk, sizeof places.disk) ==
            INPUT_BAD ||
        places.disk[0] != '/')
        wrong = "disk";
    if (input_text(config, "thermal", places.thermal, sizeof places.thermal) ==
            INPUT_BAD ||
        places.thermal[0] != '/')
        wrong = "thermal";
    if (wrong)
        snprintf(why, why_bytes,
                 "plugins.config.system.%s must be the path of a folder, from "
                 "/ on, of less than %zu bytes",
                 wrong, sizeof places.disk);
    cJSON_Delete(config);
    return wrong ? -1 : 0;
}

static const struct voxring_tool tools[] = {{
    .name = "system_status",
    .description =
        "Tells how your own computer is doing: how long it has been on, its "
        "load, memory, disk space, network addresses and temperature. Use it "
        "when the user asks how you or your computer are doing, for your IP "
        "address, or whether something is full, slow or hot.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"what\":{\"type\":\"string\","
        "\"enum\":[\"all\",\"uptime\",\"load\",\"memory\",\"disk\","
        "\"network\",\"temperature\"],\"description\":\"What to look at; "
        "leave it out for an overview\"}}}",
    .mode = VOXRING_SYNC,
    .threading = VOXRING_PARALLEL,
    .timeout_ms = 5000,
    .call = system_call,
}};

VOXRING_EXPORT const struct voxring_plugin voxring_plugin = {
    VOXRING_PLUGIN_HEAD,
    .name = "system",
    .version = "1.0",
    .tools = tools,
    .tool_count = sizeof tools / sizeof tools[0],
    .tool_bytes = sizeof tools[0],
    .init = system_init,
};
