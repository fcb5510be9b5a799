/* Every input event against the shapes of the protocol, texts cut at every
 * boundary, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base64.h"
#include "gateway/sonic/audio_input.h"
#include "gateway/sonic/encode.h"
#include "gateway/sonic/scan.h"
#include "gateway/sonic/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static void
assert_same_json(const char *got, const char *want)
{
    cJSON *a = cJSON_Parse(got);
    cJSON *b = cJSON_Parse(want);
    assert_non_null(b);
    if (!a || !cJSON_Compare(a, b, true))
        fail_msg("got  %s\nwant %s", got, want);
    cJSON_Delete(a);
    cJSON_Delete(b);
}

/* Checks the whole batch and frees it. */
static void
assert_batch(struct sonic_batch *batch, const char *const want[])
{
    size_t count = 0;
    for (; want[count]; count++) {
        assert_true(count < sonic_batch_count(batch));
        size_t bytes;
        const char *event = sonic_batch_event(batch, count, &bytes);
        assert_int_equal(bytes, strlen(event));
        assert_true(scan_is_object(event, bytes));
        assert_same_json(event, want[count]);
    }
    assert_int_equal(sonic_batch_count(batch), count);
    sonic_batch_fini(batch);
}

#define ASSERT_BATCH(batch, ...) \
    assert_batch(batch, (const char *const[]){__VA_ARGS__, NULL})

static void
test_session_start(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    struct sonic_session_start start = {1024, 0.9, 0.7,
                                        .endpointing_sensitivity = "MEDIUM"};
    assert_int_equal(sonic_encode_session_start(&batch, &start), VR_OK);
    struct sonic_session_start bare = {0, -1, -1, NULL, NULL};
    assert_int_equal(sonic_encode_session_start(&batch, &bare), VR_OK);
    ASSERT_BATCH(
        &batch,
        "{\"event\":{\"sessionStart\":{\"inferenceConfiguration\":"
        "{\"maxTokens\":1024,\"topP\":0.9,\"temperature\":0.7},"
        "\"turnDetectionConfiguration\":{\"endpointingSensitivity\":"
        "\"MEDIUM\"}}}}",
        "{\"event\":{\"sessionStart\":{\"inferenceConfiguration\":{}}}}");
}

static void
test_numbers_are_printed_as_written(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    struct sonic_session_start start = {1024, 0.9, 0.7, NULL, NULL};
    assert_int_equal(sonic_encode_session_start(&batch, &start), VR_OK);
    const char *text = sonic_batch_event(&batch, 0, NULL);
    assert_non_null(strstr(text, "\"maxTokens\":1024,\"topP\":0.9,"));
    assert_non_null(strstr(text, "\"temperature\":0.7}"));
    sonic_batch_fini(&batch);
}

static void
test_extra_merges_deeply(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    cJSON *extra = cJSON_Parse("{\"inferenceConfiguration\":{\"topP\":0.5,"
                               "\"stopSequences\":[\"x\"]},\"new\":{\"a\":1}}");
    struct sonic_session_start start = {1024, 0.9, -1, NULL, extra};
    assert_int_equal(sonic_encode_session_start(&batch, &start), VR_OK);
    cJSON_Delete(extra);
    extra = cJSON_CreateString("no object");
    start.extra = extra;
    assert_int_equal(sonic_encode_session_start(&batch, &start), VR_INVALID);
    cJSON_Delete(extra);
    ASSERT_BATCH(&batch,
                 "{\"event\":{\"sessionStart\":{\"inferenceConfiguration\":"
                 "{\"maxTokens\":1024,\"topP\":0.5,\"stopSequences\":[\"x\"]},"
                 "\"new\":{\"a\":1}}}}");
}

#define AUDIO_OUT                                                         \
    "\"textOutputConfiguration\":{\"mediaType\":\"text/plain\"},"         \
    "\"audioOutputConfiguration\":{\"mediaType\":\"audio/lpcm\","         \
    "\"sampleRateHertz\":24000,\"sampleSizeBits\":16,\"channelCount\":1," \
    "\"voiceId\":\"tiffany\",\"encoding\":\"base64\","                    \
    "\"audioType\":\"SPEECH\"}"

static void
test_prompt_start(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    struct sonic_tool_spec tools[] = {
        {"getWeather", "the weather", "{\"type\":\"object\",\"a\":[]}"},
        {"clock", NULL, NULL},
    };
    cJSON *choice = cJSON_Parse("{\"auto\":{}}");
    struct sonic_prompt_start start = {
        .prompt_name = "P", .output_rate_hz = 24000, .voice = "tiffany"};
    assert_int_equal(sonic_encode_prompt_start(&batch, &start), VR_OK);
    start.tools = tools;
    start.tool_count = 2;
    start.tool_choice = choice;
    assert_int_equal(sonic_encode_prompt_start(&batch, &start), VR_OK);
    cJSON_Delete(choice);
    ASSERT_BATCH(&batch,
                 "{\"event\":{\"promptStart\":{\"promptName\":\"P\"," AUDIO_OUT
                 "}}}",
                 "{\"event\":{\"promptStart\":{\"promptName\":\"P\"," AUDIO_OUT
                 ",\"toolUseOutputConfiguration\":{\"mediaType\":"
                 "\"application/json\"},\"toolConfiguration\":{\"tools\":["
                 "{\"toolSpec\":{\"name\":\"getWeather\",\"description\":"
                 "\"the weather\",\"inputSchema\":{\"json\":"
                 "\"{\\\"type\\\":\\\"object\\\",\\\"a\\\":[]}\"}}},"
                 "{\"toolSpec\":{\"name\":\"clock\",\"inputSchema\":{\"json\":"
                 "\"{\\\"type\\\":\\\"object\\\"}\"}}}],"
                 "\"toolChoice\":{\"auto\":{}}}}}}");
}

static void
test_extra_cannot_rename_the_prompt(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    cJSON *extra = cJSON_Parse("{\"promptName\":\"Q\",\"x\":null}");
    struct sonic_prompt_start start = {.prompt_name = "P",
                                       .output_rate_hz = 24000,
                                       .voice = "tiffany",
                                       .extra = extra};
    assert_int_equal(sonic_encode_prompt_start(&batch, &start), VR_OK);
    cJSON_Delete(extra);
    ASSERT_BATCH(&batch, "{\"event\":{\"promptStart\":{\"promptName\":\"P\","
                         "\"x\":null," AUDIO_OUT "}}}");
}

#define TEXT_START(role, interactive)                                          \
    "{\"event\":{\"contentStart\":{\"promptName\":\"P\",\"contentName\":"      \
    "\"C\",\"type\":\"TEXT\",\"interactive\":" interactive ",\"role\":\"" role \
    "\",\"textInputConfiguration\":{\"mediaType\":"                            \
    "\"text/plain\"}}}}"
#define TEXT_INPUT(text)                                                     \
    "{\"event\":{\"textInput\":{\"promptName\":\"P\",\"contentName\":\"C\"," \
    "\"content\":\"" text "\"}}}"
#define CONTENT_END                                                            \
    "{\"event\":{\"contentEnd\":{\"promptName\":\"P\",\"contentName\":\"C\"}}" \
    "}"

static enum vr_status
encode_text(struct sonic_batch *batch, enum sonic_role role, bool interactive,
            const char *text, size_t bytes, size_t piece_bytes)
{
    struct sonic_text_block block = {"P",  "C",   role,       interactive,
                                     text, bytes, piece_bytes};
    return sonic_encode_text(batch, &block);
}

static void
test_text_block(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    assert_int_equal(
        encode_text(&batch, SONIC_ROLE_SYSTEM, false, "Be \"brief\"\n", 11, 0),
        VR_OK);
    assert_int_equal(encode_text(&batch, SONIC_ROLE_USER, true, "abcdef", 6, 4),
                     VR_OK);
    ASSERT_BATCH(&batch, TEXT_START("SYSTEM", "false"),
                 TEXT_INPUT("Be \\\"brief\\\"\\n"), CONTENT_END,
                 TEXT_START("USER", "true"), TEXT_INPUT("abcd"),
                 TEXT_INPUT("ef"), CONTENT_END);
}

static void
test_text_block_refusals(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    assert_int_equal(encode_text(&batch, SONIC_ROLE_USER, true, "", 0, 0),
                     VR_INVALID);
    assert_int_equal(encode_text(&batch, SONIC_ROLE_TOOL, true, "x", 1, 0),
                     VR_INVALID);
    assert_int_equal(encode_text(&batch, SONIC_ROLE_NONE, true, "x", 1, 0),
                     VR_INVALID);
    assert_int_equal(encode_text(&batch, SONIC_ROLE_USER, true, "x", 1, 3),
                     VR_INVALID);
    assert_int_equal(sonic_batch_count(&batch), 0);
    sonic_batch_fini(&batch);
}

static void
test_invalid_utf8_is_replaced(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    assert_int_equal(
        encode_text(&batch, SONIC_ROLE_USER, true, "a\xFF\0b\xC3", 5, 0),
        VR_OK);
    assert_int_equal(sonic_encode_content_end(&batch, "P", "\xED\xA0\x80"),
                     VR_OK);
    ASSERT_BATCH(
        &batch, TEXT_START("USER", "true"),
        TEXT_INPUT("a" REPLACEMENT REPLACEMENT "b" REPLACEMENT), CONTENT_END,
        "{\"event\":{\"contentEnd\":{\"promptName\":\"P\","
        "\"contentName\":\"" REPLACEMENT REPLACEMENT REPLACEMENT "\"}}}");
}

/* The content of a textInput, appended to `text`. */
static size_t
append_content(const char *event, char *text)
{
    cJSON *root = cJSON_Parse(event);
    const cJSON *content = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(root, "event"), "textInput"),
        "content");
    assert_true(cJSON_IsString(content));
    size_t bytes = strlen(content->valuestring);
    for (size_t i = 0; i < bytes;) {
        size_t n = sonic_utf8_char(content->valuestring + i, bytes - i);
        assert_true(n > 0);
        i += n;
    }
    strncat(text, content->valuestring, bytes);
    cJSON_Delete(root);
    return bytes;
}

static void
test_text_is_cut_between_characters(void **state)
{
    (void)state;
    static const char text[] = "aé€😀\"\\bü€😀c";
    for (size_t piece = 4; piece < sizeof text + 2; piece++) {
        struct sonic_batch batch = {0};
        char joined[sizeof text * 2] = "";
        assert_int_equal(encode_text(&batch, SONIC_ROLE_USER, true, text,
                                     sizeof text - 1, piece),
                         VR_OK);
        for (size_t i = 1; i + 1 < sonic_batch_count(&batch); i++) {
            size_t bytes =
                append_content(sonic_batch_event(&batch, i, NULL), joined);
            assert_in_range(bytes, 1, piece);
        }
        assert_string_equal(joined, text);
        sonic_batch_fini(&batch);
    }
}

static void
test_default_piece(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    char text[2501];
    memset(text, 'x', sizeof text);
    assert_int_equal(
        encode_text(&batch, SONIC_ROLE_SYSTEM, false, text, sizeof text, 0),
        VR_OK);
    assert_int_equal(sonic_batch_count(&batch), 5);
    sonic_batch_fini(&batch);
}

static void
test_audio_start_and_ends(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    assert_int_equal(sonic_encode_audio_start(&batch, "P", "A", 16000), VR_OK);
    assert_int_equal(sonic_encode_content_end(&batch, "P", "C"), VR_OK);
    assert_int_equal(sonic_encode_prompt_end(&batch, "P"), VR_OK);
    assert_int_equal(sonic_encode_session_end(&batch), VR_OK);
    ASSERT_BATCH(
        &batch,
        "{\"event\":{\"contentStart\":{\"promptName\":\"P\",\"contentName\":"
        "\"A\",\"type\":\"AUDIO\",\"interactive\":true,\"role\":\"USER\","
        "\"audioInputConfiguration\":{\"mediaType\":\"audio/lpcm\","
        "\"sampleRateHertz\":16000,\"sampleSizeBits\":16,\"channelCount\":1,"
        "\"audioType\":\"SPEECH\",\"encoding\":\"base64\"}}}}",
        CONTENT_END, "{\"event\":{\"promptEnd\":{\"promptName\":\"P\"}}}",
        "{\"event\":{\"sessionEnd\":{}}}");
}

/* Encodes one result and compares the content as text. */
static void
assert_result(const char *content, size_t bytes, const char *want)
{
    struct sonic_batch batch = {0};
    struct sonic_tool_result result = {"P", "C", "id-1", content, bytes};
    assert_int_equal(sonic_encode_tool_result(&batch, &result), VR_OK);
    cJSON *root = cJSON_Parse(sonic_batch_event(&batch, 1, NULL));
    const cJSON *item = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(root, "event"), "toolResult"),
        "content");
    assert_string_equal(cJSON_GetStringValue(item), want);
    cJSON_Delete(root);
    sonic_batch_fini(&batch);
}

static void
test_tool_result(void **state)
{
    (void)state;
    struct sonic_batch batch = {0};
    struct sonic_tool_result result = {"P", "C", "id-1", "{\"temp\":21}", 11};
    assert_int_equal(sonic_encode_tool_result(&batch, &result), VR_OK);
    ASSERT_BATCH(
        &batch,
        "{\"event\":{\"contentStart\":{\"promptName\":\"P\",\"contentName\":"
        "\"C\",\"interactive\":false,\"type\":\"TOOL\",\"role\":\"TOOL\","
        "\"toolResultInputConfiguration\":{\"toolUseId\":\"id-1\",\"type\":"
        "\"TEXT\",\"textInputConfiguration\":{\"mediaType\":"
        "\"text/plain\"}}}}}",
        "{\"event\":{\"toolResult\":{\"promptName\":\"P\",\"contentName\":"
        "\"C\",\"content\":\"{\\\"temp\\\":21}\"}}}",
        CONTENT_END);
}

#define RESULT(content, want) assert_result(content, sizeof content - 1, want)

static void
test_tool_result_is_always_an_object(void **state)
{
    (void)state;
    RESULT("{\"n\":12345678901234567890}", "{\"n\":12345678901234567890}");
    RESULT("[1,2]", "{\"result\":[1,2]}");
    RESULT("21", "{\"result\":21}");
    RESULT("\"hi\"", "{\"result\":\"hi\"}");
    RESULT("plain text", "{\"result\":\"plain text\"}");
    RESULT("", "{\"result\":\"\"}");
    RESULT("{\"a\":1} {", "{\"result\":\"{\\\"a\\\":1} {\"}");
    RESULT("{\"a\":01}", "{\"a\":1}");
    RESULT("{\"a\":\"\\ud800\"}", "{\"a\":\"" REPLACEMENT "\"}");
    RESULT("{\"a\":\"\xFF\"}", "{\"a\":\"" REPLACEMENT "\"}");
    RESULT("\0", "{\"result\":\"" REPLACEMENT "\"}");
}

static void
test_deep_tool_result_is_sent_as_text(void **state)
{
    (void)state;
    static char deep[4001];
    memset(deep, '[', 4000);
    struct sonic_batch batch = {0};
    struct sonic_tool_result result = {"P", "C", "id", deep, 4000};
    assert_int_equal(sonic_encode_tool_result(&batch, &result), VR_OK);
    assert_int_equal(sonic_batch_count(&batch), 3);
    sonic_batch_fini(&batch);
}

static void
test_audio_input(void **state)
{
    (void)state;
    struct sonic_audio_input *audio =
        sonic_audio_input_new("P\"\\", "A\xFF", 512);
    int16_t samples[513];
    for (int i = 0; i < 513; i++)
        samples[i] = (int16_t)(i * 131 - 30000);
    size_t bytes;
    assert_null(sonic_audio_input_write(audio, samples, 0, &bytes));
    assert_null(sonic_audio_input_write(audio, samples, 513, &bytes));
    static const size_t counts[] = {512, 1, 2, 3, 511};
    for (size_t i = 0; i < 5; i++) {
        char want[4096] =
            "{\"event\":{\"audioInput\":{\"promptName\":"
            "\"P\\\"\\\\\",\"contentName\":\"A" REPLACEMENT "\",\"content\":\"";
        const char *got =
            sonic_audio_input_write(audio, samples, counts[i], &bytes);
        size_t at = strlen(want);
        at += base64_encode((uint8_t *)samples, 2 * counts[i], want + at);
        memcpy(want + at, "\"}}}", 5);
        assert_int_equal(bytes, at + 4);
        assert_string_equal(got, want);
    }
    sonic_audio_input_free(&audio);
    assert_null(audio);
    sonic_audio_input_free(&audio);
    assert_null(sonic_audio_input_new("P", "A", ((size_t)1 << 20) + 1));
}

static void
test_batch_keeps_events_apart(void **state)
{
    (void)state;
    struct sonic_batch batch;
    sonic_batch_init(&batch);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(sonic_batch_append(&batch, "{\"a\":1}", (i % 8)),
                             VR_OK);
        for (size_t i = 0; i < 100; i++) {
            size_t bytes;
            const char *text = sonic_batch_event(&batch, i, &bytes);
            assert_int_equal(bytes, i % 8);
            assert_int_equal(strlen(text), bytes);
        }
        sonic_batch_truncate(&batch, 200);
        assert_int_equal(sonic_batch_count(&batch), 100);
        sonic_batch_truncate(&batch, 7);
        assert_int_equal(sonic_batch_count(&batch), 7);
        sonic_batch_clear(&batch);
        assert_int_equal(sonic_batch_count(&batch), 0);
    }
    sonic_batch_fini(&batch);
}

/* ---- the allocation sweep ---- */

static int allowed;

static void *
failing_malloc(size_t bytes)
{
    return allowed-- > 0 ? malloc(bytes) : NULL;
}

static enum vr_status
encode_all(struct sonic_batch *batch, const cJSON *extra)
{
    struct sonic_tool_spec tool = {"t", "d", "{}"};
    struct sonic_prompt_start start = {"P", 24000, "amy", &tool,
                                       1,   extra, extra};
    struct sonic_session_start session = {1, 1, 1, "LOW", extra};
    struct sonic_tool_result result = {"P", "C", "i", "text", 4};
    enum vr_status status = sonic_encode_session_start(batch, &session);
    if (status == VR_OK)
        status = sonic_encode_prompt_start(batch, &start);
    if (status == VR_OK)
        status = encode_text(batch, SONIC_ROLE_USER, true, "abcdef", 6, 4);
    if (status == VR_OK)
        status = sonic_encode_tool_result(batch, &result);
    if (status == VR_OK)
        status = sonic_encode_audio_start(batch, "P", "A", 8000);
    return status;
}

static void
test_every_allocation_may_fail(void **state)
{
    (void)state;
    cJSON *extra = cJSON_Parse("{\"auto\":{\"x\":[1]}}");
    cJSON_Hooks hooks = {failing_malloc, free};
    enum vr_status status = VR_NO_MEMORY;
    int last = 0;
    for (int n = 0; status != VR_OK; n++) {
        struct sonic_batch batch = {0};
        cJSON_InitHooks(&hooks);
        allowed = n;
        status = encode_all(&batch, extra);
        cJSON_InitHooks(NULL);
        assert_true(status == VR_OK || status == VR_NO_MEMORY);
        size_t count = sonic_batch_count(&batch);
        assert_true(count == 0 || count == 1 || count == 2 || count == 6 ||
                    count == 9 || count == 10);
        sonic_batch_fini(&batch);
        last = n;
    }
    assert_true(last > 100);
    cJSON_Delete(extra);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_start),
        cmocka_unit_test(test_numbers_are_printed_as_written),
        cmocka_unit_test(test_extra_merges_deeply),
        cmocka_unit_test(test_prompt_start),
        cmocka_unit_test(test_extra_cannot_rename_the_prompt),
        cmocka_unit_test(test_text_block),
        cmocka_unit_test(test_text_block_refusals),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_text_is_cut_between_characters),
        cmocka_unit_test(test_default_piece),
        cmocka_unit_test(test_audio_start_and_ends),
        cmocka_unit_test(test_tool_result),
        cmocka_unit_test(test_tool_result_is_always_an_object),
        cmocka_unit_test(test_deep_tool_result_is_sent_as_text),
        cmocka_unit_test(test_audio_input),
        cmocka_unit_test(test_batch_keeps_events_apart),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
