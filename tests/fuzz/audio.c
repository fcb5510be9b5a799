#include "tests/fuzz/audio.h"

int16_t
audio_sample(uint64_t position)
{
    return (int16_t)(uint16_t)((position * UINT64_C(0x9e3779b97f4a7c15)) >> 48);
}

void
audio_fill(int16_t *samples, uint64_t position, size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        samples[i] = audio_sample(position + i);
}

bool
audio_right(const int16_t *samples, uint64_t position, size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        if (samples[i] != audio_sample(position + i))
            return false;
    return true;
}
