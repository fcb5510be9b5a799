/* How streams end, over a wire of memory: by the server's word, by a cut, by
 * damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "tests/bedrock/scene.h"

/* ---- ends ---- */

static void
test_end_stream_early(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_end_stream, false, "before our end");
    scene_close(&s);
}

static void
test_cut_in_a_message(void **state)
{
    struct scene s;
    uint8_t frame[512];

    (void)state;
    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    size_t bytes = frame_event("{}", frame, sizeof(frame));
    fake_h2_data(s.wire.h2, frame, bytes - 5);
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_end_stream, false,
                       "in the middle of a message");
    scene_close(&s);
}

static void
test_resets(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    fake_h2_rst(s.wire.h2, NGHTTP2_INTERNAL_ERROR);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_rst_stream, false,
                       "INTERNAL_ERROR (2) before");
    assert_int_equal(s.record.end.h2_error, NGHTTP2_INTERNAL_ERROR);
    scene_close(&s);

    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    fake_h2_rst(s.wire.h2, NGHTTP2_NO_ERROR);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_rst_stream, true, "NO_ERROR (0) after");
    scene_close(&s);

    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    fake_h2_rst(s.wire.h2, NGHTTP2_CANCEL);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_rst_stream, false, "CANCEL (8) after");
    scene_close(&s);
}

static void
test_fins(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    s.wire.peer_closed = true;
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_fin, false, "before our end");
    scene_close(&s);

    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    s.wire.peer_closed = true;
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_fin, true, "after our end");
    scene_close(&s);
}

static void
test_goaways(void **state)
{
    struct scene s;

    (void)state;
    /* One that leaves the stream out. */
    scene_start(&s);
    fake_h2_goaway(s.wire.h2, 0, NGHTTP2_ENHANCE_YOUR_CALM, "too_many");
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_goaway, false,
                       "ENHANCE_YOUR_CALM (11): too_many");
    scene_close(&s);

    /* One that lets it go on, until the connection closes. */
    scene_accept(&s);
    fake_h2_goaway(s.wire.h2, 1, NGHTTP2_NO_ERROR, "");
    scene_serve(&s, "{}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.ends, 0);
    assert_int_equal(s.record.events, 1);
    scene_say(&s, "{\"still\":1}");
    s.wire.peer_closed = true;
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_goaway, false,
                       "NO_ERROR (0) and closed");
    scene_close(&s);
}

static void
test_exceptions(void **state)
{
    struct scene s;
    uint8_t frame[512];

    (void)state;
    scene_accept(&s);
    fake_h2_data(s.wire.h2, frame,
                 frame_make("exception", ":exception-type",
                            "validationException",
                            "{\"message\":\"No open prompt\\n\\u00e9\"}", frame,
                            sizeof(frame)));
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_exception, false,
                       "No open prompt \xc3\xa9");
    assert_string_equal(s.record.end.code, "validationException");
    assert_string_equal(s.record.end.request_id, "req-1");
    scene_close(&s);

    scene_accept(&s);
    fake_h2_data(
        s.wire.h2, frame,
        frame_make("error", ":error-code", "500", "", frame, sizeof(frame)));
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_exception, false, "");
    assert_string_equal(s.record.end.code, "500");
    scene_close(&s);
}

static void
refuse(struct scene *s, const char *status, const char *errortype,
       const char *body)
{
    const char *const fields[] = {"content-type",
                                  "application/json",
                                  "x-amzn-requestid",
                                  "req-2",
                                  errortype ? "x-amzn-errortype" : NULL,
                                  errortype,
                                  NULL};
    scene_start(s);
    fake_h2_respond(s->wire.h2, status, fields, false);
    fake_h2_data(s->wire.h2, body, strlen(body));
    fake_wire_deliver(&s->wire);
    assert_int_equal(s->record.ends, 0);
}

static void
test_refusals(void **state)
{
    struct scene s;

    (void)state;
    refuse(&s, "403", "ExpiredTokenException:http://internal/",
           "{\"message\":\"The security token is expired\"}");
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_http_status, false, "token is expired");
    assert_string_equal(s.record.end.code, "ExpiredTokenException");
    assert_int_equal(s.record.end.http_status, 403);
    assert_string_equal(s.record.end.request_id, "req-2");
    scene_close(&s);

    /* The code in the body, the end by RST. */
    refuse(
        &s, "400", NULL,
        "{\"__type\":\"com.amazon#ValidationException\",\"Message\":\"no\"}");
    fake_h2_rst(s.wire.h2, NGHTTP2_NO_ERROR);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_http_status, false, "no");
    assert_string_equal(s.record.end.code, "ValidationException");
    scene_close(&s);

    /* No end at all, and no JSON. */
    refuse(&s, "502", NULL, "<html>");
    fake_wire_pass(&s.wire, 900);
    assert_int_equal(s.record.ends, 0);
    fake_wire_pass(&s.wire, 200);
    scene_assert_ended(&s, BEDROCK_END_http_status, false,
                       "HTTP 502, body: <html>");
    scene_close(&s);

    /* No body, and the connection cut. */
    refuse(&s, "429", "ThrottlingException", "");
    s.wire.recv_fails = true;
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_http_status, false, "HTTP 429 without");
    scene_close(&s);
}

static void
test_endless_refusal_body(void **state)
{
    struct scene s;
    static char body[200000];

    (void)state;
    memset(body, 'x', sizeof(body) - 1);
    refuse(&s, "500", NULL, body);
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_http_status, false,
                       "HTTP 500, body: xxx");
    scene_close(&s);
}

static void
test_wrong_content_type(void **state)
{
    static const char *const html[] = {"content-type", "text/html", NULL};
    struct scene s;

    (void)state;
    scene_start(&s);
    fake_h2_respond(s.wire.h2, "200", html, false);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_bad_frame, false, "text/html");
    assert_int_equal(s.record.responses, 0);
    scene_close(&s);
}

static void
test_bad_frames(void **state)
{
    static const uint8_t huge[12] = {0x7f, 0xff, 0xff, 0xff, 0,    0,
                                     0,    0,    0x9c, 0x24, 0x2c, 0x54};
    struct scene s;
    uint8_t frame[512];

    (void)state;
    /* Refused at the prelude, nothing of it awaited. */
    scene_accept(&s);
    fake_h2_data(s.wire.h2, huge, sizeof(huge));
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_bad_frame, false,
                       "Malformed event stream");
    assert_true(s.wire.h2->reset);
    assert_int_equal(s.wire.h2->reset_code, NGHTTP2_PROTOCOL_ERROR);
    scene_close(&s);

    scene_accept(&s);
    size_t bytes = frame_event("{\"event\":{}}", frame, sizeof(frame));
    frame[bytes - 1] ^= 1;
    fake_h2_data(s.wire.h2, frame, bytes);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_bad_frame, false,
                       "Malformed event stream");
    assert_int_equal(s.record.events, 0);
    scene_close(&s);

    scene_accept(&s);
    bytes = frame_make("event", ":event-type", "chunk", "{\"bytes\":7}", frame,
                       sizeof(frame));
    fake_h2_data(s.wire.h2, frame, bytes);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_bad_frame, false, "payload of a chunk");
    scene_close(&s);
}

static void
test_peer_breaks_http2(void **state)
{
    static const char http1[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    /* DATA on a stream that was never opened. */
    static const uint8_t stray[] = {0, 0, 1, 0, 0, 0, 0, 0, 9, 'x'};
    struct scene s;

    (void)state;
    scene_open_with(&s, NULL, &test_target);
    s.wire.h2->out.count = 0;
    fake_wire_connected(&s.wire);
    s.wire.h2->out.count = 0;
    fake_h2_raw(s.wire.h2, http1, sizeof(http1) - 1);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_protocol, false, "HTTP/2");
    scene_close(&s);

    scene_accept(&s);
    fake_h2_raw(s.wire.h2, stray, sizeof(stray));
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_protocol, false, "PROTOCOL_ERROR");
    scene_close(&s);
}

/* What the endpoint said before it hung up is worth more than our EPIPE. */
static void
test_reads_the_reason_when_sending_fails(void **state)
{
    struct scene s;
    uint8_t frame[512];

    (void)state;
    scene_accept(&s);
    fake_h2_data(s.wire.h2, frame,
                 frame_make("exception", ":exception-type",
                            "throttlingException", "{\"message\":\"slow\"}",
                            frame, sizeof(frame)));
    s.wire.send_fails = true;
    scene_say(&s, "{}");
    assert_int_equal(s.record.ends, 0);
    fake_wire_pass(&s.wire, 1);
    scene_assert_ended(&s, BEDROCK_END_exception, false, "slow");
    scene_close(&s);

    scene_accept(&s);
    s.wire.send_fails = true;
    scene_say(&s, "{}");
    fake_wire_pass(&s.wire, 1);
    scene_assert_ended(&s, BEDROCK_END_network, false, "the wire broke");
    scene_close(&s);
}

static void
test_failed_connect(void **state)
{
    struct scene s;

    (void)state;
    scene_open_with(&s, NULL, &test_target);
    assert_int_equal(bedrock_stream_send(s.record.stream, "{}", 2, true),
                     VR_AGAIN);
    s.wire.wire.events->on_failed(s.wire.wire.arg, BEDROCK_END_dns, "no such");
    scene_assert_ended(&s, BEDROCK_END_dns, false, "no such");
    scene_close(&s);
}

static void
test_finish_before_open(void **state)
{
    struct scene s;

    (void)state;
    scene_open_with(&s, NULL, &test_target);
    bedrock_stream_finish(s.record.stream);
    fake_wire_connected(&s.wire);
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.opened, 0);
    assert_true(s.wire.h2->request_ended);
    scene_assert_body(&s, "\n");
    fake_h2_respond(s.wire.h2, "200", scene_ok_fields, true);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_end_stream, true, "");
    scene_close(&s);
}

/* ---- hostile bytes ---- */

/* A session's inbound bytes with bits flipped and parts left out, in a fixed
 * pseudo-random order: whatever happens, the stream ends at most once. */
static void
test_damaged_bytes(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct scene s;
        scene_start(&s);
        fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
        scene_serve(&s, "{\"event\":{\"textOutput\":{\"content\":\"hello\"}}}");
        fake_h2_end(s.wire.h2);
        struct fake_bytes *out = &s.wire.h2->out;
        for (int hit = 0; hit < 1 + round % 4; hit++) {
            random = random * 1664525u + 1013904223u;
            out->at[(random >> 8) % out->count] ^=
                (uint8_t)(1u << (random >> 29));
        }
        if (round % 5 == 0)
            fake_bytes_drop(out, (random >> 8) % out->count);
        fake_wire_deliver(&s.wire);
        fake_wire_pass(&s.wire, 20000);
        assert_true(s.record.ends <= 1);
        scene_close(&s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_stream_early),
        cmocka_unit_test(test_cut_in_a_message),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_fins),
        cmocka_unit_test(test_goaways),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_endless_refusal_body),
        cmocka_unit_test(test_wrong_content_type),
        cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_peer_breaks_http2),
        cmocka_unit_test(test_reads_the_reason_when_sending_fails),
        cmocka_unit_test(test_failed_connect),
        cmocka_unit_test(test_finish_before_open),
        cmocka_unit_test(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
