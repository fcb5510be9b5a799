#include "tests/death/ink.h"

static uint16_t
hash(uint64_t number)
{
    return (uint16_t)((number * 2 + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

void
ink_fill(int16_t *samples, uint64_t position, size_t frames, uint16_t dye)
{
    for (size_t i = 0; i < frames; i++)
        samples[i] = (int16_t)(hash(position + i) ^ dye);
}

size_t
ink_right(const int16_t *samples, uint64_t position, size_t frames,
          uint16_t dye)
{
    for (size_t i = 0; i < frames; i++)
        if ((uint16_t)samples[i] != (hash(position + i) ^ dye))
            return i;
    return frames;
}

void
ink_fill_serial(int16_t *samples, uint64_t serial, size_t frames)
{
    for (size_t i = 0; i < frames; i++) {
        samples[2 * i] = (int16_t)hash(serial + i);
        samples[2 * i + 1] = (int16_t)(uint16_t)(serial + i);
    }
}

uint64_t
ink_serial(const int16_t *samples, uint64_t from)
{
    uint16_t ahead = (uint16_t)((uint16_t)samples[1] - (uint16_t)from);

    return (uint16_t)samples[0] == hash(from + ahead) ? from + ahead
                                                      : UINT64_MAX;
}
