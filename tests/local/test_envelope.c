/* What is around one event: the base64 payload, the headers of both frames,
 * and the frames that go out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/local/envelope.h"
#include "tests/local/client_signer.h"

static struct bytes json;
static char problem[ENVELOPE_PROBLEM_BYTES];

static int
setup(void **state)
{
    (void)state;
    bytes_init(&json, ENVELOPE_FRAME_BYTES_MAX);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    bytes_fini(&json);
    return 0;
}

static enum envelope_kind
payload(const char *text)
{
    return envelope_payload((const uint8_t *)text, strlen(text), &json,
                            problem);
}

static void
good_payloads(void **state)
{
    static const char *const cases[][2] = {
        {"{\"bytes\":\"aGVsbG8=\"}", "hello"},
        {"{\"bytes\":\"aGVsbG8h\"}", "hello!"},
        {"{\"bytes\":\"aGVsbA==\"}", "hell"},
        {"{\"bytes\":\"\"}", ""},
        {" {\t\"bytes\" :\n\"aGVsbG8=\" }\r\n", "hello"},
        {"{\"bytes\":\"\\u0061GVsbG8=\"}", "hello"},
        {"{\"bytes\":\"Pz8\\/Pz8\\/\"}", "?\?\?\?\?\?"},
        {"{\"\\u0062ytes\":\"aGVsbG8=\"}", "hello"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (payload(cases[i][0]) != ENVELOPE_EVENT)
            fail_msg("%s: %s", cases[i][0], problem);
        assert_int_equal(json.count, strlen(cases[i][1]));
        assert_memory_equal(json.data, cases[i][1], json.count);
    }
}

static void
bad_payloads(void **state)
{
    static const char *const cases[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "\"aGVsbG8=\"",
                                        "{}",
                                        "{\"bytes\":5}",
                                        "{\"bytes\":null}",
                                        "{\"Bytes\":\"aGVsbG8=\"}",
                                        "{\"bytes\":\"aGVsbG8=\",\"p\":\"a\"}",
                                        "{\"bytes\":\"aGVsbG8=\"} x",
                                        "{\"bytes\":\"aGVsbG8=\"",
                                        "{\"bytes\":\"aGVsbG8\"}",
                                        "{\"bytes\":\"aGVsbG8*\"}",
                                        "{\"bytes\":\"aGVs bG8\"}",
                                        "{\"bytes\":\" aGVsbG8=\"}",
                                        "{\"bytes\":\"aGVsbG8= \"}",
                                        "{\"bytes\":\"a===\"}",
                                        "{\"bytes\":\"====\"}",
                                        "{\"bytes\":\"aG=sbG8=\"}",
                                        "{\"bytes\":\"aGVsbG8=aGVsbG8=\"}",
                                        "{\"bytes\":\"aGVsbG8-\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        problem[0] = '\0';
        if (payload(cases[i]) != ENVELOPE_BAD)
            fail_msg("%s is taken", cases[i]);
        assert_true(problem[0] != '\0');
    }
}

static void
largest_event(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t size = ENVELOPE_EVENT_BYTES_MAX + extra, inner_bytes;
        char *text = calloc(1, size);
        uint8_t *inner = client_inner(text, size, &inner_bytes);
        struct framing_frame frame;
        assert_true(framing_parse(inner, inner_bytes, &frame, problem));
        /* The whole outer frame of the largest event must be taken too. */
        assert_true(extra || inner_bytes + 100 < ENVELOPE_FRAME_BYTES_MAX);
        assert_int_equal(envelope_payload(frame.payload, frame.payload_bytes,
                                          &json, problem),
                         extra ? ENVELOPE_BAD : ENVELOPE_EVENT);
        assert_true(extra || json.count == ENVELOPE_EVENT_BYTES_MAX);
        free(text);
        free(inner);
    }
}

/* ---- outer and inner frames ---- */

static struct client_signer signer;
static struct chain chain;

static void
start_chain(void)
{
    client_signer_init(&signer);
    snprintf(signer.prior, sizeof(signer.prior), "%064d", 7);
    chain_init(&chain, signer.secret, signer.region, signer.service,
               signer.prior);
}

/* Opens a signed frame around `inner`, dated `date_ms`, at time 0 + 10 min. */
static enum envelope_kind
open_at(const void *inner, size_t inner_bytes, int64_t date_ms, int64_t now_ms)
{
    size_t bytes;
    struct framing_frame outer;
    uint8_t *frame =
        client_sign_frame(&signer, date_ms, inner, inner_bytes, &bytes);
    assert_true(framing_parse(frame, bytes, &outer, problem));
    enum envelope_kind kind =
        envelope_open(&chain, &outer, now_ms, &json, problem);
    free(frame);
    return kind;
}

static void
signed_frames(void **state)
{
    const int64_t now_ms = 1767225600000, five_minutes_ms = 300000;
    size_t inner_bytes;
    (void)state;
    start_chain();
    uint8_t *inner = client_inner("{}", 2, &inner_bytes);
    assert_int_equal(open_at(inner, inner_bytes, now_ms, now_ms),
                     ENVELOPE_EVENT);
    assert_memory_equal(json.data, "{}", 2);
    assert_int_equal(
        open_at(inner, inner_bytes, now_ms - five_minutes_ms, now_ms),
        ENVELOPE_EVENT);
    assert_int_equal(
        open_at(inner, inner_bytes, now_ms + five_minutes_ms, now_ms),
        ENVELOPE_EVENT);
    assert_int_equal(open_at("", 0, now_ms, now_ms), ENVELOPE_END);
    assert_int_equal(
        open_at(inner, inner_bytes, now_ms - five_minutes_ms - 1, now_ms),
        ENVELOPE_BAD_SIGNATURE);
    /* That one did not advance the chain, but the client's is ahead now. */
    assert_int_equal(open_at(inner, inner_bytes, now_ms, now_ms),
                     ENVELOPE_BAD_SIGNATURE);
    start_chain();
    assert_int_equal(
        open_at(inner, inner_bytes, now_ms + five_minutes_ms + 1, now_ms),
        ENVELOPE_BAD_SIGNATURE);
    free(inner);
}

/* Opens a frame with these headers around "{}", unsigned. */
static enum envelope_kind
open_with(const uint8_t *headers, size_t header_bytes)
{
    size_t bytes;
    struct framing_frame outer;
    uint8_t *frame = client_frame(headers, header_bytes, "{}", 2, &bytes);
    assert_true(framing_parse(frame, bytes, &outer, problem));
    enum envelope_kind kind = envelope_open(&chain, &outer, 0, &json, problem);
    free(frame);
    return kind;
}

static void
outer_headers(void **state)
{
    static const uint8_t date[] = "\x05:date\x08\0\0\0\0\0\0\0";
    static const uint8_t date_as_text[] = "\x05:date\x07\0\x01"
                                          "a";
    uint8_t both[15 + 20 + 31 + 2] = "\x05:date\x08";
    (void)state;
    start_chain();
    assert_int_equal(open_with(date, 0), ENVELOPE_BAD);
    assert_non_null(strstr(problem, ":date"));
    assert_int_equal(open_with(date_as_text, sizeof(date_as_text) - 1),
                     ENVELOPE_BAD);
    assert_int_equal(open_with(date, sizeof(date)), ENVELOPE_BAD);
    assert_non_null(strstr(problem, ":chunk-signature"));
    /* A signature of 31 bytes. */
    memcpy(both + 15, "\x10:chunk-signature\x06\x00\x1f", 20);
    assert_int_equal(open_with(both, 15 + 20 + 31), ENVELOPE_BAD);
    assert_non_null(strstr(problem, "32 bytes"));
}

static void
extra_outer_header(void **state)
{
    uint8_t headers[15 + 20 + 32 + 3] = "\x05:date\x08";
    (void)state;
    start_chain();
    memcpy(headers + 15, "\x10:chunk-signature\x06\x00\x20", 20);
    memcpy(headers + 67, "\x01x\x00", 3);
    assert_int_equal(open_with(headers, sizeof(headers)), ENVELOPE_BAD);
    assert_non_null(strstr(problem, "3 headers"));
}

static enum envelope_kind
inner_with(const uint8_t *headers, size_t header_bytes)
{
    const char text[] = "{\"bytes\":\"e30=\"}";
    size_t inner_bytes;
    start_chain();
    uint8_t *inner = client_frame(headers, header_bytes, text, sizeof(text) - 1,
                                  &inner_bytes);
    enum envelope_kind kind = open_at(inner, inner_bytes, 0, 0);
    free(inner);
    return kind;
}

#define MESSAGE                     \
    "\x0d:message-type\x07\x00\x05" \
    "event"
#define EVENT                     \
    "\x0b:event-type\x07\x00\x05" \
    "chunk"
#define CONTENT                     \
    "\x0d:content-type\x07\x00\x10" \
    "application/json"

static void
inner_headers(void **state)
{
#define INNER(text) inner_with((const uint8_t *)(text), sizeof(text) - 1)
    (void)state;
    assert_int_equal(INNER(MESSAGE EVENT CONTENT), ENVELOPE_EVENT);
    assert_int_equal(INNER(CONTENT EVENT MESSAGE), ENVELOPE_EVENT);
    assert_int_equal(INNER(MESSAGE EVENT), ENVELOPE_BAD);
    assert_int_equal(INNER(EVENT CONTENT), ENVELOPE_BAD);
    assert_int_equal(INNER(MESSAGE CONTENT), ENVELOPE_BAD);
    assert_int_equal(INNER(MESSAGE EVENT CONTENT "\x01x\x00"), ENVELOPE_BAD);
    assert_int_equal(INNER(MESSAGE CONTENT "\x0b:event-type\x07\x00\x05"
                                           "Chunk"),
                     ENVELOPE_BAD);
    assert_int_equal(INNER(MESSAGE CONTENT "\x0b:event-type\x06\x00\x05"
                                           "chunk"),
                     ENVELOPE_BAD);
#undef INNER
}

/* ---- sealing ---- */

static void
sealed_events(void **state)
{
    const char text[] = "{\"event\":{\"usageEvent\":{}}}";
    (void)state;
    for (size_t padding = 0; padding <= ENVELOPE_PADDING_MAX + 1; padding++) {
        struct bytes out;
        struct framing_frame frame;
        char right[256];
        size_t padded =
            padding < ENVELOPE_PADDING_MAX ? padding : ENVELOPE_PADDING_MAX;
        bytes_init(&out, 4096);
        envelope_seal(&out, text, strlen(text), padding);
        assert_true(framing_parse(out.data, out.count, &frame, problem));
        assert_int_equal(frame.header_count, 3);
        assert_true(
            framing_header_is(framing_find(&frame, ":event-type"), "chunk"));
        assert_true(
            framing_header_is(framing_find(&frame, ":message-type"), "event"));
        snprintf(right, sizeof(right),
                 "{\"bytes\":\"eyJldmVudCI6eyJ1c2FnZUV2ZW50Ijp7fX19\","
                 "\"p\":\"%.*s\"}",
                 (int)padded,
                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                 "0123456789");
        assert_int_equal(frame.payload_bytes, strlen(right));
        assert_memory_equal(frame.payload, right, frame.payload_bytes);
        bytes_fini(&out);
    }
}

static void
sealed_exceptions(void **state)
{
    struct bytes out;
    struct framing_frame frame;
    (void)state;
    bytes_init(&out, 4096);
    envelope_seal_exception(&out, "modelTimeoutException", "It \"took\" long");
    assert_true(framing_parse(out.data, out.count, &frame, problem));
    assert_true(
        framing_header_is(framing_find(&frame, ":message-type"), "exception"));
    assert_true(framing_header_is(framing_find(&frame, ":exception-type"),
                                  "modelTimeoutException"));
    const char right[] = "{\"message\":\"It \\\"took\\\" long\"}";
    assert_int_equal(frame.payload_bytes, sizeof(right) - 1);
    assert_memory_equal(frame.payload, right, sizeof(right) - 1);
    bytes_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_payloads, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_payloads, setup, teardown),
        cmocka_unit_test_setup_teardown(largest_event, setup, teardown),
        cmocka_unit_test_setup_teardown(signed_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(outer_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(extra_outer_header, setup, teardown),
        cmocka_unit_test_setup_teardown(inner_headers, setup, teardown),
        cmocka_unit_test(sealed_events),
        cmocka_unit_test(sealed_exceptions)};
    return cmocka_run_group_tests_name("local/envelope", tests, NULL, NULL);
}
