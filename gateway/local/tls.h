/* TLS for one connection, sans-IO: ciphertext in, plaintext out, and the other
 * way round. HTTP/2 must be offered by ALPN; a client that does not offer it
 * gets the alert no_application_protocol. */
#ifndef GATEWAY_LOCAL_TLS_H
#define GATEWAY_LOCAL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context; /* certificate and settings, shared */
struct tls;

/* Loads certificate and key (PEM). NULL with the reason in `problem`. [loop] */
struct tls_context *tls_context_new(const char *certificate_file,
                                    const char *key_file, char *problem,
                                    size_t problem_size);

/* Accepts NULL inside. [loop] */
void tls_context_free(struct tls_context **context);

/* NULL when memory is out. [loop] */
struct tls *tls_new(struct tls_context *context);
void tls_free(struct tls **tls);

/* Takes ciphertext from the peer; false when memory is out. [loop] */
bool tls_feed(struct tls *tls, const uint8_t *data, size_t count);

enum tls_result {
    TLS_OK,
    TLS_WAIT,  /* more ciphertext is needed */
    TLS_ENDED, /* the peer said close_notify */
    TLS_FAILED /* see tls_problem(); an alert may wait in tls_pending() */
};

/* Goes on with the handshake; TLS_OK once it is done. [loop] */
enum tls_result tls_handshake(struct tls *tls);

/* Decrypts at most `capacity` bytes to `out`; TLS_OK sets `*count`. [loop] */
enum tls_result tls_read(struct tls *tls, uint8_t *out, size_t capacity,
                         size_t *count);

/* Encrypts all of `data`. Not before the handshake is done. [loop] */
enum tls_result tls_write(struct tls *tls, const uint8_t *data, size_t count);

/* Makes a fatal alert (bad_record_mac) wait in tls_pending(); nothing can be
 * read or written afterwards. [loop] */
void tls_break(struct tls *tls);

/* Says close_notify. [loop] */
void tls_shutdown(struct tls *tls);

/* Ciphertext that waits for the peer: its size, and how to take it out. [loop]
 */
size_t tls_pending(const struct tls *tls);
size_t tls_take(struct tls *tls, uint8_t *out, size_t capacity);

/* Why it failed; lives as long as `tls`. [loop] */
const char *tls_problem(const struct tls *tls);

#endif
