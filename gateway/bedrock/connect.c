#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/bedrock/client.h"
#include "gateway/bedrock/endpoint.h"
#include "gateway/bedrock/failure.h"
#include "gateway/bedrock/wire.h"
#include "gateway/clock.h"
#include "gateway/log.h"

/* The kernel's default would swallow a minute of audio. */
#define SEND_BUFFER_BYTES (32 * 1024)
#define TCP_USER_TIMEOUT_MS 10000u
#define CONNECT_TIMEOUT_MS 10000u

/* The wire of real life: made by libcurl and then used through it, TLS with
 * ALPN h2, on the client's loop. */
struct connect {
    struct wire wire; /* first: a wire is cast to what it is */
    struct bedrock_client *client;
    struct client_transfer transfer;
    CURL *easy;
    struct endpoint endpoint;
    char *ca_file;
    char *context;
    bool added;
    bool alpn_h2;
    bool no_alpn; /* the peer's alert said so */

    uv_timer_t timer;
    uv_poll_t poll;
    bool poll_open;
    bool writable_wanted;
    unsigned handles; /* of libuv, not yet closed */

    char detail[CURL_ERROR_SIZE];
    char message[768];
};

static struct connect *
of_wire(struct wire *wire)
{
    return (struct connect *)wire;
}

/* ---- the socket and TLS, as libcurl makes them ---- */

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    const int buffer_bytes = SEND_BUFFER_BYTES;
    const unsigned user_timeout_ms = TCP_USER_TIMEOUT_MS;
    const int on = 1;

    (void)arg;
    (void)purpose;
    int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC,
                            address->protocol);
    if (descriptor < 0)
        return CURL_SOCKET_BAD;
    /* A kernel that refuses one of these still carries the stream. */
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer_bytes,
                     sizeof(buffer_bytes));
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT,
                     &user_timeout_ms, sizeof(user_timeout_ms));
    return descriptor;
}

static int owner_index;

static void
owner_index_make(void)
{
    owner_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* libcurl does not say what ALPN agreed on before the first read. */
static void
on_tls_info(const SSL *ssl, int where, int value)
{
    struct connect *c = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), owner_index);

    if (where & SSL_CB_HANDSHAKE_DONE) {
        const unsigned char *name = NULL;
        unsigned bytes = 0;
        SSL_get0_alpn_selected(ssl, &name, &bytes);
        c->alpn_h2 = bytes == 2 && !memcmp(name, "h2", 2);
    } else if (where == SSL_CB_READ_ALERT &&
               (value & 0xff) == SSL_AD_NO_APPLICATION_PROTOCOL) {
        c->no_alpn = true;
    }
}

static CURLcode
on_tls_context(CURL *easy, void *context, void *arg)
{
    static const unsigned char alpn[] = {2, 'h', '2'};
    SSL_CTX *ssl = context;

    (void)easy;
    if (!SSL_CTX_set_ex_data(ssl, owner_index, arg) ||
        SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn)))
        return CURLE_OUT_OF_MEMORY;
    /* A retried send comes from a buffer that may have moved, and what one
     * record took should count as sent at once. */
    SSL_CTX_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_ENABLE_PARTIAL_WRITE);
    /* HTTP/2 and the event stream have ends of their own, so a FIN without
     * close_notify says no less than one with it. A renegotiation would make
     * sending wait for reading, which nobody watches for. */
    SSL_CTX_set_options(ssl,
                        SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    /* One system call for a record instead of two; reading goes on until
     * AGAIN, so nothing is left behind in the buffer. */
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_info_callback(ssl, on_tls_info);
    return CURLE_OK;
}

static int
on_chatter(CURL *easy, curl_infotype type, char *text, size_t bytes, void *arg)
{
    const struct connect *c = arg;

    (void)easy;
    while (bytes && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r'))
        bytes--;
    if (type == CURLINFO_TEXT)
        log_trace(lib, c->context, "curl: %.*s", (int)bytes, text);
    return 0;
}

/* ---- once connected ---- */

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    struct connect *c = poll->data;

    (void)events;
    /* libuv has stopped watching a socket in error; what the error is, the
     * next recv says. */
    (void)status;
    c->wire.events->on_ready(c->wire.arg);
}

static void
poll_start(struct connect *c)
{
    int events = UV_READABLE | (c->writable_wanted ? UV_WRITABLE : 0);
    uv_poll_start(&c->poll, events, on_poll);
}

static void
fail(struct connect *c, enum bedrock_end_cause cause)
{
    c->wire.events->on_failed(c->wire.arg, cause, c->message);
}

static void
fail_by_curl(struct connect *c, CURLcode result)
{
    struct failure failure = {
        .result = result,
        .detail = c->detail,
        .no_alpn = c->no_alpn,
        .ca_file = c->ca_file,
        .endpoint = &c->endpoint,
    };

    curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &failure.os_error);
    curl_easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE,
                      &failure.proxy_status);
    fail(c, failure_explain(&failure, c->message, sizeof(c->message)));
}

static void
on_done(void *arg, CURLcode result)
{
    struct connect *c = arg;
    curl_socket_t descriptor = CURL_SOCKET_BAD;

    if (result != CURLE_OK) {
        fail_by_curl(c, result);
        return;
    }
    if (!c->alpn_h2) {
        failure_explain_no_h2(&c->endpoint, c->message, sizeof(c->message));
        fail(c, BEDROCK_END_no_h2);
        return;
    }
    curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &descriptor);
    int problem =
        descriptor == CURL_SOCKET_BAD
            ? UV_EBADF
            : uv_poll_init_socket(client_loop(c->client), &c->poll, descriptor);
    if (problem) {
        snprintf(c->message, sizeof(c->message),
                 "The connection to %s cannot be watched: %s",
                 c->endpoint.authority, uv_strerror(problem));
        fail(c, BEDROCK_END_network);
        return;
    }
    c->poll.data = c;
    c->poll_open = true;
    c->handles++;
    poll_start(c);
    c->wire.events->on_connected(c->wire.arg);
}

/* ---- the wire ---- */

static void
on_timeout(uv_timer_t *timer)
{
    struct connect *c = timer->data;

    if (c->added) {
        c->wire.events->on_timer(c->wire.arg);
        return;
    }
    snprintf(c->message, sizeof(c->message),
             "The connection to %s could not be started: %s",
             c->endpoint.authority, vr_status_text(VR_NO_MEMORY));
    fail(c, BEDROCK_END_network);
}

static void
wire_set_timer(struct wire *wire, uint64_t deadline_ns)
{
    struct connect *c = of_wire(wire);
    uint64_t now_ns = clock_mono_ns();
    uint64_t delay_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

    if (deadline_ns == UINT64_MAX)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, on_timeout,
                       (delay_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS, 0);
}

static void
wire_connect(struct wire *wire)
{
    struct connect *c = of_wire(wire);

    c->added = client_add(c->client, c->easy) == CURLE_OK;
    if (!c->added)
        wire_set_timer(wire, 0);
}

static enum vr_status
wire_send(struct wire *wire, const uint8_t *bytes, size_t count, size_t *sent)
{
    CURLcode result = curl_easy_send(of_wire(wire)->easy, bytes, count, sent);

    if (result == CURLE_OK && *sent)
        return VR_OK;
    return result == CURLE_OK || result == CURLE_AGAIN ? VR_AGAIN : VR_NETWORK;
}

static enum vr_status
wire_recv(struct wire *wire, uint8_t *bytes, size_t capacity, size_t *received)
{
    CURLcode result =
        curl_easy_recv(of_wire(wire)->easy, bytes, capacity, received);

    if (result == CURLE_OK)
        return *received ? VR_OK : VR_CLOSED;
    return result == CURLE_AGAIN ? VR_AGAIN : VR_NETWORK;
}

static enum bedrock_end_cause
wire_failure(struct wire *wire, const char **message)
{
    struct connect *c = of_wire(wire);
    struct failure failure = {.detail = c->detail, .endpoint = &c->endpoint};

    *message = c->message;
    return failure_explain_session(&failure, c->message, sizeof(c->message));
}

static void
wire_watch_writable(struct wire *wire, bool wanted)
{
    struct connect *c = of_wire(wire);

    if (c->writable_wanted == wanted)
        return;
    c->writable_wanted = wanted;
    poll_start(c);
}

static uint64_t
wire_now_ns(struct wire *wire)
{
    (void)wire;
    return clock_mono_ns();
}

static int64_t
wire_wall_ms(struct wire *wire)
{
    (void)wire;
    return clock_wall_ms();
}

static void
connect_free(struct connect *c)
{
    free(c->ca_file);
    free(c->context);
    free(c);
}

static void
on_handle_gone(uv_handle_t *handle)
{
    struct connect *c = handle->data;

    if (--c->handles == 0)
        connect_free(c);
}

/* The descriptor is libcurl's: it must be out of libuv before it is closed. */
static void
wire_close(struct wire *wire)
{
    struct connect *c = of_wire(wire);

    if (c->poll_open)
        uv_close((uv_handle_t *)&c->poll, on_handle_gone);
    uv_close((uv_handle_t *)&c->timer, on_handle_gone);
    if (c->added)
        client_remove(c->client, c->easy);
    curl_easy_cleanup(c->easy);
    c->easy = NULL;
}

static const struct wire_ops connect_ops = {
    .connect = wire_connect,
    .send = wire_send,
    .recv = wire_recv,
    .failure = wire_failure,
    .watch_writable = wire_watch_writable,
    .set_timer = wire_set_timer,
    .now_ns = wire_now_ns,
    .wall_ms = wire_wall_ms,
    .close = wire_close,
};

/* ---- making one ---- */

static void
set_connection(struct connect *c, uint32_t timeout_ms)
{
    CURL *e = c->easy;
    char url[sizeof(c->endpoint.host) + 32];

    snprintf(url, sizeof(url), "https://%s:%u/", c->endpoint.host,
             c->endpoint.port);
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(timeout_ms ? timeout_ms : CONNECT_TIMEOUT_MS));
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* Otherwise taking out a handle waits for its hanging resolver. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "voxring/" VOXRING_VERSION);
    curl_easy_setopt(e, CURLOPT_PRIVATE, &c->transfer);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->detail);
    if (!log_enabled(LOG_lib, LOG_TRACE))
        return;
    curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_chatter);
    curl_easy_setopt(e, CURLOPT_DEBUGDATA, c);
}

static void
set_tls(struct connect *c)
{
    CURL *e = c->easy;

    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    /* With libcurl's own ALPN, send and recv on the handle fail. */
    curl_easy_setopt(e, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, c);
    curl_easy_setopt(e, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, FAILURE_PROXY_MARK);
    if (c->ca_file) {
        curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    }
}

static struct wire *
connect_new(struct bedrock_client *client, const struct endpoint *endpoint,
            const struct bedrock_target *target)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct connect *c = calloc(1, sizeof(*c));

    pthread_once(&once, owner_index_make);
    if (!c)
        return NULL;
    c->wire.ops = &connect_ops;
    c->client = client;
    c->transfer = (struct client_transfer){.on_done = on_done, .arg = c};
    c->endpoint = *endpoint;
    c->easy = curl_easy_init();
    c->ca_file = target->ca_file ? strdup(target->ca_file) : NULL;
    c->context = target->context ? strdup(target->context) : NULL;
    if (!c->easy || (target->ca_file && !c->ca_file) ||
        (target->context && !c->context)) {
        curl_easy_cleanup(c->easy);
        connect_free(c);
        return NULL;
    }
    set_connection(c, target->connect_timeout_ms);
    set_tls(c);
    uv_timer_init(client_loop(client), &c->timer);
    c->timer.data = c;
    c->handles = 1;
    return &c->wire;
}

struct bedrock_stream *
bedrock_stream_open(struct bedrock_client *client,
                    const struct bedrock_target *target,
                    const struct credentials *credentials,
                    const struct bedrock_stream_ops *ops, void *arg,
                    char *problem, size_t problem_size)
{
    struct endpoint endpoint;
    struct wire *wire;

    if (endpoint_parse(&endpoint, target->endpoint, target->region, problem,
                       problem_size) != VR_OK)
        return NULL;
    wire = connect_new(client, &endpoint, target);
    if (!wire) {
        snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
        return NULL;
    }
    return bedrock_stream_over(wire, target, credentials, ops, arg, problem,
                               problem_size);
}
