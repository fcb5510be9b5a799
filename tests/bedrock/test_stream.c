/* A stream over a wire of memory: no network, no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "tests/bedrock/fake_wire.h"

struct scene {
    struct fake_wire wire;
    struct record record;
};

static const char *const ok_fields[] = {"content-type",
                                        "application/vnd.amazon.eventstream",
                                        "x-amzn-requestid",
                                        "req-1",
                                        "date",
                                        "Sun, 06 Nov 1994 08:49:37 GMT",
                                        NULL};

static void
scene_open_with(struct scene *s, const struct fake_h2_options *options,
                const struct bedrock_target *target)
{
    char problem[256];

    fake_wire_init(&s->wire, options);
    memset(&s->record, 0, sizeof(s->record));
    s->record.stream =
        bedrock_stream_over(&s->wire.wire, target, &test_credentials,
                            &record_ops, &s->record, problem, sizeof(problem));
    assert_non_null(s->record.stream);
}

static void
scene_start(struct scene *s)
{
    scene_open_with(s, NULL, &test_target);
    fake_wire_connected(&s->wire);
    fake_wire_deliver(&s->wire);
    assert_int_equal(s->record.opened, 1);
}

/* Up to the 200. */
static void
scene_accept(struct scene *s)
{
    scene_start(s);
    fake_h2_respond(s->wire.h2, "200", ok_fields, false);
    fake_wire_deliver(&s->wire);
    assert_int_equal(s->record.responses, 1);
}

static void
scene_close(struct scene *s)
{
    record_fini(&s->record);
    fake_wire_fini(&s->wire);
}

static void
say(struct scene *s, const char *json)
{
    assert_int_equal(
        bedrock_stream_send(s->record.stream, json, strlen(json), true), VR_OK);
}

static void
serve(struct scene *s, const char *json)
{
    static uint8_t frame[200000];
    size_t bytes = frame_event(json, frame, sizeof(frame));

    assert_true(bytes > 0);
    fake_h2_data(s->wire.h2, frame, bytes);
}

static void
assert_body(struct scene *s, const char *expected)
{
    struct fake_bytes events = body_events(&s->wire.h2->body);
    assert_string_equal((const char *)events.at, expected);
    fake_bytes_free(&events);
}

static void
assert_ended(struct scene *s, enum bedrock_end_cause cause, bool normal,
             const char *words)
{
    const struct bedrock_end *end = &s->record.end;

    assert_int_equal(s->record.ends, 1);
    assert_string_equal(bedrock_end_name(end->cause), bedrock_end_name(cause));
    assert_int_equal(end->normal, normal);
    if (!strstr(end->message, words))
        fail_msg("\"%s\" lacks \"%s\"", end->message, words);
    assert_true(s->wire.closed);
    assert_true(!s->record.stream || bedrock_stream_send(s->record.stream, "{}",
                                                         2, true) == VR_CLOSED);
}

/* ---- a conversation ---- */

static void
test_conversation(void **state)
{
    struct scene s;

    (void)state;
    scene_start(&s);
    say(&s, "{\"event\":{\"sessionStart\":{}}}");
    say(&s, "{\"event\":{\"promptStart\":{}}}");
    assert_body(&s, "{\"event\":{\"sessionStart\":{}}}\n"
                    "{\"event\":{\"promptStart\":{}}}\n");
    fake_h2_respond(s.wire.h2, "200", ok_fields, false);
    serve(&s, "{\"event\":{\"completionStart\":{}}}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.responses, 1);
    assert_string_equal(s.record.request_id, "req-1");
    assert_int_equal(s.record.events, 1);
    assert_memory_equal(s.record.json.at,
                        "{\"event\":{\"completionStart\":{}}}", 32);
    bedrock_stream_finish(s.record.stream);
    assert_true(s.wire.h2->request_ended);
    assert_body(&s, "{\"event\":{\"sessionStart\":{}}}\n"
                    "{\"event\":{\"promptStart\":{}}}\n\n");
    assert_int_equal(bedrock_stream_send(s.record.stream, "{}", 2, true),
                     VR_CLOSED);
    serve(&s, "{\"event\":{\"usageEvent\":{}}}");
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.events, 2);
    assert_ended(&s, BEDROCK_END_end_stream, true, "after our end");
    assert_int_equal(s.record.end.http_status, 200);
    assert_string_equal(s.record.end.request_id, "req-1");
    assert_true(s.record.end.server_date_ms == 784111777000);
    assert_false(s.wire.h2->broken);
    scene_close(&s);
}

static void
test_request_headers(void **state)
{
    static const char *const lines[] = {
        ":method: POST\n",
        ":scheme: https\n",
        ":authority: bedrock-runtime.us-east-1.amazonaws.com\n",
        ":path: /model/amazon.nova-2-sonic-v1%3A0/"
        "invoke-with-bidirectional-stream\n",
        "content-type: application/vnd.amazon.eventstream\n",
        "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-EVENTS\n",
        "x-amz-date: 20260101T000000Z\n",
        "x-amz-security-token: a-session-token\n",
        "user-agent: voxring/" VOXRING_VERSION "\n",
        "authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/"
        "us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;"
        "x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=",
    };
    struct scene s;

    (void)state;
    scene_start(&s);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        if (!strstr(s.wire.h2->headers, lines[i]))
            fail_msg("no \"%s\" in %s", lines[i], s.wire.h2->headers);
    }
    assert_null(strstr(s.wire.h2->headers, "content-length"));
    scene_close(&s);
}

/* Every event arrives whole, however the bytes are split. */
static void
test_split_everywhere(void **state)
{
    static const char expected[] = "{\"event\":{\"one\":\"\"}}\n"
                                   "{\"event\":{\"two\":\"12345\"}}\n";

    (void)state;
    for (size_t step = 1; step < 700; step += step < 64 ? 1 : 37) {
        struct scene s;
        scene_start(&s);
        s.wire.step = step;
        fake_h2_respond(s.wire.h2, "200", ok_fields, false);
        serve(&s, "{\"event\":{\"one\":\"\"}}");
        serve(&s, "{\"event\":{\"two\":\"12345\"}}");
        fake_wire_deliver(&s.wire);
        assert_int_equal(s.record.json.count, sizeof(expected) - 1);
        assert_memory_equal(s.record.json.at, expected, sizeof(expected) - 1);
        scene_close(&s);
    }
}

/* The same with DATA frames of every size. */
static void
test_data_frames_of_every_size(void **state)
{
    uint8_t frame[512];
    size_t bytes = frame_event("{\"event\":{\"x\":1}}", frame, sizeof(frame));

    (void)state;
    for (size_t size = 1; size <= bytes; size++) {
        struct scene s;
        scene_accept(&s);
        for (size_t at = 0; at < bytes; at += size) {
            size_t count = bytes - at < size ? bytes - at : size;
            fake_h2_data(s.wire.h2, frame + at, count);
        }
        fake_wire_deliver(&s.wire);
        assert_int_equal(s.record.events, 1);
        scene_close(&s);
    }
}

static void
test_ignored_frames(void **state)
{
    struct scene s;
    uint8_t frame[512];

    (void)state;
    scene_start(&s);
    fake_h2_inform(s.wire.h2, "103");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.responses, 0);
    fake_h2_respond(s.wire.h2, "200", ok_fields, false);
    fake_h2_data(s.wire.h2, frame,
                 frame_make("event", ":event-type", "initial-response", "{}",
                            frame, sizeof(frame)));
    fake_h2_data(s.wire.h2, frame,
                 frame_make("event", ":event-type", "somethingNew", "[]", frame,
                            sizeof(frame)));
    fake_h2_data(s.wire.h2, frame,
                 frame_make("strange", ":event-type", "chunk", "", frame,
                            sizeof(frame)));
    serve(&s, "{}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.responses, 1);
    assert_int_equal(s.record.events, 1);
    assert_int_equal(s.record.ends, 0);
    scene_close(&s);
}

/* ---- ends ---- */

static void
test_end_stream_early(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_end_stream, false, "before our end");
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
    assert_ended(&s, BEDROCK_END_end_stream, false,
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
    assert_ended(&s, BEDROCK_END_rst_stream, false,
                 "INTERNAL_ERROR (2) before");
    assert_int_equal(s.record.end.h2_error, NGHTTP2_INTERNAL_ERROR);
    scene_close(&s);

    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    fake_h2_rst(s.wire.h2, NGHTTP2_NO_ERROR);
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_rst_stream, true, "NO_ERROR (0) after");
    scene_close(&s);

    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    fake_h2_rst(s.wire.h2, NGHTTP2_CANCEL);
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_rst_stream, false, "CANCEL (8) after");
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
    assert_ended(&s, BEDROCK_END_fin, false, "before our end");
    scene_close(&s);

    scene_accept(&s);
    bedrock_stream_finish(s.record.stream);
    s.wire.peer_closed = true;
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_fin, true, "after our end");
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
    assert_ended(&s, BEDROCK_END_goaway, false,
                 "ENHANCE_YOUR_CALM (11): too_many");
    scene_close(&s);

    /* One that lets it go on, until the connection closes. */
    scene_accept(&s);
    fake_h2_goaway(s.wire.h2, 1, NGHTTP2_NO_ERROR, "");
    serve(&s, "{}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.ends, 0);
    assert_int_equal(s.record.events, 1);
    say(&s, "{\"still\":1}");
    s.wire.peer_closed = true;
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_goaway, false, "NO_ERROR and closed");
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
    assert_ended(&s, BEDROCK_END_exception, false, "No open prompt \xc3\xa9");
    assert_string_equal(s.record.end.code, "validationException");
    assert_string_equal(s.record.end.request_id, "req-1");
    scene_close(&s);

    scene_accept(&s);
    fake_h2_data(
        s.wire.h2, frame,
        frame_make("error", ":error-code", "500", "", frame, sizeof(frame)));
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_exception, false, "");
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
    assert_ended(&s, BEDROCK_END_http_status, false, "token is expired");
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
    assert_ended(&s, BEDROCK_END_http_status, false, "no");
    assert_string_equal(s.record.end.code, "ValidationException");
    scene_close(&s);

    /* No end at all, and no JSON. */
    refuse(&s, "502", NULL, "<html>");
    fake_wire_pass(&s.wire, 900);
    assert_int_equal(s.record.ends, 0);
    fake_wire_pass(&s.wire, 200);
    assert_ended(&s, BEDROCK_END_http_status, false, "HTTP 502, body: <html>");
    scene_close(&s);

    /* No body, and the connection cut. */
    refuse(&s, "429", "ThrottlingException", "");
    s.wire.recv_fails = true;
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_http_status, false, "HTTP 429 without");
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
    assert_ended(&s, BEDROCK_END_http_status, false, "HTTP 500, body: xxx");
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
    assert_ended(&s, BEDROCK_END_bad_frame, false, "text/html");
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
    assert_ended(&s, BEDROCK_END_bad_frame, false, "Malformed event stream");
    assert_true(s.wire.h2->reset);
    assert_int_equal(s.wire.h2->reset_code, NGHTTP2_PROTOCOL_ERROR);
    scene_close(&s);

    scene_accept(&s);
    size_t bytes = frame_event("{\"event\":{}}", frame, sizeof(frame));
    frame[bytes - 1] ^= 1;
    fake_h2_data(s.wire.h2, frame, bytes);
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_bad_frame, false, "Malformed event stream");
    assert_int_equal(s.record.events, 0);
    scene_close(&s);

    scene_accept(&s);
    bytes = frame_make("event", ":event-type", "chunk", "{\"bytes\":7}", frame,
                       sizeof(frame));
    fake_h2_data(s.wire.h2, frame, bytes);
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_bad_frame, false, "payload of a chunk");
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
    assert_ended(&s, BEDROCK_END_protocol, false, "HTTP/2");
    scene_close(&s);

    scene_accept(&s);
    fake_h2_raw(s.wire.h2, stray, sizeof(stray));
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_protocol, false, "PROTOCOL_ERROR");
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
    say(&s, "{}");
    assert_int_equal(s.record.ends, 0);
    fake_wire_pass(&s.wire, 1);
    assert_ended(&s, BEDROCK_END_exception, false, "slow");
    scene_close(&s);

    scene_accept(&s);
    s.wire.send_fails = true;
    say(&s, "{}");
    fake_wire_pass(&s.wire, 1);
    assert_ended(&s, BEDROCK_END_network, false, "the wire broke");
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
    assert_ended(&s, BEDROCK_END_dns, false, "no such");
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
    assert_body(&s, "\n");
    fake_h2_respond(s.wire.h2, "200", ok_fields, true);
    fake_wire_deliver(&s.wire);
    assert_ended(&s, BEDROCK_END_end_stream, true, "");
    scene_close(&s);
}

/* ---- silence ---- */

static void
test_ping_answered(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    for (unsigned i = 1; i <= 20; i++) {
        fake_wire_pass(&s.wire, 4999);
        assert_int_equal(s.wire.h2->pings, i - 1);
        fake_wire_pass(&s.wire, 1);
        assert_int_equal(s.wire.h2->pings, i);
        fake_wire_deliver(&s.wire);
        assert_int_equal(s.record.ends, 0);
    }
    scene_close(&s);
}

static void
test_ping_unanswered(void **state)
{
    struct bedrock_target target = test_target;
    struct scene s;

    (void)state;
    target.ping_after_ms = 100;
    target.ping_timeout_ms = 50;
    scene_open_with(&s, NULL, &target);
    fake_wire_connected(&s.wire);
    fake_wire_deliver(&s.wire);
    fake_wire_pass(&s.wire, 99);
    assert_int_equal(s.wire.h2->pings, 0);
    fake_wire_pass(&s.wire, 1);
    assert_int_equal(s.wire.h2->pings, 1);
    s.wire.h2->out.count = 0; /* the answer is lost */
    fake_wire_pass(&s.wire, 49);
    assert_int_equal(s.record.ends, 0);
    fake_wire_pass(&s.wire, 1);
    assert_ended(&s, BEDROCK_END_black_hole, false, "PING for 50 ms");
    scene_close(&s);
}

/* The process slept: the answer waits in the socket when the timer fires. */
static void
test_ping_answer_after_a_pause(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    fake_wire_pass(&s.wire, 5000);
    assert_int_equal(s.wire.h2->pings, 1);
    s.wire.now_ns += 60000000000;
    fake_wire_pass(&s.wire, 0);
    assert_int_equal(s.record.ends, 0);
    scene_close(&s);
}

/* ---- back-pressure ---- */

static void
test_peer_stops_reading(void **state)
{
    struct fake_h2_options options = {.window_bytes = 20000,
                                      .no_window_updates = true};
    struct scene s;
    char json[2000];
    unsigned taken = 0;

    (void)state;
    memset(json, 'a', sizeof(json));
    scene_open_with(&s, &options, &test_target);
    fake_wire_connected(&s.wire);
    fake_wire_deliver(&s.wire);
    while (bedrock_stream_send(s.record.stream, json, sizeof(json), false) ==
           VR_OK)
        taken++;
    assert_in_range(taken, 25, 60);
    assert_in_range(bedrock_stream_unsent_bytes(s.record.stream), 72 * 1024,
                    76 * 1024);
    assert_int_equal(bedrock_stream_queued_bytes(s.record.stream) -
                         bedrock_stream_sent_bytes(s.record.stream),
                     bedrock_stream_unsent_bytes(s.record.stream));
    /* Nothing can go, so nothing asks to be woken. */
    assert_false(s.wire.watching);
    assert_true(s.wire.timer_ns > s.wire.now_ns);
    unsigned sends = s.wire.sends;
    fake_wire_pass(&s.wire, 1000);
    assert_int_equal(s.wire.sends, sends);
    /* Control events have a reserve. */
    say(&s, "{\"event\":{\"sessionEnd\":{}}}");
    assert_int_equal(s.record.writables, 0);
    fake_h2_window(s.wire.h2, 1000000);
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.writables, 1);
    assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    struct fake_bytes events = body_events(&s.wire.h2->body);
    assert_int_equal(events.count, taken * 2001 + 27 + 1 + 1);
    fake_bytes_free(&events);
    scene_close(&s);
}

/* The socket takes a little now and then: nothing lost, nothing doubled. */
static void
test_slow_socket(void **state)
{
    struct scene s;
    struct fake_bytes expected = {0};
    char json[64];

    (void)state;
    scene_accept(&s);
    s.wire.send_room = 0;
    for (int i = 0; i < 400; i++) {
        int bytes = snprintf(json, sizeof(json), "{\"n\":%d}", i);
        say(&s, json);
        fake_bytes_add(&expected, json, (size_t)bytes);
        fake_bytes_add(&expected, "\n", 1);
        if (s.wire.watching && i % 3 == 0) {
            s.wire.send_room = (size_t)i;
            fake_wire_deliver(&s.wire);
        }
    }
    assert_true(s.wire.watching);
    s.wire.send_room = SIZE_MAX;
    fake_wire_deliver(&s.wire);
    assert_false(s.wire.watching);
    assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    struct fake_bytes events = body_events(&s.wire.h2->body);
    assert_int_equal(events.count, expected.count + 1);
    assert_memory_equal(events.at, expected.at, expected.count);
    fake_bytes_free(&events);
    fake_bytes_free(&expected);
    scene_close(&s);
}

/* Room made while sending is told from the timer, not from inside send. */
static void
test_writable_is_never_inside_send(void **state)
{
    struct scene s;
    struct bedrock_target target = test_target;
    static char json[4000];

    (void)state;
    memset(json, 'a', sizeof(json));
    target.audio_unsent_bytes = 30000;
    scene_open_with(&s, NULL, &target);
    fake_wire_connected(&s.wire);
    fake_wire_deliver(&s.wire);
    s.wire.send_room = 0;
    while (bedrock_stream_send(s.record.stream, json, sizeof(json), false) ==
           VR_OK)
        ;
    s.wire.send_room = SIZE_MAX;
    say(&s, "{}");
    assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    assert_int_equal(s.record.writables, 0);
    fake_wire_pass(&s.wire, 0);
    assert_int_equal(s.record.writables, 1);
    scene_close(&s);
}

static void
test_event_sizes(void **state)
{
    struct fake_h2_options options = {.window_bytes = 4000000};
    struct scene s;
    char *json = malloc(BEDROCK_EVENT_BYTES_MAX + 1);

    (void)state;
    assert_non_null(json);
    memset(json, 'b', BEDROCK_EVENT_BYTES_MAX + 1);
    scene_open_with(&s, &options, &test_target);
    fake_wire_connected(&s.wire);
    fake_wire_deliver(&s.wire);
    assert_int_equal(bedrock_stream_send(s.record.stream, json,
                                         BEDROCK_EVENT_BYTES_MAX + 1, true),
                     VR_LIMIT);
    assert_int_equal(bedrock_stream_send(s.record.stream, json,
                                         BEDROCK_EVENT_BYTES_MAX, true),
                     VR_OK);
    fake_wire_deliver(&s.wire);
    assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    struct fake_bytes events = body_events(&s.wire.h2->body);
    assert_int_equal(events.count, BEDROCK_EVENT_BYTES_MAX + 2);
    fake_bytes_free(&events);
    scene_close(&s);
    free(json);
}

/* ---- callbacks that call back ---- */

static void
test_sends_from_callbacks(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    s.record.send_on_event = true;
    serve(&s, "{\"a\":1}");
    serve(&s, "{\"a\":2}");
    fake_wire_deliver(&s.wire);
    assert_body(&s, "{\"answer\":1}\n{\"answer\":1}\n");
    scene_close(&s);
}

static void
test_close_from_callbacks(void **state)
{
    struct scene s;

    (void)state;
    scene_open_with(&s, NULL, &test_target);
    s.record.close_on_open = true;
    fake_wire_connected(&s.wire);
    assert_true(s.wire.closed);
    assert_true(s.wire.h2->goaway);
    scene_close(&s);

    scene_accept(&s);
    s.record.close_on_event = true;
    serve(&s, "{\"a\":1}");
    serve(&s, "{\"a\":2}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.events, 1);
    assert_int_equal(s.record.ends, 0);
    assert_true(s.wire.closed);
    assert_int_equal(s.wire.h2->reset_code, NGHTTP2_CANCEL);
    scene_close(&s);

    scene_accept(&s);
    s.record.close_on_end = true;
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.ends, 1);
    assert_null(s.record.stream);
    scene_close(&s);
}

static void
test_finish_from_callback(void **state)
{
    struct scene s;

    (void)state;
    scene_open_with(&s, NULL, &test_target);
    s.record.finish_on_open = true;
    fake_wire_connected(&s.wire);
    fake_wire_deliver(&s.wire);
    assert_true(s.wire.h2->request_ended);
    scene_close(&s);
}

/* ---- refusals of open ---- */

static void
test_bad_targets(void **state)
{
    static const struct {
        const char *region, *endpoint, *model, *words;
    } cases[] = {
        {"us-east-1", "http://localhost", "m", "https://"},
        {"us-east-1", "https://", "m", "https://host"},
        {"us-east-1", "https://u:p@host", "m", "https://host"},
        {"us-east-1", "https://host/path", "m", "https://host"},
        {"us-east-1", "https://host:0", "m", "https://host"},
        {"us-east-1", "https://host:65536", "m", "https://host"},
        {"us-east-1", "https://host:12x", "m", "https://host"},
        {"us-east-1", "https://[::1", "m", "https://host"},
        {"us-east-1", "https://ho st", "m", "https://host"},
        {"us east", NULL, "m", "region"},
        {"", NULL, "m", "region"},
        {"us-east-1", NULL, "", "model id"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bedrock_target target = {.region = cases[i].region,
                                        .endpoint = cases[i].endpoint,
                                        .model_id = cases[i].model};
        struct fake_wire wire;
        struct record record = {0};
        char problem[512];
        fake_wire_init(&wire, NULL);
        assert_null(bedrock_stream_over(&wire.wire, &target, &test_credentials,
                                        &record_ops, &record, problem,
                                        sizeof(problem)));
        if (!strstr(problem, cases[i].words))
            fail_msg("case %zu: %s", i, problem);
        fake_wire_fini(&wire);
    }
}

static void
test_good_targets(void **state)
{
    static const struct {
        const char *region, *endpoint, *authority;
    } cases[] = {
        {"eu-north-1", NULL, "bedrock-runtime.eu-north-1.amazonaws.com"},
        {"cn-north-1", NULL, "bedrock-runtime.cn-north-1.amazonaws.com.cn"},
        {"us-east-1", "https://LocalHost:8443/", "localhost:8443"},
        {"us-east-1", "HTTPS://host:443", "host"},
        {"us-east-1", "https://[::1]:99", "[::1]:99"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bedrock_target target = {.region = cases[i].region,
                                        .endpoint = cases[i].endpoint,
                                        .model_id = "m/1"};
        struct scene s;
        char line[128];
        scene_open_with(&s, NULL, &target);
        fake_wire_connected(&s.wire);
        snprintf(line, sizeof(line), ":authority: %s\n", cases[i].authority);
        assert_non_null(strstr(s.wire.h2->headers, line));
        assert_non_null(strstr(s.wire.h2->headers, "/model/m%2F1/invoke"));
        scene_close(&s);
    }
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
        fake_h2_respond(s.wire.h2, "200", ok_fields, false);
        serve(&s, "{\"event\":{\"textOutput\":{\"content\":\"hello\"}}}");
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
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_request_headers),
        cmocka_unit_test(test_split_everywhere),
        cmocka_unit_test(test_data_frames_of_every_size),
        cmocka_unit_test(test_ignored_frames),
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
        cmocka_unit_test(test_ping_answered),
        cmocka_unit_test(test_ping_unanswered),
        cmocka_unit_test(test_ping_answer_after_a_pause),
        cmocka_unit_test(test_peer_stops_reading),
        cmocka_unit_test(test_slow_socket),
        cmocka_unit_test(test_writable_is_never_inside_send),
        cmocka_unit_test(test_event_sizes),
        cmocka_unit_test(test_sends_from_callbacks),
        cmocka_unit_test(test_close_from_callbacks),
        cmocka_unit_test(test_finish_from_callback),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_good_targets),
        cmocka_unit_test(test_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
