/* Whole conversations through the contract, in fake time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/local/talk.h"

#define NOVA2 "amazon.nova-2-sonic-v1:0"
#define V1 "amazon.nova-sonic-v1:0"
#define CLOCK                                                     \
    "{\"toolSpec\":{\"name\":\"clock\",\"description\":\"time\"," \
    "\"inputSchema\":{\"json\":\"{\\\"type\\\":\\\"object\\\"}\"}}}"

static void
assert_flow(const struct talk *t, const char *expected)
{
    char *flow = talk_flow(t);

    assert_string_equal(flow, expected);
    free(flow);
}

static void
test_text_is_answered(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_silence(&t, 500);
    talk_text(&t, "T1", "Stop, please!");
    talk_silence(&t, 3000);
    talk_finish(&t);
    assert_true(t.ended);
    assert_string_equal(t.exception, "");
    assert_int_equal(talk_notes(&t, "violation"), 0);
    assert_string_equal(talk_said(&t, "ASSISTANT", "SPECULATIVE", &from),
                        "All right.");
    assert_flow(&t, "completionStart "
                    "contentStart(SPECULATIVE) textOutput "
                    "contentEnd(PARTIAL_TURN) "
                    "contentStart(AUDIO) audioOutput contentEnd(END_TURN) "
                    "contentStart(FINAL) textOutput contentEnd(END_TURN) "
                    "completionEnd(END_TURN)");
    talk_close(&t);
}

static void
test_scripted_speech_is_answered(void **state)
{
    struct talk t;
    const cJSON *use;
    int from = 0;

    (void)state;
    talk_open(&t, NULL, EAR_SCRIPT, NOVA2);
    talk_start(&t, CLOCK);
    talk_silence(&t, 300);
    talk_tone(&t, 600);
    talk_silence(&t, 15000);
    talk_tone(&t, 600);
    talk_silence(&t, 3000);
    use = talk_find(&t, "toolUse", &from);
    assert_non_null(use);
    assert_string_equal(talk_string(use, "toolName"), "clock");
    assert_string_equal(talk_string(use, "content"), "{}");
    talk_result(&t, "R1", talk_string(use, "toolUseId"),
                "{\"time\":\"12:34\",\"date\":\"2026-11-20\"}");
    talk_silence(&t, 8000);
    talk_finish(&t);
    assert_string_equal(t.exception, "");
    assert_int_equal(talk_notes(&t, "violation"), 0);
    assert_string_equal(talk_said(&t, "ASSISTANT", "SPECULATIVE", &from),
                        "It is 12:34, on 2026-11-20.");
    assert_int_equal(talk_count(&t, "completionStart"), 1);
    assert_int_equal(talk_count(&t, "userSpeechStart"), 2);
    assert_int_equal(talk_count(&t, "userSpeechEnd"), 2);
    talk_close(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_answered),
        cmocka_unit_test(test_scripted_speech_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
