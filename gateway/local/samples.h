/* Audio out of base64: 16-bit samples in a buffer that is used again. */
#ifndef GATEWAY_LOCAL_SAMPLES_H
#define GATEWAY_LOCAL_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    int16_t *data;
    size_t room_bytes;
};

/* Decodes strictly: whole groups, the standard alphabet, padding only at the
 * end. Bytes written to data, -1 when the text is not base64 or memory is
 * out. A zeroed struct is empty. [any] */
long samples_decode(struct samples *samples, const char *text, size_t chars);
void samples_fini(struct samples *samples);

#endif
