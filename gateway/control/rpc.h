/* JSON-RPC 2.0, sans-IO: request bytes in, response bytes out.
 *
 * Methods are registered with a list of their parameters, which is checked
 * before the handler runs. A handler gets a call that it answers at once or
 * later, exactly once; a notification too, though nobody hears it. Batches are
 * answered by one array when the last of their calls is answered. Everything
 * that is kept is bounded (RPC_*_MAX). */
#ifndef GATEWAY_CONTROL_RPC_H
#define GATEWAY_CONTROL_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "ipc/status.h"

#define RPC_MESSAGE_BYTES_MAX (1024u * 1024u)
#define RPC_BATCH_MAX 64
#define RPC_PENDING_MAX 1024      /* calls not yet answered, all peers */
#define RPC_PENDING_PEER_MAX 128  /* and of one peer */
#define RPC_PEER_BYTES_MAX 256    /* of a peer's address */
#define RPC_ID_BYTES_MAX 256      /* of a request's id */
#define RPC_TEXT_BYTES_MAX 262144 /* of one text parameter */

/* RPC_PARSE, RPC_REQUEST, ...: the numbers on the wire. */
enum rpc_error {
#define RPC_ERROR(symbol, code, message, meaning) RPC_##symbol = code,
#include "gateway/control/error.tbl.h"
#undef RPC_ERROR
};

struct rpc;
struct rpc_call;

/* Who asks: an opaque address, copied where it is kept. */
struct rpc_peer {
    uint8_t bytes[RPC_PEER_BYTES_MAX];
    size_t byte_count;
};

/* Sends one response document to a peer; `text` lives during the call. */
typedef void(rpc_send_fn)(void *arg, const struct rpc_peer *peer,
                          const char *text, size_t text_bytes);

/* Runs one call. `params` is never NULL (an empty object if none were given),
 * holds only what the method lists, in the right types, and lives until the
 * call is answered. */
typedef void(rpc_handler_fn)(void *arg, struct rpc_call *call,
                             const cJSON *params);

/* Counted since rpc_new(). */
struct rpc_stats {
    uint64_t calls;         /* that reached a handler */
    uint64_t notifications; /* of those, wanting no answer */
    uint64_t answered;      /* with a result */
    uint64_t failed;        /* with an error, by a handler */
    uint64_t refused;       /* before a handler: bad JSON, method, params */
    uint64_t pending;       /* now */
};

/* NULL when memory is out. [loop] */
struct rpc *rpc_new(rpc_send_fn *send, void *send_arg);

/* Answers every open call with RPC_SHUTDOWN first. Not from inside a handler.
 * Accepts NULL inside. [loop] */
void rpc_free(struct rpc **rpc);

/* Adds a method. `params` is its list as in gateway/control/control.tbl.h, and
 * like `name` must outlive the rpc. VR_INVALID when the list is malformed or
 * the name taken. [loop] */
enum vr_status rpc_register(struct rpc *rpc, const char *name,
                            const char *params, rpc_handler_fn *handler,
                            void *arg) VR_NODISCARD;

/* Takes one request document, single or batch. Never fails: what is wrong with
 * it is said to the peer. [loop] */
void rpc_receive(struct rpc *rpc, const struct rpc_peer *peer, const char *text,
                 size_t text_bytes);

/* Answers something that is no request document at all, such as a message of
 * the wrong shape; `problem` is a phrase, "the message must be one frame".
 * [loop] */
void rpc_refuse(struct rpc *rpc, const struct rpc_peer *peer,
                const char *problem);

/* Answers every open call with an error; later calls are refused with the same
 * until rpc_free(). [loop] */
void rpc_shutdown(struct rpc *rpc);

/* Answers a call. `result` is taken; NULL gives JSON null. The call is gone
 * afterwards. [loop] */
void rpc_reply(struct rpc_call *call, cJSON *result);

/* Answers with an error. `message` is one sentence on what was wrong, where
 * and what to do; `data` is taken and may be NULL. The call is gone
 * afterwards. [loop] */
void rpc_fail(struct rpc_call *call, enum rpc_error code, cJSON *data,
              const char *message, ...) VR_PRINTF(4, 5);

/* RPC_PARAMS with a text of one problem a line, as the settings' reader gives
 * it; NULL: RPC_INTERNAL, memory was out. [loop] */
void rpc_fail_lines(struct rpc_call *call, const char *problems);

/* The code that fits a status. [any] */
enum rpc_error rpc_error_of(enum vr_status status);

/* The method's name. Lives as long as the call. [loop] */
const char *rpc_call_method(const struct rpc_call *call);

/* Called once if the call is answered by rpc_shutdown() or rpc_free() while
 * its handler still holds it: the pointer must then be forgotten. [loop] */
typedef void(rpc_drop_fn)(void *arg, struct rpc_call *call);
void rpc_call_on_drop(struct rpc_call *call, rpc_drop_fn *on_drop, void *arg);

/* [loop] */
struct rpc_stats rpc_stats(const struct rpc *rpc);

#endif
