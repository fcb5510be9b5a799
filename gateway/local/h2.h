/* HTTP/2 of one connection, the server's side, by nghttp2, sans-IO: plaintext
 * in, plaintext out, one call for each stream. */
#ifndef GATEWAY_LOCAL_H2_H
#define GATEWAY_LOCAL_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/local/call.h"
#include "gateway/local/now.h"

struct h2;

/* Most streams a connection may have open at once. */
#define H2_STREAMS_MAX 100

/* `connection` numbers the connection in the log. The config outlives it. NULL
 * when memory is out. [loop] */
struct h2 *h2_new(const struct call_config *config, unsigned connection);
void h2_free(struct h2 **h2);

/* Takes what the client sent. False when the connection must end; a GOAWAY may
 * still wait in h2_send(). [loop] */
bool h2_receive(struct h2 *h2, const uint8_t *data, size_t count,
                struct now now);

/* The next bytes for the client: their count (0: none now) with `*data`, which
 * lives until the next call; -1 on an error. [loop] */
long h2_send(struct h2 *h2, const uint8_t **data);

/* Nothing is to be received or sent any more. [loop] */
bool h2_done(const struct h2 *h2);

/* Says GOAWAY to end the connection in order. [loop] */
void h2_goaway(struct h2 *h2);

/* The fault that must end or silence the whole connection (fin, cut,
 * tls_alert, black_hole); NULL: none. [loop] */
const struct fault *h2_doom(const struct h2 *h2);

/* Lets time pass for every stream; when it must next happen (monotonic,
 * UINT64_MAX: never). [loop] */
void h2_tick(struct h2 *h2, struct now now);
uint64_t h2_deadline_ms(const struct h2 *h2);

/* [loop] */
size_t h2_stream_count(const struct h2 *h2);

#endif
