#include "gateway/local/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
sigv4_hex(const uint8_t digest[SIGV4_DIGEST_BYTES], char text[SIGV4_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SIGV4_DIGEST_BYTES; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * SIGV4_DIGEST_BYTES] = '\0';
}

void
sigv4_hash(const void *data, size_t count, char text[SIGV4_HEX_BYTES])
{
    uint8_t digest[SIGV4_DIGEST_BYTES];
    SHA256(data, count, digest);
    sigv4_hex(digest, text);
}

void
sigv4_hmac(const uint8_t *key, size_t key_bytes, const void *data, size_t count,
           uint8_t digest[SIGV4_DIGEST_BYTES])
{
    unsigned size = SIGV4_DIGEST_BYTES;
    if (HMAC(EVP_sha256(), key, (int)key_bytes, data, count, digest, &size) ==
        NULL)
        abort(); /* a made-up digest would be one that anybody can forge */
}

static void
hmac_text(const uint8_t *key, size_t key_bytes, const char *text,
          uint8_t digest[SIGV4_DIGEST_BYTES])
{
    sigv4_hmac(key, key_bytes, text, strlen(text), digest);
}

void
sigv4_key(const char *secret, const char *day, const char *region,
          const char *service, uint8_t key[SIGV4_DIGEST_BYTES])
{
    char start[512];
    int size = snprintf(start, sizeof(start), "AWS4%s", secret);
    if (size >= (int)sizeof(start))
        size = (int)sizeof(start) - 1;
    uint8_t step[SIGV4_DIGEST_BYTES];
    hmac_text((const uint8_t *)start, (size_t)size, day, step);
    hmac_text(step, sizeof(step), region, key);
    hmac_text(key, SIGV4_DIGEST_BYTES, service, step);
    hmac_text(step, sizeof(step), "aws4_request", key);
    OPENSSL_cleanse(start, sizeof(start));
    OPENSSL_cleanse(step, sizeof(step));
}

bool
sigv4_time(int64_t wall_ms, char text[SIGV4_TIME_BYTES])
{
    const int64_t year_10000_ms = 253402300800000;
    if (wall_ms < 0 || wall_ms >= year_10000_ms)
        return false;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    return gmtime_r(&seconds, &parts) != NULL &&
           strftime(text, SIGV4_TIME_BYTES, "%Y%m%dT%H%M%SZ", &parts) ==
               SIGV4_TIME_BYTES - 1;
}

int64_t
sigv4_time_ms(const char *text)
{
    static const char shape[] = "ddddddddTddddddZ";
    int digits[15] = {0};
    if (strlen(text) != sizeof(shape) - 1)
        return -1;
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == 'd' ? !digit : text[i] != shape[i])
            return -1;
        if (digit)
            digits[i] = text[i] - '0';
    }
    const int *d = digits;
    struct tm parts = {.tm_year =
                           d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3] - 1900,
                       .tm_mon = d[4] * 10 + d[5] - 1,
                       .tm_mday = d[6] * 10 + d[7],
                       .tm_hour = d[9] * 10 + d[10],
                       .tm_min = d[11] * 10 + d[12],
                       .tm_sec = d[13] * 10 + d[14]};
    int64_t wall_ms = (int64_t)timegm(&parts) * 1000;
    char again[SIGV4_TIME_BYTES];
    /* timegm() takes a 31st of February; the round trip does not. */
    if (!sigv4_time(wall_ms, again) || strcmp(again, text) != 0)
        return -1;
    return wall_ms;
}

bool
sigv4_same(const char *a, const char *b)
{
    size_t size = strlen(a);
    return size == strlen(b) && CRYPTO_memcmp(a, b, size) == 0;
}
