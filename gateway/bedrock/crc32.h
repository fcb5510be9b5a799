/* CRC-32 as in zlib and Ethernet (reflected 0x04C11DB7). */
#ifndef GATEWAY_BEDROCK_CRC32_H
#define GATEWAY_BEDROCK_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, 0 at the start. [rt] */
uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, size_t count);

#endif
