/* One client's TCP connection on the loop: socket, TLS, HTTP/2 and its timer
 * joined together. */
#ifndef GATEWAY_LOCAL_CONNECTION_H
#define GATEWAY_LOCAL_CONNECTION_H

#include <uv.h>

#include "gateway/local/call.h"
#include "gateway/local/tls.h"

struct connection;

/* Told when a connection is gone; the pointer is no longer good afterwards. [loop] */
typedef void(connection_gone_fn)(void *arg, struct connection *connection);

/* Accepts the connection that waits at `listener`. NULL when memory is out or
 * there is none (nothing is called then). `on_gone` comes exactly once
 * otherwise, never from inside this function. [loop] */
struct connection *connection_accept(uv_stream_t *listener,
                                     struct tls_context *tls,
                                     const struct call_config *config,
                                     unsigned number,
                                     connection_gone_fn *on_gone, void *arg);

/* Lets time pass now: faults may have changed. [loop] */
void connection_poke(struct connection *connection);

/* Says GOAWAY and close_notify, then closes; at the latest after 500 ms. [loop]
 */
void connection_shut(struct connection *connection);

#endif
