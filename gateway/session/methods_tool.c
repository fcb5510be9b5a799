/* The control methods of the tools. */
#include <stdlib.h>

#include "gateway/jsonx.h"
#include "gateway/session/calls.h"
#include "gateway/session/daemon.h"
#include "gateway/session/methods.h"

static void
add_tool(void *arg, const struct tool *tool)
{
    cJSON *entry = cJSON_CreateObject();
    jsonx_add_text(entry, "name", tool->name);
    jsonx_add_text(entry, "description", tool->description);
    jsonx_add_text(entry, "provider", tool->provider);
    jsonx_add_text(entry, "kind", broker_provider_kind_name(tool->kind));
    jsonx_add_text(entry, "mode", tool->mode == TOOL_ASYNC ? "async" : "sync");
    cJSON_AddNumberToObject(entry, "timeout_ms", tool->timeout_ms);
    cJSON_AddBoolToObject(entry, "cancel_on_interrupt",
                          tool->cancel_on_interrupt);
    jsonx_put(entry, "input_schema", cJSON_Parse(tool->schema_json));
    jsonx_put(arg, NULL, entry);
}

static void
add_provider(void *arg, const struct broker_provider *p)
{
    cJSON *entry = cJSON_CreateObject();
    jsonx_add_text(entry, "name", p->name);
    jsonx_add_text(entry, "kind", broker_provider_kind_name(p->kind));
    jsonx_add_text(entry, "state", p->state);
    jsonx_add_text(entry, "source", p->source);
    jsonx_add_text(entry, "reason", p->reason);
    cJSON_AddNumberToObject(entry, "tools", (double)p->tools);
    cJSON_AddNumberToObject(entry, "calls", (double)p->calls);
    cJSON_AddNumberToObject(entry, "workers", (double)p->workers);
    if (p->pid)
        cJSON_AddNumberToObject(entry, "pid", p->pid);
    jsonx_put(arg, NULL, entry);
}

void
methods_tool_list(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    (void)params;
    cJSON *result = cJSON_CreateObject();
    cJSON *tools = cJSON_AddArrayToObject(result, "tools");
    broker_each(d->services.broker, add_tool, tools);
    cJSON *providers = cJSON_AddArrayToObject(result, "providers");
    broker_each_provider(d->services.broker, add_provider, providers);
    cJSON_AddBoolToObject(result, "complete", broker_ready(d->services.broker));
    rpc_reply(call, result);
}

void
methods_tool_reload(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    size_t count = 0;
    char why[512];
    enum vr_status status =
        broker_reload(d->services.broker, jsonx_text(params, "provider", NULL),
                      &count, why, sizeof why);
    if (status != VR_OK) {
        rpc_fail(call, rpc_error_of(status), NULL, "%s", why);
        return;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "reloaded", (double)count);
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

void
methods_tool_call(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    const char *name = jsonx_text(params, "tool", "");
    int64_t timeout_ms = jsonx_int(params, "timeout_ms", 0);
    if (!broker_takes(d->services.broker, name))
        rpc_fail(call, RPC_NOT_FOUND, NULL,
                 "There is no tool \"%s\"; tool.list shows those there are",
                 name);
    else
        call_tool(d, call, name, params,
                  (uint32_t)(timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms));
}
