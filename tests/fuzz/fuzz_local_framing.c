/* The endpoint's reading of what a client sends: frames split at any byte,
 * their headers, the inner message, the base64 payload.
 *
 * The files are included, not linked, because the rest of their folder needs
 * TLS, HTTP/2 and speech; so what lies behind the signature, which nobody can
 * guess, can be called too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/local/bytes.c"
#include "gateway/local/chain.c"
#include "gateway/local/framing.c"
#include "gateway/local/sigv4.c"
#include "gateway/local/envelope.c"

#define LIMIT_BYTES (64 * 1024)

struct seen {
    size_t frame_count;
    struct chain chain;
    struct bytes json;
};

/* What an event was must come back from the frame it is sealed in. */
static void
seal_and_parse(const struct bytes *json)
{
    struct bytes out;
    struct framing_frame frame;
    char problem[FRAMING_PROBLEM_BYTES];
    bytes_init(&out, 4 * LIMIT_BYTES);
    envelope_seal(&out, (const char *)json->data, json->count,
                  json->count % (ENVELOPE_PADDING_MAX + 1));
    if (out.failed || !framing_parse(out.data, out.count, &frame, problem) ||
        !framing_header_is(framing_find(&frame, ":event-type"), "chunk"))
        abort();
    bytes_fini(&out);
}

static bool
on_frame(void *arg, const struct framing_frame *frame)
{
    struct seen *seen = arg;
    char problem[ENVELOPE_PROBLEM_BYTES];
    seen->frame_count++;
    envelope_open(&seen->chain, frame, 0, &seen->json, problem);
    if (open_inner(frame, &seen->json, problem) == ENVELOPE_EVENT ||
        envelope_payload(frame->payload, frame->payload_bytes, &seen->json,
                         problem) == ENVELOPE_EVENT)
        seal_and_parse(&seen->json);
    return true;
}

/* Decodes `data` in pieces of `step`; the number of frames, and whether it was
 * all good. */
static size_t
decode(const uint8_t *data, size_t size, size_t step, bool *good)
{
    struct seen seen = {0};
    struct framing_decoder decoder;
    chain_init(&seen.chain, "secret", "us-east-1", "bedrock", "00");
    bytes_init(&seen.json, ENVELOPE_FRAME_BYTES_MAX);
    framing_decoder_init(&decoder, LIMIT_BYTES);
    *good = true;
    for (size_t i = 0; i < size && *good; i += step)
        *good =
            framing_push(&decoder, data + i, size - i < step ? size - i : step,
                         on_frame, &seen);
    framing_decoder_fini(&decoder);
    bytes_fini(&seen.json);
    return seen.frame_count;
}

/* Writes the right lengths and CRCs over the fuzzer's, so that it gets past
 * them. */
static void
mend(uint8_t *frame, size_t size)
{
    size_t header_bytes = frame[6] << 8 | frame[7];
    if (header_bytes > size - FRAMING_OVERHEAD_BYTES)
        header_bytes %= size - FRAMING_OVERHEAD_BYTES + 1;
    write_u32(frame, (uint32_t)size);
    write_u32(frame + 4, (uint32_t)header_bytes);
    write_u32(frame + 8, framing_crc32(frame, 8));
    write_u32(frame + size - 4, framing_crc32(frame, size - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 + FRAMING_OVERHEAD_BYTES || size > LIMIT_BYTES)
        return 0;
    size_t step = 1 + data[0] % 31;
    uint8_t *copy = malloc(--size);
    memcpy(copy, data + 1, size);
    if (data[0] & 0x80)
        mend(copy, size);
    bool good, split_good;
    size_t whole = decode(copy, size, size, &good);
    size_t split = decode(copy, size, step, &split_good);
    if (whole != split || good != split_good)
        abort();
    char problem[ENVELOPE_PROBLEM_BYTES];
    struct bytes json;
    bytes_init(&json, ENVELOPE_FRAME_BYTES_MAX);
    envelope_payload(copy, size, &json, problem);
    bytes_fini(&json);
    free(copy);
    return 0;
}
