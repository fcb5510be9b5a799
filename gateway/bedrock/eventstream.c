#include "gateway/bedrock/eventstream.h"

#include <string.h>

#include "gateway/base64.h"
#include "gateway/bedrock/crc32.h"
#include "gateway/bedrock/eventstream_wire.h"

/* ---- reading headers ---- */

const struct eventstream_header *
eventstream_find(const struct eventstream_message *message, const char *name)
{
    size_t name_bytes = strlen(name);

    for (size_t i = 0; i < message->header_count; i++) {
        const struct eventstream_header *header = &message->headers[i];

        if (header->name_bytes == name_bytes &&
            !memcmp(header->name, name, name_bytes))
            return header;
    }
    return NULL;
}

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool
eventstream_header_is(const struct eventstream_header *header, const char *text)
{
    if (header->type != EVENTSTREAM_STRING ||
        header->value_bytes != strlen(text))
        return false;
    for (size_t i = 0; i < header->value_bytes; i++) {
        if (lower(header->value[i]) != lower((uint8_t)text[i]))
            return false;
    }
    return true;
}

/* ---- plain messages ---- */

static bool
encodable(const struct eventstream_header *header)
{
    int fixed = eventstream_value_bytes(header->type);

    if (header->name_bytes == 0 || header->type > EVENTSTREAM_UUID)
        return false;
    return fixed >= 0 ? header->value_bytes == fixed
                      : header->value_bytes <= EVENTSTREAM_VALUE_BYTES_MAX;
}

static size_t
header_bytes(const struct eventstream_header *header)
{
    size_t length_bytes = eventstream_value_bytes(header->type) < 0 ? 2 : 0;

    return 2u + header->name_bytes + length_bytes + header->value_bytes;
}

static uint8_t *
put_header(uint8_t *at, const struct eventstream_header *header)
{
    *at++ = header->name_bytes;
    memcpy(at, header->name, header->name_bytes);
    at += header->name_bytes;
    *at++ = header->type;
    if (eventstream_value_bytes(header->type) < 0) {
        *at++ = (uint8_t)(header->value_bytes >> 8);
        *at++ = (uint8_t)header->value_bytes;
    }
    if (header->value_bytes)
        memcpy(at, header->value, header->value_bytes);
    return at + header->value_bytes;
}

/* Writes what stands around headers and payload, which are in place. */
static void
seal(uint8_t *message, size_t headers_bytes, size_t total_bytes)
{
    eventstream_store_be32(message, (uint32_t)total_bytes);
    eventstream_store_be32(message + 4, (uint32_t)headers_bytes);
    eventstream_store_be32(message + 8, crc32_update(0, message, 8));
    eventstream_store_be32(message + total_bytes - 4,
                           crc32_update(0, message, total_bytes - 4));
}

size_t
eventstream_encode(const struct eventstream_header *headers,
                   size_t header_count, const uint8_t *payload,
                   size_t payload_bytes, uint8_t *out, size_t capacity)
{
    size_t headers_bytes = 0, total;
    uint8_t *at = out + EVENTSTREAM_PRELUDE_BYTES;

    if (header_count > EVENTSTREAM_HEADERS_MAX ||
        payload_bytes > EVENTSTREAM_PAYLOAD_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < header_count; i++) {
        if (!encodable(&headers[i]))
            return 0;
        headers_bytes += header_bytes(&headers[i]);
    }
    total = EVENTSTREAM_OVERHEAD_BYTES + headers_bytes + payload_bytes;
    if (headers_bytes > EVENTSTREAM_HEADERS_BYTES_MAX || total > capacity)
        return 0;
    for (size_t i = 0; i < header_count; i++)
        at = put_header(at, &headers[i]);
    if (payload_bytes)
        memcpy(at, payload, payload_bytes);
    seal(out, headers_bytes, total);
    return total;
}

/* ---- signed messages ---- */

/* ":date" and ":chunk-signature", whose value of 32 bytes comes last. */
#define DATE_AT EVENTSTREAM_PRELUDE_BYTES
#define NAME_AT (DATE_AT + SIGNER_DATE_HEADER_BYTES)
#define SIGNATURE_AT (NAME_AT + sizeof signature_head)
#define PAYLOAD_AT (SIGNATURE_AT + SIGNER_SIGNATURE_BYTES)

static const uint8_t signature_head[20] = {
    16,  ':', 'c', 'h', 'u', 'n', 'k', '-', 's', 'i',
    'g', 'n', 'a', 't', 'u', 'r', 'e', 6,   0,   SIGNER_SIGNATURE_BYTES};

_Static_assert(PAYLOAD_AT + 4 == EVENTSTREAM_END_BYTES, "size of an end frame");

/* Signs the payload, which is in place, and completes the frame around it. */
static size_t
sign_around(struct signer *signer, int64_t date_ms, uint8_t *out,
            size_t payload_bytes)
{
    size_t total = PAYLOAD_AT + payload_bytes + 4;

    signer_chunk_sign(signer, date_ms, out + PAYLOAD_AT, payload_bytes,
                      out + DATE_AT, out + SIGNATURE_AT);
    memcpy(out + NAME_AT, signature_head, sizeof signature_head);
    seal(out, PAYLOAD_AT - DATE_AT, total);
    return total;
}

size_t
eventstream_encode_end(struct signer *signer, int64_t date_ms, uint8_t *out,
                       size_t capacity)
{
    if (capacity < EVENTSTREAM_END_BYTES)
        return 0;
    return sign_around(signer, date_ms, out, 0);
}

/* ---- events ---- */

#define BLOCK_BYTES_MAX 256
static const char payload_head[] = "{\"bytes\":\"";
static const char payload_tail[] = "\"}";

/* :message-type event, :event-type chunk, :content-type application/json. */
static const uint8_t event_headers[] = "\x0d:message-type\x07\x00\x05"
                                       "event"
                                       "\x0b:event-type\x07\x00\x05"
                                       "chunk"
                                       "\x0d:content-type\x07\x00\x10"
                                       "application/json";

static size_t
inner_bytes(size_t headers_bytes, size_t json_bytes)
{
    return EVENTSTREAM_OVERHEAD_BYTES + headers_bytes + sizeof payload_head -
           1 + base64_encoded_bytes(json_bytes) + sizeof payload_tail - 1;
}

size_t
eventstream_event_bound(size_t json_bytes)
{
    return EVENTSTREAM_END_BYTES +
           inner_bytes(sizeof event_headers - 1, json_bytes);
}

size_t
eventstream_encode_event_headed(struct signer *signer, int64_t date_ms,
                                struct eventstream_block headers,
                                const char *json, size_t json_bytes,
                                uint8_t *out, size_t capacity)
{
    size_t bytes;
    uint8_t *at = out + PAYLOAD_AT + EVENTSTREAM_PRELUDE_BYTES;

    if (json_bytes > EVENTSTREAM_EVENT_BYTES_MAX ||
        headers.count > BLOCK_BYTES_MAX)
        return 0;
    bytes = inner_bytes(headers.count, json_bytes);
    if (capacity < EVENTSTREAM_END_BYTES + bytes)
        return 0;
    memcpy(at, headers.bytes, headers.count);
    at += headers.count;
    memcpy(at, payload_head, sizeof payload_head - 1);
    at += sizeof payload_head - 1;
    at += base64_encode((const uint8_t *)json, json_bytes, (char *)at);
    memcpy(at, payload_tail, sizeof payload_tail - 1);
    seal(out + PAYLOAD_AT, headers.count, bytes);
    return sign_around(signer, date_ms, out, bytes);
}

size_t
eventstream_encode_event(struct signer *signer, int64_t date_ms,
                         const char *json, size_t json_bytes, uint8_t *out,
                         size_t capacity)
{
    static const struct eventstream_block headers = {
        .bytes = event_headers, .count = sizeof event_headers - 1};

    return eventstream_encode_event_headed(signer, date_ms, headers, json,
                                           json_bytes, out, capacity);
}
