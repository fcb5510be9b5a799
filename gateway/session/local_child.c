#include "gateway/session/local_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/log.h"

#define LINE_BYTES_MAX 1024
#define ENVIRONMENT_MAX 256

struct local_child {
    const struct local_child_ops *ops; /* NULL once it is stopped */
    void *arg;
    struct credentials credentials;
    uv_process_t process;
    uv_pipe_t output;
    unsigned open_handles;
    bool running;
    char line[LINE_BYTES_MAX];
    size_t line_bytes;
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
line_done(struct local_child *c)
{
    c->line[c->line_bytes] = '\0';
    c->line_bytes = 0;
    if (sscanf(c->line, "voxring-local listening %127s ca=%511[^\n]",
               c->endpoint, c->ca_file) == 2) {
        log_info(main, NULL, "voxring-local listens at %s", c->endpoint);
        if (c->ops)
            c->ops->on_listening(c->arg, c->endpoint, c->ca_file);
    } else {
        log_info(main, NULL, "voxring-local: %s", c->line);
    }
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
    struct local_child *c = stream->data;
    if (count < 0)
        uv_read_stop(stream);
    for (ssize_t i = 0; i < count; i++) {
        if (buf->base[i] == '\n')
            line_done(c);
        else if (c->line_bytes < LINE_BYTES_MAX - 1)
            c->line[c->line_bytes++] = buf->base[i];
    }
}

/* ---- its end ---- */

static void
on_closed(uv_handle_t *handle)
{
    struct local_child *c = handle->data;
    if (--c->open_handles == 0) {
        credentials_wipe(&c->credentials);
        free(c);
    }
}

static void
close_handles(struct local_child *c)
{
    uv_close((uv_handle_t *)&c->output, on_closed);
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

void
local_child_stop(struct local_child **child)
{
    struct local_child *c = *child;
    if (!c)
        return;
    *child = NULL;
    c->ops = NULL;
    if (c->running)
        uv_process_kill(&c->process, SIGTERM);
    else
        close_handles(c);
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
         .data.stream = (uv_stream_t *)&c->output},
        {.flags = UV_INHERIT_FD, .data.fd = 2}};
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
    uv_pipe_init(config->loop, &c->output, 0);
    c->output.data = c;
    c->process.data = c;
    c->open_handles = 2;
    int error = spawn(c, config);
    if (error) {
        snprintf(problem, problem_size, "%s cannot be started: %s",
                 config->program, uv_strerror(error));
        local_child_stop(&c);
        return NULL;
    }
    c->running = true;
    uv_read_start((uv_stream_t *)&c->output, on_alloc, on_output);
    return c;
}
