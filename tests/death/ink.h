/* Known audio: each sample tells where it belongs. */
#ifndef TESTS_DEATH_INK_H
#define TESTS_DEATH_INK_H

#include <stddef.h>
#include <stdint.h>

/* Added to every sample of a write that is killed: if any of its frames shows,
 * all of them must. */
#define INK_DYE 0x5aa5

/* Mono: the hash of the position, with `dye` (0 or INK_DYE). [any] */
void ink_fill(int16_t *samples, uint64_t position, size_t frames, uint16_t dye);

/* How many leading frames are as ink_fill() makes them. [any] */
size_t ink_right(const int16_t *samples, uint64_t position, size_t frames,
                 uint16_t dye);

/* Stereo: the hash of a serial number and its low 16 bits, so that a reader
 * knows which frame of the writer's life it has, whatever its position.
 * [any] */
void ink_fill_serial(int16_t *samples, uint64_t serial, size_t frames);

/* The serial of the frame at `samples`, at least `from` and less than 65536
 * beyond it; UINT64_MAX if that is no frame of ours. [any] */
uint64_t ink_serial(const int16_t *samples, uint64_t from);

#endif
