/* Framing: AWS's cases both ways, however the bytes are split; the limits; the
 * signed frames of the official SDK, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/bedrock/crc32.h"
#include "gateway/bedrock/eventstream.h"
#include "tests/bedrock/vectors.h"

/* ---- decoding ---- */

/* What is expected of the messages, and how many came. */
struct seen {
    int messages;
    const cJSON *expected;   /* a message, an array of them, or NULL */
    const uint8_t *original; /* bytes that encoding must give again, or NULL */
    size_t original_bytes;
};

static int64_t
integer(const struct eventstream_header *header)
{
    uint64_t value = header->value_bytes && header->value[0] & 0x80 ? ~0ull : 0;

    for (size_t i = 0; i < header->value_bytes; i++)
        value = value << 8 | header->value[i];
    return (int64_t)value;
}

static void
check_value(const struct eventstream_header *header, const cJSON *expected)
{
    const cJSON *value = cJSON_GetObjectItem(expected, "value");
    char uuid[37];
    uint8_t *bytes;
    size_t count;

    switch (header->type) {
    case EVENTSTREAM_TRUE:
    case EVENTSTREAM_FALSE:
        assert_int_equal(cJSON_IsTrue(value), header->type == EVENTSTREAM_TRUE);
        break;
    case EVENTSTREAM_BYTES:
        bytes = vectors_base64(value->valuestring, &count);
        assert_int_equal(count, header->value_bytes);
        assert_memory_equal(bytes, header->value, count);
        free(bytes);
        break;
    case EVENTSTREAM_STRING:
        assert_int_equal(strlen(value->valuestring), header->value_bytes);
        assert_memory_equal(value->valuestring, header->value,
                            header->value_bytes);
        break;
    case EVENTSTREAM_UUID:
        for (size_t i = 0, at = 0; i < 16; i++)
            at += (size_t)snprintf(uuid + at, sizeof uuid - at, "%s%02x",
                                   i == 4 || i == 6 || i == 8 || i == 10 ? "-"
                                                                         : "",
                                   header->value[i]);
        assert_string_equal(uuid, value->valuestring);
        break;
    default:
        assert_true(integer(header) == (int64_t)value->valuedouble);
        break;
    }
}

static void
check_headers(const struct eventstream_message *message, const cJSON *expected)
{
    const cJSON *item;
    size_t i = 0;

    assert_int_equal(message->header_count, cJSON_GetArraySize(expected));
    cJSON_ArrayForEach(item, expected)
    {
        const struct eventstream_header *header = &message->headers[i++];
        const char *name = vectors_string(item, "name");

        assert_int_equal(header->name_bytes, strlen(name));
        assert_memory_equal(header->name, name, header->name_bytes);
        assert_int_equal(header->type,
                         cJSON_GetObjectItem(item, "type_id")->valueint);
        check_value(header, item);
        assert_non_null(eventstream_find(message, name));
    }
}

static void
check_message(const struct eventstream_message *message, const cJSON *expected)
{
    size_t bytes;
    uint8_t *payload =
        vectors_base64(vectors_string(expected, "payload_b64"), &bytes);

    assert_int_equal(message->payload_bytes, bytes);
    assert_memory_equal(message->payload, payload, bytes);
    free(payload);
    check_headers(message, cJSON_GetObjectItem(expected, "headers"));
}

/* Encoding is the inverse of decoding; one byte less does not do. */
static void
check_encoding(const struct eventstream_message *message,
               const struct seen *seen)
{
    uint8_t *out = malloc(seen->original_bytes);

    assert_non_null(out);
    assert_int_equal(eventstream_encode(message->headers, message->header_count,
                                        message->payload,
                                        message->payload_bytes, out,
                                        seen->original_bytes),
                     seen->original_bytes);
    assert_memory_equal(out, seen->original, seen->original_bytes);
    assert_int_equal(eventstream_encode(message->headers, message->header_count,
                                        message->payload,
                                        message->payload_bytes, out,
                                        seen->original_bytes - 1),
                     0);
    free(out);
}

static void
on_message(void *arg, const struct eventstream_message *message)
{
    struct seen *seen = arg;

    if (seen->expected) {
        const cJSON *expected =
            cJSON_IsArray(seen->expected)
                ? cJSON_GetArrayItem(seen->expected, seen->messages)
                : seen->expected;

        assert_non_null(expected);
        check_message(message, expected);
    }
    if (seen->original)
        check_encoding(message, seen);
    seen->messages++;
}

/* Feeds `bytes` in pieces: the first `first`, then `rest` at a time. */
static enum vr_status
feed(const uint8_t *bytes, size_t count, size_t first, size_t rest,
     struct seen *seen, bool *midway)
{
    struct eventstream_decoder *decoder = eventstream_decoder_new(0);
    enum vr_status status = VR_OK;
    size_t at = 0, step = first;

    assert_non_null(decoder);
    seen->messages = 0;
    while (at < count) {
        /* A copy of exact size, so that a sanitizer sees an overrun. */
        size_t take = step < count - at ? step : count - at;
        uint8_t *piece = malloc(take ? take : 1);

        memcpy(piece, bytes + at, take);
        status = eventstream_decode(decoder, piece, take, on_message, seen);
        free(piece);
        at += take;
        step = rest;
        if (status)
            break;
    }
    assert_true(status ? *eventstream_decoder_error(decoder) != '\0'
                       : *eventstream_decoder_error(decoder) == '\0');
    if (status)
        assert_int_equal(
            eventstream_decode(decoder, bytes, 1, on_message, seen), status);
    *midway = eventstream_decoder_midway(decoder);
    eventstream_decoder_free(&decoder);
    assert_null(decoder);
    return status;
}

/* ---- AWS's cases ---- */

/* A header block as a message of its own. */
static uint8_t *
wrap_block(const uint8_t *block, size_t *bytes)
{
    size_t total = *bytes + EVENTSTREAM_OVERHEAD_BYTES;
    uint8_t *out = calloc(1, total);
    uint32_t words[2] = {(uint32_t)total, (uint32_t)*bytes};

    assert_non_null(out);
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
    words[0] = crc32_update(0, out, 8);
    memcpy(out + 12, block, *bytes);
    for (size_t i = 0; i < 4; i++)
        out[8 + i] = (uint8_t)(words[0] >> (24 - 8 * i));
    words[1] = crc32_update(0, out, total - 4);
    for (size_t i = 0; i < 4; i++)
        out[total - 4 + i] = (uint8_t)(words[1] >> (24 - 8 * i));
    *bytes = total;
    return out;
}

/* valid: true must decode as expected, false must be refused or be noticed as
 * cut, null must only come to an end. */
static void
check_split(const cJSON *valid, const uint8_t *bytes, size_t count,
            size_t first, size_t rest, struct seen *seen, int messages)
{
    bool midway;
    enum vr_status status = feed(bytes, count, first, rest, seen, &midway);

    if (cJSON_IsTrue(valid)) {
        assert_int_equal(status, VR_OK);
        assert_false(midway);
        assert_int_equal(seen->messages, messages);
    } else if (cJSON_IsFalse(valid)) {
        assert_true(status || midway);
    }
}

static void
run_case(const cJSON *vector)
{
    char path[512];
    size_t count;
    const cJSON *valid = cJSON_GetObjectItem(vector, "valid");
    const cJSON *expect = cJSON_GetObjectItem(vector, "expect");
    const char *kind = vectors_string(vector, "kind");
    bool block = !strcmp(kind, "header-block");
    struct seen seen = {0};
    uint8_t *bytes;
    cJSON *wrapped = NULL;

    snprintf(path, sizeof path, "eventstream/%s",
             vectors_string(vector, "file"));
    bytes = (uint8_t *)vectors_read(path, &count);
    if (block) {
        uint8_t *message = wrap_block(bytes, &count);

        free(bytes);
        bytes = message;
        wrapped = cJSON_CreateObject();
        cJSON_AddStringToObject(wrapped, "payload_b64", "");
        cJSON_AddItemToObject(wrapped, "headers", cJSON_Duplicate(expect, 1));
        expect = wrapped;
    }
    if (cJSON_IsTrue(valid))
        seen.expected = expect;
    if (cJSON_IsTrue(valid) && strcmp(kind, "stream") != 0) {
        seen.original = bytes;
        seen.original_bytes = count;
    }
    for (size_t split = 1; split <= count; split++) {
        int messages = cJSON_IsArray(seen.expected)
                           ? cJSON_GetArraySize(seen.expected)
                           : 1;

        check_split(valid, bytes, count, split, count, &seen, messages);
        check_split(valid, bytes, count, split, split, &seen, messages);
    }
    cJSON_Delete(wrapped);
    free(bytes);
}

static void
test_index(void **state)
{
    cJSON *json;
    const cJSON *vector;
    int count = 0;

    (void)state;
    if (!vectors_present("eventstream"))
        skip();
    json = vectors_json("eventstream/index.json");
    cJSON_ArrayForEach(vector, cJSON_GetObjectItem(json, "cases"))
    {
        run_case(vector);
        count++;
    }
    cJSON_Delete(json);
    print_message("%d cases, split at every byte\n", count);
    assert_true(count > 0);
}

/* Data of recorded connections: those that are event streams decode to their
 * end, whatever the splits. */
static int
run_recorded(const char *path)
{
    cJSON *json = vectors_json(path);
    const cJSON *item;
    int messages = 0;

    cJSON_ArrayForEach(item, json)
    {
        const cJSON *action = cJSON_GetObjectItem(item, "action");
        const cJSON *data =
            cJSON_GetObjectItem(cJSON_GetObjectItem(action, "Data"), "data");
        const char *text = vectors_string(data, "Base64");
        struct seen seen = {0};
        uint8_t *bytes;
        size_t count;
        bool midway;

        if (!text || !*text)
            continue;
        bytes = vectors_base64(text, &count);
        for (size_t step = 1; step < 70; step += 3) {
            assert_int_equal(feed(bytes, count, step, step, &seen, &midway),
                             VR_OK);
            assert_false(midway);
            assert_true(seen.messages > 0);
        }
        messages += seen.messages;
        free(bytes);
    }
    cJSON_Delete(json);
    return messages;
}

static void
test_recorded(void **state)
{
    int a, b;

    (void)state;
    if (!vectors_present("eventstream/recorded"))
        skip();
    a = run_recorded("eventstream/recorded/transcribestreaming-error.json");
    b = run_recorded("eventstream/recorded/s3-select-object-content.json");
    print_message("%d and %d messages\n", a, b);
    assert_true(a > 0 && b > 0);
}

/* ---- signed frames of the official SDK ---- */

/* Encodes string headers named in `order`, as they stand in a message. */
static struct eventstream_block
inner_headers(const cJSON *order, uint8_t *out, size_t size)
{
    static const char *const values[][2] = {
        {":message-type", "event"},
        {":event-type", "chunk"},
        {":content-type", "application/json"},
    };
    size_t used = 0;
    const cJSON *name;

    cJSON_ArrayForEach(name, order)
    {
        const char *value = NULL;

        for (size_t i = 0; i < 3; i++) {
            if (!strcmp(values[i][0], name->valuestring))
                value = values[i][1];
        }
        assert_non_null(value);
        assert_true(used + strlen(name->valuestring) + strlen(value) + 4 <=
                    size);
        out[used++] = (uint8_t)strlen(name->valuestring);
        memcpy(out + used, name->valuestring, strlen(name->valuestring));
        used += strlen(name->valuestring);
        out[used++] = EVENTSTREAM_STRING;
        out[used++] = 0;
        out[used++] = (uint8_t)strlen(value);
        memcpy(out + used, value, strlen(value));
        used += strlen(value);
    }
    return (struct eventstream_block){out, used};
}

static struct signer *
stream_signer(const cJSON *json)
{
    struct credentials credentials = {0};
    struct signer *signer;

    snprintf(credentials.access_key_id, sizeof credentials.access_key_id, "%s",
             vectors_string(json, "access_key_id"));
    snprintf(credentials.secret_access_key,
             sizeof credentials.secret_access_key, "%s",
             vectors_string(json, "secret_access_key"));
    signer = signer_new(&credentials, vectors_string(json, "region"),
                        vectors_string(json, "service"));
    assert_non_null(signer);
    assert_int_equal(
        signer_seed(signer, vectors_string(json, "seed_signature")), VR_OK);
    return signer;
}

static size_t
encode_official(struct signer *signer, const cJSON *chunk,
                struct eventstream_block headers, uint8_t *out, size_t capacity)
{
    const char *event = vectors_string(chunk, "event_json");
    int64_t date_ms =
        (int64_t)cJSON_GetObjectItem(chunk, "date_ms")->valuedouble;

    if (!event || !*event)
        return eventstream_encode_end(signer, date_ms, out, capacity);
    return eventstream_encode_event_headed(signer, date_ms, headers, event,
                                           strlen(event), out, capacity);
}

static void
run_official(const char *name)
{
    char path[512];
    uint8_t block[256], *expected, *out;
    struct eventstream_block headers;
    struct signer *signer;
    const cJSON *chunk;
    size_t bytes, at = 0;
    cJSON *json;

    snprintf(path, sizeof path, "eventstream-signing/official-streams/%s",
             name);
    json = vectors_json(path);
    snprintf(strrchr(path, '.'), sizeof ".json", ".bin");
    expected = (uint8_t *)vectors_read(path, &bytes);
    out = malloc(bytes);
    assert_non_null(out);
    signer = stream_signer(json);
    headers = inner_headers(cJSON_GetObjectItem(json, "inner_header_order"),
                            block, sizeof block);
    cJSON_ArrayForEach(chunk, cJSON_GetObjectItem(json, "chunks"))
    {
        size_t size =
            encode_official(signer, chunk, headers, out + at, bytes - at);

        assert_int_equal(size,
                         cJSON_GetObjectItem(chunk, "frame_bytes")->valueint);
        assert_string_equal(signer_last_signature(signer),
                            vectors_string(chunk, "signature"));
        at += size;
    }
    assert_int_equal(at, bytes);
    assert_memory_equal(out, expected, bytes);
    signer_free(&signer);
    free(out);
    free(expected);
    cJSON_Delete(json);
}

static void
test_official_streams(void **state)
{
    char **names;
    int count = 0;

    (void)state;
    if (!vectors_present("eventstream-signing/official-streams"))
        skip();
    names = vectors_names("eventstream-signing/official-streams");
    for (char **name = names; *name; name++) {
        if (!strstr(*name, ".json"))
            continue;
        run_official(*name);
        count++;
    }
    vectors_names_free(names);
    print_message("%d streams\n", count);
    assert_true(count > 0);
}

/* ---- known answers and contracts ---- */

static const char kat_seed[] =
    "fb917d0ad2ea74ff7de4732e9749a4f799441741c08defa313ed75b11db9e9fe";
static const char kat_frame[] =
    "000000de00000043bc320e7b053a64617465080000019b76daa800103a6368756e6b2d73"
    "69676e617475726506002080c6991a35db8ea0a1218a6509001f3f399428c0c3789aa4e3"
    "e16c516983da7d"
    "0000008b0000004b421ac6f20d3a6d6573736167652d747970650700056576656e740b3a"
    "6576656e742d747970650700056368756e6b0d3a636f6e74656e742d7479706507001061"
    "70706c69636174696f6e2f6a736f6e7b226279746573223a2265794a6c646d5675644349"
    "3665794a7a5a584e7a615739755257356b496a703766583139227d8f5d65132c633305";
static const char kat_end[] =
    "0000005300000043f5447a58053a64617465080000019b76daa800103a6368756e6b2d73"
    "69676e617475726506002058af5e7f3d6b50fbdeab4f4038dab3f817015a09d13efa8602"
    "54083a48b4b5927d08954b";

static struct signer *
kat_signer(void)
{
    static const struct credentials credentials = {
        .access_key_id = "AKIDEXAMPLE",
        .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
    struct signer *signer = signer_new(&credentials, "us-east-1", "bedrock");

    assert_non_null(signer);
    assert_int_equal(signer_seed(signer, kat_seed), VR_OK);
    return signer;
}

static void
test_known_answer(void **state)
{
    static const char event[] = "{\"event\":{\"sessionEnd\":{}}}";
    struct signer *signer = kat_signer();
    uint8_t out[222], expected[222];

    (void)state;
    assert_int_equal(eventstream_event_bound(sizeof event - 1), 222);
    assert_int_equal(eventstream_encode_event(signer, 1767225600000, event,
                                              sizeof event - 1, out, 221),
                     0);
    assert_string_equal(signer_last_signature(signer), kat_seed);
    assert_int_equal(eventstream_encode_event(signer, 1767225600000, event,
                                              sizeof event - 1, out, 222),
                     222);
    vectors_hex(kat_frame, expected, sizeof expected);
    assert_memory_equal(out, expected, 222);
    assert_int_equal(eventstream_encode_end(signer, 1767225600000, out, 82), 0);
    assert_int_equal(eventstream_encode_end(signer, 1767225600000, out, 83),
                     EVENTSTREAM_END_BYTES);
    vectors_hex(kat_end, expected, sizeof expected);
    assert_memory_equal(out, expected, 83);
    signer_free(&signer);
}

static void
test_event_size_is_limited(void **state)
{
    size_t most = EVENTSTREAM_EVENT_BYTES_MAX;
    size_t capacity = eventstream_event_bound(most + 1);
    struct signer *signer = kat_signer();
    uint8_t *out = malloc(capacity);
    char *json = malloc(most + 1);

    (void)state;
    assert_true(out && json);
    memset(json, ' ', most + 1);
    assert_int_equal(
        eventstream_encode_event(signer, 0, json, most + 1, out, capacity), 0);
    assert_string_equal(signer_last_signature(signer), kat_seed);
    assert_int_equal(
        eventstream_encode_event(signer, 0, json, most, out, capacity),
        eventstream_event_bound(most));
    free(json);
    free(out);
    signer_free(&signer);
}

static void
test_crc(void **state)
{
    uint8_t bytes[300], *copy;
    uint32_t slow = 0;

    (void)state;
    assert_int_equal(crc32_update(0, (const uint8_t *)"123456789", 9),
                     0xcbf43926u);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    /* Long pieces take another way than single bytes. */
    for (size_t count = 0; count < sizeof bytes; count++) {
        copy = malloc(count + 1);
        assert_non_null(copy);
        memcpy(copy, bytes, count);
        assert_int_equal(crc32_update(0, copy, count), slow);
        for (size_t split = 0; split <= count; split += 7)
            assert_int_equal(crc32_update(crc32_update(0, copy, split),
                                          copy + split, count - split),
                             slow);
        free(copy);
        slow = crc32_update(slow, bytes + count, 1);
    }
}

/* ---- limits ---- */

static void
put_prelude(uint8_t out[12], uint32_t total, uint32_t headers)
{
    uint32_t words[3] = {total, headers, 0};

    for (size_t i = 0; i < 12; i++) {
        if (i == 8)
            words[2] = crc32_update(0, out, 8);
        out[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
    }
}

static void
test_limits_from_the_prelude(void **state)
{
    static const struct {
        size_t limit_bytes;
        uint32_t total, headers;
        enum vr_status status;
    } cases[] = {
        {0, 16 + 131072, 131072, VR_OK},
        {0, 16 + 131073, 131073, VR_LIMIT},
        {0, 16 + 16777216, 0, VR_OK},
        {0, 16 + 16777217, 0, VR_LIMIT},
        {0, 16 + 131072 + 16777216, 131072, VR_OK},
        {0, UINT32_MAX, 0, VR_LIMIT},
        {0, UINT32_MAX, UINT32_MAX, VR_CORRUPT},
        {0, 15, 0, VR_CORRUPT},
        {0, 16, 1, VR_CORRUPT},
        {0, 0, 0, VR_CORRUPT},
        {4096, 4096, 0, VR_OK},
        {4096, 4097, 0, VR_LIMIT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eventstream_decoder *decoder =
            eventstream_decoder_new(cases[i].limit_bytes);
        struct seen seen = {0};
        uint8_t prelude[12];

        put_prelude(prelude, cases[i].total, cases[i].headers);
        assert_int_equal(
            eventstream_decode(decoder, prelude, 12, on_message, &seen),
            cases[i].status);
        assert_int_equal(seen.messages, 0);
        eventstream_decoder_free(&decoder);
    }
}

static void
test_error_names_the_place(void **state)
{
    struct eventstream_decoder *decoder = eventstream_decoder_new(0);
    struct seen seen = {0};
    uint8_t bytes[32];

    (void)state;
    assert_int_equal(eventstream_encode(NULL, 0, NULL, 0, bytes, 32), 16);
    memcpy(bytes + 16, bytes, 16);
    bytes[16 + 15] ^= 1;
    assert_int_equal(eventstream_decode(decoder, bytes, 32, on_message, &seen),
                     VR_CORRUPT);
    assert_int_equal(seen.messages, 1);
    assert_string_equal(
        eventstream_decoder_error(decoder),
        "event-stream message at byte 16, offset 12: message CRC 7d98c8fe, "
        "computed 7d98c8ff");
    eventstream_decoder_free(&decoder);
    eventstream_decoder_free(&decoder);
}

static void
test_what_may_not_be_encoded(void **state)
{
    static const uint8_t value[40000];
    static const struct eventstream_header bad[] = {
        {"", 0, EVENTSTREAM_STRING, 1, value},
        {"n", 1, 10, 1, value},
        {"n", 1, EVENTSTREAM_INT32, 3, value},
        {"n", 1, EVENTSTREAM_TRUE, 1, value},
        {"n", 1, EVENTSTREAM_BYTES, 32768, value},
    };
    struct eventstream_header many[EVENTSTREAM_HEADERS_MAX + 1];
    static uint8_t out[80000];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            eventstream_encode(&bad[i], 1, NULL, 0, out, sizeof out), 0);
    for (size_t i = 0; i <= EVENTSTREAM_HEADERS_MAX; i++)
        many[i] =
            (struct eventstream_header){"n", 1, EVENTSTREAM_TRUE, 0, NULL};
    assert_int_equal(eventstream_encode(many, EVENTSTREAM_HEADERS_MAX + 1, NULL,
                                        0, out, sizeof out),
                     0);
    assert_true(eventstream_encode(many, EVENTSTREAM_HEADERS_MAX, NULL, 0, out,
                                   sizeof out) > 0);
}

static void
test_header_is(void **state)
{
    struct eventstream_header header = {":e", 2, EVENTSTREAM_STRING, 5,
                                        (const uint8_t *)"cHunk"};

    (void)state;
    assert_true(eventstream_header_is(&header, "Chunk"));
    assert_false(eventstream_header_is(&header, "chun"));
    assert_false(eventstream_header_is(&header, "chunks"));
    header.type = EVENTSTREAM_BYTES;
    assert_false(eventstream_header_is(&header, "chunk"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_event_size_is_limited),
        cmocka_unit_test(test_limits_from_the_prelude),
        cmocka_unit_test(test_error_names_the_place),
        cmocka_unit_test(test_what_may_not_be_encoded),
        cmocka_unit_test(test_header_is),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_official_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
