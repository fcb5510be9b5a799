/* The arithmetic of AWS Signature Version 4: digests in hex, the signing key,
 * time stamps. */
#ifndef GATEWAY_LOCAL_SIGV4_H
#define GATEWAY_LOCAL_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGV4_DIGEST_BYTES 32
#define SIGV4_HEX_BYTES 65  /* a digest in lower case hex and a NUL */
#define SIGV4_TIME_BYTES 17 /* 20260101T000000Z and a NUL */
#define SIGV4_STREAMING_HASH "STREAMING-AWS4-HMAC-SHA256-EVENTS"

/* Lower case hex of a digest. [any] */
void sigv4_hex(const uint8_t digest[SIGV4_DIGEST_BYTES],
               char text[SIGV4_HEX_BYTES]);

/* Hex of the SHA-256 of `count` bytes. [any] */
void sigv4_hash(const void *data, size_t count, char text[SIGV4_HEX_BYTES]);

/* HMAC-SHA-256. [any] */
void sigv4_hmac(const uint8_t *key, size_t key_bytes, const void *data,
                size_t count, uint8_t digest[SIGV4_DIGEST_BYTES]);

/* The signing key of one day (YYYYMMDD), region and service. [any] */
void sigv4_key(const char *secret, const char *day, const char *region,
               const char *service, uint8_t key[SIGV4_DIGEST_BYTES]);

/* "20260101T000000Z" of a wall clock time in ms; its first eight characters
 * are the day. False for a time outside years 1970 to 9999. [any] */
bool sigv4_time(int64_t wall_ms, char text[SIGV4_TIME_BYTES]);

/* The other way round; -1 if the text is not such a time. [any] */
int64_t sigv4_time_ms(const char *text);

/* Whether two texts are equal, in a time that depends on their length only.
 * [any] */
bool sigv4_same(const char *a, const char *b);

#endif
