/* The control methods of a conversation's history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"
#include "gateway/session/daemon.h"
#include "gateway/session/history_import.h"
#include "gateway/session/methods.h"

#define WHY_BYTES 512

static void
refuse(struct rpc_call *call, const struct session *session,
       enum vr_status status, const char *why)
{
    cJSON *data = cJSON_CreateObject();
    jsonx_add_u64(data, "revision", session_history_revision(session));
    rpc_fail(call,
             status == VR_STATE     ? RPC_STATE
             : status == VR_LIMIT   ? RPC_LIMIT
             : status == VR_INVALID ? RPC_PARAMS
                                    : rpc_error_of(status),
             data, "%s", why);
}

/* What the reading dropped, and what the limits had no room for. */
static void
tell_left_out(const struct history_import *import, size_t dropped,
              char left_out[METHODS_LEFT_OUT_BYTES])
{
    snprintf(left_out, METHODS_LEFT_OUT_BYTES, "%s", import->summary);
    size_t at = strlen(left_out);
    if (dropped)
        snprintf(left_out + at, METHODS_LEFT_OUT_BYTES - at,
                 "%s%zu of the oldest messages dropped, as history_limits "
                 "leave no room",
                 at ? ", " : "Not taken over whole: ", dropped);
}

bool
methods_import(struct rpc_call *call, struct session *session,
               const cJSON *given, const char *path, uint64_t revision,
               char left_out[METHODS_LEFT_OUT_BYTES])
{
    struct history_import import;
    char why[WHY_BYTES];
    size_t dropped = 0;
    enum vr_status status =
        history_import_read(given, path, &import, why, sizeof why);
    if (status == VR_OK)
        status = session_history_replace(session, import.messages, import.count,
                                         revision, &dropped, why, sizeof why);
    if (status != VR_OK)
        refuse(call, session, status, why);
    else
        tell_left_out(&import, dropped, left_out);
    history_import_fini(&import);
    return status == VR_OK;
}

/* {revision} and what was left out of what came. */
static cJSON *
outcome(const struct session *session, const char *left_out)
{
    cJSON *result = cJSON_CreateObject();
    jsonx_add_u64(result, "revision", session_history_revision(session));
    if (left_out && left_out[0])
        jsonx_add_text(result, "left_out", left_out);
    return result;
}

/* A revision is a 64-bit number: text, as they are shown, or a number. */
static bool
read_revision(struct rpc_call *call, const cJSON *params, uint64_t *revision)
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(params, "revision");
    char *end = NULL;
    *revision = 0;
    if (!given || cJSON_IsNull(given))
        return true;
    if (cJSON_IsNumber(given) && given->valuedouble >= 1 &&
        given->valuedouble < 9e15) {
        *revision = (uint64_t)given->valuedouble;
        return true;
    }
    if (cJSON_IsString(given) && given->valuestring[0] >= '0' &&
        given->valuestring[0] <= '9')
        *revision = strtoull(given->valuestring, &end, 10);
    if (end && !*end && *revision)
        return true;
    rpc_fail(call, RPC_PARAMS, NULL,
             "params.revision: give the one that session.history showed, or "
             "none");
    return false;
}

void
methods_session_history(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    cJSON *result = session_history(entry->session);
    if (result)
        rpc_reply(call, result);
    else
        rpc_fail(call, RPC_INTERNAL, NULL, "%s", vr_status_text(VR_NO_MEMORY));
}

void
methods_history_append(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    struct history_message message = {.text = jsonx_text(params, "text", ""),
                                      .pinned =
                                          jsonx_bool(params, "pinned", false)};
    uint64_t revision;
    char why[WHY_BYTES];
    if (!entry || !read_revision(call, params, &revision))
        return;
    if (!history_import_role(jsonx_text(params, "role", ""), &message.role)) {
        rpc_fail(call, RPC_PARAMS, NULL,
                 "params.role: \"%s\" is neither user nor assistant",
                 jsonx_text(params, "role", ""));
        return;
    }
    message.text_bytes = strlen(message.text);
    enum vr_status status = session_history_append(entry->session, &message,
                                                   revision, why, sizeof why);
    if (status == VR_OK)
        rpc_reply(call, outcome(entry->session, NULL));
    else
        refuse(call, entry->session, status, why);
}

void
methods_history_replace(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    uint64_t revision;
    char left_out[METHODS_LEFT_OUT_BYTES];
    if (entry && read_revision(call, params, &revision) &&
        methods_import(call, entry->session,
                       cJSON_GetObjectItemCaseSensitive(params, "messages"),
                       "params.messages", revision, left_out))
        rpc_reply(call, outcome(entry->session, left_out));
}
