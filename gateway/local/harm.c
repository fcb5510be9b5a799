#include "gateway/local/harm.h"

#include <string.h>

#include "gateway/local/envelope.h"
#include "gateway/local/framing.h"

#define UNKNOWN_EVENT                                                      \
    "{\"event\":{\"weatherOutput\":{\"sessionId\":\"S\",\"promptName\":\"" \
    "P\",\"content\":{\"sky\":[\"clear\",null,1e3]}}}}"
#define GARBAGE "{\"event\":{\"textOutput\":{\"content\":\"half a sen"

void
harm_error(struct bytes *out, const char *code, const char *message)
{
    struct framing_writer writer;
    framing_write_start(&writer, out);
    framing_write_string(&writer, ":error-code", code);
    framing_write_string(&writer, ":error-message", message);
    framing_write_string(&writer, ":message-type", "error");
    framing_write_payload_start(&writer);
    framing_write_end(&writer);
}

/* A good frame; where it begins. */
static size_t
add_frame(struct bytes *out)
{
    size_t start = out->count;
    harm_unknown(out);
    return start;
}

void
harm_crc(struct bytes *out)
{
    add_frame(out);
    if (!out->failed)
        out->data[out->count - 1] ^= 0x01;
}

void
harm_prelude(struct bytes *out)
{
    size_t start = add_frame(out);
    if (!out->failed)
        out->data[start + 8] ^= 0x01;
}

void
harm_half(struct bytes *out)
{
    size_t start = add_frame(out);
    if (!out->failed)
        out->count = start + (out->count - start) / 2;
}

void
harm_garbage(struct bytes *out)
{
    envelope_seal(out, GARBAGE, strlen(GARBAGE), 0);
}

void
harm_unknown(struct bytes *out)
{
    envelope_seal(out, UNKNOWN_EVENT, strlen(UNKNOWN_EVENT), 0);
}
