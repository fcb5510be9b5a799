/* Known audio: a position's sample says which position it is. */
#ifndef TESTS_FUZZ_AUDIO_H
#define TESTS_FUZZ_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sample at a position: another one in each lap. */
int16_t audio_sample(uint64_t position);

/* Fills, and compares. */
void audio_fill(int16_t *samples, uint64_t position, size_t frames);
bool audio_right(const int16_t *samples, uint64_t position, size_t frames);

#endif
