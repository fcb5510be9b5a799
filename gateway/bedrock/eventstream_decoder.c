#include "gateway/bedrock/eventstream.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/crc32.h"
#include "gateway/bedrock/eventstream_wire.h"

/* A buffer up to this size is kept from one message to the next. */
#define KEPT_BYTES (64 * 1024)

struct eventstream_decoder {
    size_t limit_bytes;
    enum vr_status status;
    char error[192];

    /* The message in progress, as far as it has come. */
    uint64_t message_at; /* its first byte's place in the stream */
    uint8_t prelude[EVENTSTREAM_PRELUDE_BYTES];
    size_t have_bytes;
    size_t total_bytes; /* 0 until the prelude is checked */
    uint8_t *buffer;
    size_t capacity;
    struct eventstream_message message;
};

struct eventstream_decoder *
eventstream_decoder_new(size_t limit_bytes)
{
    struct eventstream_decoder *decoder = calloc(1, sizeof *decoder);

    if (decoder)
        decoder->limit_bytes =
            limit_bytes && limit_bytes < EVENTSTREAM_MESSAGE_BYTES_MAX
                ? limit_bytes
                : EVENTSTREAM_MESSAGE_BYTES_MAX;
    return decoder;
}

void
eventstream_decoder_free(struct eventstream_decoder **decoder)
{
    if (!*decoder)
        return;
    free((*decoder)->buffer);
    free(*decoder);
    *decoder = NULL;
}

bool
eventstream_decoder_midway(const struct eventstream_decoder *decoder)
{
    return decoder->have_bytes > 0;
}

const char *
eventstream_decoder_error(const struct eventstream_decoder *decoder)
{
    return decoder->error;
}

/* `at` is an offset in the message in progress. */
VR_PRINTF(4, 5)
static enum vr_status
fail(struct eventstream_decoder *decoder, enum vr_status status, size_t at,
     const char *format, ...)
{
    va_list args;
    int chars =
        snprintf(decoder->error, sizeof decoder->error,
                 "event-stream message at byte %" PRIu64 ", offset %zu: ",
                 decoder->message_at, at);

    va_start(args, format);
    vsnprintf(decoder->error + chars, sizeof decoder->error - (size_t)chars,
              format, args);
    va_end(args);
    decoder->status = status;
    return status;
}

/* ---- one whole message ---- */

static enum vr_status
check_prelude(struct eventstream_decoder *decoder, const uint8_t *prelude)
{
    uint32_t total = eventstream_load_be32(prelude);
    uint32_t headers = eventstream_load_be32(prelude + 4);
    uint32_t crc = crc32_update(0, prelude, 8);

    if (crc != eventstream_load_be32(prelude + 8))
        return fail(decoder, VR_CORRUPT, 8, "prelude CRC %08x, computed %08x",
                    eventstream_load_be32(prelude + 8), crc);
    if (total < EVENTSTREAM_OVERHEAD_BYTES ||
        headers > total - EVENTSTREAM_OVERHEAD_BYTES)
        return fail(decoder, VR_CORRUPT, 0,
                    "lengths contradict: %u in all, %u of headers", total,
                    headers);
    if (headers > EVENTSTREAM_HEADERS_BYTES_MAX)
        return fail(decoder, VR_LIMIT, 4, "%u bytes of headers, limit %d",
                    headers, EVENTSTREAM_HEADERS_BYTES_MAX);
    if (total - headers - EVENTSTREAM_OVERHEAD_BYTES >
        EVENTSTREAM_PAYLOAD_BYTES_MAX)
        return fail(decoder, VR_LIMIT, 0, "%u bytes of payload, limit %d",
                    total - headers - EVENTSTREAM_OVERHEAD_BYTES,
                    EVENTSTREAM_PAYLOAD_BYTES_MAX);
    if (total > decoder->limit_bytes)
        return fail(decoder, VR_LIMIT, 0, "%u bytes announced, limit %zu",
                    total, decoder->limit_bytes);
    decoder->total_bytes = total;
    return VR_OK;
}

/* Reads the header at `*at` and moves on; `end` is where the headers end. */
static enum vr_status
take_header(struct eventstream_decoder *decoder, const uint8_t *bytes,
            size_t *at, size_t end, struct eventstream_header *header)
{
    size_t start = *at, left = end - start, need;
    int fixed;

    header->name_bytes = bytes[start];
    if (header->name_bytes == 0)
        return fail(decoder, VR_CORRUPT, start, "a header without a name");
    need = 2u + header->name_bytes;
    if (left < need)
        return fail(decoder, VR_CORRUPT, start, "a header name is cut off");
    header->name = (const char *)bytes + start + 1;
    header->type = bytes[start + need - 1];
    if (header->type > EVENTSTREAM_UUID)
        return fail(decoder, VR_CORRUPT, start + need - 1,
                    "header type %u is unknown", header->type);
    fixed = eventstream_value_bytes(header->type);
    if (fixed < 0 && left < need + 2)
        return fail(decoder, VR_CORRUPT, start, "a header value is cut off");
    header->value_bytes =
        fixed >= 0
            ? (uint16_t)fixed
            : (uint16_t)(bytes[start + need] << 8 | bytes[start + need + 1]);
    need += fixed < 0 ? 2 : 0;
    if (header->value_bytes > EVENTSTREAM_VALUE_BYTES_MAX)
        return fail(decoder, VR_LIMIT, start, "%u bytes of value, limit %d",
                    header->value_bytes, EVENTSTREAM_VALUE_BYTES_MAX);
    if (left < need + header->value_bytes)
        return fail(decoder, VR_CORRUPT, start, "a header value is cut off");
    header->value = bytes + start + need;
    *at = start + need + header->value_bytes;
    return VR_OK;
}

static enum vr_status
parse_message(struct eventstream_decoder *decoder, const uint8_t *bytes)
{
    struct eventstream_message *message = &decoder->message;
    size_t total = decoder->total_bytes;
    uint32_t announced = eventstream_load_be32(bytes + total - 4);
    uint32_t crc = crc32_update(0, bytes, total - 4);
    size_t at = EVENTSTREAM_PRELUDE_BYTES;
    size_t end = at + eventstream_load_be32(bytes + 4);

    if (crc != announced)
        return fail(decoder, VR_CORRUPT, total - 4,
                    "message CRC %08x, computed %08x", announced, crc);
    message->header_count = 0;
    while (at < end) {
        enum vr_status status;

        if (message->header_count == EVENTSTREAM_HEADERS_MAX)
            return fail(decoder, VR_LIMIT, at, "more than %d headers",
                        EVENTSTREAM_HEADERS_MAX);
        status = take_header(decoder, bytes, &at, end,
                             &message->headers[message->header_count]);
        if (status)
            return status;
        message->header_count++;
    }
    message->payload = bytes + end;
    message->payload_bytes = total - 4 - end;
    return VR_OK;
}

/* Hands out the whole message at `bytes` and gets ready for the next. */
static enum vr_status
finish_message(struct eventstream_decoder *decoder, const uint8_t *bytes,
               eventstream_message_fn *on_message, void *arg)
{
    enum vr_status status = parse_message(decoder, bytes);

    if (status)
        return status;
    on_message(arg, &decoder->message);
    decoder->message_at += decoder->total_bytes;
    decoder->have_bytes = 0;
    decoder->total_bytes = 0;
    if (decoder->capacity > KEPT_BYTES) {
        free(decoder->buffer);
        decoder->buffer = NULL;
        decoder->capacity = 0;
    }
    return VR_OK;
}

/* ---- feeding ---- */

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Room for `bytes`, growing by doubling so that a prelude which announces much
 * and brings little costs little. */
static enum vr_status
grow(struct eventstream_decoder *decoder, size_t bytes)
{
    size_t capacity = decoder->capacity ? decoder->capacity : 4096;
    uint8_t *buffer;

    if (bytes <= decoder->capacity)
        return VR_OK;
    while (capacity < bytes)
        capacity *= 2;
    capacity = smaller(capacity, decoder->total_bytes);
    buffer = realloc(decoder->buffer, capacity);
    if (!buffer)
        return fail(decoder, VR_NO_MEMORY, decoder->have_bytes,
                    "no memory for %zu bytes", capacity);
    decoder->buffer = buffer;
    decoder->capacity = capacity;
    return VR_OK;
}

/* Collects the prelude's bytes; checks it when the last is there. */
static enum vr_status
take_prelude(struct eventstream_decoder *decoder, const uint8_t **bytes,
             size_t *count)
{
    size_t taken =
        smaller(*count, EVENTSTREAM_PRELUDE_BYTES - decoder->have_bytes);

    memcpy(decoder->prelude + decoder->have_bytes, *bytes, taken);
    decoder->have_bytes += taken;
    *bytes += taken;
    *count -= taken;
    if (decoder->have_bytes < EVENTSTREAM_PRELUDE_BYTES)
        return VR_OK;
    return check_prelude(decoder, decoder->prelude);
}

/* Collects what follows the prelude. */
static enum vr_status
take_rest(struct eventstream_decoder *decoder, const uint8_t **bytes,
          size_t *count)
{
    size_t taken = smaller(*count, decoder->total_bytes - decoder->have_bytes);
    enum vr_status status = grow(decoder, decoder->have_bytes + taken);

    if (status)
        return status;
    if (decoder->have_bytes == EVENTSTREAM_PRELUDE_BYTES)
        memcpy(decoder->buffer, decoder->prelude, EVENTSTREAM_PRELUDE_BYTES);
    memcpy(decoder->buffer + decoder->have_bytes, *bytes, taken);
    decoder->have_bytes += taken;
    *bytes += taken;
    *count -= taken;
    return VR_OK;
}

/* A message that is whole in the caller's bytes is used where it lies.
 * `*used` stays 0 when it is not. */
static enum vr_status
take_in_place(struct eventstream_decoder *decoder, const uint8_t *bytes,
              size_t count, size_t *used, eventstream_message_fn *on_message,
              void *arg)
{
    enum vr_status status;
    size_t total;

    *used = 0;
    if (decoder->have_bytes || count < EVENTSTREAM_PRELUDE_BYTES)
        return VR_OK;
    status = check_prelude(decoder, bytes);
    if (status)
        return status;
    total = decoder->total_bytes;
    if (count < total) {
        decoder->total_bytes = 0;
        return VR_OK;
    }
    status = finish_message(decoder, bytes, on_message, arg);
    if (!status)
        *used = total;
    return status;
}

enum vr_status
eventstream_decode(struct eventstream_decoder *decoder, const uint8_t *bytes,
                   size_t count, eventstream_message_fn *on_message, void *arg)
{
    enum vr_status status = decoder->status;

    while (!status && count) {
        size_t used;

        status = take_in_place(decoder, bytes, count, &used, on_message, arg);
        bytes += used;
        count -= used;
        if (status || used)
            continue;
        if (decoder->total_bytes)
            status = take_rest(decoder, &bytes, &count);
        else
            status = take_prelude(decoder, &bytes, &count);
        if (!status && decoder->total_bytes &&
            decoder->have_bytes == decoder->total_bytes)
            status = finish_message(decoder, decoder->buffer, on_message, arg);
    }
    return status;
}
