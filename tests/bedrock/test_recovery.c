/* What recovery rests on: a clock that is off, exceptions that a stream
 * outlives, what a refusal says about time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/bedrock/date.h"
#include "gateway/bedrock/eventstream.h"
#include "tests/bedrock/scene.h"

#define TOOL_ERROR "{\"message\":\"Tool Response parsing error\"}"

/* ---- a clock that is off ---- */

/* The :date of every chunk that came, which must all be the same. */
struct dates {
    unsigned chunks;
    int64_t date_ms;
};

static void
on_chunk(void *arg, const struct eventstream_message *message)
{
    const struct eventstream_header *date = eventstream_find(message, ":date");
    struct dates *dates = arg;
    uint64_t ms = 0;

    assert_non_null(date);
    for (int i = 0; i < 8; i++)
        ms = ms << 8 | date->value[i];
    if (dates->chunks++)
        assert_true(dates->date_ms == (int64_t)ms);
    dates->date_ms = (int64_t)ms;
}

static struct dates
dates_of(const struct fake_bytes *body)
{
    struct eventstream_decoder *decoder = eventstream_decoder_new(1000000);
    struct dates dates = {0};

    assert_int_equal(
        eventstream_decode(decoder, body->at, body->count, on_chunk, &dates),
        VR_OK);
    eventstream_decoder_free(&decoder);
    return dates;
}

/* Streams whose wall clocks and offsets have the same sum send the same. */
static void
clock_scene(struct scene *s, int64_t wall_ms, int64_t offset_ms)
{
    struct bedrock_target target = test_target;

    target.clock_offset_ms = offset_ms;
    scene_open_with(s, NULL, &target);
    s->wire.wall_ms = wall_ms;
    fake_wire_connected(&s->wire);
    fake_wire_deliver(&s->wire);
    scene_say(s, "{\"event\":{}}");
    bedrock_stream_finish(s->record.stream);
    fake_wire_deliver(&s->wire);
}

static void
test_clock_offset(void **state)
{
    static const int64_t day_ms = 86400000, now_ms = 1767225600000;
    struct scene right, off;

    (void)state;
    clock_scene(&right, now_ms, 0);
    clock_scene(&off, now_ms + 3 * day_ms, -3 * day_ms);
    assert_non_null(
        strstr(off.wire.h2->headers, "x-amz-date: 20260101T000000Z\n"));
    assert_string_equal(off.wire.h2->headers, right.wire.h2->headers);
    /* The signatures of all chunks are the same, too. */
    assert_int_equal(off.wire.h2->body.count, right.wire.h2->body.count);
    assert_memory_equal(off.wire.h2->body.at, right.wire.h2->body.at,
                        right.wire.h2->body.count);
    struct dates dates = dates_of(&off.wire.h2->body);
    assert_int_equal(dates.chunks, 2);
    assert_true(dates.date_ms == now_ms);
    scene_close(&off);
    clock_scene(&off, now_ms, day_ms);
    assert_non_null(
        strstr(off.wire.h2->headers, "x-amz-date: 20260102T000000Z\n"));
    assert_true(dates_of(&off.wire.h2->body).date_ms == now_ms + day_ms);
    scene_close(&off);
    scene_close(&right);
}

static void
test_absurd_clock_offsets(void **state)
{
    static const int64_t offsets[] = {INT64_MAX, INT64_MIN};
    struct scene s;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        clock_scene(&s, 1767225600000, offsets[i]);
        assert_true(s.wire.h2->request_ended);
        scene_close(&s);
    }
}

/* ---- exceptions ---- */

static void
serve_exception(struct scene *s, const char *payload)
{
    uint8_t frame[1024];

    fake_h2_data(s->wire.h2, frame,
                 frame_make("exception", ":exception-type",
                            "validationException", payload, frame,
                            sizeof(frame)));
}

static void
test_a_stream_outlives_a_tool_error(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    serve_exception(&s, TOOL_ERROR);
    scene_serve(&s, "{\"event\":{}}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.ends, 0);
    assert_int_equal(s.record.exceptions, 1);
    assert_int_equal(s.record.exception.cause, BEDROCK_END_exception);
    assert_string_equal(s.record.exception.code, "validationException");
    assert_string_equal(s.record.exception.message,
                        "Tool Response parsing error");
    assert_string_equal(s.record.exception.request_id, "req-1");
    assert_int_equal(s.record.exception.http_status, 200);
    assert_true(s.record.exception.server_date_ms == 784111777000);
    assert_int_equal(s.record.events, 1);
    scene_say(&s, "{\"still\":1}");
    /* The end that follows is told as any, without that exception's words. */
    fake_h2_end(s.wire.h2);
    fake_wire_deliver(&s.wire);
    scene_assert_ended(&s, BEDROCK_END_end_stream, false, "before our end");
    assert_string_equal(s.record.end.code, "");
    assert_int_equal(s.record.exceptions, 1);
    scene_close(&s);
}

static void
test_an_error_frame_is_outlived_too(void **state)
{
    static const struct eventstream_header headers[] = {
        {":message-type", 13, EVENTSTREAM_STRING, 5, (const uint8_t *)"error"},
        {":error-message", 14, EVENTSTREAM_STRING, 27,
         (const uint8_t *)"Tool Response parsing error"},
    };
    struct scene s;
    uint8_t frame[256];

    (void)state;
    scene_accept(&s);
    fake_h2_data(s.wire.h2, frame,
                 eventstream_encode(headers, 2, NULL, 0, frame, sizeof(frame)));
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.exceptions, 1);
    assert_int_equal(s.record.ends, 0);
    scene_close(&s);
}

static void
test_nobody_need_listen(void **state)
{
    struct bedrock_stream_ops ops = record_ops;
    struct scene s = {0};
    char problem[64];

    (void)state;
    ops.on_exception = NULL;
    fake_wire_init(&s.wire, NULL);
    s.record.stream =
        bedrock_stream_over(&s.wire.wire, &test_target, &test_credentials, &ops,
                            &s.record, problem, sizeof(problem));
    fake_wire_connected(&s.wire);
    fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
    serve_exception(&s, TOOL_ERROR);
    scene_serve(&s, "{}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.ends, 0);
    assert_int_equal(s.record.events, 1);
    scene_close(&s);
}

static void
test_a_flood_ends_the_stream(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    for (unsigned i = 0; i < 1000; i++)
        serve_exception(&s, TOOL_ERROR);
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.exceptions, BEDROCK_STAY_MAX);
    scene_assert_ended(&s, BEDROCK_END_exception, false, "Tool Response");
    scene_close(&s);
}

static void
test_close_inside_an_exception(void **state)
{
    struct scene s;

    (void)state;
    scene_accept(&s);
    s.record.close_on_exception = true;
    serve_exception(&s, TOOL_ERROR);
    serve_exception(&s, TOOL_ERROR);
    serve_exception(&s, "{\"message\":\"fatal\"}");
    scene_serve(&s, "{}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.exceptions, 1);
    assert_int_equal(s.record.events, 0);
    assert_int_equal(s.record.ends, 0);
    assert_true(s.wire.closed);
    scene_close(&s);
}

/* ---- a peer that does not do its part ---- */

/* The server reads no more than its first window. */
static void
stall_scene(struct scene *s, const struct bedrock_target *target)
{
    static const struct fake_h2_options options = {.window_bytes = 20000,
                                                   .no_window_updates = true};
    static char json[4000];

    memset(json, 'a', sizeof(json));
    scene_open_with(s, &options, target);
    fake_wire_connected(&s->wire);
    fake_wire_deliver(&s->wire);
    fake_h2_respond(s->wire.h2, "200", scene_ok_fields, false);
    fake_wire_deliver(&s->wire);
    while (bedrock_stream_send(s->record.stream, json, sizeof(json), false) ==
           VR_OK)
        ;
    assert_true(bedrock_stream_unsent_bytes(s->record.stream) > 0);
}

/* Time passes in small steps, and what the server says arrives in each. */
static void
pass_slowly(struct scene *s, unsigned ms)
{
    for (unsigned i = 0; i < ms / 100 && !s->wire.closed; i++) {
        fake_wire_pass(&s->wire, 100);
        if (!s->wire.closed)
            fake_wire_deliver(&s->wire);
    }
}

static void
test_a_peer_stops_reading(void **state)
{
    struct scene s;

    (void)state;
    stall_scene(&s, &test_target);
    pass_slowly(&s, 9900);
    assert_int_equal(s.record.ends, 0);
    assert_true(s.wire.h2->pings > 0);
    pass_slowly(&s, 300);
    scene_assert_ended(&s, BEDROCK_END_stalled, false, "stopped reading");
    fake_wire_pass(&s.wire, 60000);
    assert_int_equal(s.record.ends, 1);
    scene_close(&s);
}

/* A peer that reads little is slow, not gone. */
static void
test_a_slow_peer_is_no_stalled_one(void **state)
{
    struct scene s;

    (void)state;
    stall_scene(&s, &test_target);
    for (int i = 0; i < 6; i++) {
        pass_slowly(&s, 8000);
        assert_int_equal(s.record.ends, 0);
        fake_h2_window(s.wire.h2, 6000);
        fake_wire_deliver(&s.wire);
    }
    fake_h2_window(s.wire.h2, 1000000);
    fake_wire_deliver(&s.wire);
    assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    pass_slowly(&s, 60000);
    assert_int_equal(s.record.ends, 0);
    scene_close(&s);
}

/* What is unsent and a dead path are one thing, and that is the path. */
static void
test_a_dead_path_is_no_stall(void **state)
{
    struct bedrock_target target = test_target;
    struct scene s;

    (void)state;
    target.stall_timeout_ms = 6000;
    stall_scene(&s, &target);
    s.wire.swallows = true;
    fake_wire_pass(&s.wire, 9000);
    assert_int_equal(s.record.ends, 0);
    fake_wire_pass(&s.wire, 1100);
    scene_assert_ended(&s, BEDROCK_END_black_hole, false, "PING");
    scene_close(&s);
}

/* The PING's answer, which came late, lets the stall be told. */
static void
test_a_stall_after_a_late_answer(void **state)
{
    struct bedrock_target target = test_target;
    struct scene s;

    (void)state;
    target.stall_timeout_ms = 6000;
    stall_scene(&s, &target);
    fake_wire_pass(&s.wire, 5000);
    assert_int_equal(s.wire.h2->pings, 1);
    size_t answer_bytes = s.wire.h2->out.count;
    s.wire.h2->out.count = 0;
    fake_wire_pass(&s.wire, 3000);
    assert_int_equal(s.record.ends, 0);
    s.wire.h2->out.count = answer_bytes;
    fake_wire_deliver(&s.wire);
    fake_wire_pass(&s.wire, 1);
    scene_assert_ended(&s, BEDROCK_END_stalled, false, "8000 ms");
    scene_close(&s);
}

/* The process slept, and room for all was made meanwhile. */
static void
test_no_stall_after_a_pause(void **state)
{
    struct scene s;

    (void)state;
    stall_scene(&s, &test_target);
    fake_h2_window(s.wire.h2, 1000000);
    s.wire.now_ns += 60000000000;
    fake_wire_pass(&s.wire, 0);
    assert_int_equal(s.record.ends, 0);
    assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    scene_close(&s);
}

static void
test_no_answer(void **state)
{
    struct bedrock_target target = test_target;
    struct scene s;

    (void)state;
    /* Before our first event there is nothing to answer. */
    scene_start(&s);
    pass_slowly(&s, 60000);
    assert_int_equal(s.record.ends, 0);
    scene_say(&s, "{}");
    pass_slowly(&s, 5000);
    scene_say(&s, "{}");
    pass_slowly(&s, 9900);
    assert_int_equal(s.record.ends, 0);
    pass_slowly(&s, 200);
    scene_assert_ended(&s, BEDROCK_END_no_answer, false, "no response for");
    scene_close(&s);

    target.answer_timeout_ms = 300;
    scene_open_with(&s, NULL, &target);
    s.record.finish_on_open = true;
    fake_wire_connected(&s.wire);
    pass_slowly(&s, 200);
    assert_int_equal(s.record.ends, 0);
    pass_slowly(&s, 200);
    scene_assert_ended(&s, BEDROCK_END_no_answer, false, "no response for");
    scene_close(&s);
}

static void
test_an_answer_ends_the_wait(void **state)
{
    struct scene s;

    (void)state;
    scene_start(&s);
    scene_say(&s, "{}");
    pass_slowly(&s, 14800);
    /* Not the answer yet. */
    fake_h2_inform(s.wire.h2, "103");
    fake_wire_deliver(&s.wire);
    fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
    fake_wire_deliver(&s.wire);
    pass_slowly(&s, 60000);
    assert_int_equal(s.record.ends, 0);
    scene_close(&s);
}

/* ---- what an answer says about time ---- */

static void
refuse(struct scene *s, const char *const *fields)
{
    scene_start(s);
    fake_h2_inform(s->wire.h2, "103");
    fake_wire_deliver(&s->wire);
    s->wire.wall_ms = 784111777000 + 600000;
    fake_h2_respond(s->wire.h2, "403", fields, true);
    fake_wire_deliver(&s->wire);
    assert_int_equal(s->record.ends, 1);
}

static void
test_how_far_the_clock_is_off(void **state)
{
    static const char *const dated[] = {"x-amzn-errortype",
                                        "InvalidSignatureException", "date",
                                        "Sun, 06 Nov 1994 08:49:37 GMT", NULL};
    static const char *const undated[] = {"x-amzn-errortype", "X", NULL};
    struct scene s;

    (void)state;
    refuse(&s, dated);
    assert_true(s.record.end.server_date_ms == 784111777000);
    assert_true(s.record.end.server_ahead_ms == -600000);
    scene_close(&s);
    refuse(&s, undated);
    assert_true(s.record.end.server_date_ms == 0);
    assert_true(s.record.end.server_ahead_ms == 0);
    scene_close(&s);

    /* The Date of a stream is as old as the stream; the difference is not. */
    scene_start(&s);
    s.wire.wall_ms = 784111777000 + 500;
    fake_h2_respond(s.wire.h2, "200", scene_ok_fields, false);
    fake_wire_deliver(&s.wire);
    s.wire.wall_ms += 480000;
    serve_exception(&s, "{\"message\":\"Signature expired: long ago\"}");
    fake_wire_deliver(&s.wire);
    assert_int_equal(s.record.ends, 1);
    assert_true(s.record.end.server_date_ms == 784111777000);
    assert_true(s.record.end.server_ahead_ms == -500);
    scene_close(&s);
}

static void
test_retry_after(void **state)
{
    static const struct {
        const char *value;
        uint32_t ms;
    } cases[] = {
        {"7", 7000},
        {"0", 0},
        {"599", 599000},
        {"601", 600000},
        {"99999999999999999999999", 600000},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Sat, 06 Nov 2094 08:49:37 GMT", 600000},
        {"-5", 0},
        {"5 s", 0},
        {"1.5", 0},
        {"", 0},
    };
    struct scene s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *const fields[] = {"date", "Sun, 06 Nov 1994 08:49:37 GMT",
                                      "retry-after", cases[i].value, NULL};
        refuse(&s, fields);
        assert_int_equal(s.record.end.retry_after_ms, cases[i].ms);
        scene_close(&s);
    }
    /* A date without the endpoint's own clock beside it says nothing. */
    const char *const undated[] = {"retry-after",
                                   "Sun, 06 Nov 2094 08:49:47 GMT", NULL};
    refuse(&s, undated);
    assert_int_equal(s.record.end.retry_after_ms, 0);
    scene_close(&s);
}

static void
test_http_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
        {"Thu, 01 Jan 1970 00:00:01 GMT", 1000},
        {"Thu, 29 Feb 2024 23:59:60 GMT", 1709251200000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
        {"Sun Nov  6 08:49:37 1994", 0},
        {"Mon, 06 Nov 1994 08:49:37 GMT", 0},
        {"sun, 06 nov 1994 08:49:37 gmt", 0},
        {"Sun, 6 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", 0},
        {" Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:37", 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", 0},
        {"Wed, 29 Feb 2023 00:00:00 GMT", 0},
        {"Sun, 00 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nox 1994 08:49:37 GMT", 0},
        {"Sun, -6 Nov 1994 08:49:37 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", 0},
        {"Su", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (date_http_ms(cases[i].text, strlen(cases[i].text)) != cases[i].ms)
            fail_msg("\"%s\"", cases[i].text);
    }
    /* The length counts, not a NUL. */
    assert_true(date_http_ms(cases[0].text, 28) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_offset),
        cmocka_unit_test(test_absurd_clock_offsets),
        cmocka_unit_test(test_a_stream_outlives_a_tool_error),
        cmocka_unit_test(test_an_error_frame_is_outlived_too),
        cmocka_unit_test(test_nobody_need_listen),
        cmocka_unit_test(test_a_flood_ends_the_stream),
        cmocka_unit_test(test_close_inside_an_exception),
        cmocka_unit_test(test_a_peer_stops_reading),
        cmocka_unit_test(test_a_slow_peer_is_no_stalled_one),
        cmocka_unit_test(test_a_dead_path_is_no_stall),
        cmocka_unit_test(test_a_stall_after_a_late_answer),
        cmocka_unit_test(test_no_stall_after_a_pause),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_an_answer_ends_the_wait),
        cmocka_unit_test(test_how_far_the_clock_is_off),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_http_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
