#include "gateway/toolbroker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/toolbroker/child_kin.h"
#include "gateway/uuid.h"

#define LINE_BYTES 512
/* What a child may write and have logged in each window. */
#define WINDOW_MS 100
#define WINDOW_BYTES (64 * 1024)
#define WINDOW_LINES 10
#define FLOOD_WINDOWS 50
/* After its death a child's last words are read, not its children's. */
#define LAST_WORDS_BYTES (16 * 1024)

struct child {
    uv_process_t process;
    uv_pipe_t boot;
    uv_pipe_t output;
    uv_timer_t stop;
    uv_timer_t window;
    uv_write_t boot_write;
    uv_work_t kin;     /* counts as a handle while it runs */
    uv_work_t measure; /* the same */
    struct child_kin measured;
    bool measuring;
    char mark[UUID_TEXT_BYTES];
    char *boot_text;
    int output_fd; /* owned by `output` */
    int handles;
    int pid;
    uint32_t stop_grace_ms;
    bool spawned; /* `process` is a handle */
    bool exited;
    bool closing;
    struct child_callbacks callbacks;
    /* output */
    char line[LINE_BYTES];
    size_t line_bytes;
    size_t window_bytes;
    uint32_t window_lines;
    uint32_t flood_windows;
    uint64_t dropped;
    char buffer[4096];
};

/* Variables a plugin may have; everything else may be a secret. */
static const char *const passed[] = {"PATH",
                                     "LANG",
                                     "LANGUAGE",
                                     "LC_ALL",
                                     "LC_CTYPE",
                                     "LC_TIME",
                                     "TZ",
                                     "TZDIR",
                                     "HOME",
                                     "TMPDIR",
                                     "USER",
                                     "LOGNAME",
                                     "LD_LIBRARY_PATH",
                                     "ASAN_OPTIONS",
                                     "UBSAN_OPTIONS",
                                     "TSAN_OPTIONS"};

#define PASSED_COUNT (sizeof passed / sizeof passed[0])

static void
free_environment(char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
}

/* Adds a variable, in the place of one of its name. False when memory is
 * out. */
static bool
add_variable(char **env, const char *name, size_t name_bytes, const char *value)
{
    char *text = NULL;
    size_t i = 0;

    if (asprintf(&text, "%.*s=%s", (int)name_bytes, name, value) < 0)
        return false;
    while (env[i] && strncmp(env[i], text, name_bytes + 1) != 0)
        i++;
    free(env[i]);
    env[i] = text;
    return true;
}

/* "NAME=value", or "NAME" of our own environment. */
static bool
add_setting(char **env, const char *setting)
{
    size_t bytes = strcspn(setting, "=");
    const char *value =
        setting[bytes] == '=' ? setting + bytes + 1 : getenv(setting);

    return !value || add_variable(env, setting, bytes, value);
}

static char **
make_environment(const struct child *c, const struct config_strings *more)
{
    size_t more_count = more ? more->count : 0;
    char **env = calloc(PASSED_COUNT + more_count + 3, sizeof *env);
    bool good = env != NULL;

    for (size_t i = 0; good && i < PASSED_COUNT; i++)
        good = add_setting(env, passed[i]);
    for (size_t i = 0; good && i < more_count; i++)
        good = add_setting(env, more->items[i]);
    /* A function the plugin lacks is found when it is loaded, not in a call */
    good = good && add_setting(env, "LD_BIND_NOW=1") &&
           add_variable(env, CHILD_KIN_VARIABLE, strlen(CHILD_KIN_VARIABLE),
                        c->mark);
    if (good)
        return env;
    free_environment(env);
    return NULL;
}

static void
end_line(struct child *c)
{
    c->line[c->line_bytes] = '\0';
    if (c->line_bytes > 0) {
        if (c->window_lines < WINDOW_LINES) {
            c->window_lines++;
            c->callbacks.on_line(c->callbacks.arg, c->line);
        } else {
            c->dropped++;
        }
    }
    c->line_bytes = 0;
}

static void
take_output(struct child *c, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            end_line(c);
            continue;
        }
        c->line[c->line_bytes++] = bytes[i] == '\0' ? ' ' : bytes[i];
        if (c->line_bytes == LINE_BYTES - 1)
            end_line(c);
    }
}

static void
tell_dropped(struct child *c)
{
    if (c->dropped > 0)
        c->callbacks.on_lines_dropped(c->callbacks.arg, c->dropped);
    c->dropped = 0;
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct child *c = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(c->buffer, sizeof c->buffer);
}

static void on_output(uv_stream_t *stream, ssize_t count,
                      const uv_buf_t *buffer);

static void
on_window(uv_timer_t *timer)
{
    struct child *c = timer->data;

    bool flooding = c->window_lines >= WINDOW_LINES;

    c->window_bytes = 0;
    c->window_lines = 0;
    /* one line about a flood, not one for each window of it */
    if (c->dropped > 0 && flooding && ++c->flood_windows < FLOOD_WINDOWS) {
        uv_timer_start(&c->window, on_window, WINDOW_MS, 0);
    } else {
        c->flood_windows = 0;
        tell_dropped(c);
    }
    uv_read_start((uv_stream_t *)&c->output, on_alloc, on_output);
}

static void
on_output(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct child *c = stream->data;

    if (count < 0) {
        uv_read_stop(stream);
        return;
    }
    take_output(c, buffer->base, (size_t)count);
    if (c->closing)
        return;
    if (!uv_is_active((uv_handle_t *)&c->window))
        uv_timer_start(&c->window, on_window, WINDOW_MS, 0);
    c->window_bytes += (size_t)count;
    /* what is not read blocks the writer, which is only the plugin */
    if (c->window_bytes >= WINDOW_BYTES)
        uv_read_stop(stream);
}

static void
let_go(struct child *c)
{
    struct child_callbacks callbacks = c->callbacks;

    if (--c->handles > 0)
        return;
    free(c->boot_text);
    free(c);
    if (callbacks.on_closed)
        callbacks.on_closed(callbacks.arg);
}

static void
on_handle_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void
kill_kin(uv_work_t *work)
{
    const struct child *c = work->data;

    child_kin_kill(c->mark);
}

static void
on_kin_killed(uv_work_t *work, int status)
{
    (void)status;
    let_go(work->data);
}

/* What it forked into another group is looked for where nothing waits. */
static void
start_to_kill_kin(struct child *c)
{
    c->kin.data = c;
    if (uv_queue_work(c->process.loop, &c->kin, kill_kin, on_kin_killed) == 0)
        c->handles++;
}

static void
measure_kin(uv_work_t *work)
{
    struct child *c = work->data;

    child_kin_measure(c->mark, c->pid, &c->measured);
}

static void
on_kin_measured(uv_work_t *work, int status)
{
    struct child *c = work->data;

    c->measuring = false;
    if (status == 0 && !c->exited && !c->closing)
        c->callbacks.on_measured(c->callbacks.arg, &c->measured);
    let_go(c);
}

void
child_measure(struct child *c)
{
    if (c->measuring || c->exited || c->closing)
        return;
    c->measure.data = c;
    if (uv_queue_work(c->process.loop, &c->measure, measure_kin,
                      on_kin_measured) != 0)
        return;
    c->measuring = true;
    c->handles++;
}

static void
close_handles(struct child *c)
{
    c->closing = true;
    if (!uv_is_closing((uv_handle_t *)&c->boot))
        uv_close((uv_handle_t *)&c->boot, on_handle_closed);
    if (c->spawned)
        uv_close((uv_handle_t *)&c->process, on_handle_closed);
    uv_close((uv_handle_t *)&c->output, on_handle_closed);
    uv_close((uv_handle_t *)&c->stop, on_handle_closed);
    uv_close((uv_handle_t *)&c->window, on_handle_closed);
}

static void
take_last_words(struct child *c)
{
    char bytes[1024];
    size_t total = 0;
    ssize_t n;

    c->window_lines = 0;
    while (total < LAST_WORDS_BYTES &&
           (n = read(c->output_fd, bytes, sizeof bytes)) > 0) {
        take_output(c, bytes, (size_t)n);
        total += (size_t)n;
    }
    end_line(c);
    tell_dropped(c);
}

static void
on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *c = process->data;
    char how[128];

    c->exited = true;
    /* whatever it forked goes with it */
    kill(-c->pid, SIGKILL);
    take_last_words(c);
    if (signal_number != 0)
        snprintf(how, sizeof how, "it was killed by signal %d (%s)",
                 signal_number, strsignal(signal_number));
    else
        snprintf(how, sizeof how, "it exited with status %d", (int)status);
    start_to_kill_kin(c);
    c->callbacks.on_exit(c->callbacks.arg, how,
                         signal_number != 0 ? -1 : (int)status);
    close_handles(c);
}

static void
init_handles(struct child *c, uv_loop_t *loop)
{
    uv_pipe_init(loop, &c->boot, 0);
    uv_pipe_init(loop, &c->output, 0);
    uv_timer_init(loop, &c->stop);
    uv_timer_init(loop, &c->window);
    c->boot.data = c->output.data = c->stop.data = c->window.data = c;
    c->process.data = c;
    c->handles = 4;
}

static int
spawn(struct child *c, uv_loop_t *loop, const struct child_options *how,
      int output_fd)
{
    char *args[] = {(char *)(uintptr_t)how->program,
                    (char *)(uintptr_t)how->argument, NULL};
    uv_stdio_container_t stdio[4];
    uv_process_options_t options;
    int error;

    memset(&options, 0, sizeof options);
    stdio[0].flags = UV_IGNORE;
    stdio[1].flags = stdio[2].flags = UV_INHERIT_FD;
    stdio[1].data.fd = stdio[2].data.fd = output_fd;
    stdio[3].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
    stdio[3].data.stream = (uv_stream_t *)&c->boot;
    options.file = how->program;
    options.args = args;
    options.env = make_environment(c, how->env);
    options.stdio = stdio;
    options.stdio_count = 4;
    options.exit_cb = on_exit_status;
    options.flags = UV_PROCESS_DETACHED;
    if (!options.env)
        return UV_ENOMEM;
    c->spawned = true;
    c->handles++;
    error = uv_spawn(loop, &c->process, &options);
    free_environment(options.env);
    return error;
}

static void
on_boot_written(uv_write_t *request, int status)
{
    /* a child that died before reading is reported by its exit */
    (void)request;
    (void)status;
}

static void
send_boot(struct child *c)
{
    uv_buf_t buffer =
        uv_buf_init(c->boot_text, (unsigned int)strlen(c->boot_text));

    uv_write(&c->boot_write, (uv_stream_t *)&c->boot, &buffer, 1,
             on_boot_written);
}

/* A child that did not come to life: its handles go, its callbacks do not
 * come. */
static enum vr_status
abandon(struct child *c)
{
    memset(&c->callbacks, 0, sizeof c->callbacks);
    close_handles(c);
    return VR_SYSTEM;
}

enum vr_status
child_start(struct child **child, uv_loop_t *loop,
            const struct child_options *options,
            const struct child_callbacks *callbacks, char *why, size_t why_size)
{
    struct child *c = calloc(1, sizeof *c);
    int fds[2];
    int error;

    *child = NULL;
    if (!c || asprintf(&c->boot_text, "%s\n", options->boot_json) < 0 ||
        pipe2(fds, O_CLOEXEC) != 0) {
        snprintf(why, why_size, "Cannot start %.200s: %s", options->program,
                 strerror(errno));
        if (c)
            free(c->boot_text);
        free(c);
        return VR_SYSTEM;
    }
    c->callbacks = *callbacks;
    c->stop_grace_ms = options->stop_grace_ms;
    uuid_make(c->mark);
    c->output_fd = fds[0];
    init_handles(c, loop);
    error = uv_pipe_open(&c->output, fds[0]);
    if (error != 0)
        close(fds[0]);
    else
        error = spawn(c, loop, options, fds[1]);
    close(fds[1]);
    if (error != 0) {
        snprintf(why, why_size, "Cannot start %.200s: %s", options->program,
                 uv_strerror(error));
        return abandon(c);
    }
    c->pid = c->process.pid;
    send_boot(c);
    uv_read_start((uv_stream_t *)&c->output, on_alloc, on_output);
    *child = c;
    return VR_OK;
}

void
child_kill(struct child *c)
{
    if (!c->exited)
        kill(-c->pid, SIGKILL);
}

static void
on_stop_grace(uv_timer_t *timer)
{
    child_kill(timer->data);
}

void
child_stop(struct child *c)
{
    if (c->exited || c->closing)
        return;
    if (!uv_is_closing((uv_handle_t *)&c->boot))
        uv_close((uv_handle_t *)&c->boot, on_handle_closed);
    kill(-c->pid, SIGTERM);
    uv_timer_start(&c->stop, on_stop_grace, c->stop_grace_ms, 0);
}

int
child_pid(const struct child *c)
{
    return c->pid;
}
