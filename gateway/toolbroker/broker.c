#include "gateway/toolbroker/broker.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/toolbroker/broker_internal.h"
#include "gateway/toolbroker/builtin.h"
#include "gateway/toolbroker/provider_queue.h"
#include "gateway/toolbroker/provider_talk.h"
#include "gateway/toolbroker/schema.h"
#include "gateway/toolbroker/tool_content.h"

/* Input from a model; with this and the message limit no call is too large. */
#define ARGUMENTS_MAX_BYTES (256 * 1024)

/* How long a new plugin file must have been still. */
#define SETTLE_MS 300
/* How often folders are looked at that nothing is heard of. */
#define RESCAN_MS 5000

const char *
broker_outcome_name(enum tool_outcome outcome)
{
    static const char *const names[] = {"ok", "error", "timeout", "cancelled",
                                        "crashed"};

    return names[outcome];
}

const char *
broker_provider_kind_name(enum broker_provider_kind kind)
{
    static const char *const names[] = {"plugin", "mcp", "worker", "builtin"};

    return names[kind];
}

const char *
broker_notice_name(enum broker_notice_kind kind)
{
    static const char *const names[] = {"offered", "gone",      "refused",
                                        "crashed", "restarted", "replaced"};

    return names[kind];
}

/* ---- time and delivery --------------------------------------------------- */

static void on_timer(uv_timer_t *timer);
static void on_work(uv_idle_t *idle);

void
broker_wake_at(struct broker *b, uint64_t due_ns)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t wait_ms;

    if (b->finishing || due_ns == UINT64_MAX)
        return;
    if (uv_is_active((uv_handle_t *)&b->timer) && b->timer_due_ns <= due_ns)
        return;
    wait_ms = due_ns > now_ns ? (due_ns - now_ns) / CLOCK_NS_PER_MS + 1 : 1;
    b->timer_due_ns = due_ns;
    uv_timer_start(&b->timer, on_timer, wait_ms, 0);
}

static void
time_out(struct toolcall *call)
{
    struct provider *p = call->owner;
    char why[160], failure[80], next[160] = "";

    snprintf(why, sizeof why, "The tool %s did not answer within %u ms",
             call->tool, call->timeout_ms);
    snprintf(failure, sizeof failure, "it did not answer within %u ms",
             call->timeout_ms);
    if (p->ops->after_timeout)
        p->ops->after_timeout(p, call, next, sizeof next);
    toolcall_blame(call, failure, next);
    provider_queue_drop(p, call, TOOL_TIMEOUT, why);
}

static uint64_t
expire_calls(struct broker *b, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;
    struct toolcall *call;

    for (call = toolcall_next(&b->calls, NULL); call;
         call = toolcall_next(&b->calls, call)) {
        if (call->deadline_ns > now_ns) {
            if (call->deadline_ns < due_ns)
                due_ns = call->deadline_ns;
            continue;
        }
        time_out(call);
    }
    return due_ns;
}

static void
on_timer(uv_timer_t *timer)
{
    struct broker *b = timer->data;
    uint64_t now_ns = clock_mono_ns();
    uint64_t due_ns = expire_calls(b, now_ns);

    for (struct provider *p = b->providers; p; p = p->next) {
        uint64_t next_ns = provider_queue_tick(p, now_ns);
        if (next_ns < due_ns)
            due_ns = next_ns;
        next_ns = provider_talk_tick(p, now_ns);
        if (next_ns < due_ns)
            due_ns = next_ns;
        next_ns = p->ops->tick(p, now_ns);
        if (next_ns < due_ns)
            due_ns = next_ns;
    }
    broker_wake_at(b, due_ns);
    broker_wake_at(b, broker_folders_tick(b, now_ns));
}

void
broker_deliver_soon(struct broker *b)
{
    if (!b->finishing)
        uv_idle_start(&b->work, on_work);
}

/* Nobody holds a provider here: this is the loop's own turn. */
static void
free_those_that_left(struct broker *b)
{
    struct provider **at = &b->providers;

    while (*at) {
        struct provider *p = *at;
        if (p->leaving && provider_is_empty(p)) {
            *at = p->next;
            provider_free(&p);
        } else {
            at = &p->next;
        }
    }
}

static void
on_work(uv_idle_t *idle)
{
    struct broker *b = idle->data;
    struct toolcall *call, *next;

    uv_idle_stop(&b->work);
    if (!b->folders_read && !b->closing)
        broker_read_folders(b);
    for (call = toolcall_take_ended(&b->calls); call; call = next) {
        next = call->next;
        toolcall_deliver(call);
    }
    if (!b->closing)
        free_those_that_left(b);
    broker_finish(b);
}

/* ---- open ------------------------------------------------------------------ */

static void
on_router_closed(void *arg)
{
    struct broker *b = arg;

    b->handles--;
    broker_finish(b);
}

static char *
default_toolhost(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash, *text = NULL;

    if (n < 0)
        return NULL;
    path[n] = '\0';
    slash = strrchr(path, '/');
    if (!slash ||
        asprintf(&text, "%.*s/voxring-toolhost", (int)(slash - path), path) < 0)
        return NULL;
    return text;
}

static enum vr_status
copy_config(struct broker *b, const struct broker_config *config)
{
    b->toolhost_path = config->toolhost_path ? strdup(config->toolhost_path)
                                             : default_toolhost();
    if (config->endpoint)
        b->endpoint = strdup(config->endpoint);
    else if (asprintf(&b->endpoint, "ipc://%s/tools.sock",
                      config->runtime_dir) < 0)
        b->endpoint = NULL;
    b->plugin_paths =
        calloc(config->plugin_path_count + 1, sizeof *b->plugin_paths);
    if (!b->toolhost_path || !b->endpoint || !b->plugin_paths)
        return VR_NO_MEMORY;
    for (size_t i = 0; i < config->plugin_path_count; i++) {
        b->plugin_paths[i] = strdup(config->plugin_paths[i]);
        if (!b->plugin_paths[i])
            return VR_NO_MEMORY;
        b->plugin_path_count++;
    }
    b->watches = config->plugin_watch != 0;
    b->rescan_ms = config->rescan_ms != 0 ? config->rescan_ms : RESCAN_MS;
    if (plugin_shelf_init(
            &b->shelf, config->plugin_paths, config->plugin_path_count,
            config->settle_ms != 0 ? config->settle_ms : SETTLE_MS) != VR_OK)
        return VR_NO_MEMORY;
    if (config->plugin_config) {
        b->plugin_config = cJSON_Duplicate(config->plugin_config, 1);
        if (!b->plugin_config)
            return VR_NO_MEMORY;
    }
    return VR_OK;
}

static void
broker_free(struct broker *b)
{
    struct provider *next;

    for (struct provider *p = b->providers; p; p = next) {
        next = p->next;
        provider_free(&p);
    }
    toolcall_table_fini(&b->calls);
    tool_set_fini(&b->set);
    plugin_shelf_fini(&b->shelf);
    for (size_t i = 0; i < b->plugin_path_count; i++)
        free(b->plugin_paths[i]);
    free(b->plugin_paths);
    cJSON_Delete(b->plugin_config);
    free(b->endpoint);
    free(b->toolhost_path);
    free(b);
}

static enum vr_status
prepare(struct broker *b, const struct broker_config *config, char *why,
        size_t why_size)
{
    struct router_callbacks callbacks = {b, broker_on_message,
                                         broker_on_malformed, on_router_closed};
    enum vr_status status = copy_config(b, config);

    if (status != VR_OK) {
        snprintf(why, why_size, "Out of memory");
        return status;
    }
    if (access(b->toolhost_path, X_OK) != 0) {
        snprintf(why, why_size,
                 "The tool host %.300s cannot be run: %s; install it beside "
                 "voxringd",
                 b->toolhost_path, strerror(errno));
        return VR_NOT_FOUND;
    }
    return router_open(&b->router, b->loop, b->endpoint + strlen("ipc://"),
                       &callbacks, why, why_size);
}

enum vr_status
broker_open(struct broker **broker, uv_loop_t *loop,
            const struct broker_config *config,
            const struct broker_callbacks *callbacks, char *why,
            size_t why_size)
{
    struct broker *b = calloc(1, sizeof *b);
    char spare[8];
    enum vr_status status;

    *broker = NULL;
    if (!b)
        return VR_NO_MEMORY;
    b->loop = loop;
    b->unsettled = 1;
    if (callbacks)
        b->callbacks = *callbacks;
    b->workers_accept = config->workers_accept;
    toolcall_table_init(&b->calls, config->calls_max);
    status =
        prepare(b, config, why ? why : spare, why ? why_size : sizeof spare);
    if (status != VR_OK) {
        broker_free(b);
        return status;
    }
    broker_fill_context(b, config);
    uv_timer_init(loop, &b->timer);
    uv_idle_init(loop, &b->work);
    b->timer.data = b->work.data = b;
    b->handles = 3;
    uv_idle_start(&b->work, on_work);
    *broker = b;
    return VR_OK;
}

enum vr_status
broker_add_builtin(struct broker *b, const char *name, const char *description,
                   const char *schema_json, broker_builtin_fn *run, void *arg)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON *tools = cJSON_AddArrayToObject(answer, "tools");
    cJSON *entry = cJSON_CreateObject();
    struct tool_list list;
    struct provider *p = NULL;
    char why[128];

    cJSON_AddStringToObject(entry, "name", name);
    cJSON_AddStringToObject(entry, "description", description);
    cJSON_AddItemToObject(entry, "inputSchema", cJSON_Parse(schema_json));
    cJSON_AddItemToArray(tools, entry);
    if (tool_list_read(&list, name, answer, why, sizeof why) == VR_OK)
        p = builtin_new(&b->context, name, &list, run, arg);
    cJSON_Delete(answer);
    if (!p)
        return VR_NO_MEMORY;
    broker_insert(b, p);
    b->context.tools_changed(b);
    return VR_OK;
}

/* ---- close ----------------------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct broker *b = handle->data;

    b->handles--;
    broker_finish(b);
}

static bool
is_busy(const struct broker *b)
{
    for (const struct provider *p = b->providers; p; p = p->next) {
        if (!provider_is_empty(p))
            return true;
    }
    return false;
}

void
broker_finish(struct broker *b)
{
    void (*on_closed)(void *arg) = b->on_closed;
    void *arg = b->closed_arg;

    if (!b->closing)
        return;
    if (!b->finishing) {
        if (b->calls.ended || is_busy(b))
            return;
        b->finishing = true;
        broker_close_folders(b);
        router_close(&b->router);
        uv_close((uv_handle_t *)&b->timer, on_handle_closed);
        uv_close((uv_handle_t *)&b->work, on_handle_closed);
        return;
    }
    if (b->handles > 0)
        return;
    broker_free(b);
    if (on_closed)
        on_closed(arg);
}

void
broker_close(struct broker **broker, void (*on_closed)(void *arg), void *arg)
{
    struct broker *b = *broker;
    struct toolcall *call;

    *broker = NULL;
    if (!b)
        return;
    assert(!b->closing);
    b->closing = true;
    b->on_closed = on_closed;
    b->closed_arg = arg;
    for (call = toolcall_next(&b->calls, NULL); call;
         call = toolcall_next(&b->calls, call))
        provider_queue_drop(call->owner, call, TOOL_CANCELLED,
                            "The gateway is closing");
    for (struct provider *p = b->providers; p; p = p->next)
        p->ops->stop(p);
    broker_deliver_soon(b);
}

/* ---- tools and calls -------------------------------------------------------- */

bool
broker_ready(const struct broker *b)
{
    return b->ready_told;
}

const struct tool *
broker_find(const struct broker *b, const char *name)
{
    return tool_set_find(&b->set, name);
}

size_t
broker_tool_count(const struct broker *b)
{
    return b->set.count;
}

const struct tool *
broker_tool_at(const struct broker *b, size_t index)
{
    return index < b->set.count ? b->set.tools[index] : NULL;
}

void
broker_each(const struct broker *b,
            void (*visit)(void *arg, const struct tool *tool), void *arg)
{
    for (size_t i = 0; i < b->set.count; i++)
        visit(arg, b->set.tools[i]);
}

/* What is wrong with a call before any plugin sees it, as a sentence; false
 * if nothing is. Sets call->arguments. */
static bool
is_bad_call(const struct broker *b, struct toolcall *call,
            const struct tool *tool, const char *arguments_json, char *why,
            size_t why_size)
{
    char fault[400];
    cJSON *tree = NULL;
    bool good;

    if (!call->provider) {
        snprintf(why, why_size, "There is no tool named %.64s", call->tool);
        return true;
    }
    if (!toolcall_has_slot(&b->calls, call)) {
        snprintf(why, why_size,
                 "Too many tool calls are running: %u; try again later",
                 b->calls.count);
        return true;
    }
    if (arguments_json && strlen(arguments_json) > ARGUMENTS_MAX_BYTES) {
        snprintf(why, why_size, "The input for %s is larger than %d bytes",
                 call->tool, ARGUMENTS_MAX_BYTES);
        return true;
    }
    call->arguments =
        tool_content_arguments(arguments_json, &tree, fault, sizeof fault);
    good = call->arguments &&
           (!tool || schema_check(tool->schema, tree, fault, sizeof fault));
    cJSON_Delete(tree);
    if (!good)
        snprintf(why, why_size, "The input for %s is wrong: %s", call->tool,
                 fault);
    return !good;
}

/* `tool` NULL: a name that nobody offers, which `p` takes all the same. */
static uint32_t
timeout_of(const struct tool *tool, const struct provider *p)
{
    if (tool)
        return tool->timeout_ms;
    if (p->rule->timeout_s > 0 &&
        p->rule->timeout_s * 1000 < TOOL_SYNC_TIMEOUT_MS)
        return (uint32_t)(p->rule->timeout_s * 1000) + 1;
    return TOOL_SYNC_TIMEOUT_MS;
}

static void
set_deadline(struct toolcall *call, uint32_t timeout_ms)
{
    call->timeout_ms = timeout_ms;
    call->deadline_ns = timeout_ms != 0
                            ? call->begin_ns + timeout_ms * CLOCK_NS_PER_MS
                            : UINT64_MAX;
}

uint64_t
broker_call(struct broker *b, const char *name, const char *arguments_json,
            const struct broker_caller *caller, uint32_t timeout_ms,
            broker_result_fn *on_result, void *arg)
{
    const struct tool *tool;
    struct provider *p;
    struct toolcall *call;
    char why[512];
    uint64_t id;

    if (!b || b->closing)
        return 0;
    tool = broker_find(b, name);
    call = toolcall_new(&b->calls, name, caller);
    if (!call)
        return 0;
    id = call->id;
    call->on_result = on_result;
    call->arg = arg;
    b->counters.calls_total++;
    p = tool ? broker_provider(b, tool->provider) : broker_catch_all(b, name);
    if (p)
        call->provider = strdup(p->name);
    if (is_bad_call(b, call, tool, arguments_json, why, sizeof why)) {
        b->counters.calls_error_total++;
        toolcall_end(&b->calls, call, TOOL_ERROR, NULL, why);
        broker_deliver_soon(b);
        return id;
    }
    call->serial = tool && tool->serial;
    set_deadline(call, timeout_ms != 0 ? timeout_ms : timeout_of(tool, p));
    broker_wake_at(b, call->deadline_ns);
    provider_queue_add(p, call);
    return id;
}

void
broker_cancel(struct broker *b, uint64_t call_id)
{
    struct toolcall *call = b ? toolcall_find(&b->calls, call_id) : NULL;

    if (call)
        provider_queue_drop(call->owner, call, TOOL_CANCELLED,
                            "The call was cancelled");
}

size_t
broker_pending(const struct broker *b)
{
    return b->calls.count;
}

const struct broker_counters *
broker_counters(const struct broker *b)
{
    return &b->counters;
}

const char *
broker_endpoint(const struct broker *b)
{
    return b->endpoint;
}
