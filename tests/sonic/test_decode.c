/* Every output event, in the shapes the protocol shows and in those it should
 * not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/sonic/decoder.h"
#include "tests/sonic/record.h"

struct fixture {
    struct sonic_decoder *decoder;
    struct record record;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->decoder = sonic_decoder_new(&record_ops, &f->record);
    *state = f;
    return f->decoder ? 0 : -1;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    sonic_decoder_free(&f->decoder);
    record_fini(&f->record);
    free(f);
    return 0;
}

/* Decodes a copy that ends where it ends, so that a sanitizer sees a read
 * beyond. */
static enum vr_status
decode(struct fixture *f, const char *json, size_t bytes)
{
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, json, bytes);
    enum vr_status status = sonic_decode(f->decoder, copy, bytes);
    free(copy);
    return status;
}

/* Decodes one event by its name and body and compares all that came of it. */
static void
expect(struct fixture *f, const char *name, const char *body, const char *want)
{
    char json[8192];
    int n = snprintf(json, sizeof json, "{\"event\":{\"%s\":%s}}", name, body);
    record_clear(&f->record);
    assert_int_equal(decode(f, json, (size_t)n), VR_OK);
    assert_string_equal(record_text(&f->record), want);
}

#define IDS "\"sessionId\":\"s\",\"promptName\":\"P\",\"completionId\":\"c\""
#define WITH_IDS(more) "{" IDS "," more "}"

static void
test_completion(void **state)
{
    expect(*state, "completionStart", "{" IDS "}",
           "completionStart s=s p=P c=c\n");
    expect(*state, "completionEnd", WITH_IDS("\"stopReason\":\"END_TURN\""),
           "completionEnd s=s p=P c=c stop=END_TURN reason=END_TURN\n");
}

static void
test_a_turn_as_recorded(void **state)
{
    expect(*state, "contentStart",
           WITH_IDS("\"additionalModelFields\":"
                    "\"{\\\"generationStage\\\":\\\"FINAL\\\"}\","
                    "\"contentId\":\"k1\",\"type\":\"TEXT\",\"role\":\"USER\","
                    "\"textOutputConfiguration\":"
                    "{\"mediaType\":\"text/plain\"}"),
           "contentStart s=s p=P c=c k=k1 USER TEXT FINAL\n");
    expect(*state, "textOutput",
           WITH_IDS("\"contentId\":\"k1\",\"content\":\"hello\","
                    "\"role\":\"USER\""),
           "textOutput s=s p=P c=c k=k1 USER TEXT FINAL text='hello'\n");
    expect(*state, "contentEnd",
           WITH_IDS("\"contentId\":\"k1\",\"stopReason\":\"PARTIAL_TURN\","
                    "\"type\":\"TEXT\""),
           "contentEnd s=s p=P c=c k=k1 USER TEXT FINAL stop=PARTIAL_TURN "
           "reason=PARTIAL_TURN\n");
    expect(*state, "contentStart",
           WITH_IDS("\"contentId\":\"k2\",\"type\":\"TOOL\",\"role\":\"TOOL\","
                    "\"toolUseOutputConfiguration\":"
                    "{\"mediaType\":\"application/json\"}"),
           "contentStart s=s p=P c=c k=k2 TOOL TOOL\n");
    expect(*state, "toolUse",
           WITH_IDS("\"contentId\":\"k2\",\"content\":"
                    "\"{\\\"city\\\":\\\"Rome\\\"}\",\"toolName\":"
                    "\"getWeather\",\"toolUseId\":\"u\",\"role\":\"TOOL\""),
           "toolUse s=s p=P c=c k=k2 TOOL TOOL tool=getWeather use=u "
           "arguments={\"city\":\"Rome\"}\n");
    expect(*state, "contentEnd",
           WITH_IDS("\"contentId\":\"k2\",\"stopReason\":\"TOOL_USE\","
                    "\"type\":\"TOOL\""),
           "contentEnd s=s p=P c=c k=k2 TOOL TOOL stop=TOOL_USE "
           "reason=TOOL_USE\n");
    expect(*state, "contentStart",
           WITH_IDS("\"contentId\":\"k3\",\"type\":\"AUDIO\",\"role\":"
                    "\"ASSISTANT\",\"audioOutputConfiguration\":{"
                    "\"mediaType\":\"audio/lpcm\",\"sampleRateHertz\":24000,"
                    "\"sampleSizeBits\":16,\"encoding\":\"base64\","
                    "\"channelCount\":1}"),
           "contentStart s=s p=P c=c k=k3 ASSISTANT AUDIO rate=24000\n");
    expect(*state, "audioOutput",
           WITH_IDS("\"contentId\":\"k3\",\"content\":\"AQACAP//\","
                    "\"role\":\"ASSISTANT\""),
           "audioOutput s=s p=P c=c k=k3 ASSISTANT AUDIO samples=3 first=1 "
           "sum=66558\n");
    expect(*state, "contentEnd",
           WITH_IDS("\"contentId\":\"k3\",\"stopReason\":\"END_TURN\","
                    "\"type\":\"AUDIO\""),
           "contentEnd s=s p=P c=c k=k3 ASSISTANT AUDIO stop=END_TURN "
           "reason=END_TURN\n");
}

static void
test_usage(void **state)
{
    expect(*state, "usageEvent",
           WITH_IDS(
               "\"details\":{\"delta\":{\"input\":{\"speechTokens\":0,"
               "\"textTokens\":3},\"output\":{\"speechTokens\":20,"
               "\"textTokens\":0}},\"total\":{\"input\":{\"speechTokens\":288,"
               "\"textTokens\":3443},\"output\":{\"speechTokens\":694,"
               "\"textTokens\":203}}},\"totalInputTokens\":3731,"
               "\"totalOutputTokens\":897,\"totalTokens\":4628"),
           "usageEvent s=s p=P c=c delta=0,3/20,0 total=288,3443/694,203 "
           "sum=3731+897=4628\n");
    expect(*state, "usageEvent",
           "{\"totalTokens\":9007199254740992,\"details\":null,"
           "\"totalInputTokens\":-1,\"totalOutputTokens\":1.5}",
           "! wrong event.usageEvent.totalInputTokens: a whole number, 0 or "
           "more\n"
           "! wrong event.usageEvent.totalOutputTokens: a whole number, 0 or "
           "more\n"
           "usageEvent sum=0+0=9007199254740992\n");
}

static void
test_user_speech(void **state)
{
    expect(*state, "userSpeechStart",
           "{\"sessionId\":\"s\",\"promptName\":\"P\","
           "\"inputAudioOffsetMs\":1234}",
           "userSpeechStart s=s p=P at=1234,-1\n");
    expect(*state, "userSpeechEnd",
           "{\"inputAudioOffsetMs\":1920,"
           "\"inputAudioDetectionOffsetMs\":2400}",
           "userSpeechEnd at=1920,2400\n");
    expect(*state, "userSpeechEnd", "{}", "userSpeechEnd at=-1,-1\n");
}

static void
test_role_and_stage_come_from_the_open_content(void **state)
{
    expect(*state, "contentStart",
           "{\"contentId\":\"k\",\"type\":\"TEXT\",\"role\":\"ASSISTANT\","
           "\"additionalModelFields\":"
           "\"{\\\"generationStage\\\":\\\"SPECULATIVE\\\"}\"}",
           "contentStart k=k ASSISTANT TEXT SPECULATIVE\n");
    expect(*state, "textOutput", "{\"contentId\":\"k\",\"content\":\"a\"}",
           "textOutput k=k ASSISTANT TEXT SPECULATIVE text='a'\n");
    expect(*state, "contentStart",
           "{\"contentId\":\"k\",\"type\":\"TEXT\",\"role\":\"USER\"}",
           "contentStart k=k USER TEXT\n");
    expect(*state, "textOutput", "{\"contentId\":\"k\",\"content\":\"b\"}",
           "textOutput k=k USER TEXT text='b'\n");
    expect(*state, "contentEnd", "{\"contentId\":\"k\"}",
           "contentEnd k=k USER TEXT stop=\n");
    expect(*state, "textOutput", "{\"contentId\":\"k\",\"content\":\"c\"}",
           "textOutput k=k TEXT text='c'\n");
}

static void
test_audio_takes_its_role_from_the_open_content(void **state)
{
    struct fixture *f = *state;
    expect(f, "contentStart",
           "{\"contentId\":\"k\",\"type\":\"AUDIO\",\"role\":\"ASSISTANT\"}",
           "contentStart k=k ASSISTANT AUDIO\n");
    expect(f, "audioOutput", "{\"contentId\":\"k\",\"content\":\"AQA=\"}",
           "audioOutput k=k ASSISTANT AUDIO samples=1 first=1 sum=1\n");
    assert_int_equal(sonic_decoder_counters(f->decoder)->audio_scanned, 1);
}

static void
test_content_type_by_its_configuration(void **state)
{
    expect(*state, "contentStart", "{\"audioOutputConfiguration\":{}}",
           "contentStart AUDIO\n");
    expect(*state, "contentStart", "{\"textOutputConfiguration\":{}}",
           "contentStart TEXT\n");
    expect(*state, "contentStart", "{\"toolUseOutputConfiguration\":{}}",
           "contentStart TOOL\n");
}

static void
test_stage_is_lenient(void **state)
{
    expect(*state, "contentStart",
           "{\"additionalModelFields\":{\"generationStage\":\"FINAL\"}}",
           "contentStart FINAL\n");
    expect(*state, "contentStart", "{\"additionalModelFields\":\"\"}",
           "contentStart\n");
    expect(*state, "contentStart", "{\"additionalModelFields\":\"{}\"}",
           "contentStart\n");
    expect(*state, "contentStart", "{\"additionalModelFields\":\"{oops\"}",
           "! wrong event.contentStart.additionalModelFields: a JSON object "
           "in a string\ncontentStart\n");
    expect(*state, "contentStart", "{\"additionalModelFields\":7}",
           "contentStart\n");
    assert_int_equal(
        sonic_decoder_counters(((struct fixture *)*state)->decoder)->wrong_type,
        2);
}

static void
test_open_contents_are_bounded(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        char body[99];
        snprintf(body, sizeof body, "{\"contentId\":\"%d\",\"role\":\"USER\"}",
                 i);
        char want[99];
        snprintf(want, sizeof want, "contentStart k=%d USER\n", i);
        expect(f, "contentStart", body, want);
    }
    expect(f, "textOutput", "{\"contentId\":\"39\"}",
           "textOutput k=39 USER TEXT text=''\n");
    expect(f, "textOutput", "{\"contentId\":\"24\"}",
           "textOutput k=24 USER TEXT text=''\n");
    expect(f, "textOutput", "{\"contentId\":\"23\"}",
           "textOutput k=23 TEXT text=''\n");
    assert_int_equal(sonic_decoder_counters(f->decoder)->contents_forgotten,
                     24);
}

static void
test_interruption_marker(void **state)
{
    expect(*state, "textOutput",
           "{\"content\":\"{ \\\"interrupted\\\" : true }\","
           "\"role\":\"ASSISTANT\"}",
           "interrupted ASSISTANT TEXT\n");
    expect(*state, "textOutput",
           "{\"content\":\" {\\\"x\\\":1,\\\"interrupted\\\":true}\\n\"}",
           "interrupted TEXT\n");
    expect(*state, "textOutput",
           "{\"content\":\"{\\\"interrupted\\\":false}\"}",
           "textOutput TEXT text='{\"interrupted\":false}'\n");
    expect(*state, "textOutput",
           "{\"content\":\"say { \\\"interrupted\\\" : true }\"}",
           "textOutput TEXT text='say { \"interrupted\" : true }'\n");
}

static void
test_stop_reasons(void **state)
{
    expect(*state, "contentEnd", "{\"stopReason\":\"INTERRUPTED\"}",
           "contentEnd stop=INTERRUPTED reason=INTERRUPTED\n");
    expect(*state, "contentEnd", "{\"stopReason\":\"MAX_TOKENS\"}",
           "contentEnd stop=other reason=MAX_TOKENS\n");
    expect(*state, "contentEnd", "{\"stopReason\":null}", "contentEnd stop=\n");
}

/* One tool use with this content member, or none. */
static void
expect_arguments(struct fixture *f, const char *content, const char *arguments,
                 bool clean)
{
    char body[1024], want[1024];
    uint64_t before = sonic_decoder_counters(f->decoder)->wrong_type;
    snprintf(body, sizeof body, "{%s%s}", content ? "\"content\":" : "",
             content ? content : "");
    snprintf(want, sizeof want, "toolUse TOOL arguments=%s\n", arguments);
    record_clear(&f->record);
    char json[2048];
    int n = snprintf(json, sizeof json, "{\"event\":{\"toolUse\":%s}}", body);
    assert_int_equal(decode(f, json, (size_t)n), VR_OK);
    const char *got = strstr(record_text(&f->record), "toolUse TOOL");
    assert_non_null(got);
    assert_string_equal(got, want);
    assert_int_equal(sonic_decoder_counters(f->decoder)->wrong_type - before,
                     !clean);
}

static void
test_tool_arguments_are_always_an_object(void **state)
{
    expect_arguments(*state, NULL, "{}", true);
    expect_arguments(*state, "null", "{}", true);
    expect_arguments(*state, "\"\"", "{}", true);
    expect_arguments(*state, "\" \\n\"", "{}", true);
    expect_arguments(*state, "\"null\"", "{}", true);
    expect_arguments(*state, "{\"a\":[1]}", "{\"a\":[1]}", true);
    expect_arguments(*state, "\"{\\\"n\\\":12345678901234567890}\"",
                     "{\"n\":12345678901234567890}", true);
    expect_arguments(*state, "\"\\\"{\\\\\\\"a\\\\\\\":1}\\\"\"", "{\"a\":1}",
                     true);
    expect_arguments(*state, "\"[1,2]\"", "{\"input\":[1,2]}", false);
    expect_arguments(*state, "7", "{\"input\":7}", false);
    expect_arguments(*state, "\"Rome\"", "{\"input\":\"Rome\"}", false);
    expect_arguments(*state, "\"{\\\"a\\\":\"", "{\"input\":\"{\\\"a\\\":\"}",
                     false);
}

static void
test_all_members_of_one_event(void **state)
{
    struct fixture *f = *state;
    static const char json[] =
        "{\"event\":{\"contentEnd\":{\"contentId\":\"k\"},\"textOutput\":"
        "{\"contentId\":\"k\",\"content\":\"x\"},\"contentStart\":"
        "{\"contentId\":\"k\",\"role\":\"USER\"},\"completionEnd\":null,"
        "\"mystery\":{},\"usageEvent\":[],\"textOutput\":{\"content\":\"y\"}}}";
    assert_int_equal(decode(f, json, sizeof json - 1), VR_OK);
    assert_string_equal(record_text(&f->record),
                        "contentStart k=k USER\n"
                        "textOutput k=k USER TEXT text='x'\n"
                        "textOutput TEXT text='y'\n"
                        "contentEnd k=k USER stop=\n"
                        "! wrong event.usageEvent: an object\n"
                        "! event? event.mystery\n"
                        "unknown name=mystery\n");
}

static void
test_null_counts_as_absent(void **state)
{
    expect(*state, "textOutput",
           "{\"sessionId\":null,\"role\":null,\"content\":null,\"new\":null}",
           "textOutput TEXT text=''\n");
    expect(*state, "audioOutput", "{\"content\":null,\"new\":null}", "");
}

static void
test_wrong_types_are_reported_once(void **state)
{
    struct fixture *f = *state;
    expect(f, "textOutput", "{\"content\":5,\"role\":\"NOBODY\"}",
           "! wrong event.textOutput.role: USER, ASSISTANT, SYSTEM or TOOL\n"
           "! wrong event.textOutput.content: a string\n"
           "textOutput TEXT text=''\n");
    expect(f, "textOutput", "{\"content\":5}", "textOutput TEXT text=''\n");
    assert_int_equal(sonic_decoder_counters(f->decoder)->wrong_type, 3);
}

static void
test_unknown_things_are_reported_once(void **state)
{
    struct fixture *f = *state;
    expect(f, "bargeIn", "{}",
           "! event? event.bargeIn\nunknown name=bargeIn\n");
    expect(f, "bargeIn", "7", "unknown name=bargeIn\n");
    expect(f, "textOutput", "{\"mood\":1}",
           "! key? event.textOutput.mood\ntextOutput TEXT text=''\n");
    expect(f, "textOutput", "{\"mood\":2}", "textOutput TEXT text=''\n");
    expect(f, "interrupted", "{}",
           "! event? event.interrupted\nunknown name=interrupted\n");
    assert_int_equal(sonic_decoder_counters(f->decoder)->unknown_events, 3);
    assert_int_equal(sonic_decoder_counters(f->decoder)->unknown_keys, 2);
}

static void
test_reports_are_bounded(void **state)
{
    struct fixture *f = *state;
    char json[512];
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(json, sizeof json, "{\"event\":{\"x%d\":{}}}", i);
        assert_int_equal(decode(f, json, (size_t)n), VR_OK);
    }
    assert_int_equal(f->record.problems, DECODER_PROBLEMS_MAX);
    assert_int_equal(f->record.events, 1000);
}

static void
test_long_names_are_cut_between_characters(void **state)
{
    struct fixture *f = *state;
    char json[1024] = "{\"event\":{\"";
    size_t bytes = strlen(json);
    for (int i = 0; i < 100; i++, bytes += 3)
        memcpy(json + bytes, "€", 3);
    memcpy(json + bytes, "\":{}}}", 6);
    assert_int_equal(decode(f, json, bytes + 6), VR_OK);
    assert_int_equal(f->record.problems, 1);
    assert_int_equal(f->record.events, 1);
}

static void
test_texts_that_are_no_event(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "7",
        "{}",
        "{\"event\":",
        "{\"event\":7}",
        "{\"event\":{}} x",
        "\xFF\xFE",
        "null",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(decode(f, texts[i], strlen(texts[i])), VR_CORRUPT);
    assert_int_equal(sonic_decoder_counters(f->decoder)->malformed, 10);
    assert_int_equal(f->record.events, 0);
    assert_int_equal(decode(f, "{\"event\":{}}", 12), VR_OK);
}

static void
test_text_is_always_utf8(void **state)
{
    expect(*state, "textOutput", "{\"content\":\"a\xFF\\u0000b\\ud800c\"}",
           "textOutput TEXT text='a\uFFFD\uFFFDb\uFFFDc'\n");
    expect(*state, "textOutput", "{\"content\":\"\\ud83d\\ude00\\\\u0000\"}",
           "textOutput TEXT text='😀\\u0000'\n");
}

static void
test_deep_nesting(void **state)
{
    struct fixture *f = *state;
    size_t depth = 100000;
    char *json = malloc(depth + 64);
    int n = snprintf(json, 64, "{\"event\":{\"audioOutput\":{\"x\":");
    memset(json + n, '[', depth);
    assert_int_equal(decode(f, json, (size_t)n + depth), VR_CORRUPT);
    free(json);
}

static void
test_names_of_all(void **state)
{
    (void)state;
    assert_string_equal(sonic_event_name(SONIC_TEXT), "textOutput");
    assert_string_equal(sonic_event_name(SONIC_INTERRUPTED), "interrupted");
    assert_string_equal(sonic_event_name(SONIC_UNKNOWN), "unknown");
    assert_string_equal(sonic_stop_name(SONIC_STOP_INTERRUPTED), "INTERRUPTED");
    assert_string_equal(sonic_stage_name(SONIC_STAGE_FINAL), "FINAL");
    assert_string_equal(sonic_content_name(SONIC_CONTENT_TOOL), "TOOL");
    assert_string_equal(sonic_role_name((enum sonic_role)99), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_completion),
        TEST(test_a_turn_as_recorded),
        TEST(test_usage),
        TEST(test_user_speech),
        TEST(test_role_and_stage_come_from_the_open_content),
        TEST(test_audio_takes_its_role_from_the_open_content),
        TEST(test_content_type_by_its_configuration),
        TEST(test_stage_is_lenient),
        TEST(test_open_contents_are_bounded),
        TEST(test_interruption_marker),
        TEST(test_stop_reasons),
        TEST(test_tool_arguments_are_always_an_object),
        TEST(test_all_members_of_one_event),
        TEST(test_null_counts_as_absent),
        TEST(test_wrong_types_are_reported_once),
        TEST(test_unknown_things_are_reported_once),
        TEST(test_reports_are_bounded),
        TEST(test_long_names_are_cut_between_characters),
        TEST(test_texts_that_are_no_event),
        TEST(test_text_is_always_utf8),
        TEST(test_deep_nesting),
        TEST(test_names_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
