/* A stream that is alive and hears nothing: noticed, replaced, and what was
 * said is said to the next. */
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

#define DEAF(seconds)                                     \
    "{\"speech\":{\"hangover_ms\":50,\"preroll_ms\":50}," \
    "\"deaf_after_s\":" seconds "}"

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static size_t
deaf(void)
{
    return fake_bus_count("error", "code", "deaf");
}

static void
say_something(size_t frames)
{
    size_t before = fake_bus_count("speech", "phase", "ended");
    rig_talk(&rig, frames);
    rig_mic(&rig, 3200);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "ended") == before + 1);
}

static void
test_replaced_and_said_again(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.1"));
    say_something(12000);
    assert_int_equal(deaf(), 0);
    RIG_UNTIL(&rig, deaf() == 1);
    const cJSON *error = fake_bus_last("error", "code", "deaf");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(error, "recoverable")));
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    RIG_UNTIL(&rig, rig_heard(2) == rig_written(&rig));
    rig_assert_heard(2, 0, rig_written(&rig));
    assert_string_equal(
        jsonx_text(fake_bus_last("stream", "phase", "current"), "replay", ""),
        "audio");
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), rig_heard(1));
    rig_user_says(&rig, "what time is it");
    rig_run(&rig, 200);
    assert_int_equal(deaf(), 1);
}

/* Whatever it was, it is not speech: two streams agree. */
static void
test_noise_makes_no_storm(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.05"));
    say_something(12000);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    rig_run(&rig, 300);
    assert_int_equal(deaf(), 1);
    assert_int_equal(fake_endpoint.opened, 2);
}

static void
talk_with_a_start(void)
{
    rig_begin(&rig, DEAF("0.05"));
    rig_talk(&rig, 12000);
    RIG_UNTIL(&rig, fake_bus_count("speech", "phase", "started") == 1);
    rig_speech(true);
    rig_mic(&rig, 3200);
}

static void
test_any_sign_is_a_sign(void **state)
{
    (void)state;
    talk_with_a_start();
    rig_speech(false);
    rig_run(&rig, 200);
    assert_int_equal(deaf(), 0);
}

static void
test_a_start_is_no_sign(void **state)
{
    (void)state;
    talk_with_a_start();
    RIG_UNTIL(&rig, deaf() == 1);
}

/* What it costs is counted by a stream that hears nothing, too. */
static void
test_usage_is_no_sign(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.1"));
    say_something(12000);
    fake_stream_say("{\"event\":{\"usageEvent\":{\"details\":{\"delta\":{"
                    "\"input\":{\"speechTokens\":1}}}}}}");
    RIG_UNTIL(&rig, deaf() == 1);
}

static void
test_signs_may_come_late(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.3"));
    say_something(12000);
    rig_run(&rig, 50);
    rig_user_says(&rig, "hello");
    rig_run(&rig, 350);
    assert_int_equal(deaf(), 0);
}

static void
test_a_knock_is_no_speech(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.05"));
    say_something(2400); /* 150 ms */
    rig_run(&rig, 200);
    assert_int_equal(deaf(), 0);
}

static void
test_not_while_they_speak(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.05"));
    for (int i = 0; i < 30; i++) {
        rig_talk(&rig, 800);
        rig_run(&rig, 5);
    }
    assert_int_equal(fake_bus_count("speech", "phase", "started"), 1);
    assert_int_equal(deaf(), 0);
}

static void
test_may_be_off(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0"));
    say_something(12000);
    rig_run(&rig, 200);
    assert_int_equal(deaf(), 0);
}

static void
test_muted_is_not_speech(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.05"));
    session_mute(rig.session, true);
    rig_talk(&rig, 12000);
    rig_mic(&rig, 3200);
    rig_run(&rig, 200);
    assert_int_equal(fake_bus_count("speech", NULL, NULL), 0);
    assert_int_equal(deaf(), 0);
}

static void
test_ready_next_hears_it(void **state)
{
    (void)state;
    rig_begin(&rig, DEAF("0.05"));
    session_rotate(rig.session);
    fake_stream_connect();
    say_something(12000);
    fake_stream_answer(); /* an answer is due: no boundary */
    RIG_UNTIL(&rig, deaf() == 1);
    assert_int_equal(session_state(rig.session), SESSION_streaming);
    assert_int_equal(fake_endpoint.opened, 2);
    RIG_UNTIL(&rig, rig_heard(2) == rig_written(&rig));
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replaced_and_said_again),
        TEST(noise_makes_no_storm),
        TEST(any_sign_is_a_sign),
        TEST(a_start_is_no_sign),
        TEST(usage_is_no_sign),
        TEST(signs_may_come_late),
        TEST(a_knock_is_no_speech),
        TEST(not_while_they_speak),
        TEST(may_be_off),
        TEST(muted_is_not_speech),
        TEST(ready_next_hears_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
