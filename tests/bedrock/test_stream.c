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

#include "tests/bedrock/scene.h"

/* ---- a conversation ---- */

static void
test_conversation(void **state)
{
    struct scene s;

    (void)state;
    scene_start(&s);
    scene_say(&s, "{\"event\":{\"sessionStart\":{}}}");
    scene_say(&s, "{\"event\":{\"promptStart\":{}}}");
    scene_assert_body(&s, "{\"event\":{\"sessionStart\":{}}}\n"
                          "{\"event\":{\"promptStart\":{}}}\n");
    fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
    scene_serve(&s, "{\"event\":{\"completionStart\":{}}}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.responses, 1);
    assert_string_equal(s.record.request_id, "req-1");
    assert_int_equal(s.record.events, 1);
    assert_memory_equal(s.record.json.at,
                        "{\"event\":{\"completionStart\":{}}}", 32);
    bedrock_stream_finish(s.record.stream);
    assert_true(s.wire.h2->request_ended);
    scene_assert_body(&s, "{\"event\":{\"sessionStart\":{}}}\n"
                          "{\"event\":{\"promptStart\":{}}}\n\n");
    assert_int_equal(bedrock_stream_send(s.record.stream, "{}", 2, true),
                     VR_CLOSED);
    scene_serve(&s, "{\"event\":{\"usageEvent\":{}}}");
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.events, 2);
    scene_assert_ended(&s, BEDROCK_END_end_stream, true, "after our end");
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
        fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
        scene_serve(&s, "{\"event\":{\"one\":\"\"}}");
        scene_serve(&s, "{\"event\":{\"two\":\"12345\"}}");
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
    fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
    fake_h2_data(s.wire.h2, frame,
                 frame_make("event", ":event-type", "initial-response", "{}",
                            frame, sizeof(frame)));
    fake_h2_data(s.wire.h2, frame,
                 frame_make("event", ":event-type", "somethingNew", "[]", frame,
                            sizeof(frame)));
    fake_h2_data(s.wire.h2, frame,
                 frame_make("strange", ":event-type", "chunk", "", frame,
                            sizeof(frame)));
    scene_serve(&s, "{}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.responses, 1);
    assert_int_equal(s.record.events, 1);
    assert_int_equal(s.record.ends, 0);
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
    scene_assert_ended(&s, BEDROCK_END_black_hole, false, "PING for 50 ms");
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
    scene_say(&s, "{\"event\":{\"sessionEnd\":{}}}");
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
        scene_say(&s, json);
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
    scene_say(&s, "{}");
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
    scene_serve(&s, "{\"a\":1}");
    scene_serve(&s, "{\"a\":2}");
    fake_wire_deliver(&s.wire);
    scene_assert_body(&s, "{\"answer\":1}\n{\"answer\":1}\n");
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
    scene_serve(&s, "{\"a\":1}");
    scene_serve(&s, "{\"a\":2}");
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_request_headers),
        cmocka_unit_test(test_split_everywhere),
        cmocka_unit_test(test_data_frames_of_every_size),
        cmocka_unit_test(test_ignored_frames),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
