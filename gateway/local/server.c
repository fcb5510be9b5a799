#include "gateway/local/server.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/local/connection.h"

#define BACKLOG 128

/* How soon a port that somebody else took meanwhile is tried again. */
#define RETRY_MS 50

struct server {
    uv_tcp_t listener;
    uv_timer_t reopening;
    struct tls_context *tls;
    const struct call_config *config;
    struct connection *connections[SERVER_CONNECTIONS_MAX];
    size_t connection_count;
    unsigned last_number;
    int port;
    bool stopping;
    bool listener_open; /* or being closed */
    bool listener_closing;
    bool timer_closed;
};

static void
free_if_over(struct server *server)
{
    if (server->stopping && !server->listener_open && server->timer_closed &&
        server->connection_count == 0)
        free(server);
}

static void
on_gone(void *arg, struct connection *connection)
{
    struct server *server = arg;
    for (size_t i = 0; i < server->connection_count; i++) {
        if (server->connections[i] == connection) {
            server->connections[i] =
                server->connections[--server->connection_count];
            break;
        }
    }
    free_if_over(server);
}

/* Takes the connection off the queue and drops it; left there, it would be
 * reported again and again. */
static void
turn_away(uv_stream_t *listener)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));
    if (tcp == NULL)
        return;
    uv_tcp_init(listener->loop, tcp);
    uv_accept(listener, (uv_stream_t *)tcp);
    uv_close((uv_handle_t *)tcp, (uv_close_cb)free);
}

static void
on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    struct jsonlog_place nowhere = {0};
    if (status < 0 || server->stopping)
        return;
    if (server->connection_count == SERVER_CONNECTIONS_MAX) {
        jsonlog_note(server->config->log, nowhere, "connection",
                     "turned away: %d are open", SERVER_CONNECTIONS_MAX);
        turn_away(listener);
        return;
    }
    struct connection *connection =
        connection_accept(listener, server->tls, server->config,
                          ++server->last_number, on_gone, server);
    if (connection != NULL)
        server->connections[server->connection_count++] = connection;
}

static int
listen_on(struct server *server, int port)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", port, &address);
    int code = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    if (code != 0)
        return code;
    code = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (code != 0)
        return code;
    int size = sizeof(address);
    code = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address,
                              &size);
    server->port = ntohs(address.sin_port);
    return code;
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;
    server->listener_open = false;
    server->listener_closing = false;
    free_if_over(server);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;
    server->timer_closed = true;
    free_if_over(server);
}

static void
close_listener(struct server *server)
{
    if (!server->listener_open || server->listener_closing)
        return;
    server->listener_closing = true;
    uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}

static int
open_listener(struct server *server, int port)
{
    uv_tcp_init(server->reopening.loop, &server->listener);
    server->listener.data = server;
    server->listener_open = true;
    return listen_on(server, port);
}

static void
on_reopen(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (!server->listener_open && open_listener(server, server->port) == 0)
        return;
    close_listener(server);
    uv_timer_start(timer, on_reopen, RETRY_MS, 0);
}

void
server_refuse(struct server *server, uint64_t ms)
{
    if (server->stopping)
        return;
    close_listener(server);
    uv_timer_start(&server->reopening, on_reopen, ms, 0);
}

void
server_poke(struct server *server)
{
    for (size_t i = 0; i < server->connection_count; i++)
        connection_poke(server->connections[i]);
}

struct server *
server_new(uv_loop_t *loop, int port, struct tls_context *tls,
           const struct call_config *config, char *problem, size_t problem_size)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        snprintf(problem, problem_size, "no memory for the server");
        return NULL;
    }
    server->tls = tls;
    server->config = config;
    uv_timer_init(loop, &server->reopening);
    server->reopening.data = server;
    int code = open_listener(server, port);
    if (code != 0) {
        snprintf(problem, problem_size, "cannot listen on 127.0.0.1:%d: %s",
                 port, uv_strerror(code));
        server_stop(&server);
    }
    return server;
}

int
server_port(const struct server *server)
{
    return server->port;
}

void
server_stop(struct server **server)
{
    struct server *s = *server;
    *server = NULL;
    s->stopping = true;
    close_listener(s);
    uv_close((uv_handle_t *)&s->reopening, on_timer_closed);
    for (size_t i = 0; i < s->connection_count; i++)
        connection_shut(s->connections[i]);
}
