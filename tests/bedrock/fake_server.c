#include "tests/bedrock/fake_server.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shared/starve.h"

static void
must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fake_server: %s failed\n", what);
    abort();
}

/* ---- certificate ---- */

static void
extend(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension && X509_add_ext(certificate, extension, -1), "extension");
    X509_EXTENSION_free(extension);
}

static X509 *
certificate_make(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    must(certificate != NULL, "X509_new");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"voxring test", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate, NID_subject_alt_name,
           "DNS:localhost,DNS:good.test,IP:127.0.0.1");
    must(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
    return certificate;
}

static int
choose(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
       const unsigned char *in, unsigned in_bytes, void *arg)
{
    static const unsigned char http1[] = "http/1.1";
    const struct fake_server *server = arg;

    (void)ssl;
    if (server->options.alpn == FAKE_ALPN_REFUSE)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (server->options.alpn == FAKE_ALPN_HTTP1) {
        *out = http1;
        *out_bytes = sizeof(http1) - 1;
        return SSL_TLSEXT_ERR_OK;
    }
    must(in_bytes == 3 && !memcmp(in, "\2h2", 3), "the client's ALPN");
    *out = in + 1;
    *out_bytes = 2;
    return SSL_TLSEXT_ERR_OK;
}

static void
tls_start(struct fake_server *server)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_make(key);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    must(tls && SSL_CTX_use_certificate(tls, certificate) == 1 &&
             SSL_CTX_use_PrivateKey(tls, key) == 1,
         "SSL_CTX");
    if (server->options.alpn != FAKE_ALPN_NONE)
        SSL_CTX_set_alpn_select_cb(tls, choose, server);
    server->tls = tls;
    snprintf(server->dir, sizeof(server->dir), "/tmp/voxring-test-XXXXXX");
    must(mkdtemp(server->dir) != NULL, "mkdtemp");
    snprintf(server->ca_file, sizeof(server->ca_file), "%s/ca.pem",
             server->dir);
    FILE *file = fopen(server->ca_file, "w");
    must(file && PEM_write_X509(file, certificate), "ca.pem");
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- outbound ---- */

struct pending {
    uv_write_t write;
    uint8_t bytes[];
};

static void
on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
}

static void
tcp_send(struct fake_peer *peer, const void *bytes, size_t count)
{
    struct pending *pending = starve_spare(NULL, sizeof(*pending) + count);

    memcpy(pending->bytes, bytes, count);
    pending->write.data = pending;
    uv_buf_t buffer = uv_buf_init((char *)pending->bytes, (unsigned)count);
    if (peer->dropped || uv_write(&pending->write, (uv_stream_t *)&peer->tcp,
                                  &buffer, 1, on_written))
        free(pending);
}

static void
tls_flush(struct fake_peer *peer)
{
    char bytes[16384];
    int count;

    while ((count = BIO_read(SSL_get_wbio(peer->ssl), bytes, sizeof(bytes))) >
           0)
        tcp_send(peer, bytes, (size_t)count);
}

void
fake_peer_flush(struct fake_peer *peer)
{
    struct fake_bytes *out = &peer->h2->out;

    if (out->count && peer->established)
        must(SSL_write(peer->ssl, out->at, (int)out->count) == (int)out->count,
             "SSL_write");
    if (peer->established)
        out->count = 0;
    tls_flush(peer);
}

/* ---- inbound ---- */

static void
tls_take(struct fake_peer *peer, const uint8_t *bytes, size_t count)
{
    uint8_t plain[16384];
    int got;

    BIO_write(SSL_get_rbio(peer->ssl), bytes, (int)count);
    if (!peer->established && SSL_do_handshake(peer->ssl) == 1)
        peer->established = true;
    while (peer->established &&
           (got = SSL_read(peer->ssl, plain, sizeof(plain))) > 0)
        fake_h2_take(peer->h2, plain, (size_t)got);
    fake_peer_flush(peer);
}

static void
proxy_take(struct fake_peer *peer, const uint8_t *bytes, size_t count)
{
    char answer[128];

    fake_bytes_add(&peer->plain, bytes, count);
    if (peer->plain.count < 4 ||
        memcmp(peer->plain.at + peer->plain.count - 4, "\r\n\r\n", 4))
        return;
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n",
                          peer->server->options.proxy_status);
    tcp_send(peer, answer, (size_t)length);
    fake_bytes_add(&peer->plain, "", 1);
    if (peer->server->options.proxy_status == 200)
        peer->server->options.mood = FAKE_SPEAKS;
}

static void
take(struct fake_peer *peer, const uint8_t *bytes, size_t count)
{
    switch (peer->server->options.mood) {
    case FAKE_MUTE:
        return;
    case FAKE_GARBAGE:
        tcp_send(peer, "SSH-2.0-no TLS here\r\n", 21);
        return;
    case FAKE_PROXY:
        proxy_take(peer, bytes, count);
        return;
    case FAKE_SPEAKS:
        tls_take(peer, bytes, count);
        if (peer->server->options.on_bytes)
            peer->server->options.on_bytes(peer);
    }
}

static void
on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char room[65536];

    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(room, sizeof(room));
}

static void
drop(struct fake_peer *peer)
{
    if (peer->dropped)
        return;
    peer->dropped = true;
    uv_close((uv_handle_t *)&peer->tcp, NULL);
}

static void
on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct fake_peer *peer = stream->data;

    peer->reads++;
    if (count > 0) {
        take(peer, (const uint8_t *)buffer->base, (size_t)count);
    } else if (count < 0) {
        peer->eof = true;
        drop(peer);
    }
}

static void
on_connection(uv_stream_t *listener, int status)
{
    struct fake_server *server = listener->data;
    struct fake_peer *peer = starve_spare(NULL, sizeof(*peer));

    must(!status, "accept");
    *peer = (struct fake_peer){.server = server, .next = server->peers};
    server->peers = peer;
    server->accepted++;
    peer->tcp.data = peer;
    uv_tcp_init(server->loop, &peer->tcp);
    must(!uv_accept(listener, (uv_stream_t *)&peer->tcp), "uv_accept");
    peer->h2 = fake_h2_new(&server->options.h2);
    peer->ssl = SSL_new(server->tls);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(peer->ssl);
    uv_read_start((uv_stream_t *)&peer->tcp, on_room, on_read);
}

/* ---- faults ---- */

static void
on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)status;
    free(shutdown);
}

void
fake_peer_fin(struct fake_peer *peer, bool notify)
{
    uv_shutdown_t *shutdown = starve_spare(NULL, sizeof(*shutdown));

    if (notify)
        SSL_shutdown(peer->ssl);
    tls_flush(peer);
    if (uv_shutdown(shutdown, (uv_stream_t *)&peer->tcp, on_shut))
        free(shutdown);
}

void
fake_peer_abort(struct fake_peer *peer)
{
    peer->dropped = true;
    uv_tcp_close_reset(&peer->tcp, NULL);
}

void
fake_peer_deafen(struct fake_peer *peer)
{
    peer->deaf = true;
    uv_read_stop((uv_stream_t *)&peer->tcp);
}

void
fake_peer_garbage(struct fake_peer *peer, const void *bytes, size_t count)
{
    tcp_send(peer, bytes, count);
}

/* ---- life ---- */

void
fake_server_start(struct fake_server *server, uv_loop_t *loop,
                  const struct fake_server_options *options)
{
    struct sockaddr_in address;
    int bytes = sizeof(address);

    *server = (struct fake_server){.loop = loop, .options = *options};
    tls_start(server);
    uv_ip4_addr("127.0.0.1", 0, &address);
    server->tcp.data = server;
    uv_tcp_init(loop, &server->tcp);
    must(!uv_tcp_bind(&server->tcp, (struct sockaddr *)&address, 0) &&
             !uv_listen((uv_stream_t *)&server->tcp, 256, on_connection),
         "listen");
    uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &bytes);
    server->port = ntohs(address.sin_port);
    snprintf(server->endpoint, sizeof(server->endpoint), "https://127.0.0.1:%u",
             server->port);
}

void
fake_server_stop(struct fake_server *server)
{
    uv_close((uv_handle_t *)&server->tcp, NULL);
    for (struct fake_peer *p = server->peers; p; p = p->next)
        drop(p);
    unlink(server->ca_file);
    rmdir(server->dir);
}

void
fake_server_fini(struct fake_server *server)
{
    while (server->peers) {
        struct fake_peer *peer = server->peers;
        server->peers = peer->next;
        SSL_free(peer->ssl);
        fake_h2_free(&peer->h2);
        fake_bytes_free(&peer->plain);
        free(peer);
    }
    SSL_CTX_free(server->tls);
}
