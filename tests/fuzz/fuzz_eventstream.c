/* The event-stream decoder and the payload decoder behind it.
 *
 * The first byte says how the rest is split. What decodes must encode to the
 * same bytes again, and splitting must make no difference.
 *
 * fuzz-module: gateway/bedrock/crc32.c gateway/bedrock/digest.c
 * fuzz-module: gateway/bedrock/sigv4.c gateway/bedrock/sigv4_canonical.c
 * fuzz-module: gateway/bedrock/signer.c gateway/bedrock/eventstream.c
 * fuzz-module: gateway/bedrock/eventstream_decoder.c
 * fuzz-module: gateway/bedrock/eventstream_payload.c gateway/base64.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/crc32.h"
#include "gateway/bedrock/eventstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out: a count and a checksum of all of it. */
struct seen {
    unsigned messages;
    uint32_t crc;
};

static void
on_message(void *arg, const struct eventstream_message *message)
{
    struct seen *seen = arg;
    size_t bytes = EVENTSTREAM_OVERHEAD_BYTES + message->payload_bytes;
    uint8_t *out;
    long event;

    for (size_t i = 0; i < message->header_count; i++) {
        const struct eventstream_header *header = &message->headers[i];

        bytes += 4u + header->name_bytes + header->value_bytes;
        seen->crc = crc32_update(seen->crc, header->value, header->value_bytes);
        (void)eventstream_header_is(header, "event");
    }
    (void)eventstream_find(message, ":event-type");
    out = malloc(bytes);
    if (!eventstream_encode(message->headers, message->header_count,
                            message->payload, message->payload_bytes, out,
                            bytes))
        abort();
    event = eventstream_payload_decode(message->payload, message->payload_bytes,
                                       out);
    if (event > (long)message->payload_bytes)
        abort();
    seen->crc =
        crc32_update(seen->crc, message->payload, message->payload_bytes);
    seen->messages++;
    free(out);
}

static enum vr_status
run(const uint8_t *data, size_t size, size_t step, struct seen *seen)
{
    struct eventstream_decoder *decoder = eventstream_decoder_new(65536);
    enum vr_status status = VR_OK;

    *seen = (struct seen){0};
    while (size && !status) {
        size_t count = step < size ? step : size;
        uint8_t *piece = malloc(count);

        memcpy(piece, data, count);
        status = eventstream_decode(decoder, piece, count, on_message, seen);
        free(piece);
        data += count;
        size -= count;
    }
    eventstream_decoder_free(&decoder);
    return status;
}

static void
put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Makes the CRCs right, which no fuzzer would find. */
static uint8_t *
mended(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);

    memcpy(copy, data, size);
    put_be32(copy, (uint32_t)size);
    put_be32(copy + 8, crc32_update(0, copy, 8));
    put_be32(copy + size - 4, crc32_update(0, copy, size - 4));
    return copy;
}

static void
payload_only(const uint8_t *data, size_t size)
{
    uint8_t *in = malloc(size + 1), *out = malloc(size + 1);
    long count;

    memcpy(in, data, size);
    count = eventstream_payload_decode(in, size, out);
    if (count > (long)size)
        abort();
    free(in);
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, split;
    size_t step;

    if (size < 1)
        return 0;
    step = 1u + data[0] % 64;
    data++;
    size--;
    payload_only(data, size);
    if (run(data, size, size, &whole) != run(data, size, step, &split) ||
        memcmp(&whole, &split, sizeof whole) != 0)
        abort();
    if (size >= EVENTSTREAM_OVERHEAD_BYTES) {
        uint8_t *copy = mended(data, size);

        if (run(copy, size, size, &whole) != run(copy, size, step, &split) ||
            memcmp(&whole, &split, sizeof whole) != 0)
            abort();
        free(copy);
    }
    return 0;
}
