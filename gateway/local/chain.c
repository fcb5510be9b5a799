#include "gateway/local/chain.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

void
chain_init(struct chain *chain, const char *secret, const char *region,
           const char *service, const char *signature)
{
    *chain = (struct chain){0};
    snprintf(chain->secret, sizeof(chain->secret), "%s", secret);
    snprintf(chain->region, sizeof(chain->region), "%s", region);
    snprintf(chain->service, sizeof(chain->service), "%s", service);
    snprintf(chain->prior, sizeof(chain->prior), "%s", signature);
}

void
chain_fini(struct chain *chain)
{
    OPENSSL_cleanse(chain, sizeof(*chain));
}

/* A conversation may pass midnight, and the key is one day's. */
static void
use_day(struct chain *chain, const char *day)
{
    if (strncmp(chain->day, day, 8) == 0)
        return;
    snprintf(chain->day, sizeof(chain->day), "%.8s", day);
    sigv4_key(chain->secret, chain->day, chain->region, chain->service,
              chain->key);
}

static void
date_header(int64_t date_ms, uint8_t header[CHAIN_DATE_HEADER_BYTES])
{
    uint64_t bits = (uint64_t)date_ms;
    memcpy(header, "\x05:date\x08", 7);
    for (int i = 0; i < 8; i++)
        header[7 + i] = (uint8_t)(bits >> (56 - 8 * i));
}

bool
chain_verify(struct chain *chain, int64_t date_ms, const void *payload,
             size_t payload_bytes, const uint8_t signature[SIGV4_DIGEST_BYTES])
{
    char time[SIGV4_TIME_BYTES];
    uint8_t header[CHAIN_DATE_HEADER_BYTES], right[SIGV4_DIGEST_BYTES];
    char header_hash[SIGV4_HEX_BYTES], payload_hash[SIGV4_HEX_BYTES];
    char text[512];
    if (!sigv4_time(date_ms, time))
        return false;
    use_day(chain, time);
    date_header(date_ms, header);
    sigv4_hash(header, sizeof(header), header_hash);
    sigv4_hash(payload, payload_bytes, payload_hash);
    int size = snprintf(text, sizeof(text),
                        "AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s/%s/%s/aws4_request\n"
                        "%s\n%s\n%s",
                        time, chain->day, chain->region, chain->service,
                        chain->prior, header_hash, payload_hash);
    if (size < 0 || (size_t)size >= sizeof(text))
        return false;
    sigv4_hmac(chain->key, sizeof(chain->key), text, (size_t)size, right);
    if (CRYPTO_memcmp(right, signature, sizeof(right)) != 0)
        return false;
    sigv4_hex(right, chain->prior);
    return true;
}
