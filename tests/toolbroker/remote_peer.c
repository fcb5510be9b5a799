#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/toolbroker/remote_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

/* Heartbeats, in turns of the 1 ms timer. */
#define HEARTBEAT_TURNS 50

static void *context;
static struct remote_peer *peers[REMOTE_PEERS];
static size_t peer_count;

void
remote_peer_open(struct remote_peer *peer, struct rig *rig,
                 const char *endpoint)
{
    int linger = 0;

    assert_true(peer_count < REMOTE_PEERS);
    memset(peer, 0, sizeof *peer);
    peer->rig = rig;
    if (!context)
        context = zmq_ctx_new();
    peer->socket = zmq_socket(context, ZMQ_DEALER);
    assert_non_null(peer->socket);
    zmq_setsockopt(peer->socket, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(peer->socket, endpoint), 0);
    peers[peer_count++] = peer;
}

void
remote_peer_close(struct remote_peer *peer)
{
    for (size_t i = 0; i < peer_count; i++) {
        if (peers[i] == peer)
            peers[i--] = peers[--peer_count];
    }
    if (peer->socket)
        zmq_close(peer->socket);
    peer->socket = NULL;
    if (peer_count > 0 || !context)
        return;
    zmq_ctx_term(context);
    context = NULL;
}

void
remote_peer_close_all(void)
{
    while (peer_count > 0)
        remote_peer_close(peers[0]);
}

void
remote_peer_say(struct remote_peer *peer, const char *format, ...)
{
    char text[40000];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(n >= 0 && n < (int)sizeof text);
    assert_int_equal(zmq_send(peer->socket, text, (size_t)n, 0), n);
}

bool
remote_peer_take(struct remote_peer *peer)
{
    for (;;) {
        int n = zmq_recv(peer->socket, peer->text, sizeof peer->text - 1,
                         ZMQ_DONTWAIT);
        if (n < 0)
            return false;
        assert_true(n < (int)sizeof peer->text);
        peer->text[n] = '\0';
        if (!strstr(peer->text, "\"id\":\"beat\""))
            return true;
    }
}

static void
on_tick(uv_timer_t *timer)
{
    unsigned *turn = timer->data;

    if (++*turn % HEARTBEAT_TURNS != 1)
        return;
    for (size_t i = 0; i < peer_count; i++) {
        if (!peers[i]->silent)
            remote_peer_say(peers[i], "{\"jsonrpc\":\"2.0\",\"id\":\"beat\","
                                      "\"method\":\"ping\"}");
    }
}

void
remote_peer_until(struct rig *rig, bool (*done)(const struct rig *rig))
{
    uv_timer_t tick;
    unsigned turn = 0;

    uv_timer_init(&rig->loop, &tick);
    tick.data = &turn;
    uv_timer_start(&tick, on_tick, 1, 1);
    rig_until(rig, done);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static struct remote_peer *awaiting;
static const char *awaited;

static bool
has_come(const struct rig *rig)
{
    (void)rig;
    while (remote_peer_take(awaiting)) {
        if (strstr(awaiting->text, awaited))
            return true;
    }
    return false;
}

void
remote_peer_await(struct remote_peer *peer, const char *part)
{
    awaiting = peer;
    awaited = part;
    remote_peer_until(peer->rig, has_come);
}

static size_t wanted;

static bool
has_ends(const struct rig *rig)
{
    return rig->end_count >= wanted;
}

void
remote_peer_until_ends(struct rig *rig, unsigned count)
{
    wanted = count;
    remote_peer_until(rig, has_ends);
}

static bool
has_tools(const struct rig *rig)
{
    return broker_tool_count(rig->broker) == wanted;
}

void
remote_peer_until_tools(struct rig *rig, size_t count)
{
    wanted = count;
    remote_peer_until(rig, has_tools);
}

void
remote_peer_hello(struct remote_peer *peer, const char *name, const char *more)
{
    remote_peer_say(peer,
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                    "\"voxring/hello\",\"params\":{\"protocol\":1,\"name\":"
                    "\"%s\"%s}}",
                    name, more);
}

void
remote_peer_list(struct remote_peer *peer, const char *tools)
{
    remote_peer_await(peer, "\"method\":\"tools/list\"");
    remote_peer_say(peer,
                    "{\"jsonrpc\":\"2.0\",\"id\":\"tools/list\",\"result\":{"
                    "\"tools\":[%s]}}",
                    tools);
}

static struct remote_peer *listing;

/* The broker has read the list when it has answered what came after it. */
static bool
has_pong(const struct rig *rig)
{
    (void)rig;
    return remote_peer_take(listing) &&
           strstr(listing->text, "\"id\":\"listed\"");
}

void
remote_peer_offer(struct remote_peer *peer, const char *name, const char *more,
                  const char *tools)
{
    remote_peer_hello(peer, name, more);
    remote_peer_await(peer, "\"expires_ms\":");
    remote_peer_list(peer, tools);
    remote_peer_say(peer, "{\"jsonrpc\":\"2.0\",\"id\":\"listed\",\"method\":"
                          "\"ping\"}");
    listing = peer;
    remote_peer_until(peer->rig, has_pong);
}

uint64_t
remote_peer_call(struct remote_peer *peer)
{
    const char *id;

    remote_peer_await(peer, "\"method\":\"tools/call\"");
    id = strstr(peer->text, "\"id\":\"");
    assert_non_null(id);
    return strtoull(id + strlen("\"id\":\""), NULL, 10);
}

void
remote_peer_answer(struct remote_peer *peer, uint64_t id, const char *text)
{
    remote_peer_say(peer,
                    "{\"jsonrpc\":\"2.0\",\"id\":\"%" PRIu64
                    "\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
                    "\"%s\"}]}}",
                    id, text);
}
