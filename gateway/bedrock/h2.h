/* The HTTP/2 client of one stream: nghttp2 with what a Bedrock stream needs
 * and no more. Sans-IO: bytes in by h2_receive(), bytes out by h2_pull(). */
#ifndef GATEWAY_BEDROCK_H2_H
#define GATEWAY_BEDROCK_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/outbox.h"
#include "gateway/bedrock/request.h"
#include "ipc/status.h"

/* The largest piece that nghttp2 hands out: a frame of the size everybody must
 * accept, its header, and a byte for padding. */
#define H2_FRAME_BYTES (9 + 1 + 16384)

/* The two of RFC 9113's error codes that a stream sends. */
#define H2_ERROR_PROTOCOL 1u
#define H2_ERROR_INTERNAL 2u
#define H2_ERROR_CANCEL 8u

struct h2;

enum h2_close {
    H2_CLOSE_END_STREAM, /* the peer ended its side */
    H2_CLOSE_RESET,      /* RST_STREAM */
    H2_CLOSE_GOAWAY,     /* GOAWAY that leaves this stream out */
    H2_CLOSE_BROKEN      /* the peer broke HTTP/2 */
};

struct h2_ops {
    void (*on_header)(void *arg, const char *name, size_t name_bytes,
                      const char *value, size_t value_bytes);
    /* A header block is whole. */
    void (*on_headers_end)(void *arg);
    void (*on_data)(void *arg, const uint8_t *bytes, size_t count);
    /* Nothing more comes; `error` is HTTP/2's code. */
    void (*on_close)(void *arg, enum h2_close how, uint32_t error);
};

/* The client's preface and settings are queued. `body` outlives it. NULL when
 * memory is out. [loop] */
struct h2 *h2_new(const struct h2_ops *ops, void *arg, struct outbox *body);
void h2_free(struct h2 **h2);

/* Queues the request; its body is what the outbox holds then and later.
 * [loop] */
enum vr_status h2_request(struct h2 *h2,
                          const struct request *request) VR_NODISCARD;

/* The outbox has more, or h2_finish() was called. [rt] */
void h2_resume(struct h2 *h2);

/* END_STREAM follows when the outbox is empty. [loop] */
void h2_finish(struct h2 *h2);

/* Asks the peer for a sign of life. [loop] */
void h2_ping(struct h2 *h2);

/* Queues a RST_STREAM with `error` for the stream, if it lives, and a GOAWAY.
 * [loop] */
void h2_terminate(struct h2 *h2, uint32_t error);

/* Takes what came; calls ops. VR_PROTOCOL and VR_NO_MEMORY are final
 * (h2_problem()): nothing is sent or taken any more. Not to be called from ops.
 * [loop] */
enum vr_status h2_receive(struct h2 *h2, const uint8_t *bytes,
                          size_t count) VR_NODISCARD;

/* Copies waiting frames to `out`, which has room for 2 * H2_FRAME_BYTES or
 * more, until it is well filled or nothing waits; `*written` says how much.
 * Fails as h2_receive(), and where one of the calls above found no memory. May
 * call on_close. Not to be called from ops. [rt] */
enum vr_status h2_pull(struct h2 *h2, uint8_t *out, size_t capacity,
                       size_t *written) VR_NODISCARD;

/* What nghttp2 said last about the peer's or its own error, "" if nothing.
 * [loop] */
const char *h2_problem(const struct h2 *h2);

/* True once a GOAWAY came that lets this stream go on; `error` is its code.
 * [loop] */
bool h2_going_away(const struct h2 *h2, uint32_t *error);

/* HTTP/2's name of an error code, such as "CANCEL". [any] */
const char *h2_error_name(uint32_t error);

#endif
