/* The handlers of the control methods: parameters in, the daemon's and the
 * sessions' functions called, answers out. */
#include <curl/curl.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/calls.h"
#include "gateway/session/daemon.h"
#include "gateway/session/methods.h"

#define PROBLEM_BYTES 768
#define TEXT_TIMEOUT_MS 30000

static struct daemon_session *
wanted(struct daemon *d, struct rpc_call *call, const cJSON *params)
{
    const char *name = jsonx_text(params, "session", "");
    struct daemon_session *entry = daemon_find(d, name);
    if (!entry)
        rpc_fail(call, RPC_NOT_FOUND, NULL,
                 "There is no session \"%s\"; session.list shows those there "
                 "are, session.open makes one",
                 name);
    return entry;
}

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

static void
on_session_open(void *arg, struct rpc_call *call, const cJSON *params)
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

static void
on_session_close(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
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

static void
on_session_list(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    (void)params;
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "sessions");
    for (size_t i = 0; i < d->session_count; i++)
        jsonx_put(list, NULL, session_summary(d->sessions[i]->session));
    rpc_reply(call, result);
}

static void
on_session_get(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (entry)
        rpc_reply(call, session_description(entry->session));
}

/* ---- session.update, reset, rotate, sleep ---- */

static void
on_session_update(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (entry)
        session_update(entry->session,
                       cJSON_GetObjectItemCaseSensitive(params, "config"),
                       call);
}

static void
on_session_reset(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (!entry)
        return;
    session_reset(entry->session, jsonx_bool(params, "keep_history", true));
    rpc_reply(call, session_summary(entry->session));
}

static void
on_session_rotate(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (!entry)
        return;
    if (session_rotate(entry->session))
        rpc_reply(call, session_summary(entry->session));
    else
        rpc_fail(call, RPC_STATE, session_summary(entry->session),
                 "The session has no stream to rotate from (%s)",
                 machine_state_name(session_state(entry->session)));
}

static void
on_session_sleep(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (!entry)
        return;
    if (session_sleep(entry->session))
        rpc_reply(call, session_summary(entry->session));
    else
        rpc_fail(call, RPC_STATE, session_summary(entry->session),
                 "The session has nothing to put to sleep (%s)",
                 machine_state_name(session_state(entry->session)));
}

/* ---- history ---- */

static void
on_session_history(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (entry)
        methods_session_history(entry->session, call);
}

static void
on_history_append(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (entry)
        methods_history_append(entry->session, call, params);
}

static void
on_history_replace(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (entry)
        methods_history_replace(entry->session, call, params);
}

/* ---- session.text, interrupt, mute ---- */

static void
on_session_text(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (!entry)
        return;
    const char *wait = jsonx_text(params, "wait", "accepted");
    int64_t timeout_ms = jsonx_int(params, "timeout_ms", TEXT_TIMEOUT_MS);
    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    session_text(entry->session, jsonx_text(params, "text", ""),
                 strcmp(wait, "response") == 0, (uint32_t)timeout_ms, call);
}

static void
on_session_interrupt(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    double heard_ms = 0;
    if (!entry)
        return;
    if (session_interrupt(entry->session, &heard_ms) != VR_OK) {
        rpc_fail(call, RPC_STATE, NULL,
                 "Nothing is being said, so there is nothing to interrupt");
        return;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "heard_ms", (double)(int64_t)heard_ms);
    rpc_reply(call, result);
}

static void
on_session_mute(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *entry = wanted(arg, call, params);
    if (!entry)
        return;
    session_mute(entry->session, jsonx_bool(params, "muted", true));
    cJSON *result = cJSON_CreateObject();
    cJSON_AddBoolToObject(result, "muted", session_muted(entry->session));
    rpc_reply(call, result);
}

/* ---- tool.list, tool.call ---- */

static void
add_tool(void *arg, const struct tool *tool)
{
    cJSON *entry = cJSON_CreateObject();
    jsonx_add_text(entry, "name", tool->name);
    jsonx_add_text(entry, "description", tool->description);
    jsonx_add_text(entry, "provider", tool->provider);
    jsonx_add_text(entry, "mode", tool->mode == TOOL_ASYNC ? "async" : "sync");
    cJSON_AddNumberToObject(entry, "timeout_ms", tool->timeout_ms);
    jsonx_put(entry, "input_schema", cJSON_Parse(tool->schema_json));
    jsonx_put(arg, NULL, entry);
}

static void
on_tool_list(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    (void)params;
    cJSON *result = cJSON_CreateObject();
    cJSON *tools = cJSON_AddArrayToObject(result, "tools");
    broker_each(d->services.broker, add_tool, tools);
    cJSON_AddBoolToObject(result, "complete", broker_ready(d->services.broker));
    rpc_reply(call, result);
}

/* A tool.call on its way: the caller may go before the tool answers. */
struct tool_request {
    struct broker *broker;
    struct rpc_call *call; /* NULL once it is dropped */
    uint64_t id;
};

static void
tool_caller_gone(void *arg, struct rpc_call *call)
{
    struct tool_request *request = arg;
    (void)call;
    request->call = NULL;
    broker_cancel(request->broker, request->id);
}

static void
on_tool_result(void *arg, uint64_t id, const struct tool_result *r)
{
    struct tool_request *request = arg;
    if (request->call) {
        cJSON *result = cJSON_CreateObject();
        jsonx_add_u64(result, "call", id);
        jsonx_add_text(result, "outcome", calls_outcome_name(r->outcome));
        jsonx_put(result, "content", cJSON_Parse(r->content_json));
        jsonx_add_text(result, "reason", r->reason);
        cJSON_AddNumberToObject(result, "duration_seconds",
                                (double)r->duration_ns / 1e9);
        rpc_reply(request->call, result);
    }
    free(request);
}

static void
call_tool(struct daemon *d, struct rpc_call *call, const char *name,
          const cJSON *params, uint32_t timeout_ms)
{
    struct tool_request *request = calloc(1, sizeof *request);
    char *arguments = cJSON_PrintUnformatted(
        cJSON_GetObjectItemCaseSensitive(params, "arguments"));
    struct broker_caller caller = {.session =
                                       jsonx_text(params, "session", NULL)};
    if (request) {
        request->broker = d->services.broker;
        request->call = call;
        request->id = broker_call(request->broker, name, arguments, &caller,
                                  timeout_ms, on_tool_result, request);
    }
    cJSON_free(arguments);
    if (request && request->id) {
        rpc_call_on_drop(call, tool_caller_gone, request);
        return;
    }
    free(request);
    rpc_fail(call, RPC_FAILED, NULL, "The gateway cannot run tools now");
}

static void
on_tool_call(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    const char *name = jsonx_text(params, "tool", "");
    int64_t timeout_ms = jsonx_int(params, "timeout_ms", 0);
    if (!broker_find(d->services.broker, name))
        rpc_fail(call, RPC_NOT_FOUND, NULL,
                 "There is no tool \"%s\"; tool.list shows those there are",
                 name);
    else
        call_tool(d, call, name, params,
                  (uint32_t)(timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms));
}

/* ---- gateway.* ---- */

static cJSON *
tool_stats(const struct broker *broker)
{
    const struct broker_counters *c = broker_counters(broker);
    cJSON *tools = cJSON_CreateObject();
#define BROKER_COUNTER(name, what) \
    cJSON_AddNumberToObject(tools, #name, (double)c->name);
#include "gateway/toolbroker/broker_counter.tbl.h"
#undef BROKER_COUNTER
    cJSON_AddNumberToObject(tools, "pending", (double)broker_pending(broker));
    return tools;
}

static cJSON *
control_figures(const struct control *control)
{
    struct control_stats c = control_stats(control);
    cJSON *figures = cJSON_CreateObject();
    cJSON_AddNumberToObject(figures, "calls_total", (double)c.rpc.calls);
    cJSON_AddNumberToObject(figures, "failed_total", (double)c.rpc.failed);
    cJSON_AddNumberToObject(figures, "refused_total", (double)c.rpc.refused);
    cJSON_AddNumberToObject(figures, "malformed_total", (double)c.malformed);
    cJSON_AddNumberToObject(figures, "oversized_total", (double)c.oversized);
    cJSON_AddNumberToObject(figures, "vanished_total", (double)c.vanished);
    cJSON_AddNumberToObject(figures, "pending", (double)c.rpc.pending);
    return figures;
}

static cJSON *
stream_figures(const struct slots *slots)
{
    cJSON *figures = cJSON_CreateObject();
    cJSON_AddNumberToObject(figures, "open", (double)slots_open(slots));
    cJSON_AddNumberToObject(figures, "limit", (double)slots_limit(slots));
    cJSON_AddNumberToObject(figures, "handovers",
                            (double)slots_handovers(slots));
    cJSON_AddNumberToObject(figures, "waiting", (double)slots_waiting(slots));
    return figures;
}

static void
on_gateway_stats(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    const char *only = jsonx_text(params, "session", NULL);
    if (only && !wanted(d, call, params))
        return;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "uptime_seconds",
                            (double)(clock_mono_ns() - d->started_ns) / 1e9);
    cJSON *bus = cJSON_AddObjectToObject(result, "bus");
    cJSON_AddNumberToObject(bus, "published_total",
                            (double)bus_published(d->services.bus));
    cJSON_AddNumberToObject(bus, "dropped_total",
                            (double)bus_dropped(d->services.bus));
    jsonx_put(result, "control", control_figures(d->control));
    jsonx_put(result, "streams", stream_figures(d->services.slots));
    jsonx_put(result, "tools", tool_stats(d->services.broker));
    cJSON *log = cJSON_AddObjectToObject(result, "log");
    cJSON_AddNumberToObject(log, "dropped_total", (double)log_dropped());
    cJSON *sessions = cJSON_AddObjectToObject(result, "sessions");
    for (size_t i = 0; i < d->session_count; i++) {
        struct session *s = d->sessions[i]->session;
        if (!only || strcmp(only, session_name(s)) == 0)
            jsonx_put(sessions, session_name(s), session_stats(s));
    }
    rpc_reply(call, result);
}

static void
on_gateway_version(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    int major, minor, patch;
    char zmq[32];
    (void)params;
    zmq_version(&major, &minor, &patch);
    snprintf(zmq, sizeof zmq, "%d.%d.%d", major, minor, patch);
    cJSON *result = cJSON_CreateObject();
    jsonx_add_text(result, "version", VOXRING_VERSION);
    jsonx_add_text(result, "epoch", bus_epoch(d->services.bus));
    cJSON *libraries = cJSON_AddObjectToObject(result, "libraries");
    jsonx_add_text(libraries, "curl", curl_version());
    jsonx_add_text(libraries, "nghttp2", nghttp2_version(0)->version_str);
    jsonx_add_text(libraries, "zmq", zmq);
    jsonx_add_text(libraries, "uv", uv_version_string());
    jsonx_add_text(libraries, "cjson", cJSON_Version());
    rpc_reply(call, result);
}

static void
on_gateway_snapshot(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    (void)params;
    rpc_reply(call, bus_snapshot(d->services.bus));
}

static void
on_gateway_log(void *arg, struct rpc_call *call, const cJSON *params)
{
    const char *levels = jsonx_text(params, "levels", NULL);
    char wrong[64];
    (void)arg;
    if (levels && log_levels(levels, wrong, sizeof wrong) != VR_OK) {
        rpc_fail(call, RPC_PARAMS, NULL,
                 "params.levels: \"%s\" is no level or topic; use for example "
                 "info,bedrock=debug,wire=trace",
                 wrong);
        return;
    }
    char spec[512];
    log_levels_text(spec, sizeof spec);
    cJSON *result = cJSON_CreateObject();
    jsonx_add_text(result, "levels", spec);
    rpc_reply(call, result);
}

static void
on_gateway_shutdown(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)params;
    rpc_reply(call, cJSON_CreateObject());
    daemon_stop(arg, "gateway.shutdown");
}

void
methods_register(struct daemon *d)
{
    static const struct {
        const char *name;
        rpc_handler_fn *handler;
    } methods[] = {
#define CONTROL_METHOD(symbol, name, params, what) {name, on_##symbol},
#include "gateway/control/control.tbl.h"
#undef CONTROL_METHOD
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        enum vr_status status = control_register(d->control, methods[i].name,
                                                 methods[i].handler, d);
        if (status != VR_OK)
            log_error(control, NULL, "%s has no handler: %s", methods[i].name,
                      vr_status_text(status));
    }
}
