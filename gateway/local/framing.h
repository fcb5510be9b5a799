/* application/vnd.amazon.eventstream frames, sans-IO: bytes that come split
 * anywhere become checked frames, and frames become bytes.
 *
 * A frame is: u32 total, u32 size of the headers, u32 CRC-32 of those eight
 * bytes, headers, payload, u32 CRC-32 of all before; big endian. */
#ifndef GATEWAY_LOCAL_FRAMING_H
#define GATEWAY_LOCAL_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/local/bytes.h"

#define FRAMING_OVERHEAD_BYTES 16
#define FRAMING_HEADERS_BYTES_MAX (128 * 1024)
#define FRAMING_VALUE_BYTES_MAX 32767
#define FRAMING_HEADER_COUNT_MAX 32

enum framing_type {
    FRAMING_TRUE,
    FRAMING_FALSE,
    FRAMING_INT8,
    FRAMING_INT16,
    FRAMING_INT32,
    FRAMING_INT64,
    FRAMING_BYTES,
    FRAMING_STRING,
    FRAMING_TIMESTAMP,
    FRAMING_UUID
};

/* Pointers go into the frame; nothing is NUL-terminated. */
struct framing_header {
    const char *name;
    uint8_t name_bytes;
    uint8_t type; /* enum framing_type */
    const uint8_t *value;
    uint16_t value_bytes;
};

struct framing_frame {
    struct framing_header headers[FRAMING_HEADER_COUNT_MAX];
    size_t header_count;
    const uint8_t *payload;
    size_t payload_bytes;
};

#define FRAMING_PROBLEM_BYTES 160

/* ---- reading ---- */

/* Parses one frame that takes exactly `count` bytes. On failure `problem` says
 * what is wrong with it. The frame points into `data`. [any] */
bool framing_parse(const uint8_t *data, size_t count,
                   struct framing_frame *frame,
                   char problem[FRAMING_PROBLEM_BYTES]);

/* The header of that name; NULL if absent. [any] */
const struct framing_header *framing_find(const struct framing_frame *frame,
                                          const char *name);

/* Whether the header is a string that equals `text`, case included; false for
 * NULL. [any] */
bool framing_header_is(const struct framing_header *header, const char *text);

struct framing_decoder {
    struct bytes held;    /* the start of a frame that is not whole yet */
    uint64_t taken_bytes; /* of whole frames so far */
    size_t limit_bytes;
    bool broken;
    char problem[FRAMING_PROBLEM_BYTES + 48];
};

/* Takes one frame, which lives until it returns; false stops the decoder,
 * which then ignores whatever follows. */
typedef bool(framing_frame_fn)(void *arg, const struct framing_frame *frame);

/* `limit_bytes` is the largest frame taken: a prelude that announces more is
 * refused at once, and memory grows with what came, not with what was
 * announced. [any] */
void framing_decoder_init(struct framing_decoder *decoder, size_t limit_bytes);
void framing_decoder_fini(struct framing_decoder *decoder);

/* False once something was wrong, for good; `problem` then says what and at
 * which byte of the stream. [any] */
bool framing_push(struct framing_decoder *decoder, const uint8_t *data,
                  size_t count, framing_frame_fn *on_frame, void *arg);

/* True in the middle of a frame. [any] */
bool framing_midway(const struct framing_decoder *decoder);

/* ---- writing ---- */

/* A frame that is being written to the end of `out`. */
struct framing_writer {
    struct bytes *out;
    size_t start;
    size_t payload_start; /* 0 until the payload begins */
};

/* Begins a frame, then: headers, framing_write_payload_start(), payload bytes
 * appended to `out` by the caller, framing_write_end(). Failures show in
 * out->failed. [any] */
void framing_write_start(struct framing_writer *writer, struct bytes *out);
void framing_write_string(struct framing_writer *writer, const char *name,
                          const char *value);
void framing_write_payload_start(struct framing_writer *writer);
void framing_write_end(struct framing_writer *writer);

/* CRC-32 as zlib's, of `count` bytes. [any] */
uint32_t framing_crc32(const uint8_t *data, size_t count);

#endif
