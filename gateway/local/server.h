/* Listens on 127.0.0.1 and keeps the connections. */
#ifndef GATEWAY_LOCAL_SERVER_H
#define GATEWAY_LOCAL_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/local/call.h"
#include "gateway/local/tls.h"

struct server;

/* Most connections at once; one more is closed at once. */
#define SERVER_CONNECTIONS_MAX 1024

/* Listens on `port` (0: any free one) of 127.0.0.1. `tls` and `config` outlive
 * the server. NULL with the reason in `problem`. [loop] */
struct server *server_new(uv_loop_t *loop, int port, struct tls_context *tls,
                          const struct call_config *config, char *problem,
                          size_t problem_size);

/* The port it listens on. [loop] */
int server_port(const struct server *server);

/* Closes the port for `ms`, then listens on it again; connections stay. [loop] */
void server_refuse(struct server *server, uint64_t ms);

/* Lets time pass on every connection: faults may have changed. [loop] */
void server_poke(struct server *server);

/* Stops listening and shuts every connection; it is freed once the last is
 * gone, within about half a second, while the loop runs. NULLs the caller's
 * pointer. [loop] */
void server_stop(struct server **server);

#endif
