#include "tools/mcp/stdio.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/mcp/journal.h"
#include "tools/mcp/lines.h"
#include "tools/mcp/memory.h"
#include "tools/mcp/message.h"

/* What may wait for a server that does not read. */
#define UNREAD_MAX_BYTES ((size_t)16 * 1024 * 1024)
/* After each step of the shutdown: its input closed, SIGTERM, SIGKILL. */
#define STEP_MS 2000
/* What the server wrote before it ended is read for so long. */
#define LAST_WORDS_MS 500
#define MEMORY_LOOK_MS 1000
#define GARBAGE_SHOWN_BYTES 120

struct stdio {
    struct transport transport;
    struct transport_events events;
    uv_process_t process;
    uv_pipe_t input;
    uv_pipe_t output;
    uv_timer_t timer;   /* the shutdown's steps, or the last words */
    uv_timer_t memory;  /* looks at what it takes */
    uv_timer_t endless; /* a line that is too long must end until then */
    int handles;
    int steps;
    bool spawned; /* `process` is a handle */
    bool running;
    bool output_open;
    bool ended; /* told so */
    bool closing;
    bool memory_out;
    uint64_t memory_bytes;
    size_t unread_bytes;
    struct lines lines;
    char how[160];
    char buffer[64 * 1024];
};

struct outgoing {
    uv_write_t request;
    struct stdio *stdio;
    uint64_t id;
    size_t bytes;
    char *text;
};

/* ---- its end ------------------------------------------------------------------ */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct stdio *s = handle->data;
    struct transport_events events = s->events;

    if (--s->handles > 0)
        return;
    lines_fini(&s->lines);
    free(s);
    if (events.on_closed)
        events.on_closed(events.arg);
}

static void
close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void
close_all(struct stdio *s)
{
    if (s->spawned)
        close_handle((uv_handle_t *)&s->process);
    close_handle((uv_handle_t *)&s->input);
    close_handle((uv_handle_t *)&s->output);
    close_handle((uv_handle_t *)&s->timer);
    close_handle((uv_handle_t *)&s->memory);
    close_handle((uv_handle_t *)&s->endless);
}

static void
tell_end(struct stdio *s)
{
    if (s->closing) {
        close_all(s);
        return;
    }
    if (s->ended)
        return;
    s->ended = true;
    s->events.on_end(s->events.arg,
                     s->memory_out ? TRANSPORT_MEMORY : TRANSPORT_DIED, s->how);
}

static void
on_last_words(uv_timer_t *timer)
{
    tell_end(timer->data);
}

static void
on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
    struct stdio *s = process->data;

    s->running = false;
    if (s->memory_out)
        snprintf(s->how, sizeof s->how,
                 "the MCP server took more than its memory_mb of %llu MiB and "
                 "was killed",
                 (unsigned long long)(s->memory_bytes >> 20));
    else if (signal_number != 0)
        snprintf(s->how, sizeof s->how,
                 "the MCP server was killed by signal %d (%s)", signal_number,
                 strsignal(signal_number));
    else
        snprintf(s->how, sizeof s->how,
                 "the MCP server ended with exit status %d", (int)status);
    uv_timer_stop(&s->timer);
    if (s->output_open && !s->closing)
        uv_timer_start(&s->timer, on_last_words, LAST_WORDS_MS, 0);
    else
        tell_end(s);
}

static void
signal_server(struct stdio *s, int number)
{
    if (s->running)
        uv_process_kill(&s->process, number);
}

static void
on_step(uv_timer_t *timer)
{
    struct stdio *s = timer->data;

    signal_server(s, s->steps == 0 ? SIGTERM : SIGHUP);
    /* the guard cannot be stopped, but killed by others' mistake it can */
    if (s->steps++ > 1)
        signal_server(s, SIGKILL);
}

static void
stdio_close(struct transport *transport)
{
    struct stdio *s = (struct stdio *)transport;

    s->closing = true;
    close_handle((uv_handle_t *)&s->input);
    if (s->running)
        uv_timer_start(&s->timer, on_step, STEP_MS, STEP_MS);
    else
        close_all(s);
}

/* ---- what it says ------------------------------------------------------------- */

static void
on_line(void *arg, char *line, size_t count)
{
    struct stdio *s = arg;

    if (s->closing || s->ended)
        return;
    if (!line) {
        journal(VOXRING_LOG_WARN,
                "the server wrote a line of %zu bytes, more than %zu: skipped",
                count, MESSAGE_MAX_BYTES);
        s->events.on_overlong(s->events.arg, &s->lines.outline, count);
    } else if (line[0] != '{' && line[0] != '[') {
        journal(
            VOXRING_LOG_WARN,
            "the server wrote what is no message to its output: %.*s",
            (int)(count < GARBAGE_SHOWN_BYTES ? count : GARBAGE_SHOWN_BYTES),
            line);
    } else {
        s->events.on_message(s->events.arg, line, count);
    }
}

/* Nothing else can come from a server that does not end its line. */
static void
on_endless(uv_timer_t *timer)
{
    struct stdio *s = timer->data;

    if (s->closing || s->ended)
        return;
    snprintf(s->how, sizeof s->how,
             "the MCP server wrote %zu bytes without the end of a line, where "
             "a message has at most %zu: it is broken and was ended",
             s->lines.bytes, MESSAGE_MAX_BYTES);
    uv_read_stop((uv_stream_t *)&s->output);
    signal_server(s, SIGHUP);
    tell_end(s);
}

static void
watch_line(struct stdio *s)
{
    if (!s->lines.skipping)
        uv_timer_stop(&s->endless);
    else if (s->lines.bytes > MESSAGE_ENDLESS_BYTES)
        on_endless(&s->endless);
    else if (!uv_is_active((uv_handle_t *)&s->endless) && !s->closing)
        uv_timer_start(&s->endless, on_endless, MESSAGE_ENDLESS_MS, 0);
}

/* A server that closed its output is ending, or of no use. */
static void
on_mute(uv_timer_t *timer)
{
    struct stdio *s = timer->data;

    journal(VOXRING_LOG_WARN, "the MCP server closed its output: it is ended");
    signal_server(s, SIGHUP);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct stdio *s = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(s->buffer, sizeof s->buffer);
}

static void
on_output(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct stdio *s = stream->data;

    if (count >= 0) {
        lines_feed(&s->lines, buffer->base, (size_t)count, on_line, s);
        watch_line(s);
        return;
    }
    uv_read_stop(stream);
    uv_timer_stop(&s->endless);
    s->output_open = false;
    if (!s->running) {
        uv_timer_stop(&s->timer);
        tell_end(s);
    } else if (!s->closing) {
        uv_timer_start(&s->timer, on_mute, STEP_MS, 0);
    }
}

/* ---- what it is told ---------------------------------------------------------- */

static void
on_written(uv_write_t *request, int status)
{
    struct outgoing *out = (struct outgoing *)request;

    /* that a server is gone is told by its end */
    (void)status;
    out->stdio->unread_bytes -= out->bytes;
    free(out->text);
    free(out);
}

/* The server gets no more, so no request would ever be answered. */
static void
give_up(struct stdio *s, const char *what)
{
    journal(VOXRING_LOG_ERROR, "%s: the MCP server is ended", what);
    signal_server(s, SIGHUP);
}

static void
stdio_send(struct transport *transport, uint64_t id, char *text,
           enum transport_order order)
{
    struct stdio *s = (struct stdio *)transport;
    struct outgoing *out = calloc(1, sizeof *out);
    uv_buf_t buffers[2];

    (void)order;
    (void)id;
    if (!out || !text || s->closing || s->ended) {
        if (!out || !text)
            give_up(s, "memory is out");
        free(out);
        free(text);
        return;
    }
    out->stdio = s;
    out->text = text;
    out->bytes = strlen(text) + 1;
    buffers[0] = uv_buf_init(text, (unsigned int)(out->bytes - 1));
    buffers[1] = uv_buf_init((char *)(uintptr_t) "\n", 1);
    s->unread_bytes += out->bytes;
    if (s->unread_bytes > UNREAD_MAX_BYTES)
        give_up(s, "it does not read what it is sent");
    if (uv_write(&out->request, (uv_stream_t *)&s->input, buffers, 2,
                 on_written) != 0)
        on_written(&out->request, 0);
}

static void
stdio_forget(struct transport *transport, uint64_t id)
{
    (void)transport;
    (void)id;
}

static void
stdio_ready(struct transport *transport, const char *version)
{
    (void)transport;
    (void)version;
}

static void
stdio_restart(struct transport *transport)
{
    (void)transport;
}

static const struct transport_ops ops = {
    .send = stdio_send,
    .forget = stdio_forget,
    .ready = stdio_ready,
    .restart = stdio_restart,
    .close = stdio_close,
};

/* ---- its begin ---------------------------------------------------------------- */

static void
on_memory(uv_timer_t *timer)
{
    struct stdio *s = timer->data;

    if (s->running && !s->closing && !s->memory_out &&
        memory_of_session(s->process.pid) > s->memory_bytes) {
        s->memory_out = true;
        signal_server(s, SIGHUP);
    }
}

static void
init_handles(struct stdio *s, uv_loop_t *loop)
{
    uv_pipe_init(loop, &s->input, 0);
    uv_pipe_init(loop, &s->output, 0);
    uv_timer_init(loop, &s->timer);
    uv_timer_init(loop, &s->memory);
    uv_timer_init(loop, &s->endless);
    s->process.data = s->input.data = s->output.data = s;
    s->timer.data = s->memory.data = s->endless.data = s;
    s->handles = 5;
}

/* --mcp --guard OUR_PID PROGRAM ARGUMENTS */
static char **
guard_arguments(const struct setup *setup, char pid[16])
{
    size_t count = 0;
    char **args;

    while (setup->args[count])
        count++;
    args = calloc(count + 5, sizeof *args);
    if (!args)
        return NULL;
    snprintf(pid, 16, "%d", (int)getpid());
    args[0] = (char *)(uintptr_t) "voxring-toolhost";
    args[1] = (char *)(uintptr_t) "--mcp";
    args[2] = (char *)(uintptr_t) "--guard";
    args[3] = pid;
    memcpy(args + 4, setup->args, count * sizeof *args);
    return args;
}

static int
spawn(struct stdio *s, uv_loop_t *loop, const struct setup *setup)
{
    uv_stdio_container_t stdio[3];
    uv_process_options_t options;
    char pid[16];
    int error;

    memset(&options, 0, sizeof options);
    stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
    stdio[0].data.stream = (uv_stream_t *)&s->input;
    stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[1].data.stream = (uv_stream_t *)&s->output;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = STDERR_FILENO;
    options.file = "/proc/self/exe";
    options.args = guard_arguments(setup, pid);
    options.env = setup->env;
    options.cwd = setup->cwd;
    options.stdio = stdio;
    options.stdio_count = 3;
    options.exit_cb = on_exit_status;
    /* a session of its own: its processes can be found by it */
    options.flags = UV_PROCESS_DETACHED;
    if (!options.args)
        return UV_ENOMEM;
    s->spawned = true;
    s->handles++;
    error = uv_spawn(loop, &s->process, &options);
    free(options.args);
    return error;
}

struct transport *
stdio_open(uv_loop_t *loop, const struct setup *setup,
           const struct transport_events *events, char *why, size_t why_size)
{
    struct stdio *s = calloc(1, sizeof *s);
    int error;

    if (!s) {
        snprintf(why, why_size, "memory is out");
        return NULL;
    }
    s->transport.ops = &ops;
    s->lines.limit_bytes = MESSAGE_MAX_BYTES;
    s->memory_bytes = setup->memory_bytes;
    init_handles(s, loop);
    error = spawn(s, loop, setup);
    if (error != 0) {
        snprintf(why, why_size, "%s cannot be started: %s", setup->command,
                 uv_strerror(error));
        close_all(s);
        return NULL;
    }
    s->events = *events;
    s->running = s->output_open = true;
    uv_read_start((uv_stream_t *)&s->output, on_alloc, on_output);
    if (s->memory_bytes > 0)
        uv_timer_start(&s->memory, on_memory, MEMORY_LOOK_MS, MEMORY_LOOK_MS);
    return &s->transport;
}
