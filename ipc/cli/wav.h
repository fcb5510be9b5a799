/* Reads the header of a WAV as its bytes come, and turns its samples into s16.
 * No I/O. RIFF and RF64; PCM of 8, 16, 24 or 32 bits and float of 32 or 64,
 * plain or extensible; sizes as programs write them that do not know the
 * length yet. */
#ifndef IPC_CLI_WAV_H
#define IPC_CLI_WAV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAV_CHANNELS_MAX 32
#define WAV_RATE_MIN_HZ 1000
#define WAV_RATE_MAX_HZ 384000
#define WAV_PROBLEM_BYTES 160

enum wav_state {
    WAV_RIFF,
    WAV_CHUNK,
    WAV_FMT,
    WAV_DS64,
    WAV_SKIP,
    WAV_DATA, /* the next byte is a sample's */
    WAV_BAD   /* see problem */
};

struct wav {
    /* Valid from WAV_DATA on. */
    uint32_t rate_hz;
    uint32_t channels;
    uint32_t bits;
    bool is_float;
    size_t frame_bytes;
    uint64_t data_bytes; /* UINT64_MAX: up to the end of the input */
    /* Valid in WAV_BAD: what is wrong, and what would be right. */
    char problem[WAV_PROBLEM_BYTES];

    enum wav_state state;
    uint8_t part[40]; /* a piece of the header that is not whole yet */
    size_t have_bytes, want_bytes;
    uint64_t skip_bytes;
    uint64_t header_bytes;
    uint64_t data64_bytes; /* from ds64 */
    uint32_t riff_bytes;
    bool has_fmt, has_ds64;
};

/* [any] */
void wav_init(struct wav *wav);

/* Takes bytes of the header and returns how many: all of them, or fewer once
 * the state is WAV_DATA or WAV_BAD. [any] */
size_t wav_feed(struct wav *wav, const void *bytes, size_t count);

/* Turns `frames` whole frames into s16, channels interleaved as they are.
 * `samples` has room for frames * channels. [any] */
void wav_decode(const struct wav *wav, const void *bytes, size_t frames,
                int16_t *samples);

/* For raw s16le instead of a file with a header: sets the format, state
 * WAV_DATA. False if it is out of range; see problem. [any] */
bool wav_set_raw(struct wav *wav, uint32_t rate_hz, uint32_t channels);

#define WAV_HEADER_BYTES 44

/* Writes the header of s16le that goes on for data_bytes; what does not fit 32
 * bits is UINT32_MAX. [any] */
void wav_header(uint8_t header[WAV_HEADER_BYTES], uint32_t rate_hz,
                uint32_t channels, uint64_t data_bytes);

#endif
