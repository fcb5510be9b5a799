#include "ipc/cli/socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"
#include "ipc/voxring.h"

#define MONITOR "inproc://monitor"
/* A name that somebody listens on is answered within this time, or its owner
 * is stuck or dead. */
#define ANSWER_MS 1000
#define RECONNECT_MS 20

static int
failed(struct socket *s, const char *what)
{
    int code = say_fail(s->cli, CLI_FAILED, "%s: %s: %s", s->endpoint, what,
                        zmq_strerror(errno));
    socket_close(s);
    return code;
}

static int
name_endpoint(struct socket *s, const char *given, const char *file)
{
    int length = given ? snprintf(s->endpoint, sizeof s->endpoint, "%s", given)
                       : snprintf(s->endpoint, sizeof s->endpoint,
                                  "ipc://%s/%s", s->cli->runtime_dir, file);
    if (length < 0 || (size_t)length >= sizeof s->endpoint)
        return say_fail(s->cli, CLI_USAGE, "the endpoint is too long: %s",
                        s->endpoint);
    return CLI_DONE;
}

static void
set_options(void *socket)
{
    const int linger_ms = 0, reconnect_ms = RECONNECT_MS;
    const int64_t max_bytes = SOCKET_MESSAGE_BYTES;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &reconnect_ms,
                   sizeof reconnect_ms);
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes);
}

int
socket_open(struct socket *s, const struct cli *cli, int type,
            const char *given, const char *file)
{
    memset(s, 0, sizeof *s);
    s->cli = cli;
    int code = name_endpoint(s, given, file);
    if (code != CLI_DONE)
        return code;
    s->context = zmq_ctx_new();
    s->socket = s->context ? zmq_socket(s->context, type) : NULL;
    s->monitor = s->socket ? zmq_socket(s->context, ZMQ_PAIR) : NULL;
    if (!s->monitor)
        return failed(s, "no socket");
    set_options(s->socket);
    set_options(s->monitor);
    if (zmq_socket_monitor(s->socket, MONITOR,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                               ZMQ_EVENT_DISCONNECTED) != 0 ||
        zmq_connect(s->monitor, MONITOR) != 0)
        return failed(s, "no monitor");
    return CLI_DONE;
}

/* The next event of the monitor, 0 if there is none. */
static int
monitor_event(struct socket *s)
{
    zmq_msg_t frame;
    uint16_t event = 0;
    int more = 1;
    for (int n = 0; more; n++) {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, s->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            break;
        }
        if (n == 0 && zmq_msg_size(&frame) >= sizeof event)
            memcpy(&event, zmq_msg_data(&frame), sizeof event);
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    return event;
}

enum socket_news
socket_wait(struct socket *s, uint64_t deadline_ns)
{
    for (;;) {
        zmq_pollitem_t items[] = {{s->socket, 0, ZMQ_POLLIN, 0},
                                  {s->monitor, 0, ZMQ_POLLIN, 0}};
        if (stop_wanted())
            return SOCKET_STOPPED;
        if (zmq_poll(items, 2, stop_slice_ms(deadline_ns)) < 0)
            continue;
        if (items[0].revents)
            return SOCKET_MESSAGE;
        if (items[1].revents) {
            int event = monitor_event(s);
            if (event)
                return event == ZMQ_EVENT_DISCONNECTED ? SOCKET_GONE
                                                       : SOCKET_BACK;
        }
        if (vr_now_ns() >= deadline_ns)
            return SOCKET_NOTHING;
    }
}

static const char *
ipc_path(const struct socket *s)
{
    return strncmp(s->endpoint, "ipc://", 6) == 0 ? s->endpoint + 6 : NULL;
}

static int
absent(const struct socket *s)
{
    const char *path = ipc_path(s);
    struct stat found;
    if (path && stat(path, &found) != 0)
        return say_fail(s->cli, CLI_ABSENT,
                        "no gateway: %s: %s; start voxringd, or name its "
                        "folder with --runtime-dir",
                        path, strerror(errno));
    return say_fail(s->cli, CLI_ABSENT,
                    "nobody answers at %s; is voxringd still running, and is "
                    "that socket ours to open?",
                    s->endpoint);
}

int
socket_connect(struct socket *s)
{
    const char *path = ipc_path(s);
    uint64_t limit_ns = stop_deadline_ns(s->cli->options.connect_timeout_ms);
    uint64_t answer_ns = stop_deadline_ns(ANSWER_MS);
    struct stat found;
    if (zmq_connect(s->socket, s->endpoint) != 0) {
        int code = say_fail(s->cli, CLI_USAGE, "%s: %s", s->endpoint,
                            zmq_strerror(errno));
        socket_close(s);
        return code;
    }
    for (;;) {
        bool there = !path || stat(path, &found) == 0;
        uint64_t now_ns = vr_now_ns();
        enum socket_news news = socket_wait(s, now_ns + RECONNECT_MS * 1000000);
        if (news == SOCKET_BACK || news == SOCKET_MESSAGE)
            return CLI_DONE;
        if (news != SOCKET_STOPPED &&
            (now_ns < limit_ns || (there && now_ns < answer_ns)))
            continue;
        int code = news == SOCKET_STOPPED ? CLI_INTERRUPTED : absent(s);
        socket_close(s);
        return code;
    }
}

void
socket_close(struct socket *s)
{
    if (s->socket)
        zmq_socket_monitor(s->socket, NULL, 0);
    if (s->monitor)
        zmq_close(s->monitor);
    if (s->socket)
        zmq_close(s->socket);
    if (s->context)
        zmq_ctx_term(s->context);
    s->socket = s->monitor = s->context = NULL;
}
