/* Every rule of the input events: what is accepted, what ends the stream and
 * with which wording, what is only noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/local/rules.h"

#define SESSION "{\"sessionStart\":{}}"
#define AUDIO_OUT                                                       \
    "\"mediaType\":\"audio/lpcm\",\"sampleRateHertz\":24000,"           \
    "\"sampleSizeBits\":16,\"channelCount\":1,\"encoding\":\"base64\"," \
    "\"audioType\":\"SPEECH\""
#define PROMPT_WITH(audio, more)                                           \
    "{\"promptStart\":{\"promptName\":\"P\",\"textOutputConfiguration\":{" \
    "\"mediaType\":\"text/plain\"},\"audioOutputConfiguration\":{" audio   \
    "}" more "}}"
#define VOICE \
    ","       \
    "\"voiceId\":\"tiffany\""
#define TOOL_OUT \
    ",\"toolUseOutputConfiguration\":{\"mediaType\":\"application/json\"}"
#define PROMPT PROMPT_WITH(AUDIO_OUT VOICE, "")
#define TOOLS(list, choice)               \
    PROMPT_WITH(AUDIO_OUT VOICE, TOOL_OUT \
                ",\"toolConfiguration\":{\"tools\":[" list "]" choice "}")
#define TOOL(name, schema)                                        \
    "{\"toolSpec\":{\"name\":\"" name "\",\"description\":\"d\"," \
    "\"inputSchema\":{\"json\":" schema "}}}"
#define OBJECT_SCHEMA "\"{\\\"type\\\":\\\"object\\\"}\""
#define START(name, role, interactive)                                      \
    "{\"contentStart\":{\"promptName\":\"P\",\"contentName\":\"" name       \
    "\",\"type\":\"TEXT\",\"interactive\":" interactive ",\"role\":\"" role \
    "\",\"textInputConfiguration\":{\"mediaType\":\"text/plain\"}}}"
#define TEXT(name, content)                                        \
    "{\"textInput\":{\"promptName\":\"P\",\"contentName\":\"" name \
    "\",\"content\":\"" content "\"}}"
#define END(name) \
    "{\"contentEnd\":{\"promptName\":\"P\",\"contentName\":\"" name "\"}}"
#define BLOCK(name, role, interactive) \
    START(name, role, interactive), TEXT(name, "x"), END(name)
#define SYSTEM BLOCK("s", "SYSTEM", "false")
#define AUDIO_WITH(role, rate)                                               \
    "{\"contentStart\":{\"promptName\":\"P\",\"contentName\":\"A\","         \
    "\"type\":\"AUDIO\",\"interactive\":true," role                          \
    "\"audioInputConfiguration\":{\"mediaType\":\"audio/lpcm\","             \
    "\"sampleRateHertz\":" rate ",\"sampleSizeBits\":16,\"channelCount\":1," \
    "\"audioType\":\"SPEECH\",\"encoding\":\"base64\"}}}"
#define AUDIO AUDIO_WITH("\"role\":\"USER\",", "16000")
#define SOUND(content)                                             \
    "{\"audioInput\":{\"promptName\":\"P\",\"contentName\":\"A\"," \
    "\"content\":\"" content "\"}}"
#define RESULT_START(name, id)                                        \
    "{\"contentStart\":{\"promptName\":\"P\",\"contentName\":\"" name \
    "\",\"interactive\":false,\"type\":\"TOOL\",\"role\":\"TOOL\","   \
    "\"toolResultInputConfiguration\":{\"toolUseId\":\"" id           \
    "\",\"type\":\"TEXT\",\"textInputConfiguration\":{\"mediaType\":" \
    "\"text/plain\"}}}}"
#define RESULT(name, content)                                       \
    "{\"toolResult\":{\"promptName\":\"P\",\"contentName\":\"" name \
    "\",\"content\":\"" content "\"}}"
#define PROMPT_END "{\"promptEnd\":{\"promptName\":\"P\"}}"
#define SESSION_END "{\"sessionEnd\":{}}"
#define READY SESSION, PROMPT, SYSTEM

struct rule_case {
    const char *name;
    enum family family;
    const char *message; /* NULL: all is accepted */
    const char *noted;   /* part of a note, NULL: there is none */
    const char *events[24];
};

static const struct rule_case cases[] = {
    {"a whole stream",
     FAMILY_NOVA2,
     NULL,
     NULL,
     {READY, BLOCK("h1", "USER", "false"), BLOCK("h2", "ASSISTANT", "false"),
      AUDIO, SOUND("AAA="), BLOCK("t", "USER", "true"), SOUND("AAAAAA=="),
      END("A"), PROMPT_END, SESSION_END}},
    {"inference in full",
     FAMILY_V1,
     NULL,
     NULL,
     {"{\"sessionStart\":{\"inferenceConfiguration\":{\"maxTokens\":1024,"
      "\"topP\":0.9,\"temperature\":0.7}}}"}},
    {"sensitivity",
     FAMILY_NOVA2,
     NULL,
     NULL,
     {"{\"sessionStart\":{\"turnDetectionConfiguration\":{"
      "\"endpointingSensitivity\":\"LOW\"}}}"}},
    {"a second prompt",
     FAMILY_NOVA2,
     NULL,
     NULL,
     {READY, AUDIO, END("A"), PROMPT_END,
      "{\"promptStart\":{\"promptName\":\"Q\",\"textOutputConfiguration\":{"
      "\"mediaType\":\"text/plain\"},\"audioOutputConfiguration\":{" AUDIO_OUT
          VOICE "}}}"}},
    {"tools and a choice",
     FAMILY_NOVA2,
     NULL,
     NULL,
     {SESSION, TOOLS(TOOL("a_b", OBJECT_SCHEMA),
                     ",\"toolChoice\":{\"tool\":{\"name\":\"a_b\"}}")}},
    {"no tools", FAMILY_NOVA2, NULL, NULL, {SESSION, TOOLS("", "")}},
    {"a tool result",
     FAMILY_NOVA2,
     NULL,
     NULL,
     {READY, AUDIO, RESULT_START("r", "use-1"), RESULT("r", "{}"), END("r")}},

    {"not JSON",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not one JSON text",
     {"nonsense}"}},
    {"more after the JSON",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not one JSON text",
     {SESSION "} x"}},
    {"two events in one",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "exactly one object",
     {"{\"sessionStart\":{},\"sessionEnd\":{}}"}},
    {"an event that does not exist",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "connectionEnd: there is no such input event",
     {SESSION, "{\"connectionEnd\":{}}"}},
    {"not UTF-8",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "UTF-8",
     {"{\"sessionStart\":{\"a\":\"\xff\"}}"}},
    {"something before sessionStart",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "sessionStart must come first",
     {PROMPT}},
    {"sessionStart twice",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "started already",
     {SESSION, SESSION}},
    {"topP above one",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "topP is 1.5",
     {"{\"sessionStart\":{\"inferenceConfiguration\":{\"topP\":1.5}}}"}},
    {"maxTokens as text",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "maxTokens",
     {"{\"sessionStart\":{\"inferenceConfiguration\":{\"maxTokens\":"
      "\"9\"}}}"}},
    {"an unknown member is noted",
     FAMILY_NOVA2,
     NULL,
     "unknown member seed",
     {"{\"sessionStart\":{\"inferenceConfiguration\":{\"seed\":1}}}"}},
    {"sensitivity on v1",
     FAMILY_V1,
     MESSAGE_INVALID,
     "needs Nova 2",
     {"{\"sessionStart\":{\"turnDetectionConfiguration\":{"
      "\"endpointingSensitivity\":\"LOW\"}}}"}},
    {"flat sensitivity",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "belongs into turnDetectionConfiguration",
     {"{\"sessionStart\":{\"endpointingSensitivity\":\"LOW\"}}"}},
    {"wrong sensitivity",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "HIGH, MEDIUM or LOW",
     {"{\"sessionStart\":{\"turnDetectionConfiguration\":{"
      "\"endpointingSensitivity\":\"low\"}}}"}},

    {"no such voice",
     FAMILY_NOVA2,
     "Received invalid voiceId",
     "nobody",
     {SESSION, PROMPT_WITH(AUDIO_OUT ",\"voiceId\":\"nobody\"", "")}},
    {"a voice of v1 only",
     FAMILY_NOVA2,
     "Received invalid voiceId",
     "greta",
     {SESSION, PROMPT_WITH(AUDIO_OUT ",\"voiceId\":\"greta\"", "")}},
    {"a voice in capitals",
     FAMILY_NOVA2,
     "Received invalid voiceId",
     "Tiff",
     {SESSION, PROMPT_WITH(AUDIO_OUT ",\"voiceId\":\"Tiffany\"", "")}},
    {"no audio output",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "audioOutputConfiguration is missing",
     {SESSION, "{\"promptStart\":{\"promptName\":\"P\","
               "\"textOutputConfiguration\":{\"mediaType\":\"text/plain\"}}}"}},
    {"a schema as an object",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "json is",
     {SESSION, TOOLS(TOOL("t", "{}"), "")}},
    {"a schema that is no JSON",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not the text of a JSON object",
     {SESSION, TOOLS(TOOL("t", "\"{\""), "")}},
    {"a tool name with a space",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "tool name",
     {SESSION, TOOLS(TOOL("a b", OBJECT_SCHEMA), "")}},
    {"one tool twice",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "given twice",
     {SESSION,
      TOOLS(TOOL("t", OBJECT_SCHEMA) "," TOOL("t", OBJECT_SCHEMA), "")}},
    {"choice of an unknown tool",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not among the tools",
     {SESSION, TOOLS(TOOL("t", OBJECT_SCHEMA),
                     ",\"toolChoice\":{\"tool\":{\"name\":\"u\"}}")}},
    {"choice on v1",
     FAMILY_V1,
     MESSAGE_INVALID,
     "needs Nova 2",
     {SESSION,
      TOOLS(TOOL("t", OBJECT_SCHEMA), ",\"toolChoice\":{\"auto\":{}}")}},
    {"a prompt in a prompt",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not ended",
     {READY, PROMPT}},
    {"a prompt name again",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "used before",
     {READY, AUDIO, END("A"), PROMPT_END, PROMPT}},

    {"history first",
     FAMILY_NOVA2,
     MESSAGE_SYSTEM_FIRST,
     "must be SYSTEM",
     {SESSION, PROMPT, START("u", "USER", "false")}},
    {"audio first",
     FAMILY_NOVA2,
     MESSAGE_SYSTEM_FIRST,
     "must be SYSTEM",
     {SESSION, PROMPT, AUDIO}},
    {"two SYSTEM blocks",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "one SYSTEM block",
     {READY, START("s2", "SYSTEM", "false")}},
    {"history begins with ASSISTANT",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "must begin with USER",
     {READY, START("a", "ASSISTANT", "false")}},
    {"history with USER twice",
     FAMILY_NOVA2,
     NULL,
     "alternate",
     {READY, BLOCK("a", "USER", "false"), BLOCK("b", "USER", "false")}},
    {"interactive history",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "interactive must be false",
     {READY, START("a", "USER", "true")}},
    {"history after audio",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "history was due before",
     {READY, AUDIO, START("a", "USER", "false")}},
    {"speech prompt",
     FAMILY_NOVA2,
     NULL,
     NULL,
     {READY, BLOCK("z", "SYSTEM_SPEECH", "false")}},
    {"speech prompt on v1",
     FAMILY_V1,
     MESSAGE_INVALID,
     "needs Nova 2",
     {READY, START("z", "SYSTEM_SPEECH", "false")}},
    {"no interactive",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "interactive is missing",
     {SESSION, PROMPT,
      "{\"contentStart\":{\"promptName\":\"P\",\"contentName\":\"c\","
      "\"type\":\"TEXT\",\"role\":\"SYSTEM\",\"textInputConfiguration\":{"
      "\"mediaType\":\"text/plain\"}}}"}},
    {"a name again",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "s was used before",
     {READY, START("s", "USER", "false")}},
    {"another prompt's name",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not that of promptStart",
     {READY, "{\"promptEnd\":{\"promptName\":\"X\"}}"}},
    {"a block in a block",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "still open",
     {READY, START("a", "USER", "false"), START("b", "USER", "false")}},
    {"text for another block",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not that of an open TEXT",
     {READY, TEXT("s", "late")}},
    {"an empty text is noted",
     FAMILY_NOVA2,
     NULL,
     "content is empty",
     {READY, START("a", "USER", "false"), TEXT("a", ""), END("a")}},
    {"live text on v1 is noted",
     FAMILY_V1,
     NULL,
     "v1 never answers",
     {READY, AUDIO, BLOCK("t", "USER", "true")}},

    {"audio in open text",
     FAMILY_NOVA2,
     MESSAGE_HISTORY,
     "inside an open TEXT",
     {READY, AUDIO, START("t", "USER", "true"), SOUND("AAA=")}},
    {"audio start in open text",
     FAMILY_NOVA2,
     MESSAGE_HISTORY,
     "still open",
     {READY, START("h", "USER", "false"), AUDIO}},
    {"audio without role",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "role is missing",
     {READY, AUDIO_WITH("", "16000")}},
    {"audio at 44.1 kHz",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "8000, 16000 or 24000",
     {READY, AUDIO_WITH("\"role\":\"USER\",", "44100")}},
    {"audio twice",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "one AUDIO block",
     {READY, AUDIO, END("A"),
      "{\"contentStart\":{\"promptName\":\"P\",\"contentName\":\"B\","
      "\"type\":\"AUDIO\",\"interactive\":true,\"role\":\"USER\","
      "\"audioInputConfiguration\":{}}}"}},
    {"not base64",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not base64",
     {READY, AUDIO, SOUND("AA*A")}},
    {"padding inside",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not base64",
     {READY, AUDIO, SOUND("AA==AAAA")}},
    {"half a group",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not base64",
     {READY, AUDIO, SOUND("AAA")}},
    {"half a sample",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "even number",
     {READY, AUDIO, SOUND("AA==")}},
    {"audio before its block",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not that of an open AUDIO",
     {READY, SOUND("AAA=")}},
    {"audio after its block",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not that of an open AUDIO",
     {READY, AUDIO, END("A"), SOUND("AAA=")}},
    {"audio in a TOOL block is noted",
     FAMILY_NOVA2,
     NULL,
     "open TOOL block",
     {READY, AUDIO, RESULT_START("r", "use-1"), SOUND("AAA="),
      RESULT("r", "{}"), END("r")}},

    {"a result nobody asked for",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not waiting for a result",
     {READY, AUDIO, RESULT_START("r", "use-9")}},
    {"two results",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not waiting for a result",
     {READY, AUDIO, RESULT_START("r", "use-1"), RESULT("r", "{}"), END("r"),
      RESULT_START("q", "use-1")}},
    {"a result that is a number",
     FAMILY_NOVA2,
     MESSAGE_TOOL_RESULT,
     "not the text of a JSON object",
     {READY, AUDIO, RESULT_START("r", "use-1"), RESULT("r", "17"), END("r")}},
    {"a result that is no JSON",
     FAMILY_NOVA2,
     MESSAGE_TOOL_RESULT,
     "not the text of a JSON object",
     {READY, AUDIO, RESULT_START("r", "use-1"), RESULT("r", "warm"), END("r")}},
    {"no result in the block",
     FAMILY_NOVA2,
     MESSAGE_TOOL_RESULT,
     "holds no toolResult",
     {READY, AUDIO, RESULT_START("r", "use-1"), END("r")}},
    {"two results in a block",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "one toolResult",
     {READY, AUDIO, RESULT_START("r", "use-1"), RESULT("r", "{}"),
      RESULT("r", "{}")}},

    {"promptEnd with audio open",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "AUDIO block must end first",
     {READY, AUDIO, PROMPT_END}},
    {"promptEnd without audio on v1",
     FAMILY_V1,
     MESSAGE_INVALID,
     "never had an AUDIO block",
     {READY, PROMPT_END}},
    {"promptEnd without audio",
     FAMILY_NOVA2,
     NULL,
     "never had an AUDIO block",
     {READY, PROMPT_END, SESSION_END}},
    {"sessionEnd in a prompt",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "promptEnd must come first",
     {READY, AUDIO, SESSION_END}},
    {"contentEnd twice",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "not that of an open block",
     {READY, END("s")}},
    {"something after sessionEnd",
     FAMILY_NOVA2,
     MESSAGE_INVALID,
     "nothing may follow",
     {SESSION, SESSION_END, SESSION_END}},
};

struct notes {
    char text[2048];
};

static void
on_note(void *arg, const char *text)
{
    struct notes *notes = arg;
    size_t used = strlen(notes->text);

    snprintf(notes->text + used, sizeof(notes->text) - used, "%s\n", text);
}

static bool
send(struct rules *rules, const char *event, struct input *input)
{
    char json[60000];

    snprintf(json, sizeof(json), "{\"event\":%s}", event);
    return rules_on_event(rules, json, strlen(json), input);
}

static void
run_case(const struct rule_case *c)
{
    struct notes notes = {""};
    struct rules *rules = rules_new(c->family, on_note, &notes);
    struct input input;
    bool good = true;

    assert_non_null(rules);
    assert_true(rules_on_tool_use(rules, "use-1"));
    for (size_t i = 0; c->events[i] != NULL; i++) {
        if (!good)
            fail_msg("%s: ended before its last event: %s", c->name,
                     notes.text);
        good = send(rules, c->events[i], &input);
    }
    if (good != (c->message == NULL))
        fail_msg("%s: %s: %s", c->name, good ? "accepted" : "refused",
                 notes.text);
    if (c->message != NULL)
        assert_string_equal(rules_message(rules), c->message);
    if (c->noted == NULL)
        assert_string_equal(notes.text, "");
    else if (strstr(notes.text, c->noted) == NULL)
        fail_msg("%s: no \"%s\" in: %s", c->name, c->noted, notes.text);
    rules_free(&rules);
    assert_null(rules);
}

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i]);
}

static struct rules *
open_block(struct notes *notes, const char *role)
{
    static const char *const ready[] = {READY, NULL};
    struct rules *rules = rules_new(FAMILY_NOVA2, on_note, notes);
    struct input input;
    char event[512];

    assert_non_null(rules);
    for (size_t i = 0; ready[i] != NULL; i++)
        assert_true(send(rules, ready[i], &input));
    snprintf(event, sizeof(event),
             "{\"contentStart\":{\"promptName\":\"P\",\"contentName\":\"h\","
             "\"type\":\"TEXT\",\"interactive\":false,\"role\":\"%s\","
             "\"textInputConfiguration\":{\"mediaType\":\"text/plain\"}}}",
             role);
    assert_true(send(rules, event, &input));
    return rules;
}

static bool
send_text(struct rules *rules, size_t bytes)
{
    char *event = malloc(bytes + 200);
    struct input input;
    bool good;
    int used;

    assert_non_null(event);
    used = snprintf(event, 200,
                    "{\"textInput\":{\"promptName\":\"P\","
                    "\"contentName\":\"h\",\"content\":\"");
    memset(event + used, 'a', bytes);
    snprintf(event + used + bytes, 100, "%s", "\"}}");
    good = send(rules, event, &input);
    free(event);
    return good;
}

static void
test_sizes(void **state)
{
    struct notes notes = {""};
    struct rules *rules = open_block(&notes, "USER");

    (void)state;
    for (int i = 0; i < 40; i++)
        assert_true(send_text(rules, 1024));
    assert_string_equal(notes.text, "");
    assert_true(send_text(rules, 1));
    assert_non_null(strstr(notes.text, "the history exceeds 40960 bytes"));
    assert_true(send_text(rules, 51200));
    assert_true(send_text(rules, 51200));
    assert_true(send_text(rules, 51200));
    assert_false(send_text(rules, 51200));
    assert_non_null(strstr(notes.text, "exceeds 204800 bytes"));
    rules_free(&rules);

    notes.text[0] = '\0';
    rules = open_block(&notes, "USER");
    assert_true(send_text(rules, 1025));
    assert_non_null(strstr(notes.text, "1025 bytes; AWS documents 1024"));
    assert_false(send_text(rules, 51201));
    assert_non_null(strstr(notes.text, "51201 bytes, at most 51200"));
    rules_free(&rules);
}

static void
test_inputs_carry_their_meaning(void **state)
{
    static const char *const ready[] = {READY, AUDIO, NULL};
    struct notes notes = {""};
    struct rules *rules = rules_new(FAMILY_NOVA2, on_note, &notes);
    struct input input;

    (void)state;
    for (size_t i = 0; ready[i] != NULL; i++)
        assert_true(send(rules, ready[i], &input));
    assert_int_equal(input.kind, INPUT_AUDIO_START);
    assert_int_equal(input.rate_hz, 16000);
    assert_true(send(rules, SOUND("AQD//w=="), &input));
    assert_int_equal(input.kind, INPUT_AUDIO);
    assert_int_equal(input.frames, 2);
    assert_int_equal(input.samples[0], 1);
    assert_int_equal(input.samples[1], -1);
    assert_true(send(rules, START("t", "USER", "true"), &input));
    assert_int_equal(input.kind, INPUT_NONE);
    assert_true(send(rules, TEXT("t", "one "), &input));
    assert_true(send(rules, TEXT("t", "two"), &input));
    assert_true(send(rules, END("t"), &input));
    assert_int_equal(input.kind, INPUT_TEXT);
    assert_string_equal(input.text, "one two");
    assert_true(rules_on_tool_use(rules, "use-2"));
    assert_true(send(rules, RESULT_START("r", "use-2"), &input));
    assert_true(send(rules, RESULT("r", "{\\\"a\\\":1}"), &input));
    assert_true(send(rules, END("r"), &input));
    assert_int_equal(input.kind, INPUT_TOOL_RESULT);
    assert_string_equal(input.tool_use_id, "use-2");
    assert_string_equal(input.text, "{\"a\":1}");
    rules_free(&rules);
}

/* Any bytes are refused or accepted, never a crash: each case, each of its
 * events cut short and with one byte changed. */
static void
test_damaged_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct notes notes = {""};
        struct rules *rules = rules_new(cases[i].family, on_note, &notes);
        struct input input;
        char json[4096];

        for (size_t k = 0; cases[i].events[k] != NULL; k++) {
            size_t bytes = (size_t)snprintf(
                json, sizeof(json), "{\"event\":%s}", cases[i].events[k]);

            for (size_t at = 0; at < bytes; at += 7) {
                char kept = json[at];

                notes.text[0] = '\0';
                assert_false(rules_on_event(rules, json, at, &input));
                json[at] = (char)(kept ^ 0x15);
                rules_on_event(rules, json, bytes, &input);
                json[at] = kept;
            }
            rules_on_event(rules, json, bytes, &input);
        }
        rules_free(&rules);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_inputs_carry_their_meaning),
        cmocka_unit_test(test_damaged_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
