/* What test_recovery proves in memory, once more over real TLS and timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "tests/bedrock/stage.h"

static void
fill(struct record *record)
{
    static char json[4000];

    memset(json, 'a', sizeof(json));
    while (bedrock_stream_send(record->stream, json, sizeof(json), false) ==
           VR_OK)
        ;
}

/* The server's windows shrink to nothing; its PINGs go on. */
static void
test_a_peer_stops_reading(void **state)
{
    const struct fake_server_options options = {
        .h2 = {.window_bytes = 20000, .no_window_updates = true}};
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, &options);
    stage.target.stall_timeout_ms = 300;
    stage.target.ping_after_ms = 50;
    stage_open(&stage, &record, NULL);
    stage_until_open(&stage, &record);
    struct fake_peer *peer = stage_until_request(&stage);
    stage_accept(peer);
    fill(&record);
    stage_until_end(&stage, &record);
    assert_string_equal(bedrock_end_name(record.end.cause), "stalled");
    assert_non_null(strstr(record.end.message, "stopped reading"));
    assert_true(peer->h2->pings > 0);
    record_fini(&record);
    stage_stop(&stage);
}

static void
test_a_peer_answers_nothing(void **state)
{
    struct stage stage;
    struct record record;

    (void)state;
    stage_start(&stage, NULL);
    stage.target.answer_timeout_ms = 200;
    stage_open(&stage, &record, NULL);
    stage_until_open(&stage, &record);
    assert_int_equal(bedrock_stream_send(record.stream, "{}", 2, true), VR_OK);
    stage_until_end(&stage, &record);
    assert_string_equal(bedrock_end_name(record.end.cause), "no_answer");
    assert_int_equal(record.end.http_status, 0);
    record_fini(&record);
    stage_stop(&stage);
}

/* A machine whose clock is a day off signs for the endpoint's day. */
static void
test_signing_for_another_clock(void **state)
{
    static const int64_t day_ms = 86400000;
    struct stage stage;
    struct record record;
    char date[32], scope[64];
    time_t then_s = (time_t)((clock_wall_ms() + day_ms) / 1000);
    struct tm then;

    (void)state;
    gmtime_r(&then_s, &then);
    strftime(date, sizeof(date), "x-amz-date: %Y%m%dT", &then);
    strftime(scope, sizeof(scope), "/%Y%m%d/us-east-1/bedrock/", &then);
    stage_start(&stage, NULL);
    stage.target.clock_offset_ms = day_ms;
    stage_open(&stage, &record, NULL);
    stage_until_open(&stage, &record);
    struct fake_peer *peer = stage_until_request(&stage);
    /* Unless midnight came between. */
    if ((clock_wall_ms() + day_ms) / day_ms ==
        then_s * INT64_C(1000) / day_ms) {
        assert_non_null(strstr(peer->h2->headers, date));
        assert_non_null(strstr(peer->h2->headers, scope));
    }
    record_fini(&record);
    stage_stop(&stage);
}

static void
test_an_exception_is_outlived(void **state)
{
    struct stage stage;
    struct record record;
    uint8_t frame[512];

    (void)state;
    stage_start(&stage, NULL);
    stage_open(&stage, &record, NULL);
    stage_until_open(&stage, &record);
    struct fake_peer *peer = stage_until_request(&stage);
    stage_accept(peer);
    fake_h2_data(peer->h2, frame,
                 frame_make("exception", ":exception-type",
                            "validationException",
                            "{\"message\":\"Tool Response parsing error\"}",
                            frame, sizeof(frame)));
    stage_serve(peer, "{\"event\":{}}");
    stage_until_event(&stage, &record, 1);
    assert_int_equal(record.exceptions, 1);
    fake_h2_end(peer->h2);
    fake_peer_flush(peer);
    stage_until_end(&stage, &record);
    assert_string_equal(bedrock_end_name(record.end.cause), "end_stream");
    assert_string_equal(record.exception.request_id, "req-tls");
    record_fini(&record);
    stage_stop(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_peer_stops_reading),
        cmocka_unit_test(test_a_peer_answers_nothing),
        cmocka_unit_test(test_signing_for_another_clock),
        cmocka_unit_test(test_an_exception_is_outlived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
