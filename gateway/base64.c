#include "gateway/base64.h"

static const char alphabet[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
    'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/'};

/* The value of a character plus one, so that 0 stands for a bad one. */
#define FOUR(c, v) [c] = v, [c + 1] = v + 1, [c + 2] = v + 2, [c + 3] = v + 3
#define TWENTY_SIX(c, v)                                                      \
    FOUR(c, v), FOUR(c + 4, v + 4), FOUR(c + 8, v + 8), FOUR(c + 12, v + 12), \
        FOUR(c + 16, v + 16), FOUR(c + 20, v + 20), [c + 24] = v + 24,        \
                                                         [c + 25] = v + 25
static const uint8_t value_plus_1[256] = {
    TWENTY_SIX('A', 1), TWENTY_SIX('a', 27), FOUR('0', 53), FOUR('4', 57),
    ['8'] = 61,         ['9'] = 62,          ['+'] = 63,    ['/'] = 64};

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

/* The 24 bits of four characters; bit 31 is set when one is bad. */
static inline uint32_t
quad(const uint8_t *in)
{
    uint32_t a = value_plus_1[in[0]] - 1u, b = value_plus_1[in[1]] - 1u;
    uint32_t c = value_plus_1[in[2]] - 1u, d = value_plus_1[in[3]] - 1u;

    return (a << 18 | b << 12 | c << 6 | d) | ((a | b | c | d) & 1u << 31);
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
    uint32_t bits;

    if (pad > 0)
        last[3] = 'A';
    if (pad > 1)
        last[2] = 'A';
    bits = quad(last);
    if (bits >> 31 || bits & ((1u << pad * 8) - 1))
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
    uint32_t bad = 0;
    long tail;

    if (chars % 4)
        return -1;
    if (!chars)
        return 0;
    for (; chars >= 8; chars -= 4) {
        uint32_t bits = quad(in);

        bad |= bits;
        put_triple(bits, out);
        in += 4;
        out += 3;
    }
    if (bad >> 31)
        return -1;
    tail = decode_tail(in, out);
    return tail < 0 ? -1 : (long)(out - start) + tail;
}
