#include "tools/mcp/message.h"

#include <stdio.h>
#include <string.h>

#include "tools/mcp/utf8.h"

/* The newest first. */
static const char *const versions[] = {MESSAGE_NEWEST, "2025-06-18",
                                       "2025-03-26", "2024-11-05"};

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *
string_member(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

cJSON *
message_parse(char *bytes, size_t count)
{
    utf8_clean(bytes, count);
    return cJSON_ParseWithLength(bytes, count);
}

static void
malformed(struct message *message, const char *why)
{
    message->kind = MESSAGE_MALFORMED;
    message->why = why;
}

uint64_t
message_own_id(const cJSON *id)
{
    if (!cJSON_IsNumber(id) || !(id->valuedouble >= 1) ||
        !(id->valuedouble < 9007199254740992.0))
        return 0;
    return (uint64_t)id->valuedouble;
}

static void
read_answer(struct message *message, const cJSON *item)
{
    const cJSON *result = member(item, "result");
    const cJSON *error = member(item, "error");
    const cJSON *code = member(error, "code");

    message->id = message_own_id(message->raw_id);
    if (cJSON_IsObject(error)) {
        message->kind = MESSAGE_ERROR;
        message->text = string_member(error, "message");
        message->code = cJSON_IsNumber(code) ? code->valueint : 0;
        if (!message->text || message->text[0] == '\0')
            message->text = "an error without a message";
    } else if (cJSON_IsObject(result)) {
        message->kind = MESSAGE_RESULT;
        message->body = result;
    } else {
        malformed(message, "it has neither a method, nor an object \"result\" "
                           "or \"error\"");
    }
}

void
message_read(struct message *message, const cJSON *item)
{
    const cJSON *method = member(item, "method");
    const cJSON *id = member(item, "id");

    memset(message, 0, sizeof *message);
    if (!cJSON_IsObject(item)) {
        malformed(message, "it is no JSON object");
        return;
    }
    if (cJSON_IsString(id) || cJSON_IsNumber(id))
        message->raw_id = id;
    if (!method) {
        read_answer(message, item);
    } else if (!cJSON_IsString(method)) {
        malformed(message, "its method is no string");
    } else {
        message->kind =
            message->raw_id ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
        message->text = method->valuestring;
        message->body = member(item, "params");
    }
}

bool
message_read_server(struct message_server *server, const cJSON *result,
                    char *why, size_t why_size)
{
    const char *version = string_member(result, "protocolVersion");
    const cJSON *info = member(result, "serverInfo");
    const char *name = string_member(info, "name");
    const char *release = string_member(info, "version");

    memset(server, 0, sizeof *server);
    for (size_t i = 0; version && i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(version, versions[i]) == 0)
            server->version = versions[i];
    if (!server->version) {
        snprintf(why, why_size,
                 "it speaks revision %.40s of the Model Context Protocol; this "
                 "program speaks %s to %s",
                 version ? version : "(none)",
                 versions[sizeof versions / sizeof versions[0] - 1],
                 versions[0]);
        return false;
    }
    server->name = name ? name : "(no name)";
    server->release = release ? release : "(no version)";
    server->has_tools =
        cJSON_IsObject(member(member(result, "capabilities"), "tools"));
    return true;
}

static cJSON *
envelope(const char *method, uint64_t id)
{
    cJSON *root = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "jsonrpc", "2.0");
    if (id != 0)
        cJSON_AddNumberToObject(root, "id", (double)id);
    if (method)
        cJSON_AddStringToObject(root, "method", method);
    return root;
}

static char *
print_and_delete(cJSON *root)
{
    char *text = cJSON_PrintUnformatted(root);

    cJSON_Delete(root);
    return text;
}

char *
message_initialize(uint64_t id)
{
    cJSON *root = envelope("initialize", id);
    cJSON *params = cJSON_AddObjectToObject(root, "params");
    cJSON *info;

    cJSON_AddStringToObject(params, "protocolVersion", MESSAGE_NEWEST);
    cJSON_AddObjectToObject(params, "capabilities");
    info = cJSON_AddObjectToObject(params, "clientInfo");
    cJSON_AddStringToObject(info, "name", "voxring");
    cJSON_AddStringToObject(info, "version", VOXRING_VERSION);
    return print_and_delete(root);
}

char *
message_notification(const char *method)
{
    return print_and_delete(envelope(method, 0));
}

char *
message_list(uint64_t id, const char *cursor)
{
    cJSON *root = envelope("tools/list", id);

    if (cursor) {
        cJSON *params = cJSON_AddObjectToObject(root, "params");
        cJSON_AddStringToObject(params, "cursor", cursor);
    }
    return print_and_delete(root);
}

char *
message_call(uint64_t id, const char *name, const cJSON *arguments,
             bool progress)
{
    cJSON *root = envelope("tools/call", id);
    cJSON *params = cJSON_AddObjectToObject(root, "params");
    cJSON *copy = cJSON_IsObject(arguments) ? cJSON_Duplicate(arguments, 1)
                                            : cJSON_CreateObject();
    char *text = NULL;

    cJSON_AddStringToObject(params, "name", name);
    if (progress) {
        cJSON *meta = cJSON_AddObjectToObject(params, "_meta");
        cJSON_AddNumberToObject(meta, "progressToken", (double)id);
    }
    if (copy && cJSON_AddItemToObject(params, "arguments", copy))
        text = cJSON_PrintUnformatted(root);
    else
        cJSON_Delete(copy);
    cJSON_Delete(root);
    return text;
}

char *
message_cancelled(uint64_t id, const char *reason)
{
    cJSON *root = envelope("notifications/cancelled", 0);
    cJSON *params = cJSON_AddObjectToObject(root, "params");

    cJSON_AddNumberToObject(params, "requestId", (double)id);
    cJSON_AddStringToObject(params, "reason", reason);
    return print_and_delete(root);
}

/* An answer to a request of the server, whose id it gets back as it was. */
static cJSON *
answer_to(const cJSON *raw_id)
{
    cJSON *root = envelope(NULL, 0);
    cJSON *id = cJSON_Duplicate(raw_id, 0);

    if (id && !cJSON_AddItemToObject(root, "id", id))
        cJSON_Delete(id);
    return root;
}

char *
message_empty_result(const cJSON *raw_id)
{
    cJSON *root = answer_to(raw_id);

    cJSON_AddObjectToObject(root, "result");
    return print_and_delete(root);
}

char *
message_refusal(const cJSON *raw_id, int code, const char *sentence)
{
    cJSON *root = answer_to(raw_id);
    cJSON *error = cJSON_AddObjectToObject(root, "error");

    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", sentence);
    return print_and_delete(root);
}
