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

static void
start(const char *settings)
{
    rig_open(&rig, settings);
    rig_start(&rig);
}

static unsigned
opened(void)
{
    return fake_endpoint.opened;
}

/* Its stream number, of the last event of this phase; 0: none. */
static unsigned
told(const char *phase)
{
    return (unsigned)jsonx_number(fake_bus_last("stream", "phase", phase),
                                  "stream", 0);
}

static bool
changed_to(unsigned number)
{
    return told("current") == number;
}

/* A next stream is asked for and accepted. */
static void
rotate(void)
{
    unsigned number = opened() + 1;
    assert_true(session_rotate(rig.session));
    RIG_UNTIL(&rig, opened() == number);
    rig_accept();
}

/* ---- when ---- */

static void
test_by_its_age(void **state)
{
    (void)state;
    start("{\"rotate_after_s\":0.3,\"rotate_gap_s\":0}");
    uint64_t begun_ms = uv_hrtime() / 1000000;
    RIG_UNTIL(&rig, opened() == 2);
    assert_true(uv_hrtime() / 1000000 - begun_ms >= 260);
    rig_accept();
    assert_true(changed_to(2));
    assert_string_equal(
        jsonx_text(fake_bus_last("stream", "phase", "current"), "reason", ""),
        "its age");
}

static void
test_never_if_it_is_off(void **state)
{
    (void)state;
    start("{\"continuation\":\"off\",\"rotate_after_s\":0.2,"
          "\"rotate_deadline_s\":0.3}");
    rig_run(&rig, 400);
    assert_int_equal(opened(), 1);
    rotate(); /* a wish is a wish */
    assert_true(changed_to(2));
}

static void
test_rotations_keep_their_distance(void **state)
{
    (void)state;
    start("{\"rotate_gap_s\":0.3}");
    rotate();
    assert_true(changed_to(2));
    uint64_t begun_ms = uv_hrtime() / 1000000;
    session_rotate(rig.session);
    session_rotate(rig.session);
    assert_int_equal(opened(), 2);
    RIG_UNTIL(&rig, opened() == 3);
    assert_true(uv_hrtime() / 1000000 - begun_ms >= 290);
    rig_accept();
    rig_run(&rig, 400);
    assert_int_equal(opened(), 3); /* two wishes were one */
}

static void
test_credentials_that_run_out(void **state)
{
    (void)state;
    rig_open(&rig, "{\"rotate_gap_s\":0.1}");
    uv_timeval64_t now;
    uv_gettimeofday(&now);
    rig.credentials.expires_ms = now.tv_sec * 1000 + 100 * 1000;
    rig_start(&rig);
    cJSON *shown = session_description(rig.session);
    double in_s = jsonx_number(cJSON_GetObjectItem(shown, "stream"),
                               "rotates_in_seconds", -1);
    cJSON_Delete(shown);
    assert_true(in_s > 8 && in_s <= 10); /* the floor: no storm */
}

/* ---- the deadline ---- */

/* Late in the stream's life, soon enough for a test. */
#define LATE "\"rotate_after_s\":0.8,\"rotate_deadline_s\":1"

static void
accept_what_is_opened(void)
{
    if (fake_stream.open && !fake_stream.connected)
        rig_accept();
    rig_step(&rig);
}

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
    start("{" SPEECH "," LATE "}");
    rig_mic(&rig, 8000);
    for (unsigned i = 0; i < 30 * 1000 && told("current") == 0; i++) {
        if (rig_written(&rig) < 8000 + 24000)
            rig_talk(&rig, 160);
        accept_what_is_opened();
    }
    const cJSON *current = fake_bus_last("stream", "phase", "current");
    unsigned number = told("current");
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
    start("{" LATE "}");
    fake_stream.choked = true;
    while (!changed_to(opened()) || opened() == 1) {
        if (rig_written(&rig) < 8000)
            rig_mic(&rig, 160);
        accept_what_is_opened();
    }
    rig_mic(&rig, 1000);
    session_close(rig.session);
    uint64_t from = rig_heard(1);
    assert_true(from > 0);
    rig_assert_heard(1, 0, from);
    rig_assert_heard(opened(), from, rig_written(&rig));
    rig_assert_balanced(&rig);
}

/* The user keeps still, the model does not stop. */
static void
test_deadline_while_the_model_speaks(void **state)
{
    (void)state;
    start("{" LATE "}");
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 200);
    while (!changed_to(opened()) || opened() == 1)
        accept_what_is_opened();
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
    start("{" LATE "}");
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 200);
    while (!changed_to(opened()) || opened() == 1)
        accept_what_is_opened();
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
        TEST(deadline_in_the_middle_of_speech),
        TEST(deadline_while_the_network_holds_audio),
        TEST(deadline_while_the_model_speaks),
        TEST(new_stream_answers_while_the_old_one_talks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
