/* Base64 with the standard alphabet and padding (RFC 4648, section 4).
 *
 * Own, because OpenSSL's decoder neither tells how many bytes of its result are
 * padding nor refuses all that is malformed, and stations that need base64 need
 * no libcrypto otherwise. */
#ifndef GATEWAY_BASE64_H
#define GATEWAY_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters that base64_encode() writes for `bytes` bytes. [rt] */
static inline size_t
base64_encoded_bytes(size_t bytes)
{
    return (bytes / 3 + (bytes % 3 != 0)) * 4;
}

/* Most bytes that base64_decode() writes for `chars` characters. [rt] */
static inline size_t
base64_decoded_bytes_max(size_t chars)
{
    return chars / 4 * 3;
}

/* Writes base64_encoded_bytes(bytes) characters and no NUL; returns how many.
 * `in` and `out` must not overlap. [rt] */
size_t base64_encode(const uint8_t *in, size_t bytes, char *out);

/* Returns how many bytes it wrote to `out`, or -1 when `in` is malformed:
 * a character outside the alphabet (white space too), a length that is no
 * multiple of four, padding anywhere but at the end, or set bits below the
 * last byte. `out` may be `in`: decoding never overtakes its input. On -1 the
 * contents of `out` are undefined. [rt] */
long base64_decode(const char *in, size_t chars, uint8_t *out);

#endif
