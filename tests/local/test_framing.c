/* The endpoint's framing against AWS' vectors, its limits, and every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/local/framing.h"
#include "tests/local/client_signer.h"
#include "tests/local/vectors.h"

#define LIMIT_BYTES (16 * 1024 * 1024)

/* What a decoder gave: frames one after the other, printed. */
struct taken {
    size_t count;
    const cJSON *expect; /* a message, or an array of them */
};

/* ---- comparing with what a vector expects ---- */

static int64_t
number_of(const struct framing_header *header)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < header->value_bytes; i++)
        bits = bits << 8 | header->value[i];
    unsigned unused = 64 - 8u * header->value_bytes;
    return unused < 64 ? (int64_t)(bits << unused) >> unused : 0;
}

static void
check_bytes(const struct framing_header *header, const cJSON *value)
{
    size_t bytes;
    uint8_t *right = vectors_base64(value->valuestring, &bytes);
    assert_int_equal(header->value_bytes, bytes);
    assert_memory_equal(header->value, right, bytes);
    free(right);
}

static void
check_uuid(const struct framing_header *header, const char *right)
{
    char text[40] = "";
    assert_int_equal(header->value_bytes, 16);
    for (int i = 0; i < 16; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%02x",
                 i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                 header->value[i]);
    assert_string_equal(text, right);
}

static void
check_header(const struct framing_header *header, const cJSON *expect)
{
    const cJSON *value = cJSON_GetObjectItem(expect, "value");
    const char *name = vectors_text(expect, "name");
    int type = cJSON_GetObjectItem(expect, "type_id")->valueint;
    assert_int_equal(header->name_bytes, strlen(name));
    assert_memory_equal(header->name, name, header->name_bytes);
    assert_int_equal(header->type, type);
    switch (type) {
    case FRAMING_TRUE:
    case FRAMING_FALSE:
        assert_int_equal(header->value_bytes, 0);
        break;
    case FRAMING_BYTES:
        check_bytes(header, value);
        break;
    case FRAMING_STRING:
        assert_true(framing_header_is(header, value->valuestring));
        break;
    case FRAMING_UUID:
        check_uuid(header, value->valuestring);
        break;
    default:
        assert_true((double)number_of(header) == value->valuedouble);
    }
}

static void
check_headers(const struct framing_frame *frame, const cJSON *expect)
{
    size_t i = 0;
    const cJSON *header;
    assert_int_equal(frame->header_count, cJSON_GetArraySize(expect));
    cJSON_ArrayForEach(header, expect)
        check_header(&frame->headers[i++], header);
}

static bool
check_frame(void *arg, const struct framing_frame *frame)
{
    struct taken *taken = arg;
    const cJSON *expect = taken->expect;
    if (cJSON_IsArray(expect))
        expect = cJSON_GetArrayItem(expect, (int)taken->count);
    taken->count++;
    if (expect == NULL)
        return true;
    const cJSON *payload = cJSON_GetObjectItem(expect, "payload_b64");
    check_headers(frame, cJSON_GetObjectItem(expect, "headers"));
    if (cJSON_IsString(payload)) {
        size_t bytes;
        uint8_t *right = vectors_base64(payload->valuestring, &bytes);
        assert_int_equal(frame->payload_bytes, bytes);
        assert_memory_equal(frame->payload, right, bytes);
        free(right);
    }
    return true;
}

/* ---- vectors ---- */

static void
check_header_block(const uint8_t *data, size_t bytes, const cJSON *item,
                   const char *name)
{
    size_t frame_bytes;
    char problem[FRAMING_PROBLEM_BYTES];
    struct framing_frame frame;
    uint8_t *whole = client_frame(data, bytes, "", 0, &frame_bytes);
    bool good = framing_parse(whole, frame_bytes, &frame, problem);
    if (good != cJSON_IsTrue(cJSON_GetObjectItem(item, "valid")))
        fail_msg("%s: %s", name, good ? "taken" : problem);
    if (good)
        check_headers(&frame, cJSON_GetObjectItem(item, "expect"));
    free(whole);
}

/* Pushes the bytes in steps of `step`; what is whole is compared. */
static bool
push_in_steps(const uint8_t *data, size_t bytes, size_t step,
              struct taken *taken, bool *midway)
{
    struct framing_decoder decoder;
    bool good = true;
    framing_decoder_init(&decoder, LIMIT_BYTES);
    for (size_t i = 0; i < bytes && good; i += step)
        good = framing_push(&decoder, data + i,
                            bytes - i < step ? bytes - i : step, check_frame,
                            taken);
    *midway = framing_midway(&decoder);
    assert_true(good || decoder.problem[0] != '\0');
    framing_decoder_fini(&decoder);
    return good;
}

static void
check_stream(const uint8_t *data, size_t bytes, const cJSON *item,
             const char *name)
{
    static const size_t steps[] = {1, 3, 7, 4096, SIZE_MAX / 2};
    const cJSON *expect = cJSON_GetObjectItem(item, "expect");
    bool valid = cJSON_IsTrue(cJSON_GetObjectItem(item, "valid"));
    bool open = cJSON_IsNull(cJSON_GetObjectItem(item, "valid"));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct taken taken = {0, valid ? expect : NULL};
        bool midway;
        bool good = push_in_steps(data, bytes, steps[i], &taken, &midway);
        if (open)
            continue;
        if (valid != (good && !midway))
            fail_msg("%s in steps of %zu: %s", name, steps[i],
                     valid ? "refused" : "taken");
        if (valid && cJSON_IsArray(expect))
            assert_int_equal(taken.count, cJSON_GetArraySize(expect));
    }
}

static void
vectors(void **state)
{
    cJSON *index = vectors_json("eventstream/index.json");
    const cJSON *item;
    size_t count = 0;
    (void)state;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(index, "cases"))
    {
        char path[256];
        size_t bytes;
        const char *name = vectors_text(item, "name");
        snprintf(path, sizeof(path), "eventstream/%s",
                 vectors_text(item, "file"));
        uint8_t *data = vectors_read(path, &bytes);
        assert_non_null(data);
        if (strcmp(vectors_text(item, "kind"), "header-block") == 0)
            check_header_block(data, bytes, item, name);
        else
            check_stream(data, bytes, item, name);
        free(data);
        count++;
    }
    cJSON_Delete(index);
    assert_true(count > 0);
    print_message("%zu vectors\n", count);
}

/* ---- limits ---- */

static void
announced_size_is_refused_at_once(void **state)
{
    size_t bytes;
    (void)state;
    uint8_t *big = calloc(1, 2000);
    uint8_t *frame = client_frame((const uint8_t *)"", 0, big, 2000, &bytes);
    struct framing_decoder decoder;
    struct taken taken = {0, NULL};
    framing_decoder_init(&decoder, 2015);
    assert_true(framing_push(&decoder, frame, 11, check_frame, &taken));
    assert_false(framing_push(&decoder, frame + 11, 1, check_frame, &taken));
    assert_non_null(strstr(decoder.problem, "2016 bytes are announced"));
    assert_null(decoder.held.data);
    assert_false(framing_push(&decoder, frame, bytes, check_frame, &taken));
    assert_int_equal(taken.count, 0);
    framing_decoder_fini(&decoder);
    free(big);
    free(frame);
}

static void
many_headers(void **state)
{
    uint8_t headers[FRAMING_HEADER_COUNT_MAX + 1][3];
    size_t bytes;
    char problem[FRAMING_PROBLEM_BYTES];
    struct framing_frame frame;
    (void)state;
    for (int i = 0; i <= FRAMING_HEADER_COUNT_MAX; i++) {
        headers[i][0] = 1;
        headers[i][1] = (uint8_t)('A' + i);
        headers[i][2] = FRAMING_TRUE;
    }
    for (int extra = 0; extra < 2; extra++) {
        size_t header_bytes =
            (size_t)(FRAMING_HEADER_COUNT_MAX + extra) * sizeof(headers[0]);
        uint8_t *whole = client_frame(headers[0], header_bytes, "", 0, &bytes);
        assert_int_equal(framing_parse(whole, bytes, &frame, problem),
                         extra == 0);
        free(whole);
    }
    assert_non_null(strstr(problem, "more than"));
}

static void
written_frames_are_read_again(void **state)
{
    struct bytes out;
    struct framing_writer writer;
    struct framing_frame frame;
    char problem[FRAMING_PROBLEM_BYTES];
    (void)state;
    bytes_init(&out, 4096);
    bytes_add_text(&out, "before");
    framing_write_start(&writer, &out);
    framing_write_string(&writer, ":a", "one");
    framing_write_string(&writer, ":b", "");
    framing_write_payload_start(&writer);
    bytes_add_text(&out, "payload");
    framing_write_end(&writer);
    assert_false(out.failed);
    assert_true(framing_parse(out.data + 6, out.count - 6, &frame, problem));
    assert_int_equal(frame.header_count, 2);
    assert_true(framing_header_is(framing_find(&frame, ":a"), "one"));
    assert_true(framing_header_is(framing_find(&frame, ":b"), ""));
    assert_null(framing_find(&frame, ":c"));
    assert_int_equal(frame.payload_bytes, 7);
    assert_memory_equal(frame.payload, "payload", 7);
    bytes_fini(&out);
}

static void
writing_without_room_fails(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 40; limit++) {
        struct bytes out;
        struct framing_writer writer;
        bytes_init(&out, limit);
        framing_write_start(&writer, &out);
        framing_write_string(&writer, ":name", "value");
        framing_write_payload_start(&writer);
        bytes_add_text(&out, "payload");
        framing_write_end(&writer);
        assert_int_equal(out.failed, limit < 16 + 14 + 7);
        bytes_fini(&out);
    }
}

static void
crc_is_zlibs(void **state)
{
    (void)state;
    assert_int_equal(framing_crc32((const uint8_t *)"123456789", 9),
                     0xcbf43926u);
    assert_int_equal(framing_crc32((const uint8_t *)"", 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(announced_size_is_refused_at_once),
        cmocka_unit_test(many_headers),
        cmocka_unit_test(written_frames_are_read_again),
        cmocka_unit_test(writing_without_room_fails),
        cmocka_unit_test(crc_is_zlibs)};
    return cmocka_run_group_tests_name("local/framing", tests, NULL, NULL);
}
