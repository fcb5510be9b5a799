/* SHA-256 and HMAC-SHA-256 by OpenSSL's EVP, without an allocation per use.
 *
 * OpenSSL 3.0's own HMAC copies its inner context for each message, which
 * allocates; so HMAC is composed here from the one reused digest context. */
#ifndef GATEWAY_BEDROCK_DIGEST_H
#define GATEWAY_BEDROCK_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_CHARS 64

/* One user at a time; the members are private. */
struct digest {
    void *algorithm;
    void *context;
};

/* False when OpenSSL cannot provide SHA-256 or memory is out; digest_fini() is
 * needed in both cases. [loop] */
bool digest_init(struct digest *digest);
void digest_fini(struct digest *digest);

/* Hash of `bytes` bytes. [rt] */
void digest_sha256(struct digest *digest, const void *data, size_t bytes,
                   uint8_t hash[DIGEST_BYTES]);

/* HMAC of `bytes` bytes; keys longer than 64 bytes are hashed first. `mac` may
 * be the key. [rt] */
void digest_hmac(struct digest *digest, const void *key, size_t key_bytes,
                 const void *data, size_t bytes, uint8_t mac[DIGEST_BYTES]);

/* Lower-case hex, no NUL. [any] */
void digest_hex(const uint8_t hash[DIGEST_BYTES], char text[DIGEST_HEX_CHARS]);

#endif
