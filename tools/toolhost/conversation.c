#include "tools/toolhost/conversation.h"

#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "tools/toolhost/ask.h"
#include "tools/toolhost/fence.h"
#include "tools/toolhost/jobs.h"

static void
say(char *why, size_t why_bytes, const char *sentence)
{
    if (why && why_bytes > 0)
        snprintf(why, why_bytes, "%s", sentence);
}

/* Params with the call they belong to; NULL, and a sentence, if it is over. */
static cJSON *
params_of(uint64_t token, char *why, size_t why_bytes)
{
    /* in a forked copy a lock may be held for ever */
    char *name = fence_is_copy() ? NULL : jobs_name_of(token);
    cJSON *params = NULL;

    say(why, why_bytes,
        token == 0 ? "There is no call"
                   : "The call is over, or was none of this process");
    if (name) {
        params = cJSON_CreateObject();
        cJSON_AddRawToObject(params, "call", name);
    }
    free(name);
    return params;
}

/* Asks and forgets the result. */
static int
do_it(const char *method, cJSON *params, char *why, size_t why_bytes)
{
    cJSON *result = ask(method, params, why, why_bytes);

    cJSON_Delete(result);
    return result ? 0 : -1;
}

/* Parses a plugin's JSON; `why` gets a sentence when it is none. */
static cJSON *
parse(const char *json, char *why, size_t why_bytes)
{
    cJSON *value = cJSON_ParseWithOpts(json ? json : "", NULL, 1);

    if (!value)
        say(why, why_bytes, "The text is no JSON");
    return value;
}

static int
say_text(uint64_t token, const char *text, char *why, size_t why_bytes)
{
    cJSON *params = params_of(token, why, why_bytes);

    if (!params)
        return -1;
    cJSON_AddStringToObject(params, "text", text ? text : "");
    return do_it("voxring/text", params, why, why_bytes);
}

static int
update(uint64_t token, const char *config_json, char *why, size_t why_bytes)
{
    cJSON *params = params_of(token, why, why_bytes);
    cJSON *config = params ? parse(config_json, why, why_bytes) : NULL;

    if (!config) {
        cJSON_Delete(params);
        return -1;
    }
    cJSON_AddItemToObject(params, "config", config);
    return do_it("voxring/update", params, why, why_bytes);
}

static char *
history(uint64_t token, char *why, size_t why_bytes)
{
    cJSON *params = params_of(token, why, why_bytes);
    cJSON *result =
        params ? ask("voxring/history", params, why, why_bytes) : NULL;
    char *text = result ? cJSON_PrintUnformatted(result) : NULL;

    if (result && !text)
        say(why, why_bytes, "Memory is out");
    cJSON_Delete(result);
    return text;
}

static int
append(uint64_t token, const char *role, const char *text, char *why,
       size_t why_bytes)
{
    cJSON *params = params_of(token, why, why_bytes);
    cJSON *entry;

    if (!params)
        return -1;
    entry = cJSON_AddObjectToObject(params, "append");
    cJSON_AddStringToObject(entry, "role", role ? role : "");
    cJSON_AddStringToObject(entry, "text", text ? text : "");
    return do_it("voxring/history", params, why, why_bytes);
}

static int
end(uint64_t token, const char *reason, uint32_t within_ms, char *why,
    size_t why_bytes)
{
    cJSON *params = params_of(token, why, why_bytes);

    if (!params)
        return -1;
    if (reason)
        cJSON_AddStringToObject(params, "reason", reason);
    if (within_ms > 0)
        cJSON_AddNumberToObject(params, "within_ms", within_ms);
    return do_it("voxring/end", params, why, why_bytes);
}

int
conversation_publish(uint64_t token, const char *name, const char *data_json)
{
    cJSON *params =
        token != 0 ? params_of(token, NULL, 0) : cJSON_CreateObject();
    cJSON *data = NULL;

    if (params && data_json && !(data = parse(data_json, NULL, 0))) {
        cJSON_Delete(params);
        params = NULL;
    }
    if (!params)
        return -1;
    cJSON_AddStringToObject(params, "name", name ? name : "");
    if (data)
        cJSON_AddItemToObject(params, "data", data);
    return do_it("voxring/publish", params, NULL, 0);
}

const struct voxring_conversation *
conversation_table(void)
{
    static const struct voxring_conversation table = {
        .struct_size = sizeof table,
        .text = say_text,
        .update = update,
        .history = history,
        .append = append,
        .end = end,
    };

    return &table;
}
