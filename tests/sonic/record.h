/* What a decoder delivers, as text that can be compared. */
#ifndef TESTS_SONIC_RECORD_H
#define TESTS_SONIC_RECORD_H

#include <stddef.h>

#include "gateway/sonic/decode.h"

struct record {
    char *text; /* one line per event or problem */
    size_t bytes;
    size_t capacity;
    int events;
    int problems;
};

extern const struct sonic_decoder_ops record_ops;

/* Forgets what was recorded. */
void record_clear(struct record *record);
void record_fini(struct record *record);

/* "" while nothing is recorded. */
const char *record_text(const struct record *record);

#endif
