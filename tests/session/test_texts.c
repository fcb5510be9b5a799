/* Texts for the model and those who wait for what comes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/texts.h"
#include "tests/session/rig.h"

static struct rig rig;

static int
tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* The answer to request `id`, to be deleted; NULL while there is none. Fails
 * if there are two. */
static cJSON *
answer_to(int id)
{
    cJSON *found = NULL;
    char *copy = strdup(rig.answers), *rest = copy, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        cJSON *answer = cJSON_Parse(line);
        if (jsonx_int(answer, "id", -1) != id) {
            cJSON_Delete(answer);
            continue;
        }
        assert_null(found);
        found = answer;
    }
    free(copy);
    return found;
}

static int
error_of(int id)
{
    cJSON *answer = answer_to(id);
    int code = (int)jsonx_int(cJSON_GetObjectItem(answer, "error"), "code", 0);
    cJSON_Delete(answer);
    return code;
}

static bool
is_accepted(int id)
{
    cJSON *answer = answer_to(id);
    bool yes =
        jsonx_bool(cJSON_GetObjectItem(answer, "result"), "accepted", false);
    cJSON_Delete(answer);
    return yes;
}

static void
assert_result(int id, const char *key, const char *value)
{
    cJSON *answer = answer_to(id);
    assert_non_null(answer);
    assert_string_equal(
        jsonx_text(cJSON_GetObjectItem(answer, "result"), key, ""), value);
    cJSON_Delete(answer);
}

static void
respond(const char *words)
{
    rig_plans(&rig, words);
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, words, "PARTIAL_TURN");
}

static void
test_text_goes_out_whole(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"say hello\"}");
    assert_true(is_accepted(1));
    assert_non_null(strstr(fake_stream.order,
                           "contentStart:TEXT:USER textInput contentEnd "));
    assert_non_null(
        strstr(fake_stream_last("contentStart"), "\"interactive\":true"));
    assert_non_null(strstr(fake_stream_last("textInput"), "say hello"));
}

static void
test_text_waits_for_the_stream(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    rig_ask(&rig, 1, "{\"text\":\"early\"}");
    assert_string_equal(rig.answers, "");
    fake_stream_connect();
    assert_true(is_accepted(1));
    const char *audio = strstr(fake_stream.order, "contentStart:AUDIO");
    assert_non_null(audio);
    assert_non_null(strstr(audio, "contentStart:TEXT:USER"));
}

static void
test_who_waits_for_the_response_gets_it(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"say hello\",\"wait\":\"response\"}");
    rig_ask(&rig, 2, "{\"text\":\"loudly\",\"wait\":\"response\"}");
    assert_string_equal(rig.answers, "");
    respond("Hello!");
    assert_result(1, "response", "1");
    assert_result(1, "status", "complete");
    assert_result(1, "text", "Hello!");
    assert_null(answer_to(2));
    respond("HELLO!");
    assert_result(2, "response", "2");
    assert_result(2, "text", "HELLO!");
}

static void
test_answer_to_an_accepted_text_is_not_the_next_ones(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"say hello\"}");
    assert_true(is_accepted(1));
    rig_ask(&rig, 2, "{\"text\":\"goodbye\",\"wait\":\"response\"}");
    respond("Hello!");
    assert_null(answer_to(2));
    respond("Goodbye!");
    assert_result(2, "text", "Goodbye!");
}

static void
test_response_under_way_is_not_the_answer(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_user_says(&rig, "talk");
    rig_plans(&rig, "Talking.");
    rig_ask(&rig, 1, "{\"text\":\"and then?\",\"wait\":\"response\"}");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "Talking.", "PARTIAL_TURN");
    assert_string_equal(rig.answers, "");
    respond("Then this.");
    assert_result(1, "response", "2");
    assert_result(1, "text", "Then this.");
}

static void
test_interrupted_response_is_an_answer(void **state)
{
    double heard_ms;
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"talk\",\"wait\":\"response\"}");
    rig_plans(&rig, "Well, ");
    rig_audio(rig_audio_begins(&rig), 500);
    assert_int_equal(session_interrupt(rig.session, &heard_ms), VR_OK);
    assert_result(1, "status", "interrupted");
}

static void
test_time_runs_out(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    rig_ask(&rig, 1, "{\"text\":\"early\",\"timeout_ms\":20}");
    RIG_UNTIL(&rig, rig.answers[0]);
    assert_int_equal(error_of(1), RPC_TIMEOUT);
    fake_stream_connect();
    fake_stream_answer();
    assert_null(strstr(fake_stream_last("textInput"), "early"));
    rig_ask(&rig, 2,
            "{\"text\":\"say\",\"wait\":\"response\",\"timeout_ms\":20}");
    RIG_UNTIL(&rig, error_of(2));
    assert_int_equal(error_of(2), RPC_TIMEOUT);
    respond("Too late.");
    assert_int_equal(error_of(2), RPC_TIMEOUT);
}

static void
test_closed_and_failed(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    fake_stream_refuse();
    rig_ask(&rig, 1, "{\"text\":\"nobody\"}");
    assert_int_equal(error_of(1), RPC_CLOSED);
    rig_start(&rig);
    rig_ask(&rig, 2, "{\"text\":\"hi\",\"wait\":\"response\"}");
    session_close(rig.session);
    assert_int_equal(error_of(2), RPC_CLOSED);
    rig_ask(&rig, 3, "{\"text\":\"hi\"}");
    assert_int_equal(error_of(3), RPC_CLOSED);
}

static void
test_lost_stream_leaves_it_to_the_next(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"hi\",\"wait\":\"response\"}");
    fake_stream_end(BEDROCK_END_rst_stream, false);
    assert_int_equal(fake_endpoint.opened, 2);
    rig_accept();
    assert_non_null(strstr(fake_stream_last("textInput"), "hi"));
    respond("Hello!");
    RIG_UNTIL(&rig, strstr(rig.answers, "complete"));
    assert_int_equal(error_of(1), 0);
}

static void
test_two_lost_streams_are_an_answer(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"hi\",\"wait\":\"response\"}");
    for (unsigned lost = 1; lost <= 2; lost++) {
        fake_stream_end(BEDROCK_END_rst_stream, false);
        RIG_UNTIL(&rig, fake_endpoint.opened == lost + 1);
        assert_int_equal(error_of(1), lost < 2 ? 0 : RPC_CLOSED);
        rig_accept();
    }
    assert_null(strstr(fake_stream.order, "interactive"));
}

static void
test_refused_stream_answers(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"hi\",\"wait\":\"response\"}");
    fake_stream_refuse();
    assert_int_equal(error_of(1), RPC_CLOSED);
}

static void
test_bad_texts(void **state)
{
    static char much[TEXTS_BYTES_MAX + 64];
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"  \\n\"}");
    assert_int_equal(error_of(1), RPC_PARAMS);
    memset(much, 'x', sizeof much - 1);
    memcpy(much, "{\"text\":\"", 9);
    memcpy(much + sizeof much - 3, "\"}", 2);
    rig_ask(&rig, 2, much);
    assert_int_equal(error_of(2), RPC_PARAMS);
    assert_null(fake_stream_last("textInput"));
}

static void
test_first_family_takes_no_text(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"model\":\"amazon.nova-sonic-v1:0\"}");
    rig_ask(&rig, 1, "{\"text\":\"hi\"}");
    assert_int_equal(error_of(1), RPC_UNSUPPORTED);
}

static void
test_only_so_many_wait(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    for (int i = 1; i <= TEXTS_MAX + 1; i++)
        rig_ask(&rig, i, "{\"text\":\"hi\"}");
    assert_int_equal(error_of(TEXTS_MAX + 1), RPC_LIMIT);
    assert_int_equal(error_of(1), 0);
    fake_stream_connect();
    for (int i = 1; i <= TEXTS_MAX; i++)
        assert_true(is_accepted(i));
}

static void
test_texts_wait_for_room(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    fake_stream.full = true;
    rig_ask(&rig, 1, "{\"text\":\"one\"}");
    rig_ask(&rig, 2, "{\"text\":\"two\"}");
    assert_true(is_accepted(1)); /* it is on its way */
    assert_false(is_accepted(2));
    fake_stream_room();
    assert_true(is_accepted(2));
    assert_non_null(strstr(fake_stream_last("textInput"), "two"));
}

static void
test_caller_who_goes_is_forgotten(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_ask(&rig, 1, "{\"text\":\"hi\",\"wait\":\"response\"}");
    rpc_shutdown(rig.rpc);
    assert_int_equal(error_of(1), RPC_SHUTDOWN);
    respond("Hello!");
    assert_int_equal(error_of(1), RPC_SHUTDOWN);
}

/* ---- the gateway's own texts ---- */

static void
test_greeting_is_for_the_first_time(void **state)
{
    (void)state;
    rig_open(&rig, "{\"greeting\":\"Greet the user.\"}");
    session_open(rig.session);
    fake_stream_connect();
    fake_stream_answer();
    assert_non_null(strstr(fake_stream_last("textInput"), "Greet the user."));
    respond("Good morning!");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    assert_string_equal(
        jsonx_text(fake_bus_last("turn", NULL, NULL), "user_text", "?"), "");
    fake_stream_end(BEDROCK_END_rst_stream, false);
    rig_accept();
    rig_run(&rig, 5);
    assert_null(strstr(fake_stream_last("textInput"), "Greet"));
}

static const char question[] =
    "{\"history\":[{\"role\":\"USER\",\"text\":\"hi\"},"
    "{\"role\":\"ASSISTANT\",\"text\":\"hello\"},"
    "{\"role\":\"USER\",\"text\":\"what is your name\"}]}";

static void
test_words_of_the_history_are_answered_once(void **state)
{
    (void)state;
    rig_open(&rig, question);
    session_open(rig.session);
    fake_stream_connect();
    assert_non_null(strstr(fake_stream_last("textInput"), "what is your name"));
    fake_stream_end(BEDROCK_END_rst_stream, false); /* no answer: ask again */
    assert_int_equal(fake_endpoint.opened, 2);
    rig_accept();
    assert_non_null(strstr(fake_stream_last("textInput"), "what is your name"));
    assert_non_null(
        strstr(fake_stream_last("contentStart"), "\"interactive\":true"));
    respond("I am a robot.");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) >= 1);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(&rig, fake_endpoint.opened == 3);
    rig_accept();
    assert_non_null(strstr(fake_stream_last("textInput"), "I am a robot."));
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_goes_out_whole),
        TEST(text_waits_for_the_stream),
        TEST(who_waits_for_the_response_gets_it),
        TEST(answer_to_an_accepted_text_is_not_the_next_ones),
        TEST(response_under_way_is_not_the_answer),
        TEST(interrupted_response_is_an_answer),
        TEST(time_runs_out),
        TEST(closed_and_failed),
        TEST(lost_stream_leaves_it_to_the_next),
        TEST(two_lost_streams_are_an_answer),
        TEST(refused_stream_answers),
        TEST(bad_texts),
        TEST(first_family_takes_no_text),
        TEST(only_so_many_wait),
        TEST(texts_wait_for_room),
        TEST(caller_who_goes_is_forgotten),
        TEST(greeting_is_for_the_first_time),
        TEST(words_of_the_history_are_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
