/* A TLS server on loopback, on the test's own loop, that does what a test says:
 * OpenSSL over libuv, HTTP/2 by fake_h2. */
#ifndef TESTS_BEDROCK_FAKE_SERVER_H
#define TESTS_BEDROCK_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "tests/bedrock/fake_h2.h"

enum fake_alpn {
    FAKE_ALPN_H2,
    FAKE_ALPN_NONE,  /* the server knows no ALPN */
    FAKE_ALPN_HTTP1, /* answers http/1.1, whatever was offered */
    FAKE_ALPN_REFUSE /* alert no_application_protocol */
};

enum fake_mood {
    FAKE_SPEAKS,
    FAKE_MUTE,    /* accepts TCP and says nothing */
    FAKE_GARBAGE, /* answers the handshake with what is no TLS */
    FAKE_PROXY    /* an HTTP proxy that answers CONNECT with `proxy_status` */
};

struct fake_server;

struct fake_peer {
    struct fake_server *server;
    struct fake_peer *next;
    uv_tcp_t tcp;
    void *ssl; /* SSL */
    struct fake_h2 *h2;
    bool established;
    bool deaf;    /* reads nothing any more */
    bool eof;     /* the client closed its side */
    bool dropped; /* uv_close() was called */
    unsigned reads;
    struct fake_bytes plain; /* what a FAKE_PROXY heard */
};

struct fake_server_options {
    enum fake_alpn alpn;
    enum fake_mood mood;
    int proxy_status;
    struct fake_h2_options h2;
    /* Called after bytes from the client were taken. */
    void (*on_bytes)(struct fake_peer *peer);
    void *arg;
};

struct fake_server {
    uv_loop_t *loop;
    struct fake_server_options options;
    uv_tcp_t tcp;
    void *tls; /* SSL_CTX */
    unsigned port;
    unsigned accepted;
    struct fake_peer *peers; /* the newest first */
    char dir[64];
    char ca_file[96];
    char endpoint[64]; /* https://127.0.0.1:PORT */
};

/* Makes a key and a certificate of its own, listens on a free port. */
void fake_server_start(struct fake_server *server, uv_loop_t *loop,
                       const struct fake_server_options *options);
/* Closes everything; the loop must run until it is empty. */
void fake_server_stop(struct fake_server *server);
/* Frees what is left, after that. */
void fake_server_fini(struct fake_server *server);

/* Sends what gathered in the peer's h2->out. */
void fake_peer_flush(struct fake_peer *peer);
/* close_notify and FIN, or only FIN. */
void fake_peer_fin(struct fake_peer *peer, bool notify);
/* TCP RST. */
void fake_peer_abort(struct fake_peer *peer);
/* Stops reading from the socket. */
void fake_peer_deafen(struct fake_peer *peer);
/* Bytes that go out outside of TLS. */
void fake_peer_garbage(struct fake_peer *peer, const void *bytes, size_t count);

#endif
