/* Whole conversations through the contract, in fake time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/local/talk.h"

#define NOVA2 "amazon.nova-2-sonic-v1:0"
#define V1 "amazon.nova-sonic-v1:0"
#define TOOL(name)                                                \
    "{\"toolSpec\":{\"name\":\"" name "\",\"description\":\"d\"," \
    "\"inputSchema\":{\"json\":\"{\\\"type\\\":\\\"object\\\"}\"}}}"
#define CLOCK TOOL("clock")
#define SPOKEN                                                       \
    "contentStart(SPECULATIVE) textOutput contentEnd(PARTIAL_TURN) " \
    "contentStart(AUDIO) audioOutput "
#define FINAL "contentStart(FINAL) textOutput "
#define TOOL_USE "contentStart(TOOL) toolUse contentEnd(TOOL_USE) "
#define HEARD FINAL "contentEnd(PARTIAL_TURN) "
#define LONG_TEXT                                                     \
    "one two three four five six seven eight nine ten eleven twelve " \
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"

static void
assert_flow(const struct talk *t, const char *expected)
{
    char *flow = talk_flow(t);

    assert_string_equal(flow, expected);
    free(flow);
}

static void
assert_clean(const struct talk *t)
{
    assert_string_equal(t->exception, "");
    if (talk_notes(t, "violation") > 0)
        fail_msg("%s", cJSON_Print(t->notes));
}

/* Forgets what came so far. */
static void
clear(struct talk *t)
{
    cJSON_Delete(t->events);
    t->events = cJSON_CreateArray();
}

static const char *
last_tool_use(const struct talk *t, int *from)
{
    const cJSON *use = talk_find(t, "toolUse", from);

    assert_non_null(use);
    return talk_string(use, "toolUseId");
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
    assert_clean(&t);
    assert_string_equal(talk_said(&t, "ASSISTANT", "SPECULATIVE", &from),
                        "All right.");
    assert_flow(&t, "completionStart " SPOKEN "contentEnd(END_TURN) " FINAL
                    "contentEnd(END_TURN) completionEnd(END_TURN)");
    talk_close(&t);
}

static void
test_unknown_text(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t,
              "{\"lines\":[{\"hear\":\"x\"}],"
              "\"unknown\":{\"say\":\"You wrote {text}\"}}",
              EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_text(&t, "T1", "Wie bitte?");
    talk_silence(&t, 500);
    assert_string_equal(talk_said(&t, "ASSISTANT", "SPECULATIVE", &from),
                        "You wrote Wie bitte?");
    assert_clean(&t);
    talk_close(&t);
}

static void
test_no_ear_only_tells_speech(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_silence(&t, 300);
    talk_tone(&t, 600);
    talk_silence(&t, 4000);
    assert_flow(&t, "userSpeechStart completionStart userSpeechEnd");
    talk_close(&t);
}

static void
test_offsets_and_sensitivity(void **state)
{
    struct talk t;
    const cJSON *event;
    int from = 0;

    (void)state;
    talk_open(&t, NULL, EAR_SCRIPT, NOVA2);
    talk_start(&t, "");
    talk_silence(&t, 1000);
    talk_tone(&t, 500);
    talk_silence(&t, 1600);
    event = talk_find(&t, "userSpeechStart", &from);
    assert_in_range(cJSON_GetObjectItem(event, "inputAudioOffsetMs")->valueint,
                    940, 1030);
    event = talk_find(&t, "userSpeechEnd", &from);
    assert_in_range(cJSON_GetObjectItem(event, "inputAudioOffsetMs")->valueint,
                    1490, 1520);
    assert_in_range(
        cJSON_GetObjectItem(event, "inputAudioDetectionOffsetMs")->valueint,
        1970, 2000);
    /* MEDIUM: the turn ends after 1.75 s of silence, not before. */
    assert_int_equal(talk_count(&t, "contentStart"), 0);
    talk_silence(&t, 250);
    assert_int_equal(talk_count(&t, "contentStart"), 1);
    talk_close(&t);
}

static void
test_a_pause_does_not_end_the_turn(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_SCRIPT, NOVA2);
    talk_start(&t, "");
    talk_silence(&t, 300);
    talk_tone(&t, 500);
    talk_silence(&t, 1000);
    talk_tone(&t, 500);
    talk_silence(&t, 1900);
    assert_int_equal(talk_count(&t, "userSpeechStart"), 2);
    assert_int_equal(talk_count(&t, "userSpeechEnd"), 2);
    assert_int_equal(talk_notes(&t, "heard"), 1);
    talk_close(&t);
}

static void
test_scripted_tool_turn(void **state)
{
    static const char script[] =
        "{\"endpoint_ms\":600,\"lines\":[{\"hear\":\"time\",\"transcript\":"
        "[\"what\",\"time is it\"],\"tool\":{\"name\":\"clock\",\"arguments\":"
        "{\"zone\":\"UTC\"}},\"say_before\":\"One moment.\",\"say\":"
        "\"It is {clock.time}. Bye.\"}]}";
    struct talk t;
    const cJSON *use;
    int from = 0;

    (void)state;
    talk_open(&t, script, EAR_SCRIPT, NOVA2);
    talk_start(&t, CLOCK);
    talk_silence(&t, 300);
    talk_tone(&t, 600);
    talk_silence(&t, 3000);
    use = talk_find(&t, "toolUse", &from);
    assert_non_null(use);
    assert_string_equal(talk_string(use, "toolName"), "clock");
    assert_string_equal(talk_string(use, "content"), "{\"zone\":\"UTC\"}");
    talk_result(&t, "R1", talk_string(use, "toolUseId"),
                "{\"time\":\"12:34\"}");
    talk_silence(&t, 3000);
    talk_finish(&t);
    assert_clean(&t);
    assert_string_equal(talk_said(&t, "ASSISTANT", "SPECULATIVE", &from),
                        "It is 12:34.");
    assert_flow(
        &t,
        "userSpeechStart completionStart userSpeechEnd " HEARD HEARD SPOKEN
        "contentEnd(PARTIAL_TURN) " TOOL_USE FINAL
        "contentEnd(PARTIAL_TURN) " SPOKEN "contentEnd(PARTIAL_TURN) " SPOKEN
        "contentEnd(END_TURN) " FINAL "contentEnd(PARTIAL_TURN) " FINAL
        "contentEnd(END_TURN) completionEnd(END_TURN)");
    talk_close(&t);
}

static void
test_tools_one_by_one_and_together(void **state)
{
    static const char script[] =
        "{\"lines\":[{\"hear\":\"one\",\"tool\":[{\"name\":\"a\"},{\"name\":"
        "\"b\",\"arguments\":{\"from\":\"{a.x}\"},\"double_encoded\":true}],"
        "\"say\":\"{a.x} {b.y}\"},{\"hear\":\"both\",\"parallel\":true,"
        "\"tool\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"say\":\"{b.y}\"}]}";
    struct talk t;
    const char *first, *second;
    const cJSON *use;
    int from = 0;

    (void)state;
    talk_open(&t, script, EAR_NONE, NOVA2);
    talk_start(&t, TOOL("a") "," TOOL("b"));
    talk_text(&t, "T1", "one");
    talk_silence(&t, 1000);
    assert_int_equal(talk_count(&t, "toolUse"), 1);
    talk_result(&t, "R1", last_tool_use(&t, &from), "{\"x\":7}");
    use = talk_find(&t, "toolUse", &from);
    assert_string_equal(talk_string(use, "content"),
                        "\"{\\\"from\\\":\\\"7\\\"}\"");
    talk_result(&t, "R2", talk_string(use, "toolUseId"), "{\"y\":true}");
    talk_silence(&t, 3000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "7 true");
    talk_text(&t, "T2", "both");
    talk_silence(&t, 1000);
    assert_int_equal(talk_count(&t, "toolUse"), 4);
    first = last_tool_use(&t, &from);
    second = last_tool_use(&t, &from);
    talk_result(&t, "R3", second, "{\"y\":\"ok\"}");
    talk_silence(&t, 1000);
    assert_null(talk_said(&t, "ASSISTANT", "FINAL", &(int){from}));
    talk_result(&t, "R4", first, "{}");
    talk_silence(&t, 3000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "ok");
    assert_clean(&t);
    talk_close(&t);
}

static void
test_failed_and_missing_tools(void **state)
{
    static const char script[] =
        "{\"lines\":[{\"hear\":\"one\",\"tool\":{\"name\":\"a\"},\"say\":"
        "\"fine\",\"say_error\":\"Bad: {a.error}\"},{\"hear\":\"two\","
        "\"tool\":{\"name\":\"nothere\"},\"say\":\"fine\"}]}";
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t, script, EAR_NONE, NOVA2);
    talk_start(&t, TOOL("a"));
    talk_text(&t, "T1", "one");
    talk_silence(&t, 500);
    talk_result(&t, "R1", last_tool_use(&t, &from), "{\"error\":\"late\"}");
    talk_silence(&t, 3000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from),
                        "Bad: late");
    talk_text(&t, "T2", "two");
    talk_silence(&t, 3000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from),
                        "Sorry, I have no tool called nothere.");
    talk_close(&t);
}

static const char slow_tool[] =
    "{\"lines\":[{\"hear\":\"slow\",\"tool\":{\"name\":\"a\"},\"say\":"
    "\"Done {a.x}\",\"say_while\":\"I am at it.\"},{\"hear\":\"quick\","
    "\"say\":\"Yes.\"}]}";

static void
test_nova2_talks_while_a_tool_works(void **state)
{
    struct talk t;
    const char *id;
    int from = 0;

    (void)state;
    talk_open(&t, slow_tool, EAR_NONE, NOVA2);
    talk_start(&t, TOOL("a"));
    talk_text(&t, "T1", "slow");
    talk_silence(&t, 2000);
    id = last_tool_use(&t, &from);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from),
                        "I am at it.");
    talk_text(&t, "T2", "quick");
    talk_silence(&t, 2000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Yes.");
    talk_result(&t, "R1", id, "{\"x\":1}");
    talk_silence(&t, 2000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Done 1");
    assert_clean(&t);
    talk_close(&t);
}

static void
test_v1_waits_for_its_tool(void **state)
{
    static const char script[] =
        "{\"endpoint_ms\":500,\"lines\":[{\"hear\":\"slow\",\"tool\":"
        "{\"name\":\"a\"},\"say\":\"Done {a.x}\",\"say_while\":\"Not "
        "said.\"},{\"hear\":\"quick\",\"say\":\"Yes.\"}]}";
    struct talk t;
    const char *id;
    int from = 0;

    (void)state;
    talk_open(&t, script, EAR_SCRIPT, V1);
    talk_start(&t, TOOL("a"));
    talk_tone(&t, 500);
    talk_silence(&t, 2000);
    talk_tone(&t, 500);
    talk_silence(&t, 2000);
    id = last_tool_use(&t, &from);
    assert_null(talk_said(&t, "ASSISTANT", "FINAL", &(int){from}));
    talk_result(&t, "R1", id, "{\"x\":1}");
    talk_silence(&t, 3000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Done 1");
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Yes.");
    assert_int_equal(talk_count(&t, "userSpeechStart"), 0);
    assert_int_equal(talk_count(&t, "userSpeechEnd"), 0);
    assert_clean(&t);
    talk_close(&t);
}

static void
test_tool_choice_forces_a_tool(void **state)
{
    struct talk t;
    const cJSON *use;
    int from = 0;

    (void)state;
    talk_open(&t, slow_tool, EAR_NONE, NOVA2);
    talk_start(&t, TOOL("b") "],\"toolChoice\":{\"any\":{}},\"x\":[");
    talk_text(&t, "T1", "quick");
    talk_silence(&t, 500);
    use = talk_find(&t, "toolUse", &from);
    assert_non_null(use);
    assert_string_equal(talk_string(use, "toolName"), "b");
    talk_result(&t, "R1", talk_string(use, "toolUseId"), "{}");
    talk_silence(&t, 2000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Yes.");
    talk_close(&t);
}

/* ---- barge-in ------------------------------------------------------------ */

/* Speaks a long text by half, then the user speaks. */
static void
barge_in(struct talk *t, const char *forms, enum conversation_ear ear)
{
    char script[1024];

    snprintf(script, sizeof(script),
             "{\"endpoint_ms\":500,\"audio_speed_percent\":100,\"barge_in\":"
             "%s,\"lines\":[{\"hear\":\"go\",\"say\":\"" LONG_TEXT
             ".\"},{\"hear\":\"stop\",\"say\":\"\"}]}",
             forms);
    talk_open(t, script, ear, NOVA2);
    talk_start(t, "");
    talk_text(t, "T1", "go");
    talk_silence(t, 3000);
    talk_tone(t, 500);
    talk_silence(t, 300);
}

static void
test_barge_in_in_full(void **state)
{
    struct talk t;
    const char *said;
    int from = 0;

    (void)state;
    barge_in(&t, "[\"marker\",\"stop_reason\",\"speech_start\"]", EAR_NONE);
    assert_flow(&t, "completionStart " SPOKEN
                    "userSpeechStart contentEnd(END_TURN) " FINAL
                    "contentEnd(INTERRUPTED) " FINAL "contentEnd(INTERRUPTED)");
    said = talk_said(&t, "ASSISTANT", "FINAL", &from);
    assert_int_equal(strncmp(said, "one two three", 13), 0);
    assert_null(strstr(said, "twenty"));
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from),
                        "{ \"interrupted\" : true }");
    /* Nothing more of that answer comes. */
    clear(&t);
    talk_silence(&t, 8000);
    assert_int_equal(talk_count(&t, "audioOutput"), 0);
    assert_clean(&t);
    talk_close(&t);
}

static void
test_barge_in_each_form(void **state)
{
    static const char *const forms[] = {"\"marker\"", "\"stop_reason\"",
                                        "\"speech_start\"", "[]"};
    static const char *const flows[] = {
        "contentEnd(END_TURN) " FINAL "contentEnd(END_TURN) " FINAL
        "contentEnd(END_TURN)",
        "contentEnd(END_TURN) " FINAL "contentEnd(INTERRUPTED)",
        "userSpeechStart contentEnd(END_TURN) " FINAL "contentEnd(END_TURN)",
        "contentEnd(END_TURN) " FINAL "contentEnd(END_TURN)"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char expected[512];
        struct talk t;

        barge_in(&t, forms[i], EAR_NONE);
        snprintf(expected, sizeof(expected), "completionStart " SPOKEN "%s",
                 flows[i]);
        assert_flow(&t, expected);
        talk_close(&t);
    }
}

/* Everything was sent, but a listener in real time is not through with it. */
static void
test_barge_in_after_the_last_byte(void **state)
{
    static const char script[] =
        "{\"endpoint_ms\":500,\"audio_speed_percent\":1000,\"lines\":["
        "{\"hear\":\"go\",\"say\":\"" LONG_TEXT ".\"}]}";
    struct talk t;

    (void)state;
    talk_open(&t, script, EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_text(&t, "T1", "go");
    talk_silence(&t, 2500);
    assert_flow(&t, "completionStart " SPOKEN "contentEnd(END_TURN) " FINAL
                    "contentEnd(END_TURN)");
    clear(&t);
    talk_tone(&t, 500);
    assert_flow(&t, "userSpeechStart " FINAL "contentEnd(INTERRUPTED)");
    clear(&t);
    talk_silence(&t, 3000);
    talk_tone(&t, 500);
    /* The second time nothing was left to interrupt. */
    assert_flow(&t, "userSpeechEnd userSpeechStart");
    talk_close(&t);
}

static void
test_speech_when_nothing_plays_is_no_barge_in(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t,
              "{\"endpoint_ms\":500,\"lines\":[{\"hear\":\"go\",\"say\":"
              "\"Yes.\"}]}",
              EAR_SCRIPT, NOVA2);
    talk_start(&t, "");
    for (int i = 0; i < 3; i++) {
        talk_tone(&t, 500);
        talk_silence(&t, 5000);
    }
    assert_int_equal(talk_notes(&t, "turn: answered"), 3);
    assert_int_equal(talk_notes(&t, "turn: interrupted"), 0);
    talk_close(&t);
}

/* An answer that has not begun when the user speaks comes afterwards. */
static void
test_an_answer_that_is_due_is_kept(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t,
              "{\"endpoint_ms\":500,\"lines\":[{\"hear\":\"go\","
              "\"slow_ms\":300,\"say\":\"Yes.\"}]}",
              EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_text(&t, "T1", "go");
    talk_tone(&t, 800);
    assert_int_equal(talk_count(&t, "contentStart"), 0);
    talk_silence(&t, 2000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Yes.");
    assert_int_equal(talk_notes(&t, "turn: interrupted"), 0);
    talk_close(&t);
}

/* ---- ends and clocks ----------------------------------------------------- */

static void
test_prompt_end_stops_the_answer(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t,
              "{\"audio_speed_percent\":100,\"lines\":[{\"hear\":\"go\","
              "\"say\":\"" LONG_TEXT ".\"}]}",
              EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_text(&t, "T1", "go");
    talk_silence(&t, 2000);
    talk_finish(&t);
    assert_flow(&t, "completionStart " SPOKEN "contentEnd(END_TURN) " FINAL
                    "contentEnd(END_TURN) completionEnd(END_TURN)");
    assert_true(t.ended);
    assert_clean(&t);
    assert_true(conversation_deadline_ms(t.conversation) == UINT64_MAX);
    talk_close(&t);
}

static void
test_end_without_session_end(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    conversation_on_end(t.conversation, t.now_ms);
    assert_true(t.ended);
    assert_string_equal(t.exception, "");
    assert_int_equal(talk_notes(&t, "violation"), 1);
    talk_close(&t);
}

static void
test_a_violation_ends_the_stream(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_setup(&t, "");
    talk_send(&t, "{\"event\":{\"sessionEnd\":{}}}");
    assert_string_equal(t.exception, "validationException");
    assert_string_equal(
        t.message,
        "Invalid input request, please fix your input and try again.");
    /* Deaf afterwards. */
    talk_send(&t, "{\"event\":{\"promptEnd\":{\"promptName\":\"P\"}}}");
    talk_wait(&t, 600000);
    talk_close(&t);
}

static void
test_no_input_for_55_seconds(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_wait(&t, 54999);
    assert_false(t.ended);
    talk_wait(&t, 1);
    assert_string_equal(t.exception, "validationException");
    assert_string_equal(t.message, "Timed out waiting for input events");
    talk_close(&t);
}

static void
test_eight_minutes_scaled(void **state)
{
    struct talk t;

    (void)state;
    talk_open_scaled(&t, NULL, EAR_NONE, NOVA2, 60);
    talk_start(&t, "");
    for (int i = 0; i < 15; i++)
        talk_silence(&t, 500);
    assert_false(t.ended);
    talk_silence(&t, 600);
    assert_true(t.ended);
    assert_string_equal(t.exception, "modelTimeoutException");
    assert_string_equal(t.message, "Model has timed out in processing the "
                                   "request. Try your request again.");
    talk_close(&t);
}

static void
test_silence_timeout_where_the_script_asks(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t,
              "{\"silence_timeout_ms\":175000,\"lines\":[{\"hear\":"
              "\"x\"}]}",
              EAR_NONE, NOVA2);
    talk_start(&t, "");
    for (int i = 0; i < 17; i++)
        talk_silence(&t, 10000);
    assert_false(t.ended);
    talk_silence(&t, 10000);
    assert_string_equal(
        t.message, "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 "
                   "error code: NO_ERROR");
    talk_close(&t);
}

static void
test_a_line_that_silence_brings(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t,
              "{\"lines\":[{\"on\":\"silence\",\"after_ms\":5000,\"say\":"
              "\"Are you there?\"}]}",
              EAR_SCRIPT, NOVA2);
    talk_start(&t, "");
    talk_silence(&t, 4900);
    assert_int_equal(talk_count(&t, "contentStart"), 0);
    talk_silence(&t, 20000);
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from),
                        "Are you there?");
    assert_null(talk_said(&t, "ASSISTANT", "FINAL", &from));
    talk_close(&t);
}

static void
test_hurry_is_noted_once(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    for (int i = 0; i < 400; i++) {
        t.now_ms -= 32;
        talk_silence(&t, 32);
    }
    assert_int_equal(talk_notes(&t, "violation: audioInput: more than 3 s"), 1);
    assert_false(t.ended);
    talk_close(&t);
}

/* ---- shapes -------------------------------------------------------------- */

static double
number(const cJSON *event, const char *a, const char *b, const char *c)
{
    const cJSON *item = cJSON_GetObjectItem(event, "details");

    item = cJSON_GetObjectItem(cJSON_GetObjectItem(item, a), b);
    item = cJSON_GetObjectItem(item, c);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void
test_usage_adds_up(void **state)
{
    static const char *const sides[] = {"input", "output"};
    static const char *const kinds[] = {"speechTokens", "textTokens"};
    double sum[4] = {0}, total[4] = {0}, all = 0;
    struct talk t;
    const cJSON *event;
    int from = 0;

    (void)state;
    talk_open(&t, NULL, EAR_SCRIPT, NOVA2);
    talk_start(&t, "");
    talk_tone(&t, 800);
    talk_silence(&t, 9000);
    talk_text(&t, "T", "goodbye");
    talk_silence(&t, 2000);
    talk_finish(&t);
    while ((event = talk_find(&t, "usageEvent", &from)) != NULL) {
        for (int i = 0; i < 4; i++) {
            sum[i] += number(event, "delta", sides[i / 2], kinds[i % 2]);
            total[i] = number(event, "total", sides[i / 2], kinds[i % 2]);
            assert_true(sum[i] == total[i]);
        }
        all = cJSON_GetObjectItem(event, "totalTokens")->valuedouble;
        assert_true(all == total[0] + total[1] + total[2] + total[3]);
    }
    for (int i = 0; i < 4; i++)
        assert_true(total[i] > 0);
    talk_close(&t);
}

static void
test_ids_and_roles(void **state)
{
    struct talk t;
    const cJSON *item;
    const char *open_id = "";
    const char *session = NULL, *completion = NULL;
    int without_role = 0, with_role = 0;

    (void)state;
    talk_open(&t, NULL, EAR_SCRIPT, NOVA2);
    talk_start(&t, "");
    talk_tone(&t, 800);
    talk_silence(&t, 9000);
    talk_finish(&t);
    cJSON_ArrayForEach(item, t.events)
    {
        const char *name = talk_string(item, "_name");

        if (session == NULL)
            session = talk_string(item, "sessionId");
        assert_string_equal(talk_string(item, "sessionId"), session);
        assert_string_equal(talk_string(item, "promptName"), "P");
        if (strncmp(name, "userSpeech", 10) == 0)
            continue;
        if (completion == NULL)
            completion = talk_string(item, "completionId");
        assert_int_equal(strlen(completion), 36);
        assert_string_equal(talk_string(item, "completionId"), completion);
        if (strcmp(name, "contentStart") == 0)
            open_id = talk_string(item, "contentId");
        if (strcmp(name, "textOutput") == 0 ||
            strcmp(name, "audioOutput") == 0) {
            assert_string_equal(talk_string(item, "contentId"), open_id);
            with_role += cJSON_HasObjectItem(item, "role");
            without_role += !cJSON_HasObjectItem(item, "role");
        }
        if (strcmp(name, "contentEnd") == 0)
            assert_string_equal(talk_string(item, "contentId"), open_id);
    }
    assert_true(with_role > 0 && without_role > 0);
    talk_close(&t);
}

static void
test_audio_is_faster_than_real_time(void **state)
{
    struct talk t;
    const cJSON *event;
    size_t characters = 0;
    double audio_ms, sent_ms;
    uint64_t from_ms;
    int from = 0;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    talk_text(&t, "T", "tell me a story");
    from_ms = t.now_ms;
    while (talk_notes(&t, "turn: answered") == 0 && t.now_ms < from_ms + 60000)
        talk_silence(&t, 100);
    sent_ms = (double)(t.now_ms - from_ms);
    while ((event = talk_find(&t, "audioOutput", &from)) != NULL)
        characters += strlen(talk_string(event, "content"));
    audio_ms = (double)characters * 3 / 4 / 2 / 24;
    /* Long enough to interrupt, and three times as fast. */
    assert_true(audio_ms > 20000);
    assert_true(sent_ms < audio_ms / 2);
    assert_true(sent_ms > audio_ms / 4);
    talk_close(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_answered),
        cmocka_unit_test(test_unknown_text),
        cmocka_unit_test(test_no_ear_only_tells_speech),
        cmocka_unit_test(test_offsets_and_sensitivity),
        cmocka_unit_test(test_a_pause_does_not_end_the_turn),
        cmocka_unit_test(test_scripted_tool_turn),
        cmocka_unit_test(test_tools_one_by_one_and_together),
        cmocka_unit_test(test_failed_and_missing_tools),
        cmocka_unit_test(test_nova2_talks_while_a_tool_works),
        cmocka_unit_test(test_v1_waits_for_its_tool),
        cmocka_unit_test(test_tool_choice_forces_a_tool),
        cmocka_unit_test(test_barge_in_in_full),
        cmocka_unit_test(test_barge_in_each_form),
        cmocka_unit_test(test_barge_in_after_the_last_byte),
        cmocka_unit_test(test_speech_when_nothing_plays_is_no_barge_in),
        cmocka_unit_test(test_an_answer_that_is_due_is_kept),
        cmocka_unit_test(test_prompt_end_stops_the_answer),
        cmocka_unit_test(test_end_without_session_end),
        cmocka_unit_test(test_a_violation_ends_the_stream),
        cmocka_unit_test(test_no_input_for_55_seconds),
        cmocka_unit_test(test_eight_minutes_scaled),
        cmocka_unit_test(test_silence_timeout_where_the_script_asks),
        cmocka_unit_test(test_a_line_that_silence_brings),
        cmocka_unit_test(test_hurry_is_noted_once),
        cmocka_unit_test(test_usage_adds_up),
        cmocka_unit_test(test_ids_and_roles),
        cmocka_unit_test(test_audio_is_faster_than_real_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
