#include "tools/toolhost/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tools/voxring_tool.h"

/* Progress and log texts are cut to this, at a character. */
#define TEXT_MAX_BYTES 1000

static char *
print_and_delete(cJSON *root)
{
    char *text = root ? cJSON_PrintUnformatted(root) : NULL;

    cJSON_Delete(root);
    return text;
}

static cJSON *
envelope(const char *id, const char *method)
{
    cJSON *root = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "jsonrpc", "2.0");
    if (id)
        cJSON_AddRawToObject(root, "id", id);
    if (method)
        cJSON_AddStringToObject(root, "method", method);
    return root;
}

char *
answer_message(const char *id, const char *method, struct cJSON *params)
{
    cJSON *root = envelope(id, method);

    if (params && !cJSON_AddItemToObject(root, "params", params))
        cJSON_Delete(params);
    return print_and_delete(root);
}

char *
answer_hello(const char *name, const char *token, const char *refusal)
{
    cJSON *root = envelope("\"" ANSWER_HELLO_ID "\"", "voxring/hello");
    cJSON *params = cJSON_AddObjectToObject(root, "params");

    cJSON_AddNumberToObject(params, "protocol", ANSWER_PROTOCOL);
    cJSON_AddStringToObject(params, "name", name);
    if (token)
        cJSON_AddStringToObject(params, "token", token);
    if (refusal)
        cJSON_AddStringToObject(params, "error", refusal);
    return print_and_delete(root);
}

char *
answer_result(const char *id, const char *result_json)
{
    cJSON *root = envelope(id, NULL);

    cJSON_AddRawToObject(root, "result", result_json);
    return print_and_delete(root);
}

char *
answer_error(const char *id, int code, const char *sentence)
{
    cJSON *root = envelope(id, NULL);
    cJSON *error = cJSON_AddObjectToObject(root, "error");

    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", sentence);
    return print_and_delete(root);
}

/* `unsent_bytes`, if not 0: how large the answer was that this one stands
 * for. */
static char *
call_text(const char *id, const char *text, bool is_error, size_t unsent_bytes)
{
    cJSON *root = envelope(id, NULL);
    cJSON *result = cJSON_AddObjectToObject(root, "result");
    cJSON *content = cJSON_AddArrayToObject(result, "content");
    cJSON *block = cJSON_CreateObject();

    cJSON_AddStringToObject(block, "type", "text");
    cJSON_AddStringToObject(block, "text", text);
    cJSON_AddItemToArray(content, block);
    cJSON_AddBoolToObject(result, "isError", is_error);
    if (unsent_bytes > 0)
        cJSON_AddNumberToObject(cJSON_AddObjectToObject(result, "_meta"),
                                "voxring/unsent_bytes", (double)unsent_bytes);
    return print_and_delete(root);
}

char *
answer_call(const char *id, const char *text, bool is_error, size_t limit_bytes)
{
    size_t bytes = strlen(text);
    char sentence[160];
    char *answer = NULL;

    if (bytes <= limit_bytes) {
        answer = call_text(id, text, is_error, 0);
        if (!answer || strlen(answer) <= ANSWER_MAX_BYTES)
            return answer;
        free(answer);
    }
    if (bytes > limit_bytes)
        snprintf(sentence, sizeof sentence,
                 "The tool's answer has %zu bytes, more than the %zu allowed",
                 bytes, limit_bytes);
    else
        snprintf(sentence, sizeof sentence,
                 "The tool's answer has %zu bytes, too many for a message",
                 bytes);
    return call_text(id, sentence, true, bytes);
}

static void
add_cut_text(cJSON *object, const char *name, const char *text)
{
    char cut[TEXT_MAX_BYTES + 1];
    size_t n = strnlen(text, sizeof cut);

    if (n >= sizeof cut) {
        n = TEXT_MAX_BYTES;
        /* not in the middle of a UTF-8 character */
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(cut, text, n);
    cut[n] = '\0';
    cJSON_AddStringToObject(object, name, cut);
}

char *
answer_progress(const char *token, double done, double total,
                const char *message)
{
    cJSON *root = envelope(NULL, "notifications/progress");
    cJSON *params = cJSON_AddObjectToObject(root, "params");

    cJSON_AddRawToObject(params, "progressToken", token);
    cJSON_AddNumberToObject(params, "progress", done);
    if (total > 0)
        cJSON_AddNumberToObject(params, "total", total);
    if (message)
        add_cut_text(params, "message", message);
    return print_and_delete(root);
}

static const char *
level_name(int level)
{
    switch (level) {
    case VOXRING_LOG_ERROR:
        return "error";
    case VOXRING_LOG_WARN:
        return "warning";
    case VOXRING_LOG_DEBUG:
        return "debug";
    default:
        return "info";
    }
}

char *
answer_log(int level, const char *message)
{
    cJSON *root = envelope(NULL, "notifications/message");
    cJSON *params = cJSON_AddObjectToObject(root, "params");

    cJSON_AddStringToObject(params, "level", level_name(level));
    add_cut_text(params, "data", message);
    return print_and_delete(root);
}
