#include "gateway/session/asks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/events/event.h"
#include "gateway/jsonx.h"
#include "gateway/session/daemon.h"
#include "gateway/session/ending.h"
#include "gateway/session/methods.h"
#include "gateway/session/self.h"

struct asks {
    struct rpc *rpc; /* the methods that a tool may use, and no others */
    int64_t id;      /* of the newest request */
    cJSON *answer;   /* to that one, a whole response; NULL: none yet */
};

static void
on_answer(void *arg, const struct rpc_peer *peer, const char *text,
          size_t text_bytes)
{
    struct asks *a = arg;
    cJSON *answer = cJSON_ParseWithLength(text, text_bytes);
    (void)peer;
    if (jsonx_int(answer, "id", 0) != a->id) { /* a text that had to wait */
        cJSON_Delete(answer);
        return;
    }
    cJSON_Delete(a->answer);
    a->answer = answer;
}

/* A row of control.tbl.h: tools get what control has, checked as there. */
static const char *
params_of(const char *method)
{
#define CONTROL_METHOD(symbol, name, params, what) \
    if (strcmp(method, name) == 0)                 \
        return params;
#include "gateway/control/control.tbl.h"
#undef CONTROL_METHOD
    return "";
}

static bool
offer(struct asks *a, struct daemon *d, const char *name,
      rpc_handler_fn *handler)
{
    return rpc_register(a->rpc, name, params_of(name), handler, d) == VR_OK;
}

struct asks *
asks_new(struct daemon *d)
{
    struct asks *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->rpc = rpc_new(on_answer, a);
    if (!a->rpc || !offer(a, d, "session.text", methods_session_text) ||
        !offer(a, d, "session.update", methods_session_update) ||
        !offer(a, d, "session.history", methods_session_history) ||
        !offer(a, d, "history.append", methods_history_append))
        asks_free(&a);
    return a;
}

void
asks_free(struct asks **asks)
{
    struct asks *a = *asks;
    *asks = NULL;
    if (!a)
        return;
    rpc_free(&a->rpc);
    cJSON_Delete(a->answer);
    free(a);
}

/* ---- by way of control's methods ---- */

static enum vr_status
status_of(int code)
{
    switch (code) {
    case RPC_NOT_FOUND:
    case RPC_CLOSED:
    case RPC_SHUTDOWN:
        return VR_NOT_FOUND;
    case RPC_UNSUPPORTED:
        return VR_UNSUPPORTED;
    case RPC_PARAMS:
    case RPC_METHOD:
        return VR_INVALID;
    case RPC_LIMIT:
        return VR_LIMIT;
    default:
        return VR_STATE;
    }
}

/* A request's text; takes `params`. */
static char *
request(int64_t id, const char *method, cJSON *params)
{
    cJSON *object = cJSON_CreateObject();
    jsonx_add_text(object, "jsonrpc", "2.0");
    cJSON_AddNumberToObject(object, "id", (double)id);
    jsonx_add_text(object, "method", method);
    jsonx_put(object, "params", params);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

/* Takes `params`. VR_AGAIN: it was accepted, and is not done yet. */
static enum vr_status
by_control(struct asks *a, const char *method, cJSON *params, cJSON **answer,
           char *why, size_t why_size)
{
    static const struct rpc_peer nobody;
    char *text = request(++a->id, method, params);
    cJSON_Delete(a->answer);
    a->answer = NULL;
    snprintf(why, why_size, "%s", vr_status_text(VR_NO_MEMORY));
    if (!text)
        return VR_NO_MEMORY;
    rpc_receive(a->rpc, &nobody, text, strlen(text));
    cJSON_free(text);
    if (!a->answer)
        return VR_AGAIN;
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(a->answer, "error");
    if (error) {
        snprintf(why, why_size, "%s", jsonx_text(error, "message", ""));
        return status_of((int)jsonx_int(error, "code", 0));
    }
    *answer = cJSON_DetachItemFromObjectCaseSensitive(a->answer, "result");
    return VR_OK;
}

/* {session} and those members of the request that are named. */
static cJSON *
params_for(const struct session *s, const cJSON *from,
           const char *const names[])
{
    cJSON *params = cJSON_CreateObject();
    jsonx_add_text(params, "session", session_name(s));
    for (size_t i = 0; names[i]; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, names[i]);
        if (item)
            jsonx_put(params, names[i], cJSON_Duplicate(item, true));
    }
    return params;
}

/* A text that the stream cannot take yet is said when it can: the tool does not
 * wait for that. */
static enum vr_status
text(struct asks *a, const struct session *s, const cJSON *params, char *why,
     size_t why_size)
{
    static const char *const names[] = {"text", NULL};
    cJSON *accepted = NULL;
    enum vr_status status =
        by_control(a, "session.text", params_for(s, params, names), &accepted,
                   why, why_size);
    cJSON_Delete(accepted);
    return status == VR_AGAIN ? VR_OK : status;
}

static void
move_items(cJSON *to, cJSON *from)
{
    while (to && from && from->child)
        cJSON_AddItemToArray(to, cJSON_DetachItemFromArray(from, 0));
}

/* Which settings have changed, at once or with the next stream. */
static enum vr_status
update(struct asks *a, const struct session *s, const cJSON *params,
       cJSON **answer, char *why, size_t why_size)
{
    static const char *const names[] = {"config", NULL};
    cJSON *done = NULL;
    enum vr_status status =
        by_control(a, "session.update", params_for(s, params, names), &done,
                   why, why_size);
    if (status == VR_OK) {
        *answer = cJSON_CreateObject();
        cJSON *changed = cJSON_AddArrayToObject(*answer, "changed");
        move_items(changed, cJSON_GetObjectItemCaseSensitive(done, "live"));
        move_items(changed, cJSON_GetObjectItemCaseSensitive(done, "rotation"));
    }
    cJSON_Delete(done);
    return status;
}

static enum vr_status
history(struct asks *a, const struct session *s, const cJSON *params,
        cJSON **answer, char *why, size_t why_size)
{
    static const char *const message[] = {"role", "text", NULL};
    static const char *const nothing[] = {NULL};
    const cJSON *append = cJSON_GetObjectItemCaseSensitive(params, "append");
    cJSON *appended = NULL;
    enum vr_status status = VR_OK;
    if (append)
        status = by_control(a, "history.append", params_for(s, append, message),
                            &appended, why, why_size);
    cJSON_Delete(appended);
    if (status == VR_OK)
        status = by_control(a, "session.history", params_for(s, NULL, nothing),
                            answer, why, why_size);
    return status;
}

/* ---- what only tools ask for ---- */

static enum vr_status
publish(struct daemon *d, const struct broker_ask *ask, const struct session *s,
        uint64_t call)
{
    struct event_tool_event e;
    event_tool_event_init(&e);
    e.provider = ask->provider;
    e.name = jsonx_text(ask->params, "name", "");
    e.data = cJSON_Duplicate(
        cJSON_GetObjectItemCaseSensitive(ask->params, "data"), true);
    e.tool = ask->tool;
    if (call)
        e.call = call;
    event_tool_event_publish(d->services.bus, s ? &s->subject : NULL, &e);
    return VR_OK;
}

static enum vr_status
end_after(struct session *s, const cJSON *params)
{
    int64_t within_ms = jsonx_int(params, "within_ms", ENDING_WITHIN_MS);
    if (within_ms < 0)
        within_ms = 0;
    if (within_ms > (int64_t)ENDING_WITHIN_MAX_MS)
        within_ms = ENDING_WITHIN_MAX_MS;
    ending_begin(s, (uint32_t)within_ms, false,
                 jsonx_text(params, "reason", NULL));
    return VR_OK;
}

/* ---- all of them ---- */

/* The session that called the tool, if its conversation is still the one. */
static struct session *
session_of(struct daemon *d, const struct broker_caller *caller)
{
    struct daemon_session *entry =
        caller->session ? daemon_find(d, caller->session) : NULL;
    if (!entry || session_is_over(entry->session) ||
        (caller->conversation &&
         strcmp(caller->conversation, session_conversation(entry->session)) !=
             0))
        return NULL;
    return entry->session;
}

static enum vr_status
in_conversation(struct daemon *d, struct session *s,
                const struct broker_ask *ask, cJSON **answer, char *why,
                size_t why_size)
{
    switch (ask->kind) {
    case BROKER_ASK_TEXT:
        return text(d->asks, s, ask->params, why, why_size);
    case BROKER_ASK_UPDATE:
        return update(d->asks, s, ask->params, answer, why, why_size);
    case BROKER_ASK_HISTORY:
        return history(d->asks, s, ask->params, answer, why, why_size);
    case BROKER_ASK_END:
        return end_after(s, ask->params);
    case BROKER_ASK_PUBLISH:
        break;
    }
    return VR_INVALID;
}

enum vr_status
asks_answer(void *arg, const struct broker_ask *ask, cJSON **answer, char *why,
            size_t why_size)
{
    struct daemon *d = arg;
    struct session *s = session_of(d, &ask->caller);
    enum vr_status status;
    *answer = NULL;
    if (ask->kind == BROKER_ASK_PUBLISH)
        return publish(d, ask, s,
                       s ? calls_number(s->calls, ask->call_id) : ask->call_id);
    if (!s) {
        snprintf(why, why_size,
                 ask->caller.session ? "That conversation is over"
                                     : "The call came from no conversation");
        return VR_NOT_FOUND;
    }
    status = in_conversation(d, s, ask, answer, why, why_size);
    session_turn(s);
    return status;
}

enum tool_outcome
asks_end_conversation(void *arg, const struct broker_caller *caller,
                      const cJSON *arguments, char **text)
{
    struct session *s = session_of(arg, caller);
    (void)arguments;
    *text = strdup(s ? "{\"status\":\"The conversation ends when you have "
                       "said goodbye\"}"
                     : "There is no conversation to end");
    if (!s)
        return TOOL_ERROR;
    ending_begin(s, ENDING_WITHIN_MS, true, NULL);
    return TOOL_OK;
}
