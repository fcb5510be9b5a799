#include "gateway/bedrock/crc32.h"

#include <stdbool.h>

#define POLYNOMIAL 0xedb88320u

/* slice[k][b]: what byte b adds when k more bytes follow it. */
static uint32_t slice[8][256];

static void
make_slices(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        slice[0][b] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (int b = 0; b < 256; b++) {
            uint32_t crc = slice[k - 1][b];

            slice[k][b] = crc >> 8 ^ slice[0][crc & 255];
        }
    }
}

static inline uint32_t
load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* The register, not inverted, after `count` more bytes. */
static uint32_t
update_by_table(uint32_t crc, const uint8_t *bytes, size_t count)
{
    for (; count >= 8; count -= 8, bytes += 8) {
        uint32_t low = load_le32(bytes) ^ crc, high = load_le32(bytes + 4);

        crc = slice[7][low & 255] ^ slice[6][low >> 8 & 255] ^
              slice[5][low >> 16 & 255] ^ slice[4][low >> 24] ^
              slice[3][high & 255] ^ slice[2][high >> 8 & 255] ^
              slice[1][high >> 16 & 255] ^ slice[0][high >> 24];
    }
    for (; count; count--, bytes++)
        crc = crc >> 8 ^ slice[0][(crc ^ *bytes) & 255];
    return crc;
}

/* ---- carry-less multiplication ---- */

#if defined(__x86_64__)
#include <immintrin.h>

#define HAS_FOLDING 1
#define FOLD_BYTES_MIN 64

static bool can_fold;

static inline __m128i
load(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* Moves 128 bits of remainder over the distance that `keys` stand for and adds
 * what lies there. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i
fold(__m128i remainder, __m128i keys, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(remainder, keys, 0x00);
    __m128i high = _mm_clmulepi64_si128(remainder, keys, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* 128 bits of remainder to 32, the last step by Barrett's reduction. */
__attribute__((target("pclmul,sse4.1"))) static inline uint32_t
reduce(__m128i x, __m128i keys_128)
{
    const __m128i mask = _mm_setr_epi32(~0, 0, ~0, 0);
    const __m128i key_64 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    __m128i t = _mm_clmulepi64_si128(x, keys_128, 0x10);

    x = _mm_xor_si128(_mm_srli_si128(x, 8), t);
    t = _mm_srli_si128(x, 4);
    x = _mm_clmulepi64_si128(_mm_and_si128(x, mask), key_64, 0x00);
    x = _mm_xor_si128(x, t);
    t = _mm_clmulepi64_si128(_mm_and_si128(x, mask), barrett, 0x10);
    t = _mm_clmulepi64_si128(_mm_and_si128(t, mask), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, t), 1);
}

/* `count` is a multiple of 16, FOLD_BYTES_MIN or more. V. Gopal et al., "Fast
 * CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel
 * 2009; the keys are those of its appendix for this polynomial, reflected. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t
update_by_folding(uint32_t crc, const uint8_t *bytes, size_t count)
{
    const __m128i keys_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i keys_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    __m128i x[4];

    for (int i = 0; i < 4; i++)
        x[i] = load(bytes + 16 * i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
    for (bytes += 64, count -= 64; count >= 64; bytes += 64, count -= 64) {
        for (int i = 0; i < 4; i++)
            x[i] = fold(x[i], keys_512, load(bytes + 16 * i));
    }
    for (int i = 1; i < 4; i++)
        x[0] = fold(x[0], keys_128, x[i]);
    for (; count >= 16; bytes += 16, count -= 16)
        x[0] = fold(x[0], keys_128, load(bytes));
    return reduce(x[0], keys_128);
}
#else
#define HAS_FOLDING 0
#endif

/* Before main(), so that no caller on the audio path has to ask. */
__attribute__((constructor)) static void
prepare(void)
{
    make_slices();
#if HAS_FOLDING
    __builtin_cpu_init();
    can_fold =
        __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

uint32_t
crc32_update(uint32_t crc, const uint8_t *bytes, size_t count)
{
    crc = ~crc;
#if HAS_FOLDING
    if (can_fold && count >= FOLD_BYTES_MIN) {
        size_t folded = count & ~(size_t)15;

        crc = update_by_folding(crc, bytes, folded);
        bytes += folded;
        count -= folded;
    }
#endif
    return ~update_by_table(crc, bytes, count);
}
