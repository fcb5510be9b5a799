/* The chain of chunk signatures of one stream: it starts from the signature of
 * the request, and each chunk's signature is part of the next one. */
#ifndef GATEWAY_LOCAL_CHAIN_H
#define GATEWAY_LOCAL_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/local/sigv4.h"

/* The header block that a chunk's signature covers: :date alone. */
#define CHAIN_DATE_HEADER_BYTES 15

struct chain {
    char secret[256];
    char region[64];
    char service[32];
    char day[9]; /* the day `key` is for */
    uint8_t key[SIGV4_DIGEST_BYTES];
    char prior[SIGV4_HEX_BYTES];
};

/* `signature` is the request's, in lower case hex. Strings are copied. [any] */
void chain_init(struct chain *chain, const char *secret, const char *region,
                const char *service, const char *signature);

/* Wipes the keys. [any] */
void chain_fini(struct chain *chain);

/* Whether `signature` is right for a chunk of that date and payload (the whole
 * inner message, or nothing at the end). Advances the chain only if it is.
 * [any] */
bool chain_verify(struct chain *chain, int64_t date_ms, const void *payload,
                  size_t payload_bytes,
                  const uint8_t signature[SIGV4_DIGEST_BYTES]);

#endif
