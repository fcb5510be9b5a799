/* When a stream is due to be replaced: its age, credentials, wishes; and the
 * deadline, whoever is speaking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/self.h"
#include "tests/session/rig.h"

/* Speech, and its end soon. */
#define SPEECH "\"speech\":{\"hangover_ms\":50,\"preroll_ms\":50}"

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* ---- when ---- */

static void
test_by_its_age(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_after_s\":0.3,\"rotate_gap_s\":0}");
    uint64_t begun_ms = uv_hrtime() / 1000000;
    RIG_UNTIL(&rig, rig_opened() == 2);
    assert_true(uv_hrtime() / 1000000 - begun_ms >= 260);
    rig_accept();
    assert_true(rig_changed_to(2));
    assert_string_equal(
        jsonx_text(fake_bus_last("stream", "phase", "current"), "reason", ""),
        "its age");
}

static void
test_never_if_it_is_off(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"continuation\":\"off\",\"rotate_after_s\":0.2,"
                    "\"rotate_deadline_s\":0.3}");
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 1);
    rig_rotate(&rig); /* a wish is a wish */
    assert_true(rig_changed_to(2));
}

static void
test_rotations_keep_their_distance(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0.3}");
    rig_rotate(&rig);
    assert_true(rig_changed_to(2));
    uint64_t begun_ms = uv_hrtime() / 1000000;
    session_rotate(rig.session);
    session_rotate(rig.session);
    assert_int_equal(rig_opened(), 2);
    RIG_UNTIL(&rig, rig_opened() == 3);
    assert_true(uv_hrtime() / 1000000 - begun_ms >= 290);
    rig_accept();
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 3); /* two wishes were one */
}

/* A stream whose credentials expire in so long, by this machine's clock. */
static void
start_with_credentials_for(int64_t ms)
{
    uv_timeval64_t now;
    uv_gettimeofday(&now);
    rig.credentials.expires_ms = now.tv_sec * 1000 + ms;
    rig_start(&rig);
}

static double
rotates_in_s(void)
{
    cJSON *shown = session_description(rig.session);
    double in_s = jsonx_number(cJSON_GetObjectItem(shown, "stream"),
                               "rotates_in_seconds", -1);
    cJSON_Delete(shown);
    return in_s;
}

static void
test_credentials_that_run_out(void **state)
{
    (void)state;
    rig_open(&rig, "{\"rotate_gap_s\":0.1}");
    start_with_credentials_for(100 * 1000);
    double in_s = rotates_in_s();
    assert_true(in_s > 8 && in_s <= 10); /* the floor: no storm */
}

/* The machine's clock is an hour ahead: they have 280 s, not less than none. */
static void
test_credentials_by_the_endpoints_clock(void **state)
{
    (void)state;
    rig_open(&rig, "{\"credential_margin_s\":180}");
    rig.clock_offset_ms = -3600 * 1000;
    start_with_credentials_for((280 - 3600) * 1000);
    double in_s = rotates_in_s();
    assert_true(in_s > 80 && in_s <= 100);
}

/* They run out sooner than a stream may be replaced: then it is replaced as
 * soon as may be, also while the model speaks. */
static void
test_credentials_that_run_out_at_once(void **state)
{
    (void)state;
    rig_open(&rig, "{\"rotate_gap_s\":0}");
    start_with_credentials_for(1000);
    rig.session->leg.opened_ns -= UINT64_C(9900000000); /* it lives 10 s */
    rig_update(&rig, 1, "{\"deaf_after_s\":5}");
    rig_plans(&rig, "Once upon a time.");
    rig_audio(rig_audio_begins(&rig), 20);
    assert_true(session_rotate(rig.session)); /* not for credentials alone */
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    RIG_UNTIL(&rig, rig_changed_to(2));
}

/* ---- the deadline ---- */

/* Late in the stream's life, soon enough for a test. */
#define LATE "\"rotate_after_s\":0.8,\"rotate_deadline_s\":1"

static uint64_t
u64_of(const cJSON *object, const char *name)
{
    uint64_t value = UINT64_MAX;
    (void)jsonx_u64(object, name, &value);
    return value;
}

static void
test_deadline_in_the_middle_of_speech(void **state)
{
    (void)state;
    rig_begin(&rig, "{" SPEECH "," LATE "}");
    rig_mic(&rig, 8000);
    for (unsigned i = 0; i < 30 * 1000 && rig_told("current") == 0; i++) {
        if (rig_written(&rig) < 8000 + 24000)
            rig_talk(&rig, 160);
        rig_accept_opened(&rig);
    }
    const cJSON *current = fake_bus_last("stream", "phase", "current");
    unsigned number = rig_told("current");
    assert_string_equal(jsonx_text(current, "replay", ""), "audio");
    uint64_t from = u64_of(current, "resent_from_frame");
    assert_in_range(from, 8000 - 800 - 800, 8000 - 800 + 800);
    size_t before = rig_heard(1);
    rig_assert_heard(1, 0, before);
    RIG_UNTIL(&rig, from + rig_heard(number) == rig_written(&rig));
    rig_assert_heard(number, from, rig_written(&rig));
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), before - from);
    rig_assert_balanced(&rig);
}

/* What the network has taken and not sent yet leaves with the old stream's
 * end: it must not go to the new one, too. */
static void
test_deadline_while_the_network_holds_audio(void **state)
{
    (void)state;
    rig_begin(&rig, "{" LATE "}");
    fake_stream.choked = true;
    while (!rig_changed_to(rig_opened()) || rig_opened() == 1) {
        if (rig_written(&rig) < 8000)
            rig_mic(&rig, 160);
        rig_accept_opened(&rig);
    }
    rig_mic(&rig, 1000);
    session_close(rig.session);
    uint64_t from = rig_heard(1);
    assert_true(from > 0);
    rig_assert_heard(1, 0, from);
    rig_assert_heard(rig_opened(), from, rig_written(&rig));
    rig_assert_balanced(&rig);
}

/* The user keeps still, the model does not stop. */
static void
test_deadline_while_the_model_speaks(void **state)
{
    (void)state;
    rig_begin(&rig, "{" LATE "}");
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 200);
    while (!rig_changed_to(rig_opened()) || rig_opened() == 1)
        rig_accept_opened(&rig);
    assert_false(fake_stream_at(1)->finished);
    assert_non_null(strstr(fake_stream_last("textInput"), "Once upon a time."));
    assert_int_equal(fake_bus_count("response", "phase", "ended"), 0);
    fake_stream_select(1);
    rig_audio(audio, 100);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "Once upon a time.", "PARTIAL_TURN");
    fake_stream_select(0);
    assert_int_equal(rig_frames(&rig, "output_frames", "received"), 24 * 300);
    assert_int_equal(fake_bus_count("response", "status", "complete"), 1);
    RIG_UNTIL(&rig, fake_stream_at(1)->finished);
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    assert_int_equal(fake_bus_count("playback", "phase", "flushed"), 0);
}

/* The user has the word, and the new stream heard it. */
static void
test_new_stream_answers_while_the_old_one_talks(void **state)
{
    (void)state;
    rig_begin(&rig, "{" LATE "}");
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 200);
    while (!rig_changed_to(rig_opened()) || rig_opened() == 1)
        rig_accept_opened(&rig);
    rig_user_says(&rig, "what time is it");
    rig_plans(&rig, "It is noon.");
    assert_true(fake_stream_at(1)->finished);
    fake_stream_select(1);
    rig_audio(audio, 100); /* too late */
    fake_stream_select(0);
    uint64_t noon = rig_audio_begins(&rig);
    rig_audio(noon, 20);
    rig_content_ends(noon, "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
    assert_int_equal(fake_bus_count("response", "phase", "started"), 2);
    assert_int_equal(fake_bus_count("response", "phase", "ended"), 2);
    assert_string_equal(
        jsonx_text(fake_bus_last("response", "response", "2"), "text", ""),
        "It is noon.");
    assert_string_equal(
        jsonx_text(fake_bus_last("response", "response", "1"), "text", ""),
        "Once upon a time.");
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_its_age),
        TEST(never_if_it_is_off),
        TEST(rotations_keep_their_distance),
        TEST(credentials_that_run_out),
        TEST(credentials_by_the_endpoints_clock),
        TEST(credentials_that_run_out_at_once),
        TEST(deadline_in_the_middle_of_speech),
        TEST(deadline_while_the_network_holds_audio),
        TEST(deadline_while_the_model_speaks),
        TEST(new_stream_answers_while_the_old_one_talks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
