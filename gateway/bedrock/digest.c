#include "gateway/bedrock/digest.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define BLOCK_BYTES 64

bool
digest_init(struct digest *digest)
{
    digest->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->context = EVP_MD_CTX_new();
    if (!digest->algorithm || !digest->context)
        return false;
    /* The first use allocates the state that later ones reuse. */
    return EVP_DigestInit_ex(digest->context, digest->algorithm, NULL) == 1;
}

void
digest_fini(struct digest *digest)
{
    EVP_MD_CTX_free(digest->context);
    EVP_MD_free(digest->algorithm);
    *digest = (struct digest){0};
}

/* Two parts, because HMAC hashes a block of key before its message. */
static void
hash_parts(struct digest *digest, const void *first, size_t first_bytes,
           const void *second, size_t second_bytes, uint8_t hash[DIGEST_BYTES])
{
    EVP_MD_CTX *context = digest->context;

    /* With a context that has its state these calls cannot fail; going on
     * with a wrong signature would be worse than stopping. */
    if (EVP_DigestInit_ex(context, digest->algorithm, NULL) != 1 ||
        EVP_DigestUpdate(context, first, first_bytes) != 1 ||
        EVP_DigestUpdate(context, second, second_bytes) != 1 ||
        EVP_DigestFinal_ex(context, hash, NULL) != 1)
        abort();
}

void
digest_sha256(struct digest *digest, const void *data, size_t bytes,
              uint8_t hash[DIGEST_BYTES])
{
    hash_parts(digest, data, bytes, NULL, 0, hash);
}

void
digest_hmac(struct digest *digest, const void *key, size_t key_bytes,
            const void *data, size_t bytes, uint8_t mac[DIGEST_BYTES])
{
    uint8_t inner[BLOCK_BYTES] = {0}, outer[BLOCK_BYTES];
    uint8_t hash[DIGEST_BYTES];

    if (key_bytes > BLOCK_BYTES)
        digest_sha256(digest, key, key_bytes, inner);
    else
        memcpy(inner, key, key_bytes);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    hash_parts(digest, inner, BLOCK_BYTES, data, bytes, hash);
    hash_parts(digest, outer, BLOCK_BYTES, hash, DIGEST_BYTES, mac);
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
