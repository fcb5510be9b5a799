#include "gateway/local/control.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/local/now.h"

/* A client that asks without reading the answers is dropped beyond this. */
#define UNREAD_BYTES_MAX (4 * 1024 * 1024)

struct peer {
    uv_pipe_t pipe;
    struct control *control;
    char line[COMMAND_BYTES_MAX];
    size_t used;
    char in[4096];
};

struct control {
    uv_pipe_t listener;
    struct control_config config;
    struct peer *peers[CONTROL_CLIENTS_MAX];
    size_t peer_count;
    bool stopping;
    bool listener_closed;
};

static void
free_if_over(struct control *control)
{
    if (control->listener_closed && control->peer_count == 0)
        free(control);
}

static void
on_peer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    struct control *control = peer->control;
    for (size_t i = 0; i < control->peer_count; i++) {
        if (control->peers[i] == peer) {
            control->peers[i] = control->peers[--control->peer_count];
            break;
        }
    }
    free(peer);
    free_if_over(control);
}

static void
drop(struct peer *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->pipe))
        uv_close((uv_handle_t *)&peer->pipe, on_peer_closed);
}

/* ---- answers ---- */

struct answer {
    uv_write_t write;
    char *text; /* cJSON's */
};

static void
on_written(uv_write_t *write, int status)
{
    struct answer *answer = write->data;
    struct peer *peer = write->handle->data;
    cJSON_free(answer->text);
    free(answer);
    if (status < 0)
        drop(peer);
}

/* Takes over `text`. */
static void
say(struct peer *peer, char *text)
{
    struct answer *answer = text == NULL ? NULL : calloc(1, sizeof(*answer));
    uv_stream_t *stream = (uv_stream_t *)&peer->pipe;
    static char newline[] = "\n";
    if (answer == NULL ||
        uv_stream_get_write_queue_size(stream) > UNREAD_BYTES_MAX) {
        free(answer);
        cJSON_free(text);
        drop(peer);
        return;
    }
    answer->text = text;
    answer->write.data = answer;
    uv_buf_t parts[] = {uv_buf_init(text, (unsigned)strlen(text)),
                        uv_buf_init(newline, 1)};
    if (uv_write(&answer->write, stream, parts, 2, on_written) != 0) {
        cJSON_free(text);
        free(answer);
        drop(peer);
    }
}

/* ---- lines ---- */

static void
on_line(struct peer *peer)
{
    const struct control_config *config = &peer->control->config;
    struct jsonlog_place nowhere = {0};
    jsonlog_note(config->log, nowhere, "control", "%.*s", (int)peer->used,
                 peer->line);
    say(peer, command_run(&config->target, peer->line, peer->used,
                          now_read().mono_ms));
    peer->used = 0;
    if (!peer->control->stopping)
        config->on_change(config->arg);
}

static void
take(struct peer *peer, char c)
{
    if (c == '\n') {
        on_line(peer);
    } else if (peer->used < sizeof(peer->line)) {
        peer->line[peer->used++] = c;
    } else {
        say(peer, command_refuse("the line is too long"));
        drop(peer);
    }
}

static void
on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct peer *peer = handle->data;
    (void)wanted;
    *out = uv_buf_init(peer->in, sizeof(peer->in));
}

static void
on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *data)
{
    struct peer *peer = stream->data;
    if (count < 0)
        drop(peer);
    for (ssize_t i = 0; i < count; i++) {
        if (uv_is_closing((uv_handle_t *)stream))
            return;
        take(peer, data->base[i]);
    }
}

static void
on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    if (status < 0 || control->stopping)
        return;
    struct peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        return;
    peer->control = control;
    uv_pipe_init(listener->loop, &peer->pipe, 0);
    peer->pipe.data = peer;
    bool full = control->peer_count == CONTROL_CLIENTS_MAX;
    int code = uv_accept(listener, (uv_stream_t *)&peer->pipe);
    if (full || code != 0) {
        uv_close((uv_handle_t *)&peer->pipe, on_peer_closed);
        return;
    }
    control->peers[control->peer_count++] = peer;
    uv_read_start((uv_stream_t *)&peer->pipe, on_alloc, on_read);
}

/* ---- the socket ---- */

/* Removes a socket that nobody listens on. False: somebody does, or it is
 * something else. */
static bool
make_room(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT;
    if (!S_ISSOCK(info.st_mode))
        return false;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 &&
                connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
                errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return dead && unlink(path) == 0;
}

static int
listen_on(struct control *control, const char *path)
{
    struct sockaddr_un address;
    if (strlen(path) >= sizeof(address.sun_path))
        return UV_ENAMETOOLONG;
    if (!make_room(path))
        return UV_EADDRINUSE;
    mode_t before = umask(0177);
    int code = uv_pipe_bind(&control->listener, path);
    umask(before);
    if (code != 0)
        return code;
    return uv_listen((uv_stream_t *)&control->listener, CONTROL_CLIENTS_MAX,
                     on_connection);
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    control->listener_closed = true;
    free_if_over(control);
}

struct control *
control_new(uv_loop_t *loop, const char *path,
            const struct control_config *config, char *problem,
            size_t problem_size)
{
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        snprintf(problem, problem_size, "no memory for the control socket");
        return NULL;
    }
    control->config = *config;
    uv_pipe_init(loop, &control->listener, 0);
    control->listener.data = control;
    int code = listen_on(control, path);
    if (code != 0) {
        snprintf(problem, problem_size,
                 "cannot listen on the control socket %s: %s", path,
                 uv_strerror(code));
        control_stop(&control);
    }
    return control;
}

void
control_stop(struct control **control)
{
    struct control *c = *control;
    if (c == NULL)
        return;
    *control = NULL;
    c->stopping = true;
    for (size_t i = 0; i < c->peer_count; i++)
        drop(c->peers[i]);
    uv_close((uv_handle_t *)&c->listener, on_listener_closed);
}
