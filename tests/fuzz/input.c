#include "tests/fuzz/input.h"

#define TAIL_BYTES 300

uint64_t
input_random(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

struct input
input_begin(const uint8_t *data, size_t bytes)
{
    struct input in = {.data = data, .left = bytes};
    uint64_t seed = input_16(&in);

    if (seed & 1) {
        in.tail = input_random(seed * UINT64_C(0x9e3779b97f4a7c15));
        in.tail_left = TAIL_BYTES;
    }
    return in;
}

bool
input_more(const struct input *in)
{
    return in->left > 0 || in->tail_left > 0;
}

uint8_t
input_8(struct input *in)
{
    if (in->left > 0) {
        in->left--;
        return *in->data++;
    }
    if (in->tail_left == 0)
        return 0;
    in->tail_left--;
    in->tail = input_random(in->tail);
    return (uint8_t)(in->tail >> 32);
}

uint16_t
input_16(struct input *in)
{
    uint16_t low = input_8(in);

    return (uint16_t)(low | input_8(in) << 8);
}

uint64_t
input_64(struct input *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 64; i += 8)
        value |= (uint64_t)input_8(in) << i;
    return value;
}
