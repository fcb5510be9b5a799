#include "gateway/base64.h"

#include <endian.h>
#include <string.h>

static const char alphabet[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
    'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/'};

/* The value of a character plus KNOWN, 0 for one outside the alphabet. */
#define KNOWN 128
#define FOUR(c, v) [c] = v, [c + 1] = v + 1, [c + 2] = v + 2, [c + 3] = v + 3
#define TWENTY_FOUR(c, v)                                                     \
    FOUR(c, v), FOUR(c + 4, v + 4), FOUR(c + 8, v + 8), FOUR(c + 12, v + 12), \
        FOUR(c + 16, v + 16), FOUR(c + 20, v + 20)
static const uint8_t values[256] = {
    TWENTY_FOUR('A', KNOWN),      ['Y'] = KNOWN + 24,    ['Z'] = KNOWN + 25,
    TWENTY_FOUR('a', KNOWN + 26), ['y'] = KNOWN + 50,    ['z'] = KNOWN + 51,
    FOUR('0', KNOWN + 52),        FOUR('4', KNOWN + 56), ['8'] = KNOWN + 60,
    ['9'] = KNOWN + 61,           ['+'] = KNOWN + 62,    ['/'] = KNOWN + 63};

static inline uint64_t
load_be64(const uint8_t *in)
{
    uint64_t word;

    memcpy(&word, in, sizeof word);
    return be64toh(word);
}

static inline void
store_be64(uint64_t word, uint8_t *out)
{
    word = htobe64(word);
    memcpy(out, &word, sizeof word);
}

/* Four characters of the 24 low bits of `bits`. */
static inline void
put_quad(uint32_t bits, char *out)
{
    out[0] = alphabet[bits >> 18 & 63];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = alphabet[bits >> 6 & 63];
    out[3] = alphabet[bits & 63];
}

static inline uint32_t
triple(const uint8_t *in)
{
    return (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
}

size_t
base64_encode(const uint8_t *restrict in, size_t bytes, char *restrict out)
{
    char *start = out;

    /* Reads eight bytes for the sake of six. */
    for (; bytes >= 8; bytes -= 6) {
        uint64_t bits = load_be64(in) >> 16;

        put_quad((uint32_t)(bits >> 24), out);
        put_quad((uint32_t)bits, out + 4);
        in += 6;
        out += 8;
    }
    for (; bytes >= 3; bytes -= 3) {
        put_quad(triple(in), out);
        in += 3;
        out += 4;
    }
    if (bytes) {
        put_quad((uint32_t)in[0] << 16 | (bytes == 2 ? in[1] << 8 : 0), out);
        out[3] = '=';
        if (bytes == 1)
            out[2] = '=';
        out += 4;
    }
    return (size_t)(out - start);
}

/* The 24 bits of four characters; `*known` loses KNOWN when one is bad. */
static inline uint32_t
quad(const uint8_t *in, uint32_t *known)
{
    static const uint32_t excess =
        (uint32_t)KNOWN << 18 | KNOWN << 12 | KNOWN << 6 | KNOWN;
    uint32_t a = values[in[0]], b = values[in[1]];
    uint32_t c = values[in[2]], d = values[in[3]];

    *known &= a & b & c & d;
    return (a << 18) + (b << 12) + (c << 6) + d - excess;
}

static inline void
put_triple(uint32_t bits, uint8_t *out)
{
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
}

/* The last four characters, of which one or two may be padding. */
static long
decode_tail(const uint8_t *in, uint8_t *out)
{
    uint8_t last[4] = {in[0], in[1], in[2], in[3]};
    long pad = in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
    uint32_t bits, known = KNOWN;

    if (pad > 0)
        last[3] = 'A';
    if (pad > 1)
        last[2] = 'A';
    bits = quad(last, &known);
    if (!known || bits & ((1u << pad * 8) - 1))
        return -1;
    out[0] = (uint8_t)(bits >> 16);
    if (pad < 2)
        out[1] = (uint8_t)(bits >> 8);
    if (pad < 1)
        out[2] = (uint8_t)bits;
    return 3 - pad;
}

long
base64_decode(const char *chars_in, size_t chars, uint8_t *out)
{
    const uint8_t *in = (const uint8_t *)chars_in;
    uint8_t *start = out;
    uint32_t known = KNOWN;
    long tail;

    if (chars % 4)
        return -1;
    if (!chars)
        return 0;
    /* Writes eight bytes for the sake of six, of which the next ones replace
     * two; what follows is at least four bytes. */
    for (; chars >= 16; chars -= 8) {
        uint64_t high = quad(in, &known), low = quad(in + 4, &known);

        store_be64(high << 40 | low << 16, out);
        in += 8;
        out += 6;
    }
    for (; chars >= 8; chars -= 4) {
        put_triple(quad(in, &known), out);
        in += 4;
        out += 3;
    }
    if (!known)
        return -1;
    tail = decode_tail(in, out);
    return tail < 0 ? -1 : (long)(out - start) + tail;
}
