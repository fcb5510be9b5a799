/* The layout that encoder and decoder share; nobody else includes this. */
#ifndef GATEWAY_BEDROCK_EVENTSTREAM_WIRE_H
#define GATEWAY_BEDROCK_EVENTSTREAM_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Total length, headers length, CRC of both. */
#define EVENTSTREAM_PRELUDE_BYTES 12

/* Size of a header's value by type; -1 when two bytes of length precede it, or
 * for an unknown type. [rt] */
static inline int
eventstream_value_bytes(uint8_t type)
{
    static const int8_t bytes[] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};

    return type < sizeof bytes ? bytes[type] : -1;
}

/* Big-endian. [rt] */
static inline void
eventstream_store_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* Big-endian. [rt] */
static inline uint32_t
eventstream_load_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

#endif
