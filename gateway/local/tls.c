#include "gateway/local/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
    SSL_CTX *ctx;
};

struct tls {
    SSL *ssl;
    BIO *in;  /* owned by ssl */
    BIO *out; /* owned by ssl */
    char problem[256];
};

/* ---- context ---- */

static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *data;
    size_t size;
    (void)arg;
    /* Without the extension OpenSSL would not ask on_alpn() at all. */
    if (SSL_client_hello_get0_ext(
            ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
            &size) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
        const unsigned char *in, unsigned in_size, void *arg)
{
    static const unsigned char h2[] = "\x02h2";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_size, h2, sizeof(h2) - 1, in,
                              in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void
last_error(char *problem, size_t problem_size, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    snprintf(problem, problem_size, "%s: %s", what,
             reason ? reason : "no reason given");
    ERR_clear_error();
}

struct tls_context *
tls_context_new(const char *certificate_file, const char *key_file,
                char *problem, size_t problem_size)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    if (context == NULL) {
        snprintf(problem, problem_size, "no memory for TLS");
        return NULL;
    }
    context->ctx = SSL_CTX_new(TLS_server_method());
    if (context->ctx == NULL) {
        last_error(problem, problem_size, "TLS");
    } else if (SSL_CTX_use_certificate_chain_file(context->ctx,
                                                  certificate_file) != 1) {
        last_error(problem, problem_size, certificate_file);
    } else if (SSL_CTX_use_PrivateKey_file(context->ctx, key_file,
                                           SSL_FILETYPE_PEM) != 1) {
        last_error(problem, problem_size, key_file);
    } else {
        SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION);
        SSL_CTX_set_options(context->ctx, SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_client_hello_cb(context->ctx, on_client_hello, NULL);
        SSL_CTX_set_alpn_select_cb(context->ctx, on_alpn, NULL);
        return context;
    }
    tls_context_free(&context);
    return NULL;
}

void
tls_context_free(struct tls_context **context)
{
    if (*context == NULL)
        return;
    SSL_CTX_free((*context)->ctx);
    free(*context);
    *context = NULL;
}

/* ---- one connection ---- */

struct tls *
tls_new(struct tls_context *context)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL)
        return NULL;
    tls->ssl = SSL_new(context->ctx);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void
tls_free(struct tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_free((*tls)->ssl);
    free(*tls);
    *tls = NULL;
}

bool
tls_feed(struct tls *tls, const uint8_t *data, size_t count)
{
    return count <= INT_MAX &&
           BIO_write(tls->in, data, (int)count) == (int)count;
}

static enum tls_result
result_of(struct tls *tls, int code, const char *what)
{
    switch (SSL_get_error(tls->ssl, code)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        last_error(tls->problem, sizeof(tls->problem), what);
        return TLS_FAILED;
    }
}

enum tls_result
tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    int code = SSL_do_handshake(tls->ssl);
    if (code == 1)
        return TLS_OK;
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CALLBACK_FAILED) {
        snprintf(tls->problem, sizeof(tls->problem),
                 "TLS handshake: the client does not use ALPN");
        ERR_clear_error();
        return TLS_FAILED;
    }
    return result_of(tls, code, "TLS handshake");
}

enum tls_result
tls_read(struct tls *tls, uint8_t *out, size_t capacity, size_t *count)
{
    ERR_clear_error();
    int code = SSL_read_ex(tls->ssl, out, capacity, count);
    return code == 1 ? TLS_OK : result_of(tls, code, "TLS");
}

enum tls_result
tls_write(struct tls *tls, const uint8_t *data, size_t count)
{
    size_t written;
    if (count == 0)
        return TLS_OK;
    ERR_clear_error();
    int code = SSL_write_ex(tls->ssl, data, count, &written);
    return code == 1 ? TLS_OK : result_of(tls, code, "TLS");
}

void
tls_break(struct tls *tls)
{
    /* A whole record of noise, and enough of it to end one that has begun:
     * OpenSSL itself then says what a real peer would. */
    static const uint8_t head[] = {0x17, 0x03, 0x03, 0x40, 0x00};
    static const uint8_t noise[17 * 1024];
    uint8_t out[64];
    size_t count;
    if (!tls_feed(tls, head, sizeof(head)) ||
        !tls_feed(tls, noise, sizeof(noise)))
        return;
    tls_read(tls, out, sizeof(out), &count);
}

void
tls_shutdown(struct tls *tls)
{
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

size_t
tls_pending(const struct tls *tls)
{
    return BIO_ctrl_pending(tls->out);
}

size_t
tls_take(struct tls *tls, uint8_t *out, size_t capacity)
{
    int count =
        BIO_read(tls->out, out, capacity > INT_MAX ? INT_MAX : (int)capacity);
    return count > 0 ? (size_t)count : 0;
}

const char *
tls_problem(const struct tls *tls)
{
    return tls->problem;
}
