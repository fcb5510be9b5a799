/* The socket that tool workers connect to: a ZeroMQ ROUTER on the loop.
 *
 * Any process of this user may connect and send anything. Messages are bounded
 * (a larger one costs its sender the connection), queues too, and a flood is
 * read in portions, so that the loop's other work goes on. */
#ifndef GATEWAY_TOOLBROKER_ROUTER_H
#define GATEWAY_TOOLBROKER_ROUTER_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "ipc/status.h"

/* ZMTP bounds a routing id to 255 bytes. */
#define ROUTER_PEER_MAX_BYTES 255

/* Names a connection while it lasts; given by libzmq, not by the peer, if its
 * first byte is 0. */
struct router_peer {
    uint8_t bytes[ROUTER_PEER_MAX_BYTES];
    uint8_t count;
};

struct router_callbacks {
    void *arg;
    /* One message of one frame; `bytes` lives during the call. */
    void (*on_message)(void *arg, const struct router_peer *peer,
                       const char *bytes, size_t bytes_count);
    /* Something that is no message of one frame was dropped. */
    void (*on_malformed)(void *arg, const struct router_peer *peer);
    /* After router_close(): nothing of the router is left. */
    void (*on_closed)(void *arg);
};

struct router;

/* Binds `path` as a socket file of mode 0600, replacing one that a dead
 * process left. On failure *router is NULL and `why` holds a sentence. The
 * callbacks are copied. [loop] */
enum vr_status router_open(struct router **router, uv_loop_t *loop,
                           const char *path,
                           const struct router_callbacks *callbacks, char *why,
                           size_t why_size) VR_NODISCARD;

/* Sends a text without waiting: VR_AGAIN when the peer's queue is full,
 * VR_CLOSED when the peer is gone. [loop] */
enum vr_status router_send(struct router *router,
                           const struct router_peer *peer,
                           const char *text) VR_NODISCARD;

/* Stops at once, sets *router to NULL, removes the socket file, and calls
 * on_closed from the loop. Accepts NULL inside. [loop] */
void router_close(struct router **router);

#endif
