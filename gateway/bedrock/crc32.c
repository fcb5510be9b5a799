#include "gateway/bedrock/crc32.h"

#include <string.h>

#define POLYNOMIAL 0xedb88320u

/* slice[k][b]: what byte b adds when k more bytes follow it. */
static uint32_t slice[8][256];

/* Before main(), so that no caller on the audio path has to ask. */
__attribute__((constructor)) static void
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

uint32_t
crc32_update(uint32_t crc, const uint8_t *bytes, size_t count)
{
    crc = ~crc;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint32_t low = load_le32(bytes) ^ crc, high = load_le32(bytes + 4);

        crc = slice[7][low & 255] ^ slice[6][low >> 8 & 255] ^
              slice[5][low >> 16 & 255] ^ slice[4][low >> 24] ^
              slice[3][high & 255] ^ slice[2][high >> 8 & 255] ^
              slice[1][high >> 16 & 255] ^ slice[0][high >> 24];
    }
    for (; count; count--, bytes++)
        crc = crc >> 8 ^ slice[0][(crc ^ *bytes) & 255];
    return ~crc;
}
