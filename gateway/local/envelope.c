#include "gateway/local/envelope.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/local/verify.h"

static enum envelope_kind __attribute__((format(printf, 3, 4)))
wrong(enum envelope_kind kind, char problem[ENVELOPE_PROBLEM_BYTES],
      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, ENVELOPE_PROBLEM_BYTES, format, args);
    va_end(args);
    return kind;
}

/* ---- base64 ---- */

/* Decodes strict base64, padding at its end only; -1 if it is not that.
 * `out` has room for count / 4 * 3 bytes. */
static long
base64_decode(const char *text, size_t count, uint8_t *out)
{
    size_t padding = 0;
    while (padding < 2 && padding < count && text[count - 1 - padding] == '=')
        padding++;
    if (count % 4 != 0)
        return -1;
    if (count == 0)
        return 0;
    /* OpenSSL's decoder trims blanks and takes '=' anywhere. */
    for (size_t i = 0; i < count - padding; i++) {
        char c = text[i];
        if (c <= ' ' || c == '=' || c == '-')
            return -1;
    }
    int size = EVP_DecodeBlock(out, (const uint8_t *)text, (int)count);
    return size < 0 ? -1 : size - (long)padding;
}

/* ---- the payload ---- */

static const char *
skip_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* Finds the base64 in {"bytes":"..."} as everybody writes it: one member, no
 * escapes. False for every other form, which is not wrong for that. */
static bool
plain_form(const char *p, size_t count, const char **text, size_t *text_bytes)
{
    const char *end = p + count;
    static const char key[] = "\"bytes\"";
    p = skip_blank(p, end);
    if (p == end || *p++ != '{')
        return false;
    p = skip_blank(p, end);
    if ((size_t)(end - p) < sizeof(key) || memcmp(p, key, sizeof(key) - 1) != 0)
        return false;
    p = skip_blank(p + sizeof(key) - 1, end);
    if (p == end || *p++ != ':')
        return false;
    p = skip_blank(p, end);
    if (p == end || *p++ != '"')
        return false;
    const char *quote = memchr(p, '"', (size_t)(end - p));
    if (quote == NULL || memchr(p, '\\', (size_t)(quote - p)) != NULL)
        return false;
    *text = p;
    *text_bytes = (size_t)(quote - p);
    p = skip_blank(quote + 1, end);
    if (p == end || *p++ != '}')
        return false;
    return skip_blank(p, end) == end;
}

static enum envelope_kind
decode_text(const char *text, size_t count, struct bytes *json,
            char problem[ENVELOPE_PROBLEM_BYTES])
{
    if (count / 4 * 3 > ENVELOPE_EVENT_BYTES_MAX + 2)
        return wrong(ENVELOPE_BAD, problem,
                     "An event has %zu bytes, %d is most (PayloadPart.bytes)",
                     count / 4 * 3, ENVELOPE_EVENT_BYTES_MAX);
    bytes_clear(json);
    uint8_t *room = bytes_reserve(json, count / 4 * 3 + 1);
    if (room == NULL)
        return wrong(ENVELOPE_BAD, problem, "No memory for an event");
    long size = base64_decode(text, count, room);
    if (size < 0)
        return wrong(ENVELOPE_BAD, problem,
                     "The member \"bytes\" of a chunk is not base64");
    if (size > ENVELOPE_EVENT_BYTES_MAX)
        return wrong(ENVELOPE_BAD, problem,
                     "An event has %ld bytes, %d is most (PayloadPart.bytes)",
                     size, ENVELOPE_EVENT_BYTES_MAX);
    json->count = (size_t)size;
    return ENVELOPE_EVENT;
}

static enum envelope_kind
decode_object(const char *payload, size_t count, struct bytes *json,
              char problem[ENVELOPE_PROBLEM_BYTES])
{
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts(payload, count, &end, false);
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, "bytes");
    enum envelope_kind kind;
    if (object == NULL || skip_blank(end, payload + count) != payload + count)
        kind = wrong(ENVELOPE_BAD, problem, "A chunk's payload is not JSON");
    else if (!cJSON_IsObject(object) || !cJSON_IsString(member) ||
             cJSON_GetArraySize(object) != 1)
        kind = wrong(ENVELOPE_BAD, problem,
                     "A chunk's payload must be an object with the one member "
                     "\"bytes\", a string of base64");
    else
        kind = decode_text(member->valuestring, strlen(member->valuestring),
                           json, problem);
    cJSON_Delete(object);
    return kind;
}

enum envelope_kind
envelope_payload(const uint8_t *payload, size_t count, struct bytes *json,
                 char problem[ENVELOPE_PROBLEM_BYTES])
{
    const char *text;
    size_t text_bytes;
    if (plain_form((const char *)payload, count, &text, &text_bytes))
        return decode_text(text, text_bytes, json, problem);
    return decode_object((const char *)payload, count, json, problem);
}

/* ---- opening ---- */

static enum envelope_kind
open_inner(const struct framing_frame *outer, struct bytes *json,
           char problem[ENVELOPE_PROBLEM_BYTES])
{
    struct framing_frame inner;
    char reason[FRAMING_PROBLEM_BYTES];
    if (!framing_parse(outer->payload, outer->payload_bytes, &inner, reason))
        return wrong(ENVELOPE_BAD, problem,
                     "The message inside a signed frame is malformed: %s",
                     reason);
    static const char *const wanted[][2] = {
        {":message-type", "event"},
        {":event-type", "chunk"},
        {":content-type", "application/json"}};
    for (size_t i = 0; i < 3; i++) {
        const struct framing_header *header =
            framing_find(&inner, wanted[i][0]);
        if (!framing_header_is(header, wanted[i][1]))
            return wrong(ENVELOPE_BAD, problem,
                         "The header %s of a chunk %s; it must be the string "
                         "'%s'",
                         wanted[i][0], header ? "is wrong" : "is missing",
                         wanted[i][1]);
    }
    if (inner.header_count != 3)
        return wrong(ENVELOPE_BAD, problem,
                     "A chunk has %zu headers instead of 3",
                     inner.header_count);
    return envelope_payload(inner.payload, inner.payload_bytes, json, problem);
}

static int64_t
read_i64(const uint8_t *p)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    return (int64_t)bits;
}

enum envelope_kind
envelope_open(struct chain *chain, const struct framing_frame *outer,
              int64_t now_ms, struct bytes *json,
              char problem[ENVELOPE_PROBLEM_BYTES])
{
    const struct framing_header *date = framing_find(outer, ":date");
    const struct framing_header *signature =
        framing_find(outer, ":chunk-signature");
    if (date == NULL || date->type != FRAMING_TIMESTAMP)
        return wrong(ENVELOPE_BAD, problem,
                     "A frame has no :date of type timestamp; every frame must "
                     "be signed");
    if (signature == NULL || signature->type != FRAMING_BYTES ||
        signature->value_bytes != SIGV4_DIGEST_BYTES)
        return wrong(ENVELOPE_BAD, problem,
                     "A frame has no :chunk-signature of 32 bytes; every frame "
                     "must be signed");
    if (outer->header_count != 2)
        return wrong(ENVELOPE_BAD, problem,
                     "A signed frame has %zu headers; only :date and "
                     ":chunk-signature belong there",
                     outer->header_count);
    int64_t date_ms = read_i64(date->value);
    if (date_ms < now_ms - VERIFY_SKEW_MS || date_ms > now_ms + VERIFY_SKEW_MS)
        return wrong(ENVELOPE_BAD_SIGNATURE, problem,
                     "Signature expired: a frame's :date %" PRId64
                     " is more than 5 minutes from %" PRId64 " (ms)",
                     date_ms, now_ms);
    if (!chain_verify(chain, date_ms, outer->payload, outer->payload_bytes,
                      signature->value))
        return wrong(
            ENVELOPE_BAD_SIGNATURE, problem,
            "The chunk signature we calculated does not match the "
            "signature you provided. Check your AWS Secret Access Key, "
            "the order of the chunks and the chain from the request's "
            "signature.");
    if (outer->payload_bytes == 0)
        return ENVELOPE_END;
    return open_inner(outer, json, problem);
}

/* ---- sealing ---- */

static void
add_base64(struct bytes *out, const char *data, size_t count)
{
    /* One more: EVP_EncodeBlock() ends with a NUL. */
    uint8_t *room = bytes_reserve(out, (count + 2) / 3 * 4 + 1);
    if (room != NULL)
        out->count +=
            (size_t)EVP_EncodeBlock(room, (const uint8_t *)data, (int)count);
}

void
envelope_seal(struct bytes *out, const char *json, size_t json_bytes,
              size_t padding)
{
    static const char alphabet[ENVELOPE_PADDING_MAX + 1] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    struct framing_writer writer;
    if (padding > ENVELOPE_PADDING_MAX)
        padding = ENVELOPE_PADDING_MAX;
    framing_write_start(&writer, out);
    framing_write_string(&writer, ":event-type", "chunk");
    framing_write_string(&writer, ":content-type", "application/json");
    framing_write_string(&writer, ":message-type", "event");
    framing_write_payload_start(&writer);
    bytes_add_text(out, "{\"bytes\":\"");
    add_base64(out, json, json_bytes);
    bytes_add_text(out, "\",\"p\":\"");
    bytes_add(out, alphabet, padding);
    bytes_add_text(out, "\"}");
    framing_write_end(&writer);
}

void
envelope_seal_exception(struct bytes *out, const char *exception,
                        const char *message)
{
    struct framing_writer writer;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "message", message);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    framing_write_start(&writer, out);
    framing_write_string(&writer, ":exception-type", exception);
    framing_write_string(&writer, ":content-type", "application/json");
    framing_write_string(&writer, ":message-type", "exception");
    framing_write_payload_start(&writer);
    bytes_add_text(out, text ? text : "{}");
    framing_write_end(&writer);
    cJSON_free(text);
}
