/* The control methods of the gateway itself. */
#include <curl/curl.h>
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/daemon.h"
#include "gateway/session/methods.h"

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

void
methods_gateway_stats(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    const char *only = jsonx_text(params, "session", NULL);
    if (only && !methods_find(d, call, params))
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

void
methods_gateway_version(void *arg, struct rpc_call *call, const cJSON *params)
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

void
methods_gateway_snapshot(void *arg, struct rpc_call *call, const cJSON *params)
{
    struct daemon *d = arg;
    (void)params;
    rpc_reply(call, bus_snapshot(d->services.bus));
}

void
methods_gateway_log(void *arg, struct rpc_call *call, const cJSON *params)
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

void
methods_gateway_shutdown(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)params;
    rpc_reply(call, cJSON_CreateObject());
    daemon_stop(arg, "gateway.shutdown");
}
