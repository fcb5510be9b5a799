#include "gateway/toolbroker/router.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/runtime.h"
#include "gateway/toolbroker/worker_message.h"
#include "gateway/zmqx.h"

/* Messages read before the loop gets its turn, and how long that may take:
 * then the rest of the loop gets as much time as was used up, so that peers
 * whose messages are dear have half of the loop at most. */
#define PORTION 64
#define PORTION_NS (4 * CLOCK_NS_PER_MS)
#define PAUSE_MAX_MS 200
/* Per peer; with the message limit this bounds its memory. */
#define SEND_QUEUE_MESSAGES 64
#define RECEIVE_QUEUE_MESSAGES 16

struct router {
    void *context;
    void *socket;
    char *path;
    struct router_callbacks callbacks;
    /* the socket's descriptor is edge-triggered: `more` is active while there
     * may be messages that no further edge will announce */
    uv_poll_t poll;
    uv_idle_t more;
    uv_timer_t pause; /* active: nothing is read before it ends */
    int handles;
    bool closed;
};

static bool
readable(struct router *r)
{
    int events = 0;
    size_t size = sizeof events;

    if (zmqx_getsockopt(r->socket, ZMQ_EVENTS, &events, &size) != 0)
        return false;
    return (events & ZMQ_POLLIN) != 0;
}

/* Whether more frames of this message follow. */
static bool
frame_more(struct router *r)
{
    int more = 0;
    size_t size = sizeof more;

    zmqx_getsockopt(r->socket, ZMQ_RCVMORE, &more, &size);
    return more != 0;
}

static void
skip_frames(struct router *r)
{
    zmq_msg_t rest;

    while (frame_more(r)) {
        zmq_msg_init(&rest);
        int got = zmqx_msg_recv(&rest, r->socket, ZMQ_DONTWAIT);
        zmq_msg_close(&rest);
        if (got < 0)
            return;
    }
}

static void
take_body(struct router *r, const struct router_peer *peer)
{
    zmq_msg_t body;

    zmq_msg_init(&body);
    if (zmqx_msg_recv(&body, r->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&body);
        return;
    }
    if (frame_more(r)) {
        skip_frames(r);
        r->callbacks.on_malformed(r->callbacks.arg, peer);
    } else {
        r->callbacks.on_message(r->callbacks.arg, peer, zmq_msg_data(&body),
                                zmq_msg_size(&body));
    }
    zmq_msg_close(&body);
}

/* Takes one message. False when there is none. */
static bool
take(struct router *r)
{
    struct router_peer peer;
    int n = zmqx_recv(r->socket, peer.bytes, sizeof peer.bytes, ZMQ_DONTWAIT);

    if (n < 0)
        return errno == EINTR;
    if (n == 0 || (size_t)n > sizeof peer.bytes || !frame_more(r)) {
        peer.count = 0;
        skip_frames(r);
        r->callbacks.on_malformed(r->callbacks.arg, &peer);
        return true;
    }
    peer.count = (uint8_t)n;
    take_body(r, &peer);
    return true;
}

static void on_more(uv_idle_t *idle);
static void on_pause_end(uv_timer_t *pause);

static bool
is_pausing(const struct router *r)
{
    return uv_is_active((const uv_handle_t *)&r->pause) != 0;
}

static void
read_more_soon(struct router *r)
{
    if (!r->closed && !is_pausing(r))
        uv_idle_start(&r->more, on_more);
}

static void
pause_for(struct router *r, uint64_t used_ns)
{
    uint64_t ms = used_ns / CLOCK_NS_PER_MS + 1;

    uv_idle_stop(&r->more);
    uv_update_time(r->pause.loop);
    uv_timer_start(&r->pause, on_pause_end,
                   ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS, 0);
}

static void
pump(struct router *r)
{
    uint64_t begin_ns = clock_mono_ns(), used_ns;

    for (int i = 0; i < PORTION && !r->closed; i++) {
        if (!take(r)) {
            uv_idle_stop(&r->more);
            return;
        }
        used_ns = clock_mono_ns() - begin_ns;
        if (used_ns >= PORTION_NS && !r->closed) {
            pause_for(r, used_ns);
            return;
        }
    }
    read_more_soon(r);
}

static void
on_more(uv_idle_t *idle)
{
    pump(idle->data);
}

static void
on_pause_end(uv_timer_t *pause)
{
    pump(pause->data);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    struct router *r = poll->data;

    (void)status;
    (void)events;
    if (!is_pausing(r))
        pump(r);
}

static void
socket_options(void *socket)
{
    int send_queue = SEND_QUEUE_MESSAGES;
    int receive_queue = RECEIVE_QUEUE_MESSAGES;
    int on = 1, off = 0;
    int64_t largest = WORKER_MESSAGE_MAX_BYTES;

    zmq_setsockopt(socket, ZMQ_SNDHWM, &send_queue, sizeof send_queue);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &receive_queue, sizeof receive_queue);
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &on, sizeof on);
    zmq_setsockopt(socket, ZMQ_LINGER, &off, sizeof off);
}

static void
free_router(struct router *r)
{
    if (r->socket)
        zmq_close(r->socket);
    if (r->context)
        zmq_ctx_term(r->context);
    if (r->path)
        unlink(r->path);
    free(r->path);
    free(r);
}

static enum vr_status
bind_socket(struct router *r, const char *path, char *why, size_t why_size)
{
    struct sockaddr_un address;
    char endpoint[sizeof address.sun_path + sizeof "ipc://"];

    if (strlen(path) >= sizeof address.sun_path) {
        snprintf(why, why_size,
                 "The socket %.200s has a name of %zu bytes, at most %zu are "
                 "possible; choose a shorter runtime_dir",
                 path, strlen(path), sizeof address.sun_path - 1);
        return VR_INVALID;
    }
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    r->context = zmq_ctx_new();
    r->socket = r->context ? zmq_socket(r->context, ZMQ_ROUTER) : NULL;
    if (!r->socket) {
        snprintf(why, why_size, "No ZeroMQ socket: %s", zmq_strerror(errno));
        return VR_SYSTEM;
    }
    socket_options(r->socket);
    enum vr_status status = runtime_clear(endpoint, why, why_size);
    if (status != VR_OK)
        return status;
    if (zmq_bind(r->socket, endpoint) != 0 || chmod(path, 0600) != 0) {
        snprintf(why, why_size,
                 "Cannot bind %.200s: %s; check that runtime_dir exists and "
                 "belongs to this user",
                 path, zmq_strerror(errno));
        return VR_SYSTEM;
    }
    r->path = strdup(path);
    return r->path ? VR_OK : VR_NO_MEMORY;
}

static enum vr_status
join_loop(struct router *r, uv_loop_t *loop, char *why, size_t why_size)
{
    int fd = -1;
    size_t size = sizeof fd;
    int error;

    zmqx_getsockopt(r->socket, ZMQ_FD, &fd, &size);
    error = uv_poll_init(loop, &r->poll, fd);
    if (error != 0) {
        snprintf(why, why_size, "Cannot watch the tool socket: %s",
                 uv_strerror(error));
        return VR_SYSTEM;
    }
    uv_idle_init(loop, &r->more);
    uv_timer_init(loop, &r->pause);
    r->handles = 3;
    r->poll.data = r->more.data = r->pause.data = r;
    uv_poll_start(&r->poll, UV_READABLE, on_poll);
    uv_idle_start(&r->more, on_more);
    return VR_OK;
}

enum vr_status
router_open(struct router **router, uv_loop_t *loop, const char *path,
            const struct router_callbacks *callbacks, char *why,
            size_t why_size)
{
    struct router *r = calloc(1, sizeof *r);
    enum vr_status status;

    *router = NULL;
    if (!r) {
        snprintf(why, why_size, "Out of memory");
        return VR_NO_MEMORY;
    }
    r->callbacks = *callbacks;
    status = bind_socket(r, path, why, why_size);
    if (status == VR_OK)
        status = join_loop(r, loop, why, why_size);
    if (status != VR_OK) {
        free_router(r);
        return status;
    }
    *router = r;
    return VR_OK;
}

enum vr_status
router_send(struct router *r, const struct router_peer *peer, const char *text)
{
    size_t bytes = strlen(text);
    enum vr_status status = VR_OK;

    if (zmqx_send(r->socket, peer->bytes, peer->count,
                  ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
        zmqx_send(r->socket, text, bytes, ZMQ_DONTWAIT) < 0)
        status = errno == EAGAIN ? VR_AGAIN : VR_CLOSED;
    /* sending may have used up the edge of a message that came meanwhile */
    if (readable(r))
        read_more_soon(r);
    return status;
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct router *r = handle->data;
    struct router_callbacks callbacks = r->callbacks;

    if (--r->handles > 0)
        return;
    free_router(r);
    callbacks.on_closed(callbacks.arg);
}

void
router_close(struct router **router)
{
    struct router *r = *router;

    *router = NULL;
    if (!r)
        return;
    r->closed = true;
    uv_close((uv_handle_t *)&r->poll, on_handle_closed);
    uv_close((uv_handle_t *)&r->more, on_handle_closed);
    uv_close((uv_handle_t *)&r->pause, on_handle_closed);
}
