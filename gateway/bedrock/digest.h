/* SHA-256 and HMAC-SHA-256, without an allocation.
 *
 * By OpenSSL's SHA256_*() functions: in OpenSSL 3.0 EVP_DigestInit_ex() and
 * EVP_MAC_init() allocate for every message, also with a context that is used
 * again, and every chunk of audio takes three hashes. */
#ifndef GATEWAY_BEDROCK_DIGEST_H
#define GATEWAY_BEDROCK_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_CHARS 64

/* Hash of `bytes` bytes; `data` may be NULL when there are none. [rt] */
void digest_sha256(const void *data, size_t bytes, uint8_t hash[DIGEST_BYTES]);

/* HMAC of `bytes` bytes; keys longer than 64 bytes are hashed first. `mac` may
 * be the key. [rt] */
void digest_hmac(const void *key, size_t key_bytes, const void *data,
                 size_t bytes, uint8_t mac[DIGEST_BYTES]);

/* Lower-case hex, no NUL. [any] */
void digest_hex(const uint8_t hash[DIGEST_BYTES], char text[DIGEST_HEX_CHARS]);

#endif
