#include "gateway/toolbroker/worker_message.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/toolbroker/tool_content.h"

#define LIST_ID "tools/list"
/* Of an id that is a text: it is kept and sent back. */
#define ID_MAX_BYTES 128

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* A string as it may go on to logs and the bus. */
static const char *
string_member(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);

    if (!cJSON_IsString(item))
        return NULL;
    tool_content_clean(item->valuestring);
    return item->valuestring;
}

static void
malformed(struct worker_message *m, const char *why)
{
    m->kind = WORKER_MALFORMED;
    m->why = why;
}

/* A call's id as we sent it: its number as text. 0 if it is none. */
static uint64_t
call_id_of(const cJSON *id)
{
    char *end;
    uint64_t n;

    if (!cJSON_IsString(id) || id->valuestring[0] < '1' ||
        id->valuestring[0] > '9' || strlen(id->valuestring) > 20)
        return 0;
    n = strtoull(id->valuestring, &end, 10);
    return *end == '\0' ? n : 0;
}

static void
read_answer(struct worker_message *m)
{
    const cJSON *result = member(m->root, "result");
    const cJSON *error = member(m->root, "error");
    bool is_list =
        cJSON_IsString(m->id) && strcmp(m->id->valuestring, LIST_ID) == 0;

    m->call_id = is_list ? 0 : call_id_of(m->id);
    if (!is_list && m->call_id == 0) {
        malformed(m, "an answer's id is none that was asked");
    } else if (cJSON_IsObject(error)) {
        m->kind = WORKER_FAILED;
        m->text = string_member(error, "message");
        if (cJSON_IsNumber(member(error, "code")))
            m->code = member(error, "code")->valueint;
        if (!m->text)
            m->text = "an error without a message";
    } else if (cJSON_IsObject(result)) {
        m->kind = is_list ? WORKER_LISTED : WORKER_RESULT;
        m->body = result;
    } else {
        malformed(m, "an answer needs an object \"result\" or \"error\"");
    }
}

static void
read_hello(struct worker_message *m, const cJSON *params)
{
    const cJSON *protocol = member(params, "protocol");

    m->kind = WORKER_HELLO;
    m->name = string_member(params, "name");
    m->token = string_member(params, "token");
    m->text = string_member(params, "error");
    m->instance = string_member(params, "instance");
    m->catch_all = cJSON_IsTrue(member(params, "catchAll"));
    if (cJSON_IsNumber(protocol))
        m->protocol = protocol->valueint;
    if (!m->id)
        malformed(m, "voxring/hello needs an id");
    else if (!m->name)
        malformed(m, "voxring/hello needs a string \"name\"");
}

static bool
is_finite(const cJSON *item)
{
    return cJSON_IsNumber(item) && isfinite(item->valuedouble);
}

/* Cuts a text of the message's own tree, between two characters. */
static const char *
cut(const char *text, size_t most_bytes)
{
    char *own = (char *)text;

    if (!text || strlen(text) <= most_bytes)
        return text;
    while (most_bytes > 0 && ((unsigned char)own[most_bytes] & 0xc0) == 0x80)
        most_bytes--;
    own[most_bytes] = '\0';
    return text;
}

static void
read_progress(struct worker_message *m, const cJSON *params)
{
    const cJSON *done = member(params, "progress");
    const cJSON *total = member(params, "total");

    m->kind = WORKER_PROGRESS;
    m->call_id = call_id_of(member(params, "progressToken"));
    m->text = cut(string_member(params, "message"), WORKER_PROGRESS_MAX_BYTES);
    if (m->call_id == 0 || !is_finite(done)) {
        malformed(m, "notifications/progress needs progressToken, as it was "
                     "given, and a number \"progress\"");
        return;
    }
    m->done = done->valuedouble;
    m->total =
        is_finite(total) && total->valuedouble > 0 ? total->valuedouble : 0;
}

static void
read_log(struct worker_message *m, const cJSON *params)
{
    m->kind = WORKER_LOG;
    m->text = string_member(params, "data");
    m->level = string_member(params, "level");
    if (!m->level)
        m->level = "info";
    if (!m->text)
        malformed(m, "notifications/message needs a string \"data\"");
}

static const char *const ask_methods[] = {
    [BROKER_ASK_PUBLISH] = "voxring/publish",
    [BROKER_ASK_TEXT] = "voxring/text",
    [BROKER_ASK_UPDATE] = "voxring/update",
    [BROKER_ASK_HISTORY] = "voxring/history",
    [BROKER_ASK_END] = "voxring/end",
};

#define ASK_METHODS (sizeof ask_methods / sizeof ask_methods[0])

const char *
worker_message_ask_method(enum broker_ask_kind ask)
{
    return ask_methods[ask];
}

/* True if it is a request about a conversation. */
static bool
read_ask(struct worker_message *m, const char *method, const cJSON *params)
{
    const cJSON *call = member(params, "call");
    size_t i = 0;

    while (i < ASK_METHODS && strcmp(method, ask_methods[i]) != 0)
        i++;
    if (i == ASK_METHODS)
        return false;
    m->kind = WORKER_ASK;
    m->ask = (enum broker_ask_kind)i;
    m->body = params;
    m->call_id = call_id_of(call);
    if (!m->id && m->ask != BROKER_ASK_PUBLISH)
        malformed(m, "what asks for something needs an id");
    else if (!cJSON_IsObject(params))
        m->why = "needs an object \"params\"";
    else if (m->call_id == 0 && (call || m->ask != BROKER_ASK_PUBLISH))
        m->why = "needs \"call\": the progressToken of the call, as it was "
                 "given";
    return true;
}

static void
read_method(struct worker_message *m, const char *method)
{
    const cJSON *params = member(m->root, "params");

    if (strcmp(method, "voxring/hello") == 0) {
        read_hello(m, params);
    } else if (strcmp(method, "ping") == 0 && m->id) {
        m->kind = WORKER_PING;
    } else if (strcmp(method, "voxring/bye") == 0) {
        m->kind = WORKER_BYE;
    } else if (strcmp(method, "notifications/tools/list_changed") == 0) {
        m->kind = WORKER_CHANGED;
    } else if (strcmp(method, "notifications/progress") == 0) {
        read_progress(m, params);
    } else if (strcmp(method, "notifications/message") == 0) {
        read_log(m, params);
    } else if (!read_ask(m, method, params)) {
        m->kind = m->id ? WORKER_REQUEST : WORKER_NOTIFICATION;
        m->text = method;
    }
}

void
worker_message_read(struct worker_message *m, const char *bytes,
                    size_t bytes_count)
{
    const char *version;
    const cJSON *id;

    memset(m, 0, sizeof *m);
    m->root = cJSON_ParseWithLength(bytes, bytes_count);
    if (!cJSON_IsObject(m->root)) {
        malformed(m, "a message must be one JSON object");
        return;
    }
    id = member(m->root, "id");
    if (cJSON_IsString(id) && strlen(id->valuestring) > ID_MAX_BYTES) {
        malformed(m, "an id has at most 128 bytes");
        return;
    }
    if (cJSON_IsString(id) || cJSON_IsNumber(id))
        m->id = id;
    version = string_member(m->root, "jsonrpc");
    if (!version || strcmp(version, "2.0") != 0)
        malformed(m, "a message needs \"jsonrpc\": \"2.0\"");
    else if (string_member(m->root, "method"))
        read_method(m, string_member(m->root, "method"));
    else if (m->id)
        read_answer(m);
    else
        malformed(m, "a message needs a \"method\" or an \"id\"");
}

void
worker_message_fini(struct worker_message *m)
{
    cJSON_Delete(m->root);
    memset(m, 0, sizeof *m);
}

/* An envelope with its id; takes nothing. */
static cJSON *
envelope(const cJSON *id)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *copy = id ? cJSON_Duplicate(id, 1) : cJSON_CreateNull();

    if (!root || !cJSON_AddStringToObject(root, "jsonrpc", "2.0") || !copy ||
        !cJSON_AddItemToObject(root, "id", copy)) {
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}

static char *
print_and_delete(cJSON *root)
{
    char *text = root ? cJSON_PrintUnformatted(root) : NULL;

    cJSON_Delete(root);
    return text;
}

char *
worker_message_welcome(const cJSON *id, const char *name, uint32_t expires_ms)
{
    cJSON *root = envelope(id);
    cJSON *result = cJSON_AddObjectToObject(root, "result");

    cJSON_AddNumberToObject(result, "protocol", WORKER_PROTOCOL);
    cJSON_AddStringToObject(result, "gateway", "voxring/" VOXRING_VERSION);
    cJSON_AddStringToObject(result, "name", name);
    cJSON_AddNumberToObject(result, "heartbeat_ms", expires_ms / 3);
    cJSON_AddNumberToObject(result, "expires_ms", expires_ms);
    return print_and_delete(root);
}

char *
worker_message_error(const cJSON *id, int code, const char *sentence)
{
    cJSON *root = envelope(id);
    cJSON *error = cJSON_AddObjectToObject(root, "error");

    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", sentence);
    return print_and_delete(root);
}

char *
worker_message_answer(const cJSON *id, cJSON *result)
{
    cJSON *root = envelope(id);

    if (!result)
        result = cJSON_CreateObject();
    if (!root || !cJSON_AddItemToObject(root, "result", result)) {
        cJSON_Delete(result);
        cJSON_Delete(root);
        return NULL;
    }
    return print_and_delete(root);
}

char *
worker_message_pong(const cJSON *id)
{
    return worker_message_answer(id, NULL);
}

char *
worker_message_list(void)
{
    return strdup("{\"jsonrpc\":\"2.0\",\"id\":\"" LIST_ID
                  "\",\"method\":\"tools/list\"}");
}

static void
add_caller(cJSON *meta, const struct broker_caller *caller)
{
    if (caller->session)
        cJSON_AddStringToObject(meta, "voxring/session", caller->session);
    if (caller->conversation)
        cJSON_AddStringToObject(meta, "voxring/conversation",
                                caller->conversation);
    if (caller->turn)
        cJSON_AddStringToObject(meta, "voxring/turn", caller->turn);
}

char *
worker_message_call(uint64_t call_id, const char *tool,
                    const char *arguments_json,
                    const struct broker_caller *caller, uint32_t timeout_ms)
{
    char id[24];
    cJSON *root = cJSON_CreateObject();
    cJSON *params, *meta;

    snprintf(id, sizeof id, "%" PRIu64, call_id);
    cJSON_AddStringToObject(root, "jsonrpc", "2.0");
    cJSON_AddStringToObject(root, "id", id);
    cJSON_AddStringToObject(root, "method", "tools/call");
    params = cJSON_AddObjectToObject(root, "params");
    cJSON_AddStringToObject(params, "name", tool);
    if (!cJSON_AddRawToObject(params, "arguments", arguments_json)) {
        cJSON_Delete(root);
        return NULL;
    }
    meta = cJSON_AddObjectToObject(params, "_meta");
    cJSON_AddStringToObject(meta, "progressToken", id);
    add_caller(meta, caller);
    if (timeout_ms != 0)
        cJSON_AddNumberToObject(meta, "voxring/timeout_ms", timeout_ms);
    return print_and_delete(root);
}

char *
worker_message_cancel(uint64_t call_id, const char *reason)
{
    char id[24];
    cJSON *root = cJSON_CreateObject();
    cJSON *params;

    snprintf(id, sizeof id, "%" PRIu64, call_id);
    cJSON_AddStringToObject(root, "jsonrpc", "2.0");
    cJSON_AddStringToObject(root, "method", "notifications/cancelled");
    params = cJSON_AddObjectToObject(root, "params");
    cJSON_AddStringToObject(params, "requestId", id);
    cJSON_AddStringToObject(params, "reason", reason);
    return print_and_delete(root);
}

char *
worker_message_drain(void)
{
    return strdup("{\"jsonrpc\":\"2.0\",\"method\":\"voxring/drain\"}");
}
