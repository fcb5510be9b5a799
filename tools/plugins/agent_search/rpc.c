#include "tools/plugins/agent_search/rpc.h"

#include <stdio.h>
#include <string.h>

#include "tools/plugins/agent_search/message.h"
#include "tools/plugins/agent_search/text.h"

/* Of a task's history only what the agent said last matters, and not every
 * agent has it in the newest entry. */
#define HISTORY_LENGTH 10

static const char *const names[][2] = {
    [RPC_SEND] = {"message/send", "SendMessage"},
    [RPC_STREAM] = {"message/stream", "SendStreamingMessage"},
    [RPC_GET] = {"tasks/get", "GetTask"},
    [RPC_CANCEL] = {"tasks/cancel", "CancelTask"},
};

static cJSON *
request_new(enum dialect dialect, enum rpc_method method, const char *tenant,
            cJSON **params)
{
    cJSON *request = cJSON_CreateObject();

    cJSON_AddStringToObject(request, "jsonrpc", "2.0");
    cJSON_AddNumberToObject(request, "id", 1);
    cJSON_AddStringToObject(request, "method", names[method][dialect]);
    *params = cJSON_AddObjectToObject(request, "params");
    if (tenant[0])
        cJSON_AddStringToObject(*params, "tenant", tenant);
    return request;
}

static char *
print(cJSON *request)
{
    char *text = cJSON_PrintUnformatted(request);

    cJSON_Delete(request);
    return text;
}

static void
add_message(cJSON *params, enum dialect dialect,
            const struct rpc_message *message)
{
    cJSON *object = cJSON_AddObjectToObject(params, "message");
    cJSON *parts, *part;

    cJSON_AddStringToObject(object, "messageId", message->id);
    if (message->context_id[0])
        cJSON_AddStringToObject(object, "contextId", message->context_id);
    if (message->task_id[0])
        cJSON_AddStringToObject(object, "taskId", message->task_id);
    cJSON_AddStringToObject(object, "role",
                            dialect == DIALECT_0_3 ? "user" : "ROLE_USER");
    parts = cJSON_AddArrayToObject(object, "parts");
    part = cJSON_CreateObject();
    cJSON_AddItemToArray(parts, part);
    cJSON_AddStringToObject(part, "text", message->text);
    if (dialect == DIALECT_0_3) {
        cJSON_AddStringToObject(part, "kind", "text");
        cJSON_AddStringToObject(object, "kind", "message");
    }
}

char *
rpc_say(enum dialect dialect, enum rpc_method method, const char *tenant,
        const struct rpc_message *message, bool returns_at_once)
{
    cJSON *params, *configuration, *modes;
    cJSON *request = request_new(dialect, method, tenant, &params);

    add_message(params, dialect, message);
    configuration = cJSON_AddObjectToObject(params, "configuration");
    modes = cJSON_AddArrayToObject(configuration, "acceptedOutputModes");
    cJSON_AddItemToArray(modes, cJSON_CreateString("text/plain"));
    cJSON_AddItemToArray(modes, cJSON_CreateString("application/json"));
    if (dialect == DIALECT_0_3)
        cJSON_AddBoolToObject(configuration, "blocking", !returns_at_once);
    else
        cJSON_AddBoolToObject(configuration, "returnImmediately",
                              returns_at_once);
    return print(request);
}

char *
rpc_about(enum dialect dialect, enum rpc_method method, const char *tenant,
          const char *task_id)
{
    cJSON *params;
    cJSON *request = request_new(dialect, method, tenant, &params);

    cJSON_AddStringToObject(params, "id", task_id);
    if (method == RPC_GET)
        cJSON_AddNumberToObject(params, "historyLength", HISTORY_LENGTH);
    return print(request);
}

bool
rpc_read(struct rpc_answer *answer, const char *json, size_t bytes, char *why,
         size_t why_bytes)
{
    const cJSON *error, *code;

    memset(answer, 0, sizeof *answer);
    answer->root = cJSON_ParseWithLength(json, bytes);
    if (!cJSON_IsObject(answer->root)) {
        snprintf(why, why_bytes, "its answer is no JSON object");
        rpc_close(answer);
        return false;
    }
    error = cJSON_GetObjectItemCaseSensitive(answer->root, "error");
    answer->result = cJSON_GetObjectItemCaseSensitive(answer->root, "result");
    if (cJSON_IsObject(error)) {
        code = cJSON_GetObjectItemCaseSensitive(error, "code");
        answer->result = NULL;
        answer->code = cJSON_IsNumber(code) ? code->valueint : 0;
        text_copy(answer->message, sizeof answer->message,
                  message_string(error, "message"));
        return true;
    }
    if (cJSON_IsObject(answer->result))
        return true;
    snprintf(why, why_bytes,
             "its answer has neither a result nor an error as JSON-RPC wants");
    rpc_close(answer);
    return false;
}

void
rpc_close(struct rpc_answer *answer)
{
    cJSON_Delete(answer->root);
    answer->root = NULL;
    answer->result = NULL;
}
