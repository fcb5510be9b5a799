#include "gateway/session/local_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/log.h"

#define LINE_BYTES_MAX 1024
#define ENVIRONMENT_MAX 256
#define STOP_GRACE_MS 1000

/* Lines of one of its streams. */
struct local_output {
    uv_pipe_t pipe;
    struct local_child *child;
    void (*on_line)(struct local_child *child, const char *line);
    char line[LINE_BYTES_MAX];
    size_t bytes;
};

struct local_child {
    const struct local_child_ops *ops; /* NULL once it is stopped */
    void *arg;
    struct credentials credentials;
    uv_process_t process;
    uv_timer_t patience; /* after SIGTERM, before SIGKILL */
    struct local_output said, logged;
    unsigned open_handles;
    bool running;
    char endpoint[128];
    char ca_file[512];
};

const struct credentials *
local_child_credentials(const struct local_child *c)
{
    return &c->credentials;
}

static void
make_credentials(struct credentials *c)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t random[56];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    memset(c, 0, sizeof *c);
    memcpy(c->access_key_id, "AKIALOCAL", 9);
    for (size_t i = 0; i < 11; i++)
        c->access_key_id[9 + i] = letters[random[i] & 31];
    for (size_t i = 0; i < 40; i++)
        c->secret_access_key[i] = letters[random[16 + i] & 31];
    snprintf(c->source, sizeof c->source, "made for voxring-local");
}

/* ---- what it prints ---- */

static void
on_said(struct local_child *c, const char *line)
{
    if (sscanf(line, "voxring-local listening %127s ca=%511[^\n]", c->endpoint,
               c->ca_file) != 2) {
        log_info(local, NULL, "%s", line);
        return;
    }
    log_info(local, NULL, "listens at %s", c->endpoint);
    if (c->ops)
        c->ops->on_listening(c->arg, c->endpoint, c->ca_file);
}

/* What was said is for the debug level only, as everywhere. */
static void
on_logged(struct local_child *c, const char *line)
{
    (void)c;
    if (strstr(line, " heard: "))
        log_debug(transcript, NULL, "%s", line);
    else
        log_info(local, NULL, "%s", line);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[4096];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static void
on_output(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct local_output *out = stream->data;
    if (count < 0)
        uv_read_stop(stream);
    for (ssize_t i = 0; i < count; i++) {
        if (buf->base[i] != '\n') {
            if (out->bytes < LINE_BYTES_MAX - 1)
                out->line[out->bytes++] = buf->base[i];
            continue;
        }
        out->line[out->bytes] = '\0';
        out->bytes = 0;
        out->on_line(out->child, out->line);
    }
}

static void
output_init(struct local_output *out, struct local_child *c, uv_loop_t *loop,
            void (*on_line)(struct local_child *, const char *))
{
    uv_pipe_init(loop, &out->pipe, 0);
    out->pipe.data = out;
    out->child = c;
    out->on_line = on_line;
}

/* ---- its end ---- */

static void
forget_one(struct local_child *c)
{
    if (--c->open_handles == 0) {
        credentials_wipe(&c->credentials);
        free(c);
    }
}

static void
on_closed(uv_handle_t *handle)
{
    forget_one(handle->data);
}

static void
on_output_closed(uv_handle_t *handle)
{
    struct local_output *out = handle->data;
    forget_one(out->child);
}

static void
close_handles(struct local_child *c)
{
    uv_close((uv_handle_t *)&c->said.pipe, on_output_closed);
    uv_close((uv_handle_t *)&c->logged.pipe, on_output_closed);
    uv_close((uv_handle_t *)&c->patience, on_closed);
    uv_close((uv_handle_t *)&c->process, on_closed);
}

static void
process_ended(uv_process_t *process, int64_t status, int signal)
{
    struct local_child *c = process->data;
    c->running = false;
    if (!c->ops) {
        close_handles(c);
        return;
    }
    char why[160];
    if (signal)
        snprintf(why, sizeof why, "voxring-local was ended by signal %d",
                 signal);
    else
        snprintf(why, sizeof why,
                 "voxring-local ended with exit code %lld; what it said is "
                 "above",
                 (long long)status);
    c->ops->on_exit(c->arg, why);
}

static void
on_patience(uv_timer_t *timer)
{
    struct local_child *c = timer->data;
    log_warn(local, NULL, "does not stop at SIGTERM; killed");
    uv_process_kill(&c->process, SIGKILL);
}

void
local_child_stop(struct local_child **child)
{
    struct local_child *c = *child;
    if (!c)
        return;
    *child = NULL;
    c->ops = NULL;
    if (!c->running) {
        close_handles(c);
        return;
    }
    uv_process_kill(&c->process, SIGTERM);
    uv_timer_start(&c->patience, on_patience, STOP_GRACE_MS, 0);
}

/* ---- its start ---- */

struct environment {
    char key[64 + 132];
    char secret[64 + 132];
    char *list[ENVIRONMENT_MAX + 3];
};

/* Ours without AWS's variables, with the fresh credentials. */
static void
make_environment(const struct local_child *c, struct environment *e)
{
    size_t count = 0;
    for (char **v = environ; *v && count < ENVIRONMENT_MAX; v++) {
        if (strncmp(*v, "AWS_", 4) != 0)
            e->list[count++] = *v;
    }
    snprintf(e->key, sizeof e->key, "AWS_ACCESS_KEY_ID=%s",
             c->credentials.access_key_id);
    snprintf(e->secret, sizeof e->secret, "AWS_SECRET_ACCESS_KEY=%s",
             c->credentials.secret_access_key);
    e->list[count++] = e->key;
    e->list[count++] = e->secret;
    e->list[count] = NULL;
}

static void
make_arguments(const struct local_child_config *config, char **args)
{
    const char *const options[][2] = {{"--state-dir", config->state_dir},
                                      {"--script", config->script},
                                      {"--ear", config->ear},
                                      {"--time-scale", config->time_scale},
                                      {"--port", config->port}};
    size_t count = 0;
    args[count++] = (char *)config->program;
    args[count++] = (char *)"--exit-with-parent";
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (options[i][1]) {
            args[count++] = (char *)options[i][0];
            args[count++] = (char *)options[i][1];
        }
    }
    args[count] = NULL;
}

static int
spawn(struct local_child *c, const struct local_child_config *config)
{
    struct environment e;
    char *args[16];
    make_environment(c, &e);
    make_arguments(config, args);
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&c->said.pipe},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&c->logged.pipe}};
    /* Its own process group: Ctrl-C is for the gateway, which ends it last. */
    uv_process_options_t options = {.exit_cb = process_ended,
                                    .flags = UV_PROCESS_DETACHED,
                                    .file = config->program,
                                    .args = args,
                                    .env = e.list,
                                    .stdio = stdio,
                                    .stdio_count = 3};
    int error = uv_spawn(config->loop, &c->process, &options);
    explicit_bzero(&e, sizeof e);
    return error;
}

struct local_child *
local_child_start(const struct local_child_config *config,
                  const struct local_child_ops *ops, void *arg, char *problem,
                  size_t problem_size)
{
    struct local_child *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
        return NULL;
    }
    c->ops = ops;
    c->arg = arg;
    make_credentials(&c->credentials);
    output_init(&c->said, c, config->loop, on_said);
    output_init(&c->logged, c, config->loop, on_logged);
    uv_timer_init(config->loop, &c->patience);
    c->patience.data = c;
    c->process.data = c;
    c->open_handles = 4;
    int error = spawn(c, config);
    if (error) {
        snprintf(problem, problem_size, "%s cannot be started: %s",
                 config->program, uv_strerror(error));
        local_child_stop(&c);
        return NULL;
    }
    c->running = true;
    uv_read_start((uv_stream_t *)&c->said.pipe, on_alloc, on_output);
    uv_read_start((uv_stream_t *)&c->logged.pipe, on_alloc, on_output);
    return c;
}
