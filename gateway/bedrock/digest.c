/* The functions are deprecated in favour of EVP, which allocates. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "gateway/bedrock/digest.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define BLOCK_BYTES 64

void
digest_sha256(const void *data, size_t bytes, uint8_t hash[DIGEST_BYTES])
{
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, data, bytes);
    SHA256_Final(hash, &context);
}

/* A block of key and then a message, as HMAC does twice. */
static void
hash_keyed(const uint8_t block[BLOCK_BYTES], const void *data, size_t bytes,
           uint8_t hash[DIGEST_BYTES])
{
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, block, BLOCK_BYTES);
    SHA256_Update(&context, data, bytes);
    SHA256_Final(hash, &context);
}

void
digest_hmac(const void *key, size_t key_bytes, const void *data, size_t bytes,
            uint8_t mac[DIGEST_BYTES])
{
    uint8_t inner[BLOCK_BYTES] = {0}, outer[BLOCK_BYTES];
    uint8_t hash[DIGEST_BYTES];

    if (key_bytes > BLOCK_BYTES)
        digest_sha256(key, key_bytes, inner);
    else
        memcpy(inner, key, key_bytes);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    hash_keyed(inner, data, bytes, hash);
    hash_keyed(outer, hash, DIGEST_BYTES, mac);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(outer, sizeof outer);
}

void
digest_hex(const uint8_t hash[DIGEST_BYTES], char text[DIGEST_HEX_CHARS])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
}
