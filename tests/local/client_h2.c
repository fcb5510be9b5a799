#include "tests/local/client_h2.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/local/bytes.h"
#include "gateway/local/envelope.h"
#include "gateway/local/framing.h"

struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    nghttp2_session *session;
    struct client_stream *streams[CLIENT_STREAMS_MAX];
    size_t stream_count;
    uint8_t *unsent; /* TLS' retries want the same bytes again */
    size_t unsent_bytes;
    bool dead;
    bool goaway;
    enum client_end end;
    unsigned pongs;
};

static int last_alert;

int
client_last_alert(void)
{
    return last_alert;
}

/* ---- nghttp2 ---- */

static struct client_stream *
stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static ssize_t
on_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
        uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct client_stream *s = source->ptr;
    size_t left = s->out_bytes - s->out_sent;
    (void)session;
    (void)id;
    (void)user;
    size_t count = left < capacity ? left : capacity;
    if (count > 0)
        memcpy(out, s->out + s->out_sent, count);
    s->out_sent += count;
    if (s->out_sent == s->out_bytes && s->finish)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (count == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)count;
}

static void
keep(char *out, size_t size, const uint8_t *value, size_t bytes)
{
    snprintf(out, size, "%.*s", (int)bytes, (const char *)value);
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
          const uint8_t *name, size_t name_bytes, const uint8_t *value,
          size_t value_bytes, uint8_t flags, void *user)
{
    struct client_stream *s = stream_of(session, frame->hd.stream_id);
    const char *n = (const char *)name;
    (void)name_bytes;
    (void)flags;
    (void)user;
    if (s == NULL)
        return 0;
    if (strcmp(n, ":status") == 0)
        s->status = (int)strtol((const char *)value, NULL, 10);
    else if (strcmp(n, "x-amzn-errortype") == 0)
        keep(s->errortype, sizeof(s->errortype), value, value_bytes);
    else if (strcmp(n, "content-type") == 0)
        keep(s->content_type, sizeof(s->content_type), value, value_bytes);
    else if (strcmp(n, "x-amzn-requestid") == 0)
        keep(s->request_id, sizeof(s->request_id), value, value_bytes);
    else if (strcmp(n, "date") == 0)
        keep(s->date, sizeof(s->date), value, value_bytes);
    else if (strcmp(n, "retry-after") == 0)
        keep(s->retry_after, sizeof(s->retry_after), value, value_bytes);
    return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id,
        const uint8_t *data, size_t count, void *user)
{
    struct client_stream *s = stream_of(session, id);
    (void)flags;
    (void)user;
    if (s == NULL)
        return 0;
    s->body = realloc(s->body, s->body_bytes + count + 1);
    memcpy(s->body + s->body_bytes, data, count);
    s->body_bytes += count;
    s->body[s->body_bytes] = '\0';
    return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct client *client = user;
    struct client_stream *s = stream_of(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        client->goaway = true;
    if (frame->hd.type == NGHTTP2_PING &&
        (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        client->pongs++;
    if (s == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        s->reset = true;
        s->error = frame->rst_stream.error_code;
        return 0;
    }
    if (frame->hd.type == NGHTTP2_DATA)
        s->data_frames++;
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        s->ended = true;
    return 0;
}

static void
start_session(struct client *client)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_client_new(&client->session, callbacks, client);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

/* ---- connection ---- */

static int
tcp_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct client *
client_connect(int port, const char *ca_file, const char *alpn)
{
    struct client *client = calloc(1, sizeof(*client));
    client->fd = tcp_connect(port);
    client->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(client->ctx, ca_file, NULL);
    SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
    client->ssl = SSL_new(client->ctx);
    SSL_set1_host(client->ssl, "localhost");
    SSL_set_mode(client->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE);
    if (alpn != NULL)
        SSL_set_alpn_protos(client->ssl, (const uint8_t *)alpn,
                            (unsigned)strlen(alpn));
    SSL_set_fd(client->ssl, client->fd);
    ERR_clear_error();
    if (client->fd < 0 || SSL_connect(client->ssl) != 1) {
        int reason = ERR_GET_REASON(ERR_peek_error());
        last_alert =
            reason > SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : 0;
        client_free(&client);
        return NULL;
    }
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    start_session(client);
    return client;
}

void
client_free(struct client **client)
{
    struct client *c = *client;
    if (c == NULL)
        return;
    *client = NULL;
    nghttp2_session_del(c->session);
    for (size_t i = 0; i < c->stream_count; i++) {
        free(c->streams[i]->body);
        free(c->streams[i]->out);
        free(c->streams[i]);
    }
    free(c->unsent);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

bool
client_alive(const struct client *client)
{
    return !client->dead;
}

bool
client_said_goaway(const struct client *client)
{
    return client->goaway;
}

enum client_end
client_end(const struct client *client)
{
    return client->end;
}

void
client_ping(struct client *client)
{
    nghttp2_submit_ping(client->session, NGHTTP2_FLAG_NONE, NULL);
}

unsigned
client_pongs(const struct client *client)
{
    return client->pongs;
}

int
client_window(const struct client *client, const struct client_stream *stream)
{
    return nghttp2_session_get_stream_remote_window_size(client->session,
                                                         stream->id);
}

/* ---- sending ---- */

static nghttp2_nv
pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                        strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

struct client_stream *
client_open(struct client *client, const struct client_request *request,
            bool end)
{
    struct client_stream *s = calloc(1, sizeof(*s));
    nghttp2_nv headers[CLIENT_HEADERS_MAX + 4];
    size_t count = 0;
    headers[count++] = pair(":method", request->method);
    headers[count++] = pair(":scheme", "https");
    headers[count++] = pair(":authority", request->authority);
    headers[count++] = pair(":path", request->path);
    for (size_t i = 0; i < request->header_count; i++)
        headers[count++] =
            pair(request->headers[i].name, request->headers[i].value);
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = on_read};
    s->id = nghttp2_submit_request(client->session, NULL, headers, count,
                                   end ? NULL : &body, s);
    client->streams[client->stream_count++] = s;
    return s;
}

void
client_send(struct client *client, struct client_stream *stream,
            const void *data, size_t count)
{
    stream->out = realloc(stream->out, stream->out_bytes + count + 1);
    memcpy(stream->out + stream->out_bytes, data, count);
    stream->out_bytes += count;
    nghttp2_session_resume_data(client->session, stream->id);
}

void
client_send_event(struct client *client, struct client_stream *stream,
                  struct client_signer *signer, const char *json)
{
    size_t inner_bytes, frame_bytes;
    uint8_t *inner = client_inner(json, strlen(json), &inner_bytes);
    uint8_t *frame =
        client_sign_frame(signer, client_wall_ms() + signer->skew_ms, inner,
                          inner_bytes, &frame_bytes);
    client_send(client, stream, frame, frame_bytes);
    free(inner);
    free(frame);
}

void
client_send_end(struct client *client, struct client_stream *stream,
                struct client_signer *signer)
{
    size_t frame_bytes;
    uint8_t *frame =
        client_sign_frame(signer, client_wall_ms(), "", 0, &frame_bytes);
    client_send(client, stream, frame, frame_bytes);
    free(frame);
}

void
client_finish(struct client *client, struct client_stream *stream)
{
    stream->finish = true;
    nghttp2_session_resume_data(client->session, stream->id);
}

/* ---- running ---- */

static bool
push_out(struct client *client)
{
    for (;;) {
        if (client->unsent_bytes == 0) {
            const uint8_t *data;
            ssize_t count = nghttp2_session_mem_send(client->session, &data);
            if (count <= 0)
                return count == 0;
            client->unsent = realloc(client->unsent, (size_t)count);
            memcpy(client->unsent, data, (size_t)count);
            client->unsent_bytes = (size_t)count;
        }
        ERR_clear_error();
        int done =
            SSL_write(client->ssl, client->unsent, (int)client->unsent_bytes);
        if (done <= 0)
            return SSL_get_error(client->ssl, done) == SSL_ERROR_WANT_WRITE;
        client->unsent_bytes -= (size_t)done;
        memmove(client->unsent, client->unsent + done, client->unsent_bytes);
    }
}

/* Keeps how the connection ended; false unless it goes on. */
static bool
judge_end(struct client *client, int count)
{
    int error = SSL_get_error(client->ssl, count);
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (error == SSL_ERROR_WANT_READ)
        return true;
    if (error == SSL_ERROR_ZERO_RETURN) {
        client->end = CLIENT_NOTIFIED;
    } else if (error == SSL_ERROR_SYSCALL) {
        client->end = errno == ECONNRESET ? CLIENT_RESET : CLIENT_EOF;
    } else if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        client->end = CLIENT_EOF;
    } else {
        client->end = CLIENT_ALERT;
        last_alert =
            reason > SSL_AD_REASON_OFFSET ? reason - SSL_AD_REASON_OFFSET : 0;
    }
    return false;
}

static bool
pull_in(struct client *client)
{
    uint8_t data[16384];
    for (;;) {
        ERR_clear_error();
        int count = SSL_read(client->ssl, data, sizeof(data));
        if (count <= 0)
            return judge_end(client, count);
        if (nghttp2_session_mem_recv(client->session, data, (size_t)count) < 0)
            return false;
    }
}

static int64_t
mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
client_run(struct client *client,
           bool (*done)(const struct client_stream *stream),
           const struct client_stream *stream, int timeout_ms)
{
    int64_t deadline_ms = mono_ms() + timeout_ms;
    for (;;) {
        if (!client->dead && !push_out(client))
            client->dead = true;
        if (!client->dead && !pull_in(client))
            client->dead = true;
        /* What came may have to be answered before anybody looks. */
        if (!client->dead && !push_out(client))
            client->dead = true;
        if (done != NULL && done(stream))
            return true;
        if (client->dead)
            return done == NULL;
        int left = (int)(deadline_ms - mono_ms());
        if (left <= 0)
            return false;
        struct pollfd wait = {
            client->fd, (short)(POLLIN | (client->unsent_bytes ? POLLOUT : 0)),
            0};
        poll(&wait, 1, left);
    }
}

bool
client_has_status(const struct client_stream *stream)
{
    return stream->status != 0 || stream->reset;
}

bool
client_has_ended(const struct client_stream *stream)
{
    return stream->ended || stream->reset;
}

bool
client_has_sent(const struct client_stream *stream)
{
    return stream->out_sent == stream->out_bytes;
}

/* ---- looking ---- */

struct search {
    const char *text;
    bool found;
};

static char found_text[65536];

static bool
look(void *arg, const struct framing_frame *frame)
{
    struct search *search = arg;
    static const char *const shown[] = {":exception-type", ":error-code",
                                        ":error-message"};
    int size = 0;
    for (size_t i = 0; i < 3; i++) {
        const struct framing_header *header = framing_find(frame, shown[i]);
        if (header != NULL)
            size += snprintf(found_text + size,
                             sizeof(found_text) - (size_t)size, "%.*s ",
                             header->value_bytes, (const char *)header->value);
    }
    const char *payload = (const char *)frame->payload;
    if (frame->payload_bytes > 10 &&
        memcmp(payload, "{\"bytes\":\"", 10) == 0) {
        const char *end = memchr(payload + 10, '"', frame->payload_bytes - 10);
        size += EVP_DecodeBlock((uint8_t *)found_text + size,
                                (const uint8_t *)payload + 10,
                                (int)(end - payload - 10));
    } else {
        size += snprintf(found_text + size, sizeof(found_text) - (size_t)size,
                         "%.*s", (int)frame->payload_bytes, payload);
    }
    found_text[size] = '\0';
    search->found = strstr(found_text, search->text) != NULL;
    return !search->found;
}

const char *
client_find(const struct client_stream *stream, const char *text)
{
    struct framing_decoder decoder;
    struct search search = {text, false};
    framing_decoder_init(&decoder, 16 * 1024 * 1024);
    framing_push(&decoder, stream->body, stream->body_bytes, look, &search);
    framing_decoder_fini(&decoder);
    return search.found ? found_text : NULL;
}

struct tally {
    const char *text;
    int count;
};

static bool
tally(void *arg, const struct framing_frame *frame)
{
    struct tally *t = arg;
    struct search search = {t->text, false};
    look(&search, frame);
    t->count += search.found;
    return true;
}

int
client_count(const struct client_stream *stream, const char *text)
{
    struct framing_decoder decoder;
    struct tally t = {text, 0};
    framing_decoder_init(&decoder, 16 * 1024 * 1024);
    bool good =
        framing_push(&decoder, stream->body, stream->body_bytes, tally, &t);
    framing_decoder_fini(&decoder);
    return good ? t.count : -1;
}
