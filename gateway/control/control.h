/* Control: a ZeroMQ ROUTER that speaks JSON-RPC 2.0 on the loop.
 *
 * A client (DEALER or REQ) sends one JSON document, after an empty frame if it
 * is a REQ; the answer comes back in the same shape. Methods are those of
 * gateway/control/control.tbl.h; one that nobody registered a handler for
 * answers RPC_UNSUPPORTED. */
#ifndef GATEWAY_CONTROL_CONTROL_H
#define GATEWAY_CONTROL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "gateway/control/rpc.h"
#include "ipc/status.h"

struct control;

struct control_config {
    void *zmq; /* context, outlives the control */
    uv_loop_t *loop;
    const char *endpoint; /* ipc://... */
    const char *group;    /* shares the socket; NULL: the owner only */
};

/* Binds the socket and listens. NULL on failure; `problem` then says what was
 * wrong and what to do. [loop] */
struct control *control_open(const struct control_config *config, char *problem,
                             size_t problem_size);

/* Gives a method of control.tbl.h its handler; VR_NOT_FOUND for other names,
 * VR_BUSY if it has one. [loop] */
enum vr_status control_register(struct control *control, const char *method,
                                rpc_handler_fn *handler,
                                void *arg) VR_NODISCARD;

/* Answers every open call with RPC_SHUTDOWN and refuses new ones, but stays
 * bound, so that late callers are told. [loop] */
void control_shutdown(struct control *control);

/* Does control_shutdown(), then closes; the answers leave within 500 ms while
 * zmq_ctx_term() runs. The loop must turn once more afterwards. Not from inside
 * a handler. Accepts NULL inside. [loop] */
void control_close(struct control **control);

/* Counted since control_open(). */
struct control_stats {
    struct rpc_stats rpc;
    uint64_t malformed; /* messages that were no request envelope */
    uint64_t oversized; /* messages beyond RPC_MESSAGE_BYTES_MAX */
    uint64_t vanished;  /* answers whose client had gone or did not read */
};

/* [loop] */
struct control_stats control_stats(const struct control *control);

#endif
