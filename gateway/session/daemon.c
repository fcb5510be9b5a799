#include "gateway/session/daemon.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/log.h"
#include "gateway/runtime.h"
#include "gateway/session/ending.h"
#include "gateway/session/notify.h"
#include "ipc/ring_host.h"
#include "ipc/ring_name.h"

#define PROBLEM_BYTES 768
#define LOG_RETRY_MS 50

static struct rings_list {
    struct ring_host *rings[2 * DAEMON_SESSIONS_MAX];
} index_rings;

/* ---- sessions ---- */

struct daemon_session *
daemon_find(struct daemon *d, const char *name)
{
    for (size_t i = 0; i < d->session_count; i++) {
        if (strcmp(session_name(d->sessions[i]->session), name) == 0)
            return d->sessions[i];
    }
    return NULL;
}

static void
publish_index(struct daemon *d)
{
    char why[PROBLEM_BYTES];
    for (size_t i = 0; i < d->session_count; i++) {
        struct session *s = d->sessions[i]->session;
        index_rings.rings[2 * i] = session_in_ring(s);
        index_rings.rings[2 * i + 1] = session_out_ring(s);
    }
    if (ring_host_publish_index(d->services.runtime_dir, index_rings.rings,
                                2 * d->session_count, why, sizeof why) != VR_OK)
        log_warn(ring, NULL, "%s", why);
}

static void
free_entry(struct daemon_session *entry)
{
    cJSON *last = session_summary(entry->session);
    session_free(&entry->session);
    methods_closed(entry, last);
    config_session_free(&entry->owned);
    free(entry);
}

static void maybe_finish(struct daemon *d);

/* A session cannot be freed from inside its own callback. */
static void
sweep(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    size_t kept = 0, before = d->session_count;
    for (size_t i = 0; i < before; i++) {
        if (session_is_over(d->sessions[i]->session))
            free_entry(d->sessions[i]);
        else
            d->sessions[kept++] = d->sessions[i];
    }
    d->session_count = kept;
    if (kept != before)
        publish_index(d);
    maybe_finish(d);
}

static void
on_session_state(void *arg, struct session *session)
{
    struct daemon *d = arg;
    if (session_is_over(session))
        uv_timer_start(&d->sweep_timer, sweep, 0, 0);
}

/* What stands in rings.json has changed. */
static void
on_session_rings(void *arg, struct session *session)
{
    (void)session;
    publish_index(arg);
}

static const struct session_ops session_callbacks = {
    .on_state = on_session_state,
    .on_rings = on_session_rings,
};

struct daemon_session *
daemon_add(struct daemon *d, const struct config_session *settings,
           struct config_session *owned, const struct session_begin *begin,
           char *problem, size_t problem_size)
{
    struct daemon_session *entry = calloc(1, sizeof *entry);
    snprintf(problem, problem_size, "%d sessions are open, which is the most",
             DAEMON_SESSIONS_MAX);
    if (entry && d->session_count < DAEMON_SESSIONS_MAX)
        entry->session =
            session_new(&d->services, owned ? owned : settings, begin,
                        &session_callbacks, d, problem, problem_size);
    if (!entry || !entry->session) {
        free(entry);
        config_session_free(&owned);
        return NULL;
    }
    entry->owned = owned;
    d->sessions[d->session_count++] = entry;
    publish_index(d);
    return entry;
}

/* ---- tools ---- */

static void
on_tools_changed(void *arg)
{
    struct daemon *d = arg;
    for (size_t i = 0; i < d->session_count; i++)
        session_tools_changed(d->sessions[i]->session);
}

static void
tell_tool(struct daemon *d, const struct broker_notice *notice)
{
    struct event_tool_registered e;
    event_tool_registered_init(&e);
    e.tool = notice->tool ? notice->tool : "*";
    e.provider = notice->provider;
    e.kind = broker_provider_kind_name(notice->provider_kind);
    e.state = broker_notice_name(notice->kind);
    e.reason = notice->reason;
    event_tool_registered_publish(d->services.bus, NULL, &e);
}

static void
tell_crash(struct daemon *d, const struct broker_notice *notice)
{
    const char *why = notice->reason ? notice->reason : "";
    bool is_own = notice->provider_kind != BROKER_PROVIDER_WORKER;
    struct event_error e;
    char message[640];

    if (is_own)
        snprintf(message, sizeof message, "the process of %s died: %s",
                 notice->provider, why);
    event_error_init(&e);
    e.class_ = "retry";
    e.code = "tool_worker_crashed";
    e.message = is_own ? message : why;
    e.remedy = is_own ? "Its calls were answered with an error and it is "
                        "started again; see the log for what it printed"
                      : "Its calls were answered with an error; start it "
                        "again, unless others of its name run";
    e.component = "toolbroker";
    e.recoverable = true;
    event_error_publish(d->services.bus, NULL, &e);
}

static void
on_notice(void *arg, const struct broker_notice *notice)
{
    struct daemon *d = arg;
    if (notice->kind == BROKER_CRASHED)
        tell_crash(d, notice);
    else if (notice->kind != BROKER_RESTARTED)
        tell_tool(d, notice);
}

static void
on_progress(void *arg, uint64_t call_id, double done, double total,
            const char *message)
{
    struct daemon *d = arg;
    for (size_t i = 0; i < d->session_count; i++) {
        if (session_tool_progress(d->sessions[i]->session, call_id, done, total,
                                  message))
            return;
    }
}

/* ---- start ---- */

static bool
open_bus(struct daemon *d, char *problem)
{
    const struct config *c = d->options->config;
    struct bus_config bus = {.zmq = d->zmq,
                             .loop = &d->loop,
                             .endpoint = c->bus.events,
                             .instance = d->services.instance,
                             .group = c->ring.group};
    d->services.bus = bus_open(&bus, problem, PROBLEM_BYTES);
    return d->services.bus != NULL;
}

/* Last, when the sessions are there: until then ZeroMQ keeps what callers
 * ask, and nobody hears that a session which is about to be is unknown. */
static bool
open_control(struct daemon *d, char *problem)
{
    const struct config *c = d->options->config;
    struct control_config control = {.zmq = d->zmq,
                                     .loop = &d->loop,
                                     .endpoint = c->bus.control,
                                     .group = c->ring.group};
    d->control = control_open(&control, problem, PROBLEM_BYTES);
    if (d->control)
        methods_register(d);
    return d->control != NULL;
}

static bool
add_builtins(struct daemon *d, char *problem)
{
    d->asks = asks_new(d);
    snprintf(problem, PROBLEM_BYTES, "%s", vr_status_text(VR_NO_MEMORY));
    return d->asks && broker_add_builtin(d->services.broker, ENDING_TOOL,
                                         ENDING_TOOL_WHAT, ENDING_TOOL_SCHEMA,
                                         asks_end_conversation, d) == VR_OK;
}

static bool
open_broker(struct daemon *d, char *problem)
{
    const struct config *c = d->options->config;
    char toolhost[4096];
    const char *own = d->options->plugin_dir;
    snprintf(toolhost, sizeof toolhost, "%s/voxring-toolhost",
             d->options->program_dir);
    struct broker_config config = {
        .runtime_dir = d->services.runtime_dir,
        .endpoint = c->bus.tools,
        .plugin_paths = c->plugins.path.count
                            ? (const char *const *)c->plugins.path.items
                            : &own,
        .plugin_path_count = c->plugins.path.count ? c->plugins.path.count : 1,
        .toolhost_path = toolhost,
        .plugin_config = c->plugins.config,
        .plugin_rules = &c->plugins.rules,
        .mcp = &c->mcp,
        .worker_rules = &c->workers.rules,
        .tool_settings = &c->tool_settings,
        .workers_accept = c->workers.accept,
        .plugin_watch = c->plugins.watch == CONFIG_ON,
        .settle_ms = c->plugins.settle_ms};
    struct broker_callbacks callbacks = {.arg = d,
                                         .on_tools_changed = on_tools_changed,
                                         .on_ready = on_tools_changed,
                                         .on_notice = on_notice,
                                         .on_progress = on_progress,
                                         .on_ask = asks_answer};
    return broker_open(&d->services.broker, &d->loop, &config, &callbacks,
                       problem, PROBLEM_BYTES) == VR_OK &&
           add_builtins(d, problem);
}

static bool
find_group(struct daemon *d, const char *name, char *problem)
{
    const struct group *group = name ? getgrnam(name) : NULL;
    d->services.ring_shared = name != NULL;
    d->services.ring_group = group ? group->gr_gid : 0;
    if (name && !group)
        snprintf(problem, PROBLEM_BYTES,
                 "ring.group: there is no group \"%s\" here", name);
    return !name || group;
}

static void
on_swept(void *arg, const char *sentence)
{
    (void)arg;
    log_info(ring, NULL, "%s", sentence);
}

static bool
open_all(struct daemon *d, char *problem)
{
    const struct config *c = d->options->config;
    d->services.config = c;
    d->services.loop = &d->loop;
    d->services.ready_clip = d->options->ready_clip;
    d->services.runtime_dir = c->runtime_dir;
    if (!find_group(d, c->ring.group, problem))
        return false;
    if (runtime_prepare(c->runtime_dir, c->ring.group, problem,
                        PROBLEM_BYTES) != VR_OK)
        return false;
    if (ring_name_instance(d->instance, c->instance, c->runtime_dir, problem,
                           PROBLEM_BYTES) != VR_OK)
        return false;
    d->services.instance = d->instance;
    if (vr_guard_install() != VR_OK) {
        snprintf(problem, PROBLEM_BYTES, "SIGBUS cannot be handled: %s",
                 strerror(errno));
        return false;
    }
    d->zmq = zmq_ctx_new();
    d->services.client = bedrock_client_new(&d->loop);
    d->services.clock_offset_ms = &d->clock_offset_ms;
    d->services.slots =
        slots_new(c->bedrock.max_streams, c->bedrock.max_concurrent_handovers);
    if (!d->zmq || !d->services.client || !d->services.slots) {
        snprintf(problem, PROBLEM_BYTES, "%s", vr_status_text(VR_NO_MEMORY));
        return false;
    }
    if (!open_bus(d, problem))
        return false;
    ring_host_sweep(c->runtime_dir, d->instance, on_swept, NULL);
    return open_broker(d, problem);
}

/* Whoever starts us may not read what we print. */
static void
say_ready(void)
{
    static const char line[] = "voxringd ready\n";
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) == 1 &&
        write(STDOUT_FILENO, line, sizeof line - 1) < 0)
        log_warn(main, NULL, "nobody takes what is printed: %s",
                 strerror(errno));
}

/* Once: sockets are bound, and the sessions are open or connecting. */
static void
start_sessions(struct daemon *d)
{
    const struct config *c = d->options->config;
    char problem[PROBLEM_BYTES];
    for (size_t i = 0; i < c->session_count; i++) {
        const struct config_session *settings = c->sessions[i];
        struct daemon_session *entry =
            daemon_add(d, settings, NULL, &(struct session_begin){0}, problem,
                       sizeof problem);
        if (entry) {
            session_begin(entry->session);
        } else {
            log_error(main, settings->name, "%s", problem);
            d->broken = true;
        }
    }
    if (!d->broken && !open_control(d, problem)) {
        log_error(main, NULL, "%s", problem);
        d->broken = true;
    }
    if (d->broken) {
        daemon_stop(d, "it could not start");
        return;
    }
    d->ready = true;
    log_info(main, NULL, "ready: %zu session(s), runtime folder %s",
             d->session_count, d->services.runtime_dir);
    log_flush();
    say_ready();
    notify_supervisor("READY=1");
}

static void
on_local_listening(void *arg, const char *endpoint, const char *ca_file)
{
    struct daemon *d = arg;
    d->services.endpoint = endpoint;
    d->services.ca_file = ca_file;
    d->services.credentials = local_child_credentials(d->local);
    if (!d->ready && !d->stopping)
        start_sessions(d);
}

static void
on_local_exit(void *arg, const char *why)
{
    struct daemon *d = arg;
    log_error(main, NULL, "%s", why);
    d->broken = true;
    daemon_stop(d, "the local endpoint is gone");
}

static bool
start_local(struct daemon *d, char *problem)
{
    static const struct local_child_ops ops = {
        .on_listening = on_local_listening, .on_exit = on_local_exit};
    struct local_child_config config = d->options->local_config;
    config.loop = &d->loop;
    char state_dir[PATH_MAX];
    snprintf(state_dir, sizeof state_dir, "%s/local", d->services.runtime_dir);
    if (!config.state_dir)
        config.state_dir = state_dir;
    d->local = local_child_start(&config, &ops, d, problem, PROBLEM_BYTES);
    return d->local != NULL;
}

/* ---- end ---- */

static void
close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* One is enough: what ends in order is not to be ended by a second, to which
 * libuv would give its first meaning back, and a flood of them would fill
 * libuv's pipe so that a child's end, told by SIGCHLD, is missed. */
static void
close_signals(struct daemon *d)
{
    sigset_t all;
    sigemptyset(&all);
    sigaddset(&all, SIGHUP);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGINT);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (size_t i = 0; i < DAEMON_SIGNALS; i++)
        close_handle((uv_handle_t *)&d->signals[i], NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
}

static void
close_rest(void *arg)
{
    struct daemon *d = arg;
    control_close(&d->control);
    asks_free(&d->asks);
    bus_close(&d->services.bus);
    bedrock_client_free(&d->services.client);
    slots_free(&d->services.slots);
    local_child_stop(&d->local);
    close_signals(d);
    close_handle((uv_handle_t *)&d->before_sleep, NULL);
    close_handle((uv_handle_t *)&d->log_timer, NULL);
    close_handle((uv_handle_t *)&d->sweep_timer, NULL);
}

static void
maybe_finish(struct daemon *d)
{
    if (!d->stopping || d->session_count)
        return;
    if (d->services.broker)
        broker_close(&d->services.broker, close_rest, d);
}

void
daemon_stop(struct daemon *d, const char *why)
{
    if (d->stopping)
        return;
    d->stopping = true;
    log_info(main, NULL, "stopping: %s", why);
    notify_supervisor("STOPPING=1");
    close_signals(d);
    for (size_t i = 0; i < d->session_count; i++)
        session_close(d->sessions[i]->session);
    if (d->control)
        control_shutdown(d->control);
    uv_timer_start(&d->sweep_timer, sweep, 0, 0);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    daemon_stop(d, number == SIGTERM  ? "SIGTERM"
                   : number == SIGINT ? "SIGINT"
                                      : "SIGHUP");
}

/* ---- the loop ---- */

static void
on_log_timer(uv_timer_t *timer)
{
    (void)timer;
    log_flush();
}

static void
on_before_sleep(uv_prepare_t *handle)
{
    struct daemon *d = handle->data;
    log_flush();
    if (log_pending() && !uv_is_active((uv_handle_t *)&d->log_timer))
        uv_timer_start(&d->log_timer, on_log_timer, LOG_RETRY_MS, 0);
}

static void
start_handles(struct daemon *d)
{
    static const int numbers[DAEMON_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < DAEMON_SIGNALS; i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&d->loop, &d->log_timer);
    uv_timer_init(&d->loop, &d->sweep_timer);
    d->sweep_timer.data = d;
    uv_prepare_init(&d->loop, &d->before_sleep);
    d->before_sleep.data = d;
    uv_prepare_start(&d->before_sleep, on_before_sleep);
}

static void
tear_down(struct daemon *d)
{
    int error = uv_loop_close(&d->loop);
    if (error) {
        uv_walk(&d->loop, close_handle, NULL);
        uv_run(&d->loop, UV_RUN_DEFAULT);
        uv_loop_close(&d->loop);
    }
    if (d->zmq)
        zmq_ctx_term(d->zmq);
    ring_host_remove_index(d->services.runtime_dir);
    vr_guard_remove();
}

int
daemon_run(const struct daemon_options *options)
{
    static struct daemon d; /* large, and there is one */
    char problem[PROBLEM_BYTES];
    memset(&d, 0, sizeof d);
    d.options = options;
    d.started_ns = clock_mono_ns();
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&d.loop);
    start_handles(&d);
    bool opened =
        open_all(&d, problem) && (!options->local || start_local(&d, problem));
    if (!opened) {
        log_error(main, NULL, "%s", problem);
        d.broken = true;
        d.stopping = true;
        if (d.services.broker)
            broker_close(&d.services.broker, close_rest, &d);
        else
            close_rest(&d);
    } else if (!options->local) {
        start_sessions(&d);
    }
    uv_run(&d.loop, UV_RUN_DEFAULT);
    tear_down(&d);
    return d.broken ? 1 : 0;
}
