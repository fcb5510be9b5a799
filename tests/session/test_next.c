/* The next stream when things go wrong: it fails, it is needed at once, there
 * is no room for it, or the session ends meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "tests/session/rig.h"

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static bool
streams(void)
{
    return session_state(rig.session) == SESSION_streaming;
}

/* ---- a next stream that fails ---- */

static void
assert_current_goes_on(void)
{
    uint64_t written = rig_written(&rig);
    assert_true(streams());
    assert_true(fake_stream_at(1)->open && !fake_stream_at(1)->finished);
    rig_mic(&rig, 1024);
    RIG_UNTIL(&rig, rig_heard(1) == written + 1024);
    assert_int_equal(fake_bus_count("error", NULL, NULL), 0);
    assert_int_equal(fake_bus_count("session_state", NULL, NULL), 0);
}

static void
test_refused_next(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0.1}");
    fake_endpoint.refuse_open = true;
    session_rotate(rig.session);
    rig_run(&rig, 250);
    assert_current_goes_on();
    assert_in_range(rig_counter(&rig, "refused_next_streams_total"), 1, 3);
    fake_endpoint.refuse_open = false;
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_true(rig_told("current") > 1);
}

static void
test_next_that_is_lost(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0.05}");
    session_rotate(rig.session);
    fake_stream_end(BEDROCK_END_refused, false); /* not connected */
    assert_current_goes_on();
    RIG_UNTIL(&rig, rig_opened() == 3);
    fake_stream_connect();
    fake_stream_refuse(); /* not accepted */
    assert_current_goes_on();
    assert_int_equal(rig_counter(&rig, "refused_next_streams_total"), 2);
    RIG_UNTIL(&rig, rig_opened() == 4);
    rig_accept();
    assert_true(rig_changed_to(4));
    assert_int_equal(rig_told("ending"), 1);
}

static void
test_ready_next_that_is_lost(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0.05}");
    rig_user_says(&rig, "hm");
    rig_plans(&rig, "Well.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 200);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_rotate(&rig);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    assert_current_goes_on();
    assert_int_equal(rig_told("dropped"), 2);
    RIG_UNTIL(&rig, rig_opened() == 3);
    rig_accept();
    RIG_UNTIL(&rig, rig_changed_to(3));
}

/* It will be as large the next time: not tried all the time. */
static void
test_next_whose_set_up_is_too_large(void **state)
{
    static char schema[600 * 1024];
    (void)state;
    memset(schema, ' ', sizeof schema - 1);
    schema[0] = '{';
    schema[sizeof schema - 2] = '}';
    rig_begin(&rig, "{\"rotate_gap_s\":0.2}");
    fake_broker_offer("one", schema);
    fake_broker_offer("two", schema);
    session_tools_changed(rig.session);
    for (int i = 0; i < 800; i++) {
        if (fake_stream.open && !fake_stream.connected)
            fake_stream_connect();
        rig_step(&rig);
    }
    assert_in_range(fake_bus_count("error", "code", "set_up_failed"), 1, 3);
    assert_in_range(rig_opened(), 2, 4);
    assert_true(streams());
    assert_true(fake_stream_at(1)->open && !fake_stream_at(1)->finished);
}

static void
test_next_that_waits_too_long_is_made_anew(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_after_s\":1,\"rotate_deadline_s\":400}");
    rig_user_says(&rig, "hm");
    rig_plans(&rig, "Well.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 500);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_rotate(&rig);
    RIG_UNTIL(&rig, rig_told("dropped") == 2); /* 125 ms, with no audio */
    RIG_UNTIL(&rig, rig_opened() >= 3);
    assert_true(streams());
    while (!rig_changed_to(rig_opened())) {
        if (fake_stream.open && !fake_stream.connected)
            rig_accept();
        rig_step(&rig);
    }
    assert_int_equal(fake_bus_count("playback", "phase", "finished"), 1);
}

/* ---- a rescue ---- */

static void
make_ready_while_it_plays(void)
{
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 1000);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_rotate(&rig);
    assert_false(rig_changed_to(2));
}

static void
test_ready_next_takes_over_from_a_lost_one(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_mic(&rig, 3000);
    RIG_UNTIL(&rig, rig_heard(1) == 5 * 512);
    make_ready_while_it_plays();
    fake_stream_select(1);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    fake_stream_select(0);
    assert_true(streams());
    assert_true(rig_changed_to(2));
    assert_int_equal(fake_bus_count("session_state", "state", "waiting"), 0);
    assert_int_equal(rig_told("dropped"), 1);
    rig_mic(&rig, 2000);
    session_close(rig.session);
    rig_assert_heard(1, 0, 5 * 512);
    rig_assert_heard(2, 5 * 512, 5000);
    rig_assert_balanced(&rig);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 0);
}

static void
test_next_that_is_not_ready_goes_with_a_lost_one(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    session_rotate(rig.session);
    fake_stream_connect();
    fake_stream_select(1);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    fake_stream_select(0);
    RIG_UNTIL(&rig, rig_opened() == 3);
    assert_int_equal(fake_endpoint.open_now, 1);
    rig_accept();
    assert_true(streams());
    rig_run(&rig, 50);
    assert_int_equal(rig_opened(), 3); /* it is new already */
}

/* ---- room for streams ---- */

static void
on_granted(void *arg, struct slot_ticket *ticket)
{
    (void)ticket;
    *(bool *)arg = true;
}

static void
test_no_room_for_a_next(void **state)
{
    (void)state;
    rig_bedrock("{\"max_streams\":1}");
    rig_begin(&rig, NULL);
    session_rotate(rig.session);
    rig_run(&rig, 150);
    assert_int_equal(rig_opened(), 1);
    assert_current_goes_on();
    cJSON *shown = session_description(rig.session);
    assert_string_equal(
        jsonx_text(cJSON_GetObjectItem(shown, "stream"), "next", ""), "queued");
    cJSON_Delete(shown);
}

/* One after the other, at the deadline; and then not again at once. */
static void
test_changes_in_place_keep_their_distance(void **state)
{
    (void)state;
    rig_bedrock("{\"max_streams\":1}");
    rig_begin(&rig, "{\"rotate_after_s\":0.2,\"rotate_deadline_s\":0.3,"
                    "\"rotate_gap_s\":5}");
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    rig_run(&rig, 700);
    assert_int_equal(rig_opened(), 2);
    assert_true(streams());
}

static void
test_first_stream_waits_for_room(void **state)
{
    struct slot_ticket other = {0};
    bool granted = false;
    (void)state;
    rig_bedrock("{\"max_streams\":1}");
    rig_open(&rig, NULL);
    assert_int_equal(slots_ask(rig.services.slots, &other, SLOT_STREAM,
                               on_granted, &granted),
                     SLOTS_GRANTED);
    assert_true(session_open(rig.session));
    assert_int_equal(session_state(rig.session), SESSION_queued);
    rig_mic(&rig, 1000);
    rig_run(&rig, 20);
    assert_int_equal(rig_opened(), 0);
    slots_release(rig.services.slots, &other);
    RIG_UNTIL(&rig, rig_opened() == 1);
    rig_accept();
    assert_true(streams());
    session_close(rig.session);
    rig_assert_heard(1, 0, 1000);
}

static void
test_queued_is_closed(void **state)
{
    struct slot_ticket other = {0};
    bool granted = false;
    (void)state;
    rig_bedrock("{\"max_streams\":1}");
    rig_open(&rig, NULL);
    slots_ask(rig.services.slots, &other, SLOT_STREAM, on_granted, &granted);
    session_open(rig.session);
    assert_true(session_sleep(rig.session));
    assert_int_equal(session_state(rig.session), SESSION_asleep);
    session_open(rig.session);
    assert_int_equal(session_state(rig.session), SESSION_queued);
    session_close(rig.session);
    assert_int_equal(session_state(rig.session), SESSION_closed);
    slots_release(rig.services.slots, &other);
    rig_run(&rig, 10);
    assert_int_equal(rig_opened(), 0);
}

/* ---- ends in every phase ---- */

enum phase { NONE, OPENING, CONNECTED, READY, PARTING, PHASES };

static void
reach(enum phase phase)
{
    rig_begin(&rig, NULL);
    if (phase == READY) {
        make_ready_while_it_plays();
        return;
    }
    if (phase >= OPENING)
        session_rotate(rig.session);
    if (phase >= CONNECTED)
        fake_stream_connect();
    if (phase == PARTING)
        fake_stream_answer();
}

static void
test_closed_in_every_phase(void **state)
{
    (void)state;
    for (enum phase p = NONE; p < PHASES; p++) {
        reach(p);
        session_close(rig.session);
        assert_in_range(fake_endpoint.open_now, 1, 2);
        fake_stream_select(p == PARTING ? 2 : 1);
        fake_stream_end(BEDROCK_END_end_stream, true);
        if (p == PARTING) {
            /* It may still tell what it cost. */
            assert_int_equal(session_state(rig.session), SESSION_closing);
            fake_stream_select(1);
            fake_stream_end(BEDROCK_END_end_stream, true);
        }
        assert_int_equal(session_state(rig.session), SESSION_closed);
        assert_int_equal(fake_endpoint.open_now, 0);
        if (p + 1 < PHASES)
            rig_close(&rig);
    }
}

static void
test_put_to_sleep_in_every_phase(void **state)
{
    (void)state;
    for (enum phase p = NONE; p < PHASES; p++) {
        reach(p);
        assert_true(session_sleep(rig.session));
        assert_int_equal(session_state(rig.session), SESSION_asleep);
        unsigned number = rig_opened();
        session_open(rig.session);
        RIG_UNTIL(&rig, rig_opened() == number + 1);
        rig_accept();
        assert_true(streams());
        if (p + 1 < PHASES)
            rig_close(&rig);
    }
}

static void
test_freed_in_every_phase(void **state)
{
    (void)state;
    for (enum phase p = NONE; p < PHASES; p++) {
        reach(p);
        session_free(&rig.session);
        assert_int_equal(fake_endpoint.open_now, 0);
        if (p + 1 < PHASES)
            rig_close(&rig);
    }
}

static void
test_lost_in_every_phase(void **state)
{
    (void)state;
    for (enum phase p = NONE; p < PHASES; p++) {
        reach(p);
        fake_stream_select(p == PARTING ? 2 : 1);
        fake_stream_end(BEDROCK_END_rst_stream, false);
        fake_stream_select(0);
        while (!streams())
            rig_accept_opened(&rig);
        rig_mic(&rig, 1000);
        session_close(rig.session);
        rig_assert_balanced(&rig);
        assert_int_equal(rig_frames(&rig, "input_frames", "sent"), 1000);
        if (p + 1 < PHASES)
            rig_close(&rig);
    }
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refused_next),
        TEST(next_that_is_lost),
        TEST(ready_next_that_is_lost),
        TEST(next_whose_set_up_is_too_large),
        TEST(next_that_waits_too_long_is_made_anew),
        TEST(ready_next_takes_over_from_a_lost_one),
        TEST(next_that_is_not_ready_goes_with_a_lost_one),
        TEST(no_room_for_a_next),
        TEST(changes_in_place_keep_their_distance),
        TEST(first_stream_waits_for_room),
        TEST(queued_is_closed),
        TEST(closed_in_every_phase),
        TEST(put_to_sleep_in_every_phase),
        TEST(freed_in_every_phase),
        TEST(lost_in_every_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
