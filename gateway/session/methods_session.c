/* The control methods of a session's life and of what is said in it. */
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"
#include "gateway/session/daemon.h"
#include "gateway/session/methods.h"

#define PROBLEM_BYTES 768
#define TEXT_TIMEOUT_MS 30000

/* ---- session.open, close, list, get ---- */

static bool
valid_to_open(struct rpc_call *call, const char *name)
{
    if (config_name_valid(name))
        return true;
    rpc_fail(call, RPC_PARAMS, NULL,
             "params.session: \"%s\" cannot name a session; use up to 32 of "
             "a-z, 0-9, - and _, beginning with a letter or digit",
             name);
    return false;
}

static bool
valid_conversation(struct rpc_call *call, const char *id)
{
    if (!id || strlen(id) < SESSION_CONVERSATION_BYTES)
        return true;
    rpc_fail(call, RPC_PARAMS, NULL,
             "params.conversation: it has %zu bytes, the most is %d",
             strlen(id), SESSION_CONVERSATION_BYTES - 1);
    return false;
}

static void
reopen(struct rpc_call *call, struct daemon_session *entry, const cJSON *params)
{
    bool other = cJSON_GetObjectItemCaseSensitive(params, "config") ||
                 cJSON_GetObjectItemCaseSensitive(params, "history") ||
                 strcmp(jsonx_text(params, "conversation",
                                   session_conversation(entry->session)),
                        session_conversation(entry->session)) != 0;
    if (!other && session_open(entry->session))
        rpc_reply(call, session_summary(entry->session));
    else
        rpc_fail(call, RPC_EXISTS, session_summary(entry->session),
                 "Session \"%s\" is there (%s); close it first to open it "
                 "otherwise, or use session.update and history.replace",
                 session_name(entry->session),
                 machine_state_name(session_state(entry->session)));
}

/* A conversation that was held elsewhere goes on here. False: it is refused,
 * and so is the session. */
static bool
take_history(struct rpc_call *call, struct session *session,
             const cJSON *params, char left_out[METHODS_LEFT_OUT_BYTES])
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(params, "history");
    left_out[0] = '\0';
    if (!given ||
        methods_import(call, session, given, "params.history", 0, left_out))
        return true;
    session_close(session);
    return false;
}

static void
open_new(struct daemon *d, struct rpc_call *call, const char *name,
         const cJSON *params)
{
    const struct config *config = d->services.config;
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(params, "config");
    const struct config_session *settings = config_session_find(config, name);
    struct config_session *owned = NULL;
    char *problems = NULL, problem[PROBLEM_BYTES];
    char left_out[METHODS_LEFT_OUT_BYTES];
    if ((given || !settings) &&
        config_session_parse(config, name, given, "params.config", &owned,
                             &problems) != VR_OK) {
        rpc_fail_lines(call, problems);
        free(problems);
        return;
    }
    struct session_begin begin = {.conversation =
                                      jsonx_text(params, "conversation", NULL),
                                  .by_control = true};
    struct daemon_session *entry =
        daemon_add(d, settings, owned, &begin, problem, sizeof problem);
    if (!entry) {
        rpc_fail(call, RPC_FAILED, NULL, "%s", problem);
        return;
    }
    if (!take_history(call, entry->session, params, left_out))
        return;
    session_begin(entry->session);
    cJSON *summary = session_summary(entry->session);
    if (left_out[0])
        jsonx_add_text(summary, "left_out", left_out);
    rpc_reply(call, summary);
}

void
methods_session_open(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    const char *name = jsonx_text(params, "session", "");
    if (!valid_to_open(call, name) ||
        !valid_conversation(call, jsonx_text(params, "conversation", NULL)))
        return;
    struct daemon_session *entry = daemon_find(d, name);
    if (d->stopping)
        rpc_fail(call, RPC_SHUTDOWN, NULL, "The gateway is stopping");
    else if (d->options->local && !d->services.endpoint)
        rpc_fail(call, RPC_STATE, NULL,
                 "The local endpoint is not listening yet; try again");
    else if (entry && !session_is_over(entry->session))
        reopen(call, entry, params);
    else if (entry)
        rpc_fail(call, RPC_STATE, NULL, "It is closing; try again");
    else
        open_new(d, call, name, params);
}

static void
closing_dropped(void *arg, struct rpc_call *call)
{
    struct daemon_session *entry = arg;
    (void)call;
    entry->closing = NULL;
}

void
methods_closed(struct daemon_session *entry, cJSON *summary)
{
    struct rpc_call *call = entry->closing;
    entry->closing = NULL;
    if (call)
        rpc_reply(call, summary);
    else
        cJSON_Delete(summary);
}

void
methods_session_close(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    if (entry->closing || !session_close(entry->session)) {
        rpc_fail(call, RPC_STATE, session_summary(entry->session),
                 "Session \"%s\" is closing already",
                 session_name(entry->session));
        return;
    }
    entry->closing = call;
    rpc_call_on_drop(call, closing_dropped, entry);
}

void
methods_session_list(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    (void)params;
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "sessions");
    for (size_t i = 0; i < d->session_count; i++)
        jsonx_put(list, NULL, session_summary(d->sessions[i]->session));
    rpc_reply(call, result);
}

void
methods_session_get(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (entry)
        rpc_reply(call, session_description(entry->session));
}

/* ---- session.update, reset, rotate, sleep ---- */

void
methods_session_update(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (entry)
        session_update(entry->session,
                       cJSON_GetObjectItemCaseSensitive(params, "config"),
                       call);
}

void
methods_session_reset(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    session_reset(entry->session, jsonx_bool(params, "keep_history", true));
    rpc_reply(call, session_summary(entry->session));
}

void
methods_session_rotate(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    if (session_rotate(entry->session))
        rpc_reply(call, session_summary(entry->session));
    else
        rpc_fail(call, RPC_STATE, session_summary(entry->session),
                 "The session has no stream to rotate from (%s)",
                 machine_state_name(session_state(entry->session)));
}

void
methods_session_sleep(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    if (session_sleep(entry->session))
        rpc_reply(call, session_summary(entry->session));
    else
        rpc_fail(call, RPC_STATE, session_summary(entry->session),
                 "The session has nothing to put to sleep (%s)",
                 machine_state_name(session_state(entry->session)));
}

/* ---- session.text, interrupt, mute ---- */

void
methods_session_text(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    const char *wait = jsonx_text(params, "wait", "accepted");
    int64_t timeout_ms = jsonx_int(params, "timeout_ms", TEXT_TIMEOUT_MS);
    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    session_text(entry->session, jsonx_text(params, "text", ""),
                 strcmp(wait, "response") == 0, (uint32_t)timeout_ms, call);
}

void
methods_session_interrupt(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    double heard_ms = 0;
    if (!entry)
        return;
    if (session_interrupt(entry->session, &heard_ms) != VR_OK) {
        rpc_fail(call, RPC_STATE, NULL,
                 "Nothing is being said, and no tool runs that an "
                 "interruption cancels: there is nothing to interrupt");
        return;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "heard_ms", (double)(int64_t)heard_ms);
    rpc_reply(call, result);
}

void
methods_session_mute(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = methods_find(arg, call, params);
    if (!entry)
        return;
    session_mute(entry->session, jsonx_bool(params, "muted", true));
    cJSON *result = cJSON_CreateObject();
    cJSON_AddBoolToObject(result, "muted", session_muted(entry->session));
    rpc_reply(call, result);
}
