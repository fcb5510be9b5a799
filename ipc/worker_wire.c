#include "ipc/worker_wire.h"

#include <stdio.h>
#include <string.h>

#define PROTOCOL 1

char *
worker_wire_print(cJSON *root)
{
    char *text = root ? cJSON_PrintUnformatted(root) : NULL;

    cJSON_Delete(root);
    return text;
}

static cJSON *
envelope(const char *id_json)
{
    cJSON *root = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "jsonrpc", "2.0");
    if (id_json)
        cJSON_AddRawToObject(root, "id", id_json);
    return root;
}

char *
worker_wire_request(const char *id, const char *method, cJSON *params)
{
    cJSON *root = envelope(NULL);

    if (*id)
        cJSON_AddStringToObject(root, "id", id);
    cJSON_AddStringToObject(root, "method", method);
    if (params && !cJSON_AddItemToObject(root, "params", params))
        cJSON_Delete(params);
    return worker_wire_print(root);
}

char *
worker_wire_result(const char *id, const char *result_json)
{
    cJSON *root = envelope(id);

    cJSON_AddRawToObject(root, "result", result_json);
    return worker_wire_print(root);
}

char *
worker_wire_error(const char *id, int code, const char *sentence)
{
    cJSON *root = envelope(id);
    cJSON *error = cJSON_AddObjectToObject(root, "error");

    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", sentence);
    return worker_wire_print(root);
}

char *
worker_wire_call(const char *id, const char *text, bool is_error)
{
    cJSON *root = envelope(id);
    cJSON *result = cJSON_AddObjectToObject(root, "result");
    cJSON *content = cJSON_AddArrayToObject(result, "content");
    cJSON *block = cJSON_CreateObject();

    cJSON_AddStringToObject(block, "type", "text");
    cJSON_AddStringToObject(block, "text", text);
    cJSON_AddItemToArray(content, block);
    cJSON_AddBoolToObject(result, "isError", is_error);
    return worker_wire_print(root);
}

char *
worker_wire_hello(const struct vr_worker *w, const char *id, const char *token)
{
    cJSON *params = cJSON_CreateObject();

    cJSON_AddNumberToObject(params, "protocol", PROTOCOL);
    cJSON_AddStringToObject(params, "name", w->name);
    cJSON_AddStringToObject(params, "instance", w->instance);
    if (token)
        cJSON_AddStringToObject(params, "token", token);
    if (w->catch_all)
        cJSON_AddTrueToObject(params, "catchAll");
    return worker_wire_request(id, "voxring/hello", params);
}

char *
worker_wire_progress(const char *token_json, double done, double total,
                     const char *message)
{
    cJSON *params = cJSON_CreateObject();

    cJSON_AddRawToObject(params, "progressToken", token_json);
    cJSON_AddNumberToObject(params, "progress", done);
    if (total > 0)
        cJSON_AddNumberToObject(params, "total", total);
    if (message)
        cJSON_AddStringToObject(params, "message", message);
    return worker_wire_request("", "notifications/progress", params);
}

char *
worker_wire_tool(const struct vr_worker_tool *tool)
{
    cJSON *entry = cJSON_CreateObject();
    cJSON *meta;

    cJSON_AddStringToObject(entry, "name", tool->name);
    cJSON_AddStringToObject(entry, "description", tool->description);
    cJSON_AddRawToObject(entry, "inputSchema",
                         tool->input_schema
                             ? tool->input_schema
                             : "{\"type\":\"object\",\"properties\":{}}");
    meta = cJSON_AddObjectToObject(entry, "_meta");
    cJSON_AddStringToObject(meta, "voxring/mode",
                            tool->mode == VR_WORKER_ASYNC ? "async" : "sync");
    cJSON_AddStringToObject(meta, "voxring/threading",
                            tool->serial ? "serial" : "parallel");
    if (tool->timeout_ms || tool->mode == VR_WORKER_ASYNC)
        cJSON_AddNumberToObject(meta, "voxring/timeout_ms", tool->timeout_ms);
    cJSON_AddBoolToObject(meta, "voxring/cancel_on_interrupt",
                          tool->cancel_on_interrupt != 0);
    return worker_wire_print(entry);
}
