#include "gateway/local/framing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRELUDE_BYTES 12

/* crc_slice[n][b]: the CRC of byte b followed by n zero bytes, so that eight
 * bytes are folded in one step (slicing-by-8). */
static uint32_t crc_slice[8][256];

static void __attribute__((constructor)) crc_slice_make(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
        crc_slice[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int n = 1; n < 8; n++) {
            uint32_t before = crc_slice[n - 1][byte];
            crc_slice[n][byte] = (before >> 8) ^ crc_slice[0][before & 255];
        }
    }
}

uint32_t
framing_crc32(const uint8_t *data, size_t count)
{
    uint32_t crc = 0xffffffffu;
    for (; count >= 8; data += 8, count -= 8) {
        crc = crc_slice[7][(crc ^ data[0]) & 255] ^
              crc_slice[6][(crc >> 8 ^ data[1]) & 255] ^
              crc_slice[5][(crc >> 16 ^ data[2]) & 255] ^
              crc_slice[4][(crc >> 24 ^ data[3]) & 255] ^
              crc_slice[3][data[4]] ^ crc_slice[2][data[5]] ^
              crc_slice[1][data[6]] ^ crc_slice[0][data[7]];
    }
    for (; count > 0; data++, count--)
        crc = (crc >> 8) ^ crc_slice[0][(crc ^ data[0]) & 255];
    return crc ^ 0xffffffffu;
}

static uint32_t
read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static uint16_t
read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void
write_u32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static bool __attribute__((format(printf, 2, 3)))
bad(char problem[FRAMING_PROBLEM_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, FRAMING_PROBLEM_BYTES, format, args);
    va_end(args);
    return false;
}

/* ---- reading ---- */

/* Size of the value of `type` that starts at `p`, its length prefix counted in
 * `prefix`; -1 when it is no type or does not fit. */
static long
value_size(uint8_t type, const uint8_t *p, size_t left, size_t *prefix)
{
    static const int fixed[] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};
    *prefix = 0;
    if (type >= sizeof(fixed) / sizeof(fixed[0]))
        return -1;
    if (fixed[type] >= 0)
        return (size_t)fixed[type] <= left ? fixed[type] : -1;
    if (left < 2)
        return -1;
    *prefix = 2;
    uint16_t size = read_u16(p);
    if (size > FRAMING_VALUE_BYTES_MAX || (size_t)size + 2 > left)
        return -1;
    return size;
}

static bool
parse_header(const uint8_t **cursor, const uint8_t *end,
             struct framing_header *header, char *problem)
{
    const uint8_t *p = *cursor;
    size_t left = (size_t)(end - p);
    size_t name_bytes = p[0];
    if (name_bytes == 0)
        return bad(problem, "a header has an empty name");
    if (left < 1 + name_bytes + 1)
        return bad(problem, "a header's name runs past the headers");
    header->name = (const char *)p + 1;
    header->name_bytes = (uint8_t)name_bytes;
    header->type = p[1 + name_bytes];
    p += 2 + name_bytes;
    size_t prefix;
    long size = value_size(header->type, p, (size_t)(end - p), &prefix);
    if (size < 0)
        return bad(problem, "header '%.*s' has a bad type (%u) or length",
                   (int)(name_bytes < 40 ? name_bytes : 40), header->name,
                   header->type);
    header->value = p + prefix;
    header->value_bytes = (uint16_t)size;
    *cursor = p + prefix + size;
    return true;
}

static bool
same_name(const struct framing_header *a, const struct framing_header *b)
{
    return a->name_bytes == b->name_bytes &&
           memcmp(a->name, b->name, a->name_bytes) == 0;
}

static bool
parse_headers(const uint8_t *data, size_t count, struct framing_frame *frame,
              char *problem)
{
    const uint8_t *end = data + count;
    frame->header_count = 0;
    while (data < end) {
        if (frame->header_count == FRAMING_HEADER_COUNT_MAX)
            return bad(problem, "more than %d headers",
                       FRAMING_HEADER_COUNT_MAX);
        struct framing_header *header = &frame->headers[frame->header_count];
        if (!parse_header(&data, end, header, problem))
            return false;
        for (size_t i = 0; i < frame->header_count; i++) {
            if (same_name(&frame->headers[i], header))
                return bad(problem, "header '%.*s' comes twice",
                           header->name_bytes < 40 ? header->name_bytes : 40,
                           header->name);
        }
        frame->header_count++;
    }
    return true;
}

/* Checks the first twelve bytes and gives the size of the whole frame. */
static bool
parse_prelude(const uint8_t *data, size_t *total_bytes, size_t *header_bytes,
              char *problem)
{
    *total_bytes = read_u32(data);
    *header_bytes = read_u32(data + 4);
    uint32_t crc = framing_crc32(data, 8);
    if (crc != read_u32(data + 8))
        return bad(problem,
                   "the prelude's CRC is %08" PRIx32 ", should be %08" PRIx32,
                   read_u32(data + 8), crc);
    if (*header_bytes > FRAMING_HEADERS_BYTES_MAX)
        return bad(problem, "%zu bytes of headers are announced, %d is most",
                   *header_bytes, FRAMING_HEADERS_BYTES_MAX);
    if (*total_bytes < FRAMING_OVERHEAD_BYTES + *header_bytes)
        return bad(problem, "%zu bytes cannot hold %zu bytes of headers",
                   *total_bytes, *header_bytes);
    return true;
}

bool
framing_parse(const uint8_t *data, size_t count, struct framing_frame *frame,
              char problem[FRAMING_PROBLEM_BYTES])
{
    size_t total, header_bytes;
    if (count < FRAMING_OVERHEAD_BYTES)
        return bad(problem, "%zu bytes are too few for a frame", count);
    if (!parse_prelude(data, &total, &header_bytes, problem))
        return false;
    if (total != count)
        return bad(problem, "the prelude says %zu bytes, there are %zu", total,
                   count);
    uint32_t crc = framing_crc32(data, count - 4);
    if (crc != read_u32(data + count - 4))
        return bad(problem,
                   "the frame's CRC is %08" PRIx32 ", should be %08" PRIx32,
                   read_u32(data + count - 4), crc);
    frame->payload = data + PRELUDE_BYTES + header_bytes;
    frame->payload_bytes = count - FRAMING_OVERHEAD_BYTES - header_bytes;
    return parse_headers(data + PRELUDE_BYTES, header_bytes, frame, problem);
}

const struct framing_header *
framing_find(const struct framing_frame *frame, const char *name)
{
    size_t name_bytes = strlen(name);
    for (size_t i = 0; i < frame->header_count; i++) {
        const struct framing_header *header = &frame->headers[i];
        if (header->name_bytes == name_bytes &&
            memcmp(header->name, name, name_bytes) == 0)
            return header;
    }
    return NULL;
}

bool
framing_header_is(const struct framing_header *header, const char *text)
{
    return header != NULL && header->type == FRAMING_STRING &&
           header->value_bytes == strlen(text) &&
           memcmp(header->value, text, header->value_bytes) == 0;
}

void
framing_decoder_init(struct framing_decoder *decoder, size_t limit_bytes)
{
    *decoder = (struct framing_decoder){.limit_bytes = limit_bytes};
    bytes_init(&decoder->held, limit_bytes);
}

void
framing_decoder_fini(struct framing_decoder *decoder)
{
    bytes_fini(&decoder->held);
}

static bool
broken(struct framing_decoder *decoder, const char *problem)
{
    decoder->broken = true;
    snprintf(decoder->problem, sizeof(decoder->problem),
             "frame at byte %" PRIu64 ": %s", decoder->taken_bytes, problem);
    bytes_fini(&decoder->held);
    return false;
}

/* Size of the frame that starts at `data`, 0 while that is not known, -1 when
 * the prelude is bad. */
static long
frame_size(struct framing_decoder *decoder, const uint8_t *data, size_t count)
{
    char problem[FRAMING_PROBLEM_BYTES];
    size_t total, header_bytes;
    if (count < PRELUDE_BYTES)
        return 0;
    if (!parse_prelude(data, &total, &header_bytes, problem)) {
        broken(decoder, problem);
        return -1;
    }
    if (total > decoder->limit_bytes) {
        bad(problem, "%zu bytes are announced, %zu is most", total,
            decoder->limit_bytes);
        broken(decoder, problem);
        return -1;
    }
    return (long)total;
}

/* Hands over each whole frame in `data`; returns the bytes they took, -1 once
 * broken or stopped. */
static long
take_frames(struct framing_decoder *decoder, const uint8_t *data, size_t count,
            framing_frame_fn *on_frame, void *arg)
{
    size_t taken = 0;
    for (;;) {
        long size = frame_size(decoder, data + taken, count - taken);
        if (size < 0)
            return -1;
        if (size == 0 || (size_t)size > count - taken)
            return (long)taken;
        struct framing_frame frame;
        char problem[FRAMING_PROBLEM_BYTES];
        if (!framing_parse(data + taken, (size_t)size, &frame, problem)) {
            broken(decoder, problem);
            return -1;
        }
        if (!on_frame(arg, &frame)) {
            broken(decoder, "stopped here");
            return -1;
        }
        taken += (size_t)size;
        decoder->taken_bytes += (uint64_t)size;
    }
}

/* Moves to `held` what the frame that waits there still lacks; returns the
 * bytes taken, -1 once broken. */
static long
fill_held(struct framing_decoder *decoder, const uint8_t *data, size_t count)
{
    struct bytes *held = &decoder->held;
    size_t want = PRELUDE_BYTES;
    if (held->count >= PRELUDE_BYTES) {
        long size = frame_size(decoder, held->data, held->count);
        if (size < 0)
            return -1;
        want = (size_t)size;
    }
    size_t more = want - held->count;
    if (more > count)
        more = count;
    if (!bytes_add(held, data, more)) {
        broken(decoder, "memory is out");
        return -1;
    }
    return (long)more;
}

bool
framing_push(struct framing_decoder *decoder, const uint8_t *data, size_t count,
             framing_frame_fn *on_frame, void *arg)
{
    struct bytes *held = &decoder->held;
    long taken;
    if (decoder->broken)
        return false;
    while (held->count > 0 && count > 0) {
        taken = fill_held(decoder, data, count);
        if (taken < 0)
            return false;
        data += taken;
        count -= (size_t)taken;
        taken = take_frames(decoder, held->data, held->count, on_frame, arg);
        if (taken < 0)
            return false;
        bytes_drop(held, (size_t)taken);
    }
    if (count == 0)
        return true;
    taken = take_frames(decoder, data, count, on_frame, arg);
    if (taken < 0)
        return false;
    if (!bytes_add(held, data + taken, count - (size_t)taken))
        return broken(decoder, "memory is out");
    return true;
}

bool
framing_midway(const struct framing_decoder *decoder)
{
    return decoder->held.count > 0;
}

/* ---- writing ---- */

void
framing_write_start(struct framing_writer *writer, struct bytes *out)
{
    *writer = (struct framing_writer){.out = out, .start = out->count};
    if (bytes_reserve(out, PRELUDE_BYTES) != NULL)
        out->count += PRELUDE_BYTES;
}

void
framing_write_string(struct framing_writer *writer, const char *name,
                     const char *value)
{
    size_t name_bytes = strlen(name), value_bytes = strlen(value);
    uint8_t type_and_size[3] = {FRAMING_STRING, (uint8_t)(value_bytes >> 8),
                                (uint8_t)value_bytes};
    uint8_t name_prefix = (uint8_t)name_bytes;
    if (name_bytes > 255 || value_bytes > FRAMING_VALUE_BYTES_MAX) {
        writer->out->failed = true;
        return;
    }
    bytes_add(writer->out, &name_prefix, 1);
    bytes_add(writer->out, name, name_bytes);
    bytes_add(writer->out, type_and_size, sizeof(type_and_size));
    bytes_add(writer->out, value, value_bytes);
}

void
framing_write_payload_start(struct framing_writer *writer)
{
    writer->payload_start = writer->out->count;
}

void
framing_write_end(struct framing_writer *writer)
{
    struct bytes *out = writer->out;
    uint8_t crc[4];
    if (bytes_reserve(out, sizeof(crc)) == NULL)
        return;
    uint8_t *frame = out->data + writer->start;
    size_t so_far = out->count - writer->start;
    size_t header_bytes = writer->payload_start - writer->start - PRELUDE_BYTES;
    write_u32(frame, (uint32_t)(so_far + sizeof(crc)));
    write_u32(frame + 4, (uint32_t)header_bytes);
    write_u32(frame + 8, framing_crc32(frame, 8));
    write_u32(crc, framing_crc32(frame, so_far));
    bytes_add(out, crc, sizeof(crc));
}
