#include "gateway/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "gateway/log.h"
#include "gateway/runtime.h"
#include "gateway/zmqx.h"

#define LINGER_MS 500
/* Messages up to here are answered with what is wrong with them; beyond it
 * libzmq cuts the peer off. */
#define MESSAGE_BYTES_HARD (4 * (int64_t)RPC_MESSAGE_BYTES_MAX)
#define MESSAGES_PER_TURN 64 /* so that one client cannot hold the loop */
#define RECEIVE_HIGH_WATER 64
#define SEND_HIGH_WATER 1000

/* The first byte of a peer's address: how it frames its messages. */
enum { SHAPE_DEALER = 0, SHAPE_REQ = 1 };

struct slot {
    rpc_handler_fn *handler;
    void *arg;
};

static const struct {
    const char *name;
    const char *params;
} methods[] = {
#define CONTROL_METHOD(symbol, name, params, what) {name, params},
#include "gateway/control/control.tbl.h"
#undef CONTROL_METHOD
};

#define METHODS (sizeof methods / sizeof *methods)

struct control {
    void *socket;
    char *bound; /* the endpoint, once it is */
    struct rpc *rpc;
    uv_poll_t poll;
    uv_idle_t again; /* runs while messages may wait without a signal */
    int open_handles;
    struct slot slots[METHODS];
    struct control_stats stats;
};

/* ---- answers ---- */

/* libzmq's descriptor signals edges only, and a send may swallow one: the
 * socket is looked at once more before the loop sleeps. */
static void on_again(uv_idle_t *idle);

static void
look_again(struct control *control)
{
    if (!uv_is_closing((uv_handle_t *)&control->again))
        uv_idle_start(&control->again, on_again);
}

static bool
send_frame(struct control *control, const void *bytes, size_t count, int more)
{
    return zmqx_send(control->socket, bytes, count, more | ZMQ_DONTWAIT) >= 0;
}

/* ROUTER is set to tell us when the client is gone or does not read; either
 * way the answer has nowhere to go. */
static void
on_answer(void *arg, const struct rpc_peer *peer, const char *text,
          size_t text_bytes)
{
    struct control *control = arg;
    bool sent = send_frame(control, peer->bytes + 1, peer->byte_count - 1,
                           ZMQ_SNDMORE) &&
                (peer->bytes[0] == SHAPE_DEALER ||
                 send_frame(control, "", 0, ZMQ_SNDMORE)) &&
                send_frame(control, text, text_bytes, 0);
    if (!sent) {
        control->stats.vanished++;
        log_debug(control, NULL, "an answer of %zu bytes was dropped: %s",
                  text_bytes, zmq_strerror(zmq_errno()));
    }
    look_again(control);
}

/* ---- requests ---- */

static bool
more_follows(void *socket)
{
    int more = 0;
    size_t size = sizeof more;
    return zmqx_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

static void
skip_rest(void *socket)
{
    while (more_follows(socket)) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        zmqx_msg_recv(&rest, socket, ZMQ_DONTWAIT);
        zmq_msg_close(&rest);
    }
}

/* Reads the client's address; false if there is no message or it is none. */
static bool
read_peer(struct control *control, struct rpc_peer *peer)
{
    int n = zmqx_recv(control->socket, peer->bytes + 1, sizeof peer->bytes - 1,
                      ZMQ_DONTWAIT);
    if (n < 0)
        return false;
    peer->bytes[0] = SHAPE_DEALER;
    peer->byte_count = (size_t)n + 1;
    return peer->byte_count <= sizeof peer->bytes;
}

/* Reads the request behind the address, and behind a REQ's empty frame. False
 * if the frames are anything else. */
static bool
read_request(struct control *control, struct rpc_peer *peer, zmq_msg_t *body)
{
    if (!more_follows(control->socket) ||
        zmqx_msg_recv(body, control->socket, ZMQ_DONTWAIT) < 0)
        return false;
    if (zmq_msg_size(body) == 0 && more_follows(control->socket)) {
        peer->bytes[0] = SHAPE_REQ;
        if (zmqx_msg_recv(body, control->socket, ZMQ_DONTWAIT) < 0)
            return false;
    }
    return !more_follows(control->socket);
}

/* Takes one message; false if there was none. */
static bool
receive(struct control *control)
{
    struct rpc_peer peer;
    zmq_msg_t body;
    if (!read_peer(control, &peer))
        return false;
    zmq_msg_init(&body);
    if (read_request(control, &peer, &body)) {
        control->stats.oversized += zmq_msg_size(&body) > RPC_MESSAGE_BYTES_MAX;
        rpc_receive(control->rpc, &peer, zmq_msg_data(&body),
                    zmq_msg_size(&body));
    } else {
        control->stats.malformed++;
        skip_rest(control->socket);
        rpc_refuse(control->rpc, &peer,
                   "a message must be one frame with one JSON document, "
                   "after an empty frame if it comes from a REQ socket");
    }
    zmq_msg_close(&body);
    return true;
}

static void
pump(struct control *control)
{
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        if (!receive(control)) {
            uv_idle_stop(&control->again);
            return;
        }
    }
    look_again(control);
}

static void
on_again(uv_idle_t *idle)
{
    pump(idle->data);
}

static void
on_signal(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    pump(poll->data);
}

/* ---- methods ---- */

static void
on_call(void *arg, struct rpc_call *call, const cJSON *params)
{
    const struct slot *slot = arg;
    if (slot->handler)
        slot->handler(slot->arg, call, params);
    else
        rpc_fail(call, RPC_UNSUPPORTED, NULL,
                 "Unsupported: this gateway does not offer %s",
                 rpc_call_method(call));
}

static bool
add_methods(struct control *control)
{
    for (size_t i = 0; i < METHODS; i++) {
        if (rpc_register(control->rpc, methods[i].name, methods[i].params,
                         on_call, &control->slots[i]) != VR_OK)
            return false;
    }
    return true;
}

enum vr_status
control_register(struct control *control, const char *method,
                 rpc_handler_fn *handler, void *arg)
{
    for (size_t i = 0; i < METHODS; i++) {
        if (strcmp(methods[i].name, method))
            continue;
        if (control->slots[i].handler)
            return VR_BUSY;
        control->slots[i] = (struct slot){handler, arg};
        return VR_OK;
    }
    return VR_NOT_FOUND;
}

/* ---- open and close ---- */

static bool
set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool
bind_socket(struct control *control, const struct control_config *config,
            char *problem, size_t problem_size)
{
    int64_t largest = MESSAGE_BYTES_HARD;
    if (runtime_clear(config->endpoint, problem, problem_size) != VR_OK)
        return false;
    void *s = control->socket = zmq_socket(config->zmq, ZMQ_ROUTER);
    if (!s || !set_int(s, ZMQ_LINGER, LINGER_MS) ||
        !set_int(s, ZMQ_ROUTER_MANDATORY, 1) ||
        !set_int(s, ZMQ_RCVHWM, RECEIVE_HIGH_WATER) ||
        !set_int(s, ZMQ_SNDHWM, SEND_HIGH_WATER) ||
        zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &largest, sizeof largest) != 0 ||
        zmq_bind(s, config->endpoint) != 0) {
        snprintf(problem, problem_size, "cannot take requests at %s: %s",
                 config->endpoint, zmq_strerror(zmq_errno()));
        return false;
    }
    control->bound = strdup(config->endpoint);
    return control->bound && runtime_share(config->endpoint, config->group,
                                           problem, problem_size) == VR_OK;
}

static void
close_socket(struct control *control)
{
    if (control->bound)
        runtime_remove(control->bound);
    if (control->socket)
        zmq_close(control->socket);
    free(control->bound);
    control->bound = NULL;
    control->socket = NULL;
}

static void
destroy(struct control *control)
{
    rpc_free(&control->rpc);
    close_socket(control);
    free(control);
}

static bool
start(struct control *control, uv_loop_t *loop)
{
    int fd;
    size_t size = sizeof fd;
    if (zmqx_getsockopt(control->socket, ZMQ_FD, &fd, &size) != 0 ||
        uv_poll_init(loop, &control->poll, fd) != 0)
        return false;
    uv_idle_init(loop, &control->again);
    control->open_handles = 2;
    control->poll.data = control->again.data = control;
    uv_poll_start(&control->poll, UV_READABLE, on_signal);
    look_again(control);
    return true;
}

struct control *
control_open(const struct control_config *config, char *problem,
             size_t problem_size)
{
    struct control *control = calloc(1, sizeof *control);
    snprintf(problem, problem_size, "out of memory");
    if (!control)
        return NULL;
    control->rpc = rpc_new(on_answer, control);
    if (!control->rpc || !add_methods(control) ||
        !bind_socket(control, config, problem, problem_size) ||
        !start(control, config->loop)) {
        destroy(control);
        return NULL;
    }
    problem[0] = '\0';
    return control;
}

void
control_shutdown(struct control *control)
{
    rpc_shutdown(control->rpc);
}

static void
on_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    if (--control->open_handles == 0)
        free(control);
}

void
control_close(struct control **control)
{
    struct control *c = *control;
    if (!c)
        return;
    *control = NULL;
    rpc_free(&c->rpc);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    uv_close((uv_handle_t *)&c->again, on_closed);
    close_socket(c);
}

struct control_stats
control_stats(const struct control *control)
{
    struct control_stats stats = control->stats;
    stats.rpc = rpc_stats(control->rpc);
    return stats;
}
