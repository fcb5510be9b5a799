/* A fuzzer's input, taken as a program: bytes, and behind them zeros. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *data;
    size_t left;
    uint64_t tail; /* what goes on behind the end, if tail_left */
    size_t tail_left;
};

/* Takes two bytes of the input as the seed of a random tail, if they are odd:
 * then a short input is a long program, too. */
struct input input_begin(const uint8_t *data, size_t bytes);

/* Whether there is more than zeros to come. */
bool input_more(const struct input *in);

/* The next bytes; zeros behind the end. */
uint8_t input_8(struct input *in);
uint16_t input_16(struct input *in);
uint64_t input_64(struct input *in);

/* The number behind x in a row of random ones; x is not 0. */
uint64_t input_random(uint64_t x);

#endif
