/* session.update: at once, by a next stream, or not at all. */
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

/* The answer's text; it was the last. */
static const char *
update(int id, const char *config)
{
    char start[24];
    rig_update(&rig, id, config);
    snprintf(start, sizeof start, "\"id\":%d,", id);
    const char *answer = strstr(rig.answers, start);
    assert_non_null(answer);
    return answer;
}

static const char *
voice(unsigned number)
{
    fake_stream_select(number);
    const char *event = fake_stream_last("promptStart");
    fake_stream_select(0);
    const char *at = strstr(event, "\"voiceId\":\"");
    assert_non_null(at);
    return at + 11;
}

static void
test_live(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    const char *answer =
        update(1, "{\"interrupt_on\":[],\"idle_close_s\":3,"
                  "\"rotate_after_s\":100,\"listen\":\"when_quiet\"}");
    assert_non_null(strstr(answer, "\"applied\":\"done\""));
    assert_non_null(strstr(answer, "rotate_after_s"));
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 1);
    rig_user_says(&rig, "tell me a story");
    rig_plans(&rig, "Once upon a time.");
    rig_audio(rig_audio_begins(&rig), 1000);
    rig_marker(&rig);
    assert_int_equal(fake_bus_count("interruption", NULL, NULL), 0);
    rig_mic(&rig, 512);
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "gated") == 512);
}

static void
test_age_is_live_too(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_run(&rig, 250);
    update(1, "{\"rotate_after_s\":0.2,\"rotate_gap_s\":0}");
    RIG_UNTIL(&rig, rig_opened() == 2);
}

static void
test_by_rotation(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    const char *answer = update(1, "{\"voice\":\"tiffany\"}");
    assert_non_null(strstr(answer, "at the next turn boundary"));
    assert_non_null(strstr(answer, "\"rotation\":[\"voice\"]"));
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_true(rig_changed_to(2));
    assert_int_equal(strncmp(voice(2), "tiffany", 7), 0);
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 2);
}

static void
test_several_changes_are_one_rotation(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    update(1, "{\"voice\":\"tiffany\"}");
    rig_run(&rig, 100);
    update(2, "{\"system_prompt\":\"Be brief.\"}");
    rig_run(&rig, 100);
    update(3, "{\"voice\":\"amy\"}");
    rig_run(&rig, 100);
    assert_int_equal(rig_opened(), 1);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_true(rig_changed_to(2));
    assert_int_equal(strncmp(voice(2), "amy", 3), 0);
    assert_non_null(strstr(fake_stream_last("textInput"), "Be brief."));
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 2);
}

/* The next one was begun with what does not hold any more. */
static void
test_change_while_the_next_is_open(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"rotate_gap_s\":0}");
    update(1, "{\"voice\":\"tiffany\"}");
    RIG_UNTIL(&rig, rig_opened() == 2);
    fake_stream_connect();
    update(2, "{\"voice\":\"amy\"}");
    assert_false(fake_stream_at(2)->open);
    RIG_UNTIL(&rig, rig_opened() == 3);
    rig_accept();
    assert_true(rig_changed_to(3));
    assert_int_equal(strncmp(voice(3), "amy", 3), 0);
    assert_true(fake_stream_at(1)->finished);
}

/* Nothing is dropped that was not begun yet: it is begun as things are. */
static void
test_change_while_the_next_connects(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    session_rotate(rig.session);
    update(1, "{\"voice\":\"amy\"}");
    rig_accept();
    assert_true(rig_changed_to(2));
    assert_int_equal(strncmp(voice(2), "amy", 3), 0);
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 2);
}

static void
test_live_change_spares_the_next(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    session_rotate(rig.session);
    fake_stream_connect();
    update(1, "{\"deaf_after_s\":3}");
    fake_stream_answer();
    assert_true(rig_changed_to(2));
}

static void
test_model_of_another_family(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "hello");
    rig_plans(&rig, "Hello!");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "Hello!", "PARTIAL_TURN");
    update(1, "{\"model\":\"amazon.nova-sonic-v1:0\"}");
    rig_ask(&rig, 2, "{\"text\":\"still\"}"); /* the current one takes it */
    assert_null(strstr(rig.answers, "takes no text"));
    rig_plans(&rig, "Yes.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "Yes.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, rig_opened() == 2);
    assert_string_equal(fake_stream.model, "amazon.nova-sonic-v1:0");
    rig_accept();
    RIG_UNTIL(&rig, rig_changed_to(2));
    rig_ask(&rig, 3, "{\"text\":\"now\"}");
    assert_non_null(strstr(rig.answers, "takes no text"));
}

static void
test_reopen_only_changes_nothing(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    const char *answer =
        update(1, "{\"voice\":\"amy\",\"chunk_ms\":20,\"idle_close_s\":3}");
    assert_non_null(strstr(answer, "\"error\""));
    assert_non_null(strstr(answer, "chunk_ms"));
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 1);
    session_rotate(rig.session);
    rig_accept();
    assert_int_equal(strncmp(voice(2), "matthew", 7), 0);
}

static void
test_wrong_settings_change_nothing(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    const char *answer = update(1, "{\"voice\":7,\"mode\":\"odd\"}");
    assert_non_null(strstr(answer, "\"error\""));
    assert_non_null(strstr(answer, "params.config"));
    answer = update(2, "{\"nonsense\":1}");
    assert_non_null(strstr(answer, "nonsense"));
    rig_run(&rig, 350);
    assert_int_equal(rig_opened(), 1);
}

static void
test_before_there_is_a_stream(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    const char *answer = update(1, "{\"voice\":\"amy\"}");
    assert_non_null(strstr(answer, "with the next stream"));
    session_open(rig.session);
    update(2, "{\"system_prompt\":\"Be brief.\"}");
    rig_accept();
    assert_int_equal(rig_opened(), 1);
    assert_int_equal(strncmp(voice(1), "amy", 3), 0);
    assert_non_null(strstr(fake_stream_last("textInput"), "Be brief."));
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 1);
    session_sleep(rig.session);
    update(3, "{\"voice\":\"tiffany\"}");
    session_open(rig.session);
    rig_accept();
    assert_int_equal(strncmp(voice(2), "tiffany", 7), 0);
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 2);
}

static void
test_tools_that_come_and_go(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    fake_broker_offer("clock", "{}");
    session_tools_changed(rig.session);
    RIG_UNTIL(&rig, rig_opened() == 2);
    fake_stream_connect();
    assert_non_null(strstr(fake_stream_last("promptStart"), "clock"));
    fake_stream_answer();
    assert_true(rig_changed_to(2));
    session_tools_changed(rig.session); /* nothing did */
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 2);
}

static void
test_tool_that_comes_back_is_no_change(void **state)
{
    (void)state;
    rig_open(&rig, "{\"rotate_gap_s\":0}");
    fake_broker_offer("clock", "{}");
    rig_start(&rig);
    fake_broker.tool_count = 0; /* its worker is started anew */
    session_tools_changed(rig.session);
    rig_run(&rig, 50);
    fake_broker.tool_count = 1;
    session_tools_changed(rig.session);
    rig_run(&rig, 500);
    assert_int_equal(rig_opened(), 1);
}

static void
test_tools_of_others(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"tools\":[]}");
    fake_broker_offer("clock", "{}");
    session_tools_changed(rig.session);
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 1);
}

static void
test_history_from_outside(void **state)
{
    char why[256];
    struct history_message message = {
        .role = HISTORY_USER, .text = "My name is Ada", .pinned = true};
    (void)state;
    rig_begin(&rig, NULL);
    assert_int_equal(
        session_history_append(rig.session, &message, 0, why, sizeof why),
        VR_OK);
    assert_int_equal(
        session_history_append(rig.session, &message, 1, why, sizeof why),
        VR_STATE);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_true(rig_changed_to(2));
    assert_non_null(strstr(fake_stream_last("textInput"), "Ada"));
    assert_non_null(
        strstr(fake_stream.order, "contentStart:TEXT:USER textInput"));
}

static void
test_while_it_ends(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    session_close(rig.session);
    update(1, "{\"voice\":\"amy\"}");
    fake_stream_end(BEDROCK_END_end_stream, true);
    update(2, "{\"voice\":\"matthew\"}");
    rig_run(&rig, 400);
    assert_int_equal(rig_opened(), 1);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(live),
        TEST(age_is_live_too),
        TEST(by_rotation),
        TEST(several_changes_are_one_rotation),
        TEST(change_while_the_next_is_open),
        TEST(change_while_the_next_connects),
        TEST(live_change_spares_the_next),
        TEST(model_of_another_family),
        TEST(reopen_only_changes_nothing),
        TEST(wrong_settings_change_nothing),
        TEST(before_there_is_a_stream),
        TEST(tools_that_come_and_go),
        TEST(tool_that_comes_back_is_no_change),
        TEST(tools_of_others),
        TEST(history_from_outside),
        TEST(while_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
