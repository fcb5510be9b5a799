/* A session from open to closed: the order of events, the audio, the ends. */
#include <setjmp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "tests/session/rig.h"

#define SET_UP                                                                \
    "sessionStart promptStart contentStart:TEXT:SYSTEM textInput contentEnd " \
    "contentStart:AUDIO:USER "
#define ENDS "contentEnd promptEnd sessionEnd FINISH "

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static bool
is_in(enum session_state state)
{
    return session_state(rig.session) == state;
}

static uint64_t
frames(const char *side, const char *member)
{
    return rig_frames(&rig, side, member);
}

/* Whether the samples sent, silence left out, are the microphone's from frame
 * number `from` (counted from 1), `count` of them. */
static void
assert_sent(uint64_t from, size_t count)
{
    size_t seen = 0;
    for (size_t i = 0; i < fake_stream.sample_count; i++) {
        if (fake_stream.samples[i] == 0)
            continue;
        assert_int_equal(fake_stream.samples[i], from + seen);
        seen++;
    }
    assert_int_equal(seen, count);
}

static size_t
heard_samples(void)
{
    size_t seen = 0;
    for (size_t i = 0; i < fake_stream.sample_count; i++)
        seen += fake_stream.samples[i] != 0;
    return seen;
}

/* ---- opening ---- */

static void
test_opens_in_order(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    assert_true(session_open(rig.session));
    assert_false(session_open(rig.session));
    fake_stream_connect();
    assert_true(is_in(SESSION_starting));
    assert_int_equal(strncmp(fake_stream.order, SET_UP, strlen(SET_UP)), 0);
    fake_stream_answer();
    assert_string_equal(fake_bus_story(),
                        "state:idle state:connecting state:preparing "
                        "state:starting state:streaming ");
    assert_in_range(rig.states, 1, 4);
}

static void
test_answer_may_come_before_the_set_up(void **state)
{
    (void)state;
    rig_open(&rig, "{\"tools\":[\"clock\"]}");
    session_open(rig.session);
    fake_stream_connect();
    fake_stream_answer();
    assert_true(is_in(SESSION_preparing));
    fake_broker_offer("clock", "{}");
    session_tools_changed(rig.session);
    assert_true(is_in(SESSION_streaming));
    assert_non_null(strstr(fake_stream_last("promptStart"), "\"clock\""));
}

static void
test_tools_are_not_waited_for_forever(void **state)
{
    (void)state;
    rig_open(&rig, "{\"tools\":[\"clock\"],\"tools_wait_ms\":50}");
    session_open(rig.session);
    fake_stream_connect();
    assert_true(is_in(SESSION_preparing));
    RIG_UNTIL(&rig, is_in(SESSION_starting));
    assert_null(strstr(fake_stream_last("promptStart"), "toolConfiguration"));
}

static void
test_set_up_waits_for_room(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    fake_stream.full = true;
    fake_stream_connect();
    rig_mic(&rig, 512);
    rig_run(&rig, 20);
    assert_string_equal(fake_stream.order, "");
    fake_stream_room();
    RIG_UNTIL(&rig, heard_samples() == 512);
    assert_int_equal(
        strncmp(fake_stream.order, SET_UP "audio ", strlen(SET_UP "audio ")),
        0);
}

static void
test_too_large_a_set_up_is_an_error(void **state)
{
    static char schema[600 * 1024];
    (void)state;
    memset(schema, ' ', sizeof schema - 1);
    schema[0] = '{';
    schema[sizeof schema - 2] = '}';
    rig_open(&rig, NULL);
    fake_broker_offer("one", schema);
    fake_broker_offer("two", schema);
    session_open(rig.session);
    fake_stream_connect();
    assert_true(is_in(SESSION_failed));
    assert_int_equal(fake_bus_count("error", "code", "set_up_failed"), 1);
    assert_int_equal(fake_endpoint.closed, 1);
    assert_string_equal(fake_stream.order, "");
}

static void
test_refused_stream_is_an_error(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    fake_endpoint.refuse_open = true;
    assert_true(session_open(rig.session));
    assert_true(is_in(SESSION_failed));
    assert_string_equal(fake_bus_story(),
                        "state:idle state:connecting error:cannot_connect "
                        "state:failed ");
    fake_endpoint.refuse_open = false;
    assert_true(session_open(rig.session));
    assert_true(is_in(SESSION_connecting));
}

/* ---- audio ---- */

static void
test_audio_is_sent_as_it_was_written(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    rig_mic(&rig, 5 * 512 + 100);
    session_close(rig.session);
    assert_sent(1, 5 * 512 + 100);
    assert_int_equal(frames("input_frames", "sent"), 5 * 512 + 100);
    assert_int_equal(fake_stream.sample_count % 512, 0);
    rig_assert_balanced(&rig);
}

static void
test_audio_of_the_set_up_is_kept(void **state)
{
    (void)state;
    rig_open(&rig, "{\"connect_buffer_ms\":100}");
    rig_mic(&rig, 3200); /* 200 ms */
    session_open(rig.session);
    rig_mic(&rig, 320);
    fake_stream_connect();
    session_close(rig.session);
    assert_int_equal(frames("input_frames", "sent"), 1600);
    assert_int_equal(frames("input_frames", "lost"), 1920);
    assert_sent(1921, 1600);
    rig_assert_balanced(&rig);
}

static void
test_full_network_keeps_audio_in_the_ring(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    fake_stream.full = true;
    rig_mic(&rig, 16000);
    rig_run(&rig, 30);
    assert_int_equal(heard_samples(), 0);
    rig_assert_balanced(&rig);
    fake_stream_room();
    RIG_UNTIL(&rig, heard_samples() >= 31 * 512);
    session_close(rig.session);
    assert_sent(1, 16000);
    assert_int_equal(frames("input_frames", "lost"), 0);
    rig_assert_balanced(&rig);
}

static void
test_mute_sends_silence_and_counts(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    session_mute(rig.session, true);
    rig_mic(&rig, 1024);
    RIG_UNTIL(&rig, frames("input_frames", "gated") == 1024);
    assert_int_equal(heard_samples(), 0);
    session_mute(rig.session, false);
    rig_mic(&rig, 512);
    RIG_UNTIL(&rig, heard_samples() == 512);
    assert_sent(1025, 512);
    rig_assert_balanced(&rig);
}

static void
test_listens_when_quiet(void **state)
{
    (void)state;
    rig_open(&rig, "{\"listen\":\"when_quiet\"}");
    rig_start(&rig);
    rig_plans(&rig, "Hello.");
    rig_audio(rig_audio_begins(&rig), 100);
    rig_mic(&rig, 512);
    RIG_UNTIL(&rig, frames("input_frames", "gated") == 512);
    assert_int_equal(heard_samples(), 0);
    rig_run(&rig, 500); /* 100 ms of speech, 300 ms for the room */
    rig_mic(&rig, 512);
    RIG_UNTIL(&rig, heard_samples() == 512);
    assert_sent(513, 512);
}

static void
test_silence_runs_without_a_producer(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    RIG_UNTIL(&rig, fake_stream.sample_count >= 3 * 512);
    assert_int_equal(heard_samples(), 0);
    assert_int_equal(frames("input_frames", "produced"), 0);
}

/* ---- closing ---- */

static void
test_closes_in_order(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    rig_mic(&rig, 700);
    assert_true(session_close(rig.session));
    assert_false(session_close(rig.session));
    assert_string_equal(fake_stream.order, "audio " ENDS);
    fake_stream_say("{\"event\":{\"usageEvent\":{\"details\":{\"delta\":{"
                    "\"input\":{\"speechTokens\":7}}}}}}");
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_true(is_in(SESSION_closed));
    assert_int_equal(fake_bus_count("usage", NULL, NULL), 1);
    assert_int_equal(fake_endpoint.closed, 1);
    assert_string_equal(fake_news[fake_news_count - 1].type, "session_state");
    assert_false(session_open(rig.session));
}

static void
test_closing_waits_at_most_two_seconds(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    uint64_t begun_ms = uv_hrtime() / 1000000;
    session_close(rig.session);
    RIG_UNTIL(&rig, is_in(SESSION_closed));
    assert_in_range(uv_hrtime() / 1000000 - begun_ms, 1990, 9000);
}

static void
test_close_before_anything_was_begun(void **state)
{
    (void)state;
    rig_open(&rig, "{\"tools\":[\"clock\"],\"tools_wait_ms\":5000}");
    session_open(rig.session);
    fake_stream_connect();
    session_close(rig.session);
    assert_string_equal(fake_stream.order, "FINISH ");
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_true(is_in(SESSION_closed));
}

static void
test_close_while_idle_or_connecting(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    session_close(rig.session);
    assert_true(is_in(SESSION_closed));
    assert_int_equal(fake_endpoint.closed, 1);
    rig_close(&rig);
    rig_open(&rig, NULL);
    session_close(rig.session);
    assert_true(is_in(SESSION_closed));
    assert_int_equal(fake_endpoint.opened, 0);
}

static void
test_last_audio_leaves_before_the_ends(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    fake_stream.full = true;
    rig_mic(&rig, 4 * 512 + 9);
    rig_run(&rig, 10);
    session_close(rig.session);
    rig_run(&rig, 30);
    assert_string_equal(fake_stream.order, "");
    fake_stream_room();
    assert_string_equal(fake_stream.order, "audio " ENDS);
    assert_sent(1, 4 * 512 + 9);
    assert_int_equal(frames("input_frames", "sent"), 4 * 512 + 9);
    rig_assert_balanced(&rig);
}

static void
test_network_that_stays_full_does_not_hold_the_close(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    fake_stream.full = true;
    rig_mic(&rig, 1024);
    session_close(rig.session);
    rig_run(&rig, 1100);
    if (is_in(SESSION_closing)) {
        fake_stream_room(); /* too late for the audio, not for the ends */
        assert_string_equal(fake_stream.order, ENDS);
    }
    RIG_UNTIL(&rig, is_in(SESSION_closed));
    rig_assert_balanced(&rig);
    assert_int_equal(frames("input_frames", "lost") +
                         frames("input_frames", "pending"),
                     1024);
}

/* The deadline may be noticed when an event comes: the stream then goes while
 * its decoder is at work. */
static void
test_deadline_inside_an_event(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    session_close(rig.session);
    poll(NULL, 0, 2050); /* the loop does not turn */
    fake_stream_say("{\"event\":{\"userSpeechEnd\":{\"inputAudioOffsetMs\":1},"
                    "\"completionEnd\":{\"promptName\":\"p\"},"
                    "\"usageEvent\":{\"details\":{\"delta\":{}}}}}");
    assert_true(is_in(SESSION_closed));
    assert_int_equal(fake_endpoint.closed, 1);
    assert_int_equal(fake_bus_count("usage", NULL, NULL), 0);
}

/* How often the loop wakes in 300 ms: silence alone makes ten chunks. */
static void
assert_sleeps(void)
{
    unsigned turns = 0;
    uint64_t end = uv_hrtime() + 300 * 1000000ull;
    for (; uv_hrtime() < end; turns++)
        uv_run(&rig.loop, UV_RUN_ONCE);
    if (turns > 50)
        fail_msg("%u turns while %s", turns,
                 machine_state_name(session_state(rig.session)));
}

static void
test_loop_sleeps_in_every_state(void **state)
{
    (void)state;
    rig_open(&rig, "{\"tools\":[\"ghost\"],\"tools_wait_ms\":1000}");
    assert_sleeps();
    session_open(rig.session);
    assert_sleeps();
    fake_stream_connect();
    assert_sleeps();
    RIG_UNTIL(&rig, is_in(SESSION_starting));
    fake_stream_answer();
    assert_sleeps();
    rig_plans(&rig, "Once upon a time.");
    rig_audio(rig_audio_begins(&rig), 5000);
    assert_sleeps();
    fake_stream.full = true;
    rig_mic(&rig, 16000);
    assert_sleeps();
    fake_stream_end(BEDROCK_END_rst_stream, false);
    assert_sleeps();
}

static void
test_loop_sleeps_while_closing(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    rig_mic(&rig, 16000);
    session_close(rig.session);
    assert_sleeps();
}

static void
test_loop_sleeps_while_draining(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    fake_stream.full = true;
    rig_mic(&rig, 16000);
    session_close(rig.session);
    assert_sleeps();
}

/* ---- lost ---- */

static const enum session_state states[] = {
    SESSION_connecting, SESSION_preparing, SESSION_starting,
    SESSION_streaming,  SESSION_closing,
};
#define STATE_COUNT (sizeof states / sizeof states[0])

static void
reach(enum session_state state)
{
    fake_broker.ready = state != SESSION_preparing;
    session_open(rig.session);
    if (state > SESSION_connecting)
        fake_stream_connect();
    if (state > SESSION_starting)
        fake_stream_answer();
    if (state == SESSION_closing)
        session_close(rig.session);
    assert_true(is_in(state));
}

static void
test_refused_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATE_COUNT; i++) {
        bool closing = states[i] == SESSION_closing;
        rig_open(&rig, "{\"tools_wait_ms\":5000}");
        reach(states[i]);
        fake_stream_refuse();
        assert_true(is_in(closing ? SESSION_closed : SESSION_failed));
        assert_int_equal(fake_bus_count("error", NULL, NULL), !closing);
        assert_int_equal(fake_endpoint.closed, 1);
        assert_string_equal(fake_news[fake_news_count - 1].type,
                            "session_state");
        if (!closing)
            rig_close(&rig);
    }
}

static void
test_lost_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATE_COUNT; i++) {
        bool closing = states[i] == SESSION_closing;
        rig_open(&rig, "{\"tools_wait_ms\":5000}");
        reach(states[i]);
        fake_stream_end(BEDROCK_END_rst_stream, false);
        fake_broker.ready = true;
        assert_int_equal(fake_bus_count("error", NULL, NULL), !closing);
        if (closing)
            return;
        RIG_UNTIL(&rig, fake_endpoint.opened == 2);
        rig_accept();
        assert_true(is_in(SESSION_streaming));
        rig_close(&rig);
    }
}

static void
test_opens_again_after_a_refusal(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    rig_mic(&rig, 1000);
    fake_stream_refuse();
    assert_true(is_in(SESSION_failed));
    rig_start(&rig);
    assert_int_equal(fake_endpoint.opened, 2);
    rig_mic(&rig, 2000);
    session_close(rig.session);
    rig_assert_balanced(&rig);
    assert_int_equal(frames("input_frames", "pending"), 0);
}

static void
test_normal_end_nobody_asked_for_is_a_loss(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    rig_start(&rig);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_int_equal(fake_bus_count("session_state", "state", "waiting"), 1);
    assert_int_equal(fake_bus_count("error", NULL, NULL), 1);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
}

static void
test_freed_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATE_COUNT - 1; i++) {
        rig_open(&rig, "{\"tools_wait_ms\":5000}");
        reach(states[i]);
        rig_ask(&rig, 1, "{\"text\":\"hello\",\"wait\":\"response\"}");
        session_free(&rig.session);
        assert_non_null(strstr(rig.answers, "-32004"));
        rig_close(&rig);
    }
    rig_open(&rig, NULL);
    reach(SESSION_closing);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_in_order),
        TEST(answer_may_come_before_the_set_up),
        TEST(tools_are_not_waited_for_forever),
        TEST(set_up_waits_for_room),
        TEST(too_large_a_set_up_is_an_error),
        TEST(refused_stream_is_an_error),
        TEST(audio_is_sent_as_it_was_written),
        TEST(audio_of_the_set_up_is_kept),
        TEST(full_network_keeps_audio_in_the_ring),
        TEST(mute_sends_silence_and_counts),
        TEST(listens_when_quiet),
        TEST(silence_runs_without_a_producer),
        TEST(closes_in_order),
        TEST(closing_waits_at_most_two_seconds),
        TEST(close_before_anything_was_begun),
        TEST(close_while_idle_or_connecting),
        TEST(last_audio_leaves_before_the_ends),
        TEST(network_that_stays_full_does_not_hold_the_close),
        TEST(deadline_inside_an_event),
        TEST(loop_sleeps_in_every_state),
        TEST(loop_sleeps_while_closing),
        TEST(loop_sleeps_while_draining),
        TEST(refused_in_every_state),
        TEST(lost_in_every_state),
        TEST(opens_again_after_a_refusal),
        TEST(normal_end_nobody_asked_for_is_a_loss),
        TEST(freed_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
