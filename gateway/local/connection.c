#include "gateway/local/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "gateway/local/h2.h"
#include "gateway/local/now.h"

#define HANDSHAKE_MS 10000
#define SHUT_MS 500

/* How often a connection that reads nothing is looked at. */
#define HOLE_MS 250

/* A connection with no stream is closed after this time, scaled. */
#define IDLE_MS (5 * 60 * 1000)

/* Ciphertext is handed to the socket in pieces of at most this size, and the
 * next is made only when one is gone: what a slow client does not read waits
 * in its stream's queue, which has a limit. */
#define PIECE_BYTES (16 * 1024)

/* More ciphertext than this waits only if the client makes TLS itself answer
 * without reading the answers. */
#define CIPHER_BYTES_MAX (1024 * 1024)

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t fin;
    unsigned open_handles;
    connection_gone_fn *on_gone;
    void *arg;
    const struct call_config *config;
    struct jsonlog_place place;
    struct tls *tls;
    struct h2 *h2; /* NULL until the handshake is done */
    uint64_t handshake_deadline_ms;
    uint64_t idle_since_ms;
    bool writing;
    bool shutting; /* what comes in is ignored; ends when all is sent */
    bool said_bye; /* close_notify is made, or there will be none */
    bool fin_sent;
    bool closing;
    bool deferred; /* the timer waited for bytes that had come before it */
    bool hole;     /* by a fault: nothing is read or written any more */
    uint8_t in[PIECE_BYTES];
    uint8_t plain[PIECE_BYTES];
    uint8_t cipher[PIECE_BYTES];
};

static void pump(struct connection *connection);
static void go_on(struct connection *connection);

/* ---- closing ---- */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->open_handles > 0)
        return;
    if (connection->on_gone != NULL)
        connection->on_gone(connection->arg, connection);
    h2_free(&connection->h2);
    tls_free(&connection->tls);
    free(connection);
}

static void
close_now(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&connection->timer, on_handle_closed);
}

static void
on_timer_for_close(uv_timer_t *timer)
{
    close_now(timer->data);
}

/* Sends what there is to send, an alert or a GOAWAY, and closes. */
static void
shut(struct connection *connection)
{
    if (connection->shutting || connection->closing)
        return;
    connection->shutting = true;
    uv_timer_start(&connection->timer, on_timer_for_close, SHUT_MS, 0);
    pump(connection);
}

void
connection_shut(struct connection *connection)
{
    if (connection->hole) {
        close_now(connection);
        return;
    }
    if (connection->h2 != NULL)
        h2_goaway(connection->h2);
    shut(connection);
}

/* ---- sending ---- */

static void
on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    connection->writing = false;
    if (status < 0)
        close_now(connection);
    else
        go_on(connection);
}

/* Turns what HTTP/2 has to say into ciphertext, up to a piece. */
static bool
encrypt_some(struct connection *connection)
{
    const uint8_t *data;
    while (tls_pending(connection->tls) < PIECE_BYTES) {
        long count = h2_send(connection->h2, &data);
        if (count < 0)
            return false;
        if (count == 0)
            return true;
        if (tls_write(connection->tls, data, (size_t)count) != TLS_OK)
            return false;
    }
    return true;
}

/* False when the socket is gone. */
static bool
write_piece(struct connection *connection, size_t count)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_buf_t piece = uv_buf_init((char *)connection->cipher, (unsigned)count);
    int done = uv_try_write(stream, &piece, 1);
    if (done == UV_EAGAIN)
        done = 0;
    if (done < 0)
        return false;
    if ((size_t)done == count)
        return true;
    piece.base += done;
    piece.len -= (size_t)done;
    connection->write.data = connection;
    connection->writing =
        uv_write(&connection->write, stream, &piece, 1, on_written) == 0;
    return connection->writing;
}

static void
on_fin(uv_shutdown_t *fin, int status)
{
    if (status < 0)
        close_now(fin->data);
}

/* All is sent. The socket is closed only when the client has closed its side
 * too (or after SHUT_MS): closing it with bytes unread would reset it, and the
 * client might never see why. */
static void
finish(struct connection *connection)
{
    if (connection->h2 != NULL && !connection->said_bye) {
        connection->said_bye = true;
        tls_shutdown(connection->tls);
        pump(connection);
    } else if (!connection->fin_sent) {
        connection->fin_sent = true;
        connection->fin.data = connection;
        if (uv_shutdown(&connection->fin, (uv_stream_t *)&connection->tcp,
                        on_fin) != 0)
            close_now(connection);
    }
}

static void
pump(struct connection *connection)
{
    while (!connection->writing && !connection->closing && !connection->hole) {
        if (connection->h2 != NULL && !connection->said_bye &&
            !encrypt_some(connection)) {
            close_now(connection);
            return;
        }
        size_t count = tls_take(connection->tls, connection->cipher,
                                sizeof(connection->cipher));
        if (count == 0)
            break;
        if (!write_piece(connection, count))
            close_now(connection);
    }
    if (connection->writing || connection->closing || connection->hole)
        return;
    if (connection->shutting)
        finish(connection);
    else if (connection->h2 != NULL && h2_done(connection->h2))
        shut(connection);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

static uint64_t
idle_deadline_ms(const struct connection *connection)
{
    return connection->idle_since_ms +
           (uint64_t)(IDLE_MS / connection->config->time_scale);
}

static void
arm(struct connection *connection)
{
    uint64_t now_ms = now_read().mono_ms, deadline_ms;
    if (connection->shutting || connection->closing || connection->hole)
        return;
    if (connection->h2 == NULL)
        deadline_ms = connection->handshake_deadline_ms;
    else if (h2_stream_count(connection->h2) == 0)
        deadline_ms = idle_deadline_ms(connection);
    else
        deadline_ms = h2_deadline_ms(connection->h2);
    if (deadline_ms == UINT64_MAX) {
        uv_timer_stop(&connection->timer);
        return;
    }
    uv_update_time(connection->timer.loop);
    uv_timer_start(&connection->timer, on_timer,
                   deadline_ms > now_ms ? deadline_ms - now_ms : 1, 0);
}

/* ---- faults ---- */

/* Nothing is read, so that only the kernel knows when the client is gone. */
static void
on_timer_for_hole(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int fd;
    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) != 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        info.tcpi_state != TCP_ESTABLISHED)
        close_now(connection);
}

static void
become_hole(struct connection *connection)
{
    connection->hole = true;
    uv_read_stop((uv_stream_t *)&connection->tcp);
    uv_timer_start(&connection->timer, on_timer_for_hole, HOLE_MS, HOLE_MS);
}

/* A TCP reset; what the client has not read yet may be lost with it. */
static void
reset_now(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    if (uv_tcp_close_reset(&connection->tcp, on_handle_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&connection->timer, on_handle_closed);
}

/* The fault strikes once what was to be sent before it is sent. */
static void
meet_doom(struct connection *connection, const struct fault *fault)
{
    if (connection->shutting || connection->closing || connection->hole)
        return;
    if (fault->kind == FAULT_black_hole) {
        become_hole(connection);
    } else if (fault->kind == FAULT_cut && strcmp(fault->how, "fin") != 0) {
        reset_now(connection);
    } else {
        if (fault->kind == FAULT_tls_alert)
            tls_break(connection->tls);
        connection->said_bye = fault->kind != FAULT_fin;
        shut(connection);
    }
}

/* After whatever happened: sends what came of it and sets the timer. */
static void
go_on(struct connection *connection)
{
    if (connection->h2 != NULL && h2_stream_count(connection->h2) > 0)
        connection->idle_since_ms = now_read().mono_ms;
    pump(connection);
    if (connection->h2 != NULL && h2_doom(connection->h2) != NULL)
        meet_doom(connection, h2_doom(connection->h2));
    arm(connection);
}

/* A busy machine may run the timer before it reads what came in time. Once in
 * a row, what is there is read first. */
static bool
defer(struct connection *connection)
{
    int fd, count = 0;
    if (connection->deferred ||
        uv_fileno((uv_handle_t *)&connection->tcp, &fd) != 0 ||
        ioctl(fd, FIONREAD, &count) != 0 || count == 0)
        return false;
    connection->deferred = true;
    uv_timer_start(&connection->timer, on_timer, 1, 0);
    return true;
}

static void
on_timer(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    if (defer(connection))
        return;
    connection->deferred = false;
    struct now now = now_read();
    if (connection->h2 == NULL) {
        if (now.mono_ms >= connection->handshake_deadline_ms) {
            jsonlog_note(connection->config->log, connection->place,
                         "connection", "no TLS handshake in 10 s, closed");
            close_now(connection);
        }
    } else if (h2_stream_count(connection->h2) > 0) {
        h2_tick(connection->h2, now);
    } else if (now.mono_ms >= idle_deadline_ms(connection)) {
        jsonlog_note(connection->config->log, connection->place, "connection",
                     "idle, closed");
        connection_shut(connection);
    }
    go_on(connection);
}

void
connection_poke(struct connection *connection)
{
    if (connection->h2 == NULL || connection->shutting || connection->closing ||
        connection->hole)
        return;
    h2_tick(connection->h2, now_read());
    go_on(connection);
}

/* ---- receiving ---- */

static void
on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct connection *connection = handle->data;
    (void)wanted;
    *out = uv_buf_init((char *)connection->in, sizeof(connection->in));
}

static bool
handshake(struct connection *connection)
{
    enum tls_result result = tls_handshake(connection->tls);
    if (result == TLS_WAIT)
        return true;
    if (result != TLS_OK) {
        jsonlog_note(connection->config->log, connection->place, "violation",
                     "%s (HTTP/2 over TLS, ALPN h2, is required)",
                     tls_problem(connection->tls));
        return false;
    }
    connection->h2 = h2_new(connection->config, connection->place.connection);
    connection->idle_since_ms = now_read().mono_ms;
    return connection->h2 != NULL;
}

/* Decrypts and hands over all there is; false when the connection must end. */
static bool
receive(struct connection *connection)
{
    struct now now = now_read();
    if (connection->h2 == NULL && !handshake(connection))
        return false;
    while (connection->h2 != NULL) {
        size_t count;
        enum tls_result result = tls_read(connection->tls, connection->plain,
                                          sizeof(connection->plain), &count);
        if (result == TLS_WAIT)
            return true;
        if (result != TLS_OK)
            return false;
        if (!h2_receive(connection->h2, connection->plain, count, now))
            return false;
    }
    return true;
}

static void
on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *data)
{
    struct connection *connection = stream->data;
    if (count < 0) {
        close_now(connection);
        return;
    }
    if (count == 0 || connection->shutting || connection->hole)
        return;
    if (!tls_feed(connection->tls, (const uint8_t *)data->base,
                  (size_t)count) ||
        !receive(connection)) {
        shut(connection);
        return;
    }
    if (tls_pending(connection->tls) > CIPHER_BYTES_MAX) {
        close_now(connection);
        return;
    }
    go_on(connection);
}

struct connection *
connection_accept(uv_stream_t *listener, struct tls_context *tls,
                  const struct call_config *config, unsigned number,
                  connection_gone_fn *on_gone, void *arg)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->config = config;
    connection->place.connection = number;
    connection->handshake_deadline_ms = now_read().mono_ms + HANDSHAKE_MS;
    connection->tls = tls_new(tls);
    uv_tcp_init(listener->loop, &connection->tcp);
    uv_timer_init(listener->loop, &connection->timer);
    connection->tcp.data = connection;
    connection->timer.data = connection;
    connection->open_handles = 2;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    if (connection->tls == NULL || uv_accept(listener, stream) != 0 ||
        uv_read_start(stream, on_alloc, on_read) != 0) {
        close_now(connection);
        return NULL;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    connection->on_gone = on_gone;
    connection->arg = arg;
    arm(connection);
    return connection;
}
