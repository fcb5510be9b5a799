/* What a stream is begun with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/ending.h"
#include "gateway/session/history_import.h"
#include "gateway/session/setup.h"
#include "gateway/sonic/encode.h"
#include "tests/session/fake_broker.h"

static struct config *config;
static struct config_session *settings;
static struct sonic_batch batch;
static char *pending; /* what is to be answered first */

static int
set_up(void **state)
{
    char *problems;
    (void)state;
    fake_broker_reset();
    sonic_batch_init(&batch);
    return config_load(NULL, &config, &problems) == VR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    sonic_batch_fini(&batch);
    config_session_free(&settings);
    config_free(&config);
    free(pending);
    pending = NULL;
    return 0;
}

/* The settings' history, as a first stream is given it. */
static void
select_history(const struct sonic_family *family,
               struct history_selection *selection)
{
    struct history_limits limits = {
        .total_bytes = settings->history_limits.total_bytes,
        .messages = settings->history_limits.messages};
    struct history_import import;
    char why[256];
    struct history *history = history_new(&limits);
    assert_non_null(history);
    assert_int_equal(history_import_settings(&settings->history, &import),
                     VR_OK);
    if (history_replace(history, import.messages, import.count, 0, why,
                        sizeof why) != VR_OK)
        fail_msg("%s", why);
    history_import_fini(&import);
    unsigned flags =
        family->features.interactive_text ? HISTORY_TAKE_UNANSWERED : 0;
    assert_int_equal(history_select(history, flags, selection), VR_OK);
    history_free(&history);
}

static void
encode_all(void)
{
    bool known;
    struct history_selection selection;
    struct setup setup = {.settings = settings,
                          .family =
                              setup_family(settings, settings->model, &known),
                          .prompt_name = "P",
                          .audio_name = "A",
                          .context = "test"};
    assert_int_equal(setup_encode_head(&setup, &batch), VR_OK);
    select_history(setup.family, &selection);
    setup.history = &selection;
    assert_int_equal(setup_encode_tail(&setup, &batch), VR_OK);
    free(pending);
    pending = selection.unanswered;
    selection.unanswered = NULL;
    history_selection_fini(&selection);
}

static void
encode(const char *json)
{
    char *problems = NULL;
    cJSON *object = cJSON_Parse(json);
    assert_non_null(object);
    if (config_session_parse(config, "robot", object, "test", &settings,
                             &problems) != VR_OK)
        fail_msg("%s", problems);
    cJSON_Delete(object);
    encode_all();
}

/* The body of event `index`, whose name it must have; to be deleted. */
static cJSON *
body(size_t index, const char *name)
{
    assert_true(index < sonic_batch_count(&batch));
    cJSON *root = cJSON_Parse(sonic_batch_event(&batch, index, NULL));
    cJSON *event = cJSON_DetachItemFromObject(root, "event");
    cJSON *found = cJSON_DetachItemFromObject(event, name);
    if (!found)
        fail_msg("event %zu is %s", index,
                 sonic_batch_event(&batch, index, NULL));
    cJSON_Delete(event);
    cJSON_Delete(root);
    return found;
}

static void
assert_event(size_t index, const char *name, const char *json)
{
    cJSON *found = body(index, name), *wanted = cJSON_Parse(json);
    assert_non_null(wanted);
    char *text = cJSON_PrintUnformatted(found);
    if (!cJSON_Compare(found, wanted, true))
        fail_msg("%s: %s", name, text);
    cJSON_free(text);
    cJSON_Delete(found);
    cJSON_Delete(wanted);
}

/* A text block's role and text, which fits one piece. Returns the next index. */
static size_t
assert_block(size_t index, const char *role, const char *text)
{
    cJSON *start = body(index, "contentStart");
    assert_string_equal(jsonx_text(start, "type", ""), "TEXT");
    assert_string_equal(jsonx_text(start, "role", ""), role);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(start, "interactive")));
    cJSON *input = body(index + 1, "textInput");
    assert_string_equal(jsonx_text(input, "content", ""), text);
    cJSON *end = body(index + 2, "contentEnd");
    assert_string_equal(jsonx_text(end, "contentName", ""),
                        jsonx_text(start, "contentName", "?"));
    cJSON_Delete(start);
    cJSON_Delete(input);
    cJSON_Delete(end);
    return index + 3;
}

static void
assert_audio_last(size_t index)
{
    assert_event(
        index, "contentStart",
        "{\"promptName\":\"P\",\"contentName\":\"A\",\"type\":\"AUDIO\","
        "\"interactive\":true,\"role\":\"USER\",\"audioInputConfiguration\":{"
        "\"mediaType\":\"audio/lpcm\",\"sampleRateHertz\":16000,"
        "\"sampleSizeBits\":16,\"channelCount\":1,\"audioType\":\"SPEECH\","
        "\"encoding\":\"base64\"}}");
    assert_int_equal(sonic_batch_count(&batch), index + 1);
}

static void
test_defaults(void **state)
{
    (void)state;
    encode("{}");
    assert_event(0, "sessionStart",
                 "{\"inferenceConfiguration\":{\"maxTokens\":1024,"
                 "\"topP\":0.9,\"temperature\":0.7}}");
    assert_event(
        1, "promptStart",
        "{\"promptName\":\"P\",\"textOutputConfiguration\":{\"mediaType\":"
        "\"text/plain\"},\"audioOutputConfiguration\":{\"mediaType\":"
        "\"audio/lpcm\",\"sampleRateHertz\":24000,\"sampleSizeBits\":16,"
        "\"channelCount\":1,\"voiceId\":\"matthew\",\"encoding\":\"base64\","
        "\"audioType\":\"SPEECH\"}}");
    assert_audio_last(assert_block(2, "SYSTEM", SETUP_DEFAULT_PROMPT));
    assert_null(pending);
}

static void
test_tools(void **state)
{
    (void)state;
    fake_broker_offer("clock", "{\"type\":\"object\"}");
    fake_broker_offer("door", "{}");
    encode("{\"tools\":[\"door\",\"ghost\"],\"tool_choice\":\"door\"}");
    cJSON *start = body(1, "promptStart");
    const cJSON *tools = cJSON_GetObjectItem(start, "toolConfiguration");
    char *text = cJSON_PrintUnformatted(tools);
    assert_string_equal(
        text, "{\"tools\":[{\"toolSpec\":{\"name\":\"door\",\"description\":"
              "\"What it does\",\"inputSchema\":{\"json\":\"{}\"}}}],"
              "\"toolChoice\":{\"tool\":{\"name\":\"door\"}}}");
    cJSON_free(text);
    cJSON_Delete(start);
}

static void
assert_choice(const char *json, const char *choice)
{
    fake_broker_reset();
    fake_broker_offer("clock", "{}");
    encode(json);
    cJSON *start = body(1, "promptStart");
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItem(
        cJSON_GetObjectItem(start, "toolConfiguration"), "toolChoice"));
    if (choice)
        assert_string_equal(text, choice);
    else
        assert_null(text);
    cJSON_free(text);
    cJSON_Delete(start);
    config_session_free(&settings);
    sonic_batch_clear(&batch);
}

static void
test_tool_choice(void **state)
{
    (void)state;
    assert_choice("{\"tool_choice\":\"auto\"}", "{\"auto\":{}}");
    assert_choice("{\"tool_choice\":\"any\"}", "{\"any\":{}}");
    assert_choice("{\"tool_choice\":\"clock\"}",
                  "{\"tool\":{\"name\":\"clock\"}}");
    assert_choice("{\"tool_choice\":\"ghost\"}", NULL);
    assert_choice("{\"tools\":[],\"tool_choice\":\"any\"}", NULL);
    assert_choice("{\"model\":\"amazon.nova-sonic-v1:0\","
                  "\"tool_choice\":\"any\"}",
                  NULL);
    assert_choice("{}", NULL);
}

static void
test_not_more_tools_than_are_taken(void **state)
{
    (void)state;
    for (int i = 0; i < SETUP_TOOLS_MAX + 5; i++)
        fake_broker_offer("clock", "{}");
    encode("{}");
    cJSON *start = body(1, "promptStart");
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItem(
            cJSON_GetObjectItem(start, "toolConfiguration"), "tools")),
        SETUP_TOOLS_MAX);
    cJSON_Delete(start);
}

/* ---- what tools change ---- */

static void
again(const char *json)
{
    config_session_free(&settings);
    sonic_batch_clear(&batch);
    encode(json);
}

static void
assert_inference(const char *json, double top_p, double temperature)
{
    again(json);
    cJSON *start = body(0, "sessionStart");
    const cJSON *inference =
        cJSON_GetObjectItem(start, "inferenceConfiguration");
    assert_true(jsonx_number(inference, "topP", -1) == top_p);
    assert_true(jsonx_number(inference, "temperature", -1) == temperature);
    cJSON_Delete(start);
}

static void
test_greedy_while_tools_are_offered(void **state)
{
    (void)state;
    fake_broker_offer("clock", "{}");
    assert_inference("{}", 0.9, 0.7);
    assert_inference("{\"inference\":{\"for_tools\":\"greedy\"}}", 1, 1);
    assert_inference("{\"inference\":{\"for_tools\":\"as_set\","
                     "\"top_p\":0.5}}",
                     0.5, 0.7);
    assert_inference("{\"inference\":{\"for_tools\":\"greedy\"},"
                     "\"tools\":[]}",
                     0.9, 0.7);
}

static bool
is_offered(const char *json, const char *name)
{
    again(json);
    cJSON *start = body(1, "promptStart");
    char *text = cJSON_PrintUnformatted(start), wanted[100];
    snprintf(wanted, sizeof wanted, "\"name\":\"%s\"", name);
    bool offered = strstr(text, wanted);
    cJSON_free(text);
    cJSON_Delete(start);
    return offered;
}

/* Whether the model may end the conversation is said by one setting alone. */
static void
test_end_conversation(void **state)
{
    static const char name[] = ENDING_TOOL;
    (void)state;
    fake_broker_offer("clock", "{}");
    fake_broker_offer(name, ENDING_TOOL_SCHEMA)->kind = BROKER_PROVIDER_BUILTIN;
    assert_false(is_offered("{\"tools\":\"*\"}", name));
    assert_false(is_offered("{\"tools\":[\"" ENDING_TOOL "\"]}", name));
    assert_true(is_offered("{\"end_conversation\":\"on\"}", name));
    uint64_t with =
        setup_tools_mark(settings, sonic_family_named("nova2"), NULL);
    assert_true(is_offered("{\"end_conversation\":\"on\",\"tools\":[]}", name));
    assert_false(
        is_offered("{\"end_conversation\":\"on\",\"tools\":[]}", "clock"));
    again("{}");
    assert_true(setup_tools_mark(settings, sonic_family_named("nova2"), NULL) !=
                with);
}

/* The text of the SYSTEM block, its pieces put together. */
static const char *
system_prompt(void)
{
    static char prompt[65536];
    size_t used = 0;
    prompt[0] = '\0';
    for (size_t i = 3; strstr(sonic_batch_event(&batch, i, NULL), "textInput");
         i++) {
        cJSON *input = body(i, "textInput");
        used += (size_t)snprintf(prompt + used, sizeof prompt - used, "%s",
                                 jsonx_text(input, "content", ""));
        assert_true(used < sizeof prompt);
        cJSON_Delete(input);
    }
    return prompt;
}

#define SILENT "\"model\":\"amazon.nova-sonic-v1:0\""

static void
test_guidance_for_asynchronous_tools(void **state)
{
    static const char one[] = "These tools take long: search. Their";
    (void)state;
    fake_broker_offer("clock", "{}");
    fake_broker_offer_async("search");
    fake_broker_offer_async("drive");
    encode("{" SILENT ",\"system_prompt\":\"Be kind.\"}");
    assert_non_null(strstr(system_prompt(), "long: search, drive. Their"));
    assert_int_equal(strncmp(system_prompt(), "Be kind.\n\n", 10), 0);
    again("{" SILENT ",\"tools\":[\"clock\",\"search\"]}");
    assert_non_null(strstr(system_prompt(), one));
    assert_int_equal(strncmp(system_prompt(), SETUP_DEFAULT_PROMPT,
                             strlen(SETUP_DEFAULT_PROMPT)),
                     0);
    again("{" SILENT ",\"tools\":[\"clock\"]}");
    assert_string_equal(system_prompt(), SETUP_DEFAULT_PROMPT);
    again("{" SILENT ",\"async_guidance\":\"off\"}");
    assert_string_equal(system_prompt(), SETUP_DEFAULT_PROMPT);
    again("{}"); /* it talks on by itself */
    assert_string_equal(system_prompt(), SETUP_DEFAULT_PROMPT);
}

static void
test_guidance_names_what_is_offered(void **state)
{
    static char names[SETUP_TOOLS_MAX + 5][65];
    (void)state;
    for (int i = 0; i < SETUP_TOOLS_MAX + 5; i++) {
        snprintf(names[i], sizeof names[i], "%061d_%02x", 0, i);
        fake_broker_offer_async(names[i]);
    }
    encode("{" SILENT "}");
    const char *prompt = system_prompt();
    for (int i = 0; i < SETUP_TOOLS_MAX + 5; i++)
        assert_int_equal(strstr(prompt, names[i]) != NULL, i < SETUP_TOOLS_MAX);
}

static void
test_endpointing_is_for_those_who_have_it(void **state)
{
    (void)state;
    encode("{\"endpointing_sensitivity\":\"LOW\"}");
    assert_event(0, "sessionStart",
                 "{\"inferenceConfiguration\":{\"maxTokens\":1024,"
                 "\"topP\":0.9,\"temperature\":0.7},"
                 "\"turnDetectionConfiguration\":{\"endpointingSensitivity\":"
                 "\"LOW\"}}");
    config_session_free(&settings);
    sonic_batch_clear(&batch);
    encode("{\"endpointing_sensitivity\":\"LOW\","
           "\"model\":\"amazon.nova-sonic-v1:0\"}");
    assert_event(0, "sessionStart",
                 "{\"inferenceConfiguration\":{\"maxTokens\":1024,"
                 "\"topP\":0.9,\"temperature\":0.7}}");
}

static void
test_extra_is_merged(void **state)
{
    (void)state;
    encode("{\"extra\":{\"session_start\":{\"inferenceConfiguration\":{"
           "\"topP\":0.5,\"topK\":9}},\"prompt_start\":{\"new\":true,"
           "\"promptName\":\"X\"}}}");
    assert_event(0, "sessionStart",
                 "{\"inferenceConfiguration\":{\"maxTokens\":1024,"
                 "\"topP\":0.5,\"temperature\":0.7,\"topK\":9}}");
    cJSON *start = body(1, "promptStart");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(start, "new")));
    assert_string_equal(jsonx_text(start, "promptName", ""), "P");
    cJSON_Delete(start);
}

#define U(text) "{\"role\":\"USER\",\"text\":\"" text "\"}"
#define A(text) "{\"role\":\"ASSISTANT\",\"text\":\"" text "\"}"

static void
test_history_alternates_and_begins_with_the_user(void **state)
{
    (void)state;
    encode("{\"system_prompt\":\"Be kind.\",\"history\":[" U("one") "," U(
        "two") "," A("three") "," A("four") "]}");
    size_t next = assert_block(2, "SYSTEM", "Be kind.");
    next = assert_block(next, "USER", "one\ntwo");
    next = assert_block(next, "ASSISTANT", "three\nfour");
    assert_audio_last(next);
    assert_null(pending);
}

static void
test_last_words_of_the_user_are_pending(void **state)
{
    (void)state;
    encode("{\"history\":[" U("hi") "," A("hello") "," U("who") "," U(
        "are you") "]}");
    size_t next = assert_block(2, "SYSTEM", SETUP_DEFAULT_PROMPT);
    next = assert_block(next, "USER", "hi");
    next = assert_block(next, "ASSISTANT", "hello");
    assert_audio_last(next);
    assert_string_equal(pending, "who\nare you");
}

static void
test_only_words_of_the_user(void **state)
{
    (void)state;
    encode("{\"history\":[" U("who are you") "]}");
    assert_audio_last(assert_block(2, "SYSTEM", SETUP_DEFAULT_PROMPT));
    assert_string_equal(pending, "who are you");
}

static void
test_first_family_gets_all_as_history(void **state)
{
    (void)state;
    encode("{\"model\":\"amazon.nova-sonic-v1:0\",\"history\":[" U("hi") "]}");
    size_t next = assert_block(2, "SYSTEM", SETUP_DEFAULT_PROMPT);
    assert_audio_last(assert_block(next, "USER", "hi"));
    assert_null(pending);
}

/* Settings with a history of messages of so many bytes: of the user, and of
 * the assistant in between if `both`. Caller frees. */
static char *
long_history(unsigned messages, int bytes, bool both)
{
    char *json = NULL;
    size_t size;
    FILE *out = open_memstream(&json, &size);
    assert_non_null(out);
    fprintf(out, "{\"history\":[");
    for (unsigned i = 0; i < messages; i++)
        fprintf(out, "%s{\"role\":\"%s\",\"text\":\"%0*u\"}", i ? "," : "",
                both && i % 2 ? "ASSISTANT" : "USER", bytes, i);
    fprintf(out, "]}");
    fclose(out);
    return json;
}

static void
test_long_history_loses_its_beginning(void **state)
{
    (void)state;
    char *json = long_history(8, 10000, true);
    encode(json);
    free(json);
    size_t bytes = 0, blocks = 0;
    for (size_t i = 5; i + 1 < sonic_batch_count(&batch); i++) {
        const char *event = sonic_batch_event(&batch, i, NULL);
        cJSON *root = cJSON_Parse(event);
        const cJSON *input = cJSON_GetObjectItem(
            cJSON_GetObjectItem(root, "event"), "textInput");
        size_t piece = strlen(jsonx_text(input, "content", ""));
        assert_true(piece <= SONIC_TEXT_PIECE_BYTES);
        bytes += piece;
        blocks += strstr(event, "contentStart") != NULL;
        cJSON_Delete(root);
    }
    assert_int_equal(bytes, 40000);
    assert_int_equal(blocks, 4);
    cJSON *first = body(5, "contentStart");
    assert_string_equal(jsonx_text(first, "role", ""), "USER");
    cJSON_Delete(first);
}

static void
test_more_words_than_can_be_asked(void **state)
{
    (void)state;
    char *json = long_history(5, 15000, false);
    encode(json);
    free(json);
    assert_non_null(pending);
    assert_int_equal(strlen(pending), 2 * 15000 + 1);
}

static void
test_whom_a_session_lets_call(void **state)
{
    (void)state;
    encode("{\"tools\":[\"clock\"]}");
    assert_true(setup_tool_allowed(settings, "clock", NULL));
    assert_false(setup_tool_allowed(settings, "door", NULL));
    assert_false(setup_tools_ready(settings, NULL));
    fake_broker_offer("clock", "{}");
    assert_true(setup_tools_ready(settings, NULL));
    config_session_free(&settings);
    sonic_batch_clear(&batch);
    encode("{\"tools\":\"*\"}");
    assert_true(setup_tool_allowed(settings, "door", NULL));
    fake_broker.ready = false;
    assert_false(setup_tools_ready(settings, NULL));
}

static void
test_unknown_model_is_taken(void **state)
{
    bool known;
    (void)state;
    encode("{\"model\":\"amazon.nova-9-sonic\"}");
    assert_string_equal(setup_family(settings, settings->model, &known)->name,
                        "nova2");
    assert_false(known);
    config_session_free(&settings);
    sonic_batch_clear(&batch);
    encode("{\"model\":\"amazon.nova-9-sonic\",\"model_family\":\"v1\"}");
    assert_string_equal(setup_family(settings, settings->model, &known)->name,
                        "v1");
    assert_true(known);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults),
        TEST(tools),
        TEST(tool_choice),
        TEST(not_more_tools_than_are_taken),
        TEST(greedy_while_tools_are_offered),
        TEST(end_conversation),
        TEST(guidance_for_asynchronous_tools),
        TEST(guidance_names_what_is_offered),
        TEST(endpointing_is_for_those_who_have_it),
        TEST(extra_is_merged),
        TEST(history_alternates_and_begins_with_the_user),
        TEST(last_words_of_the_user_are_pending),
        TEST(only_words_of_the_user),
        TEST(first_family_gets_all_as_history),
        TEST(long_history_loses_its_beginning),
        TEST(more_words_than_can_be_asked),
        TEST(whom_a_session_lets_call),
        TEST(unknown_model_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
