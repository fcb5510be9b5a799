/* Conversations from outside: what is taken, dropped, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/session/history_import.h"
#include "tests/shared/starve.h"

static struct history_import import;
static char why[512];

static enum vr_status
take(const char *text)
{
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    why[0] = '\0';
    enum vr_status status =
        history_import_read(json, "params.history", &import, why, sizeof why);
    cJSON_Delete(json);
    return status;
}

static void
assert_message(size_t index, enum history_role role, const char *text)
{
    assert_true(index < import.count);
    assert_int_equal(import.messages[index].role, role);
    assert_string_equal(import.messages[index].text, text);
    assert_int_equal(import.messages[index].text_bytes, strlen(text));
}

static void
test_texts_of_both_shapes_are_taken(void **state)
{
    (void)state;
    assert_int_equal(
        take("[{\"role\":\"USER\",\"text\":\"one\"},"
             "{\"role\":\"assistant\",\"content\":\"two\"},"
             "{\"role\":\"User\",\"content\":[{\"type\":\"text\",\"text\":"
             "\"three\"},\"four\",{\"text\":\"five\"},"
             "{\"type\":\"input_text\",\"text\":\"six\"},"
             "{\"type\":\"output_text\",\"text\":\"seven\"},"
             "{\"type\":\"input_audio\",\"transcript\":\"eight\"}]},"
             "{\"type\":\"message\",\"id\":\"item_1\",\"role\":\"assistant\","
             "\"content\":[\"nine\"],\"interrupted\":true,\"pinned\":null}]"),
        VR_OK);
    assert_int_equal(import.count, 4);
    assert_message(0, HISTORY_USER, "one");
    assert_message(1, HISTORY_ASSISTANT, "two");
    assert_message(2, HISTORY_USER, "three four five six seven eight");
    assert_message(3, HISTORY_ASSISTANT, "nine");
    assert_true(import.messages[3].interrupted);
    assert_int_equal(import.messages[3].id, 0);
    assert_string_equal(import.summary, "");
    history_import_fini(&import);
}

static void
test_what_is_no_speech_is_dropped_and_told(void **state)
{
    (void)state;
    assert_int_equal(
        take("[{\"role\":\"system\",\"content\":\"be kind\"},"
             "{\"role\":\"developer\",\"content\":[{\"type\":\"x\"}]},"
             "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{}]},"
             "{\"role\":\"tool\",\"content\":\"{}\",\"tool_call_id\":\"1\"},"
             "{\"type\":\"function_call\",\"name\":\"f\"},"
             "{\"role\":\"user\",\"text\":\" \\n\"},"
             "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"},"
             "{\"toolResult\":{}},{\"type\":\"text\",\"text\":\"hi\"}]}]"),
        VR_OK);
    assert_int_equal(import.count, 1);
    assert_message(0, HISTORY_USER, "hi");
    assert_int_equal(import.system_dropped, 2);
    assert_int_equal(import.tool_dropped, 3);
    assert_int_equal(import.empty_dropped, 1);
    assert_int_equal(import.parts_dropped, 2);
    assert_string_equal(
        import.summary,
        "Not taken over whole: 2 system messages dropped, 3 tool calls and "
        "results dropped, 1 messages without words dropped, 2 parts that are "
        "no text dropped");
    history_import_fini(&import);
}

static void
test_what_is_wrong_is_told_with_its_place(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "params.history: must be an array of messages"},
        {"[7]", "params.history[0]: must be an object, {\"role\": ..., "
                "\"text\": ...}"},
        {"[{\"text\":\"a\"}]",
         "params.history[0].role: must be \"user\" or \"assistant\""},
        {"[{\"role\":\"user\",\"text\":\"a\"},{\"role\":\"asistant\",\"text\":"
         "\"a\"}]",
         "params.history[1].role: asistant is not known; use \"user\" or "
         "\"assistant\""},
        {"[{\"role\":\"user\"}]", "params.history[0]: lacks its text"},
        {"[{\"role\":\"user\",\"text\":1}]",
         "params.history[0].text: must be a text"},
        {"[{\"role\":\"user\",\"content\":{}}]",
         "params.history[0].content: must be a text or an array of parts"},
        {"[{\"role\":\"user\",\"content\":[\"a\",[]]}]",
         "params.history[0].content[1]: must be a text, or an object such as "
         "{\"type\": \"text\", \"text\": ...}"},
        {"[{\"role\":\"user\",\"content\":\"a\",\"text\":\"b\"}]",
         "params.history[0].content: stands beside a text; give one of the "
         "two"},
        {"[{\"role\":\"user\",\"text\":\"a\",\"pinned\":1}]",
         "params.history[0].pinned: must be true or false"},
        {"[{\"role\":\"user\",\"text\":\"a\",\"time\":\"noon\"}]",
         "params.history[0].time: must be a time such as "
         "\"2026-01-31T12:00:00.000Z\""},
        {"[{\"role\":\"user\",\"text\":\"a\",\"turn\":-1}]",
         "params.history[0].turn: must be a number of at most 64 bits, best "
         "as text"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(take(cases[i][0]), VR_INVALID);
        assert_string_equal(why, cases[i][1]);
        assert_null(import.messages);
        assert_int_equal(import.count, 0);
    }
}

static void
test_nothing_is_an_empty_history(void **state)
{
    (void)state;
    assert_int_equal(take("null"), VR_OK);
    assert_int_equal(history_import_read(NULL, "x", &import, why, sizeof why),
                     VR_OK);
    assert_int_equal(import.count, 0);
    assert_int_equal(take("[]"), VR_OK);
    assert_int_equal(import.count, 0);
    history_import_fini(&import);
}

/* An array of so many messages of so many bytes. */
static enum vr_status
take_many(size_t count, size_t bytes)
{
    cJSON *array = cJSON_CreateArray();
    char *text = malloc(bytes + 1);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    for (size_t i = 0; i < count; i++) {
        cJSON *message = cJSON_CreateObject();
        cJSON_AddStringToObject(message, "role", "user");
        cJSON_AddStringToObject(message, "text", text);
        cJSON_AddItemToArray(array, message);
    }
    enum vr_status status =
        history_import_read(array, "h", &import, why, sizeof why);
    cJSON_Delete(array);
    free(text);
    return status;
}

static void
test_too_much_is_refused_and_too_long_is_cut(void **state)
{
    (void)state;
    assert_int_equal(take_many(HISTORY_IMPORT_MESSAGES_MAX, 1), VR_OK);
    assert_int_equal(import.count, HISTORY_IMPORT_MESSAGES_MAX);
    history_import_fini(&import);
    assert_int_equal(take_many(HISTORY_IMPORT_MESSAGES_MAX + 1, 1), VR_LIMIT);
    assert_string_equal(why, "h[4096]: there are 4097 messages; use at most "
                             "4096, leaving out the oldest");
    assert_int_equal(take_many(21, 50000), VR_LIMIT);
    assert_string_equal(why, "h[20].text: with this, the texts exceed 1048576 "
                             "bytes; leave out the oldest");
    assert_int_equal(take_many(1, 60000), VR_OK);
    assert_int_equal(import.messages[0].text_bytes, HISTORY_TEXT_BYTES_MAX);
    assert_string_equal(import.summary,
                        "Not taken over whole: 1 texts cut to 51200 bytes");
    history_import_fini(&import);
}

static void
test_many_parts_are_refused(void **state)
{
    cJSON *array = cJSON_CreateArray();
    cJSON *message = cJSON_CreateObject();
    (void)state;
    cJSON_AddStringToObject(message, "role", "user");
    cJSON *parts = cJSON_AddArrayToObject(message, "content");
    for (int i = 0; i <= HISTORY_IMPORT_PARTS_MAX; i++)
        cJSON_AddItemToArray(parts, cJSON_CreateString("x"));
    cJSON_AddItemToArray(array, message);
    assert_int_equal(history_import_read(array, "h", &import, why, sizeof why),
                     VR_LIMIT);
    assert_string_equal(why, "h[0].content[1024]: use at most 1024 parts");
    cJSON_Delete(array);
}

static void
test_bytes_that_are_no_utf8_are_refused(void **state)
{
    cJSON *array = cJSON_CreateArray();
    cJSON *message = cJSON_CreateObject();
    (void)state;
    cJSON_AddStringToObject(message, "role", "user");
    cJSON_AddStringToObject(message, "text", "a\xffz");
    cJSON_AddItemToArray(array, message);
    assert_int_equal(history_import_read(array, "h", &import, why, sizeof why),
                     VR_INVALID);
    assert_string_equal(why, "h[0].text: holds a byte that is no UTF-8");
    cJSON_Delete(array);
}

static void
test_what_is_shown_can_be_read_again(void **state)
{
    struct history_limits limits = {40960, 40};
    struct history *h = history_new(&limits);
    struct history_message rule = {
        .role = HISTORY_USER, .text = "be kind", .pinned = true};
    (void)state;
    assert_int_equal(history_append(h, &rule, 0, why, sizeof why), VR_OK);
    assert_int_equal(history_add(h, HISTORY_USER, 4, 1767225600123, "hi"),
                     VR_OK);
    history_trigger(h, 4);
    assert_int_equal(history_add(h, HISTORY_ASSISTANT, 4, 5, "hello"), VR_OK);
    history_interrupted(h, 4, NULL);
    cJSON *shown = history_to_json(h);
    assert_int_equal(history_import_read(cJSON_GetObjectItem(shown, "messages"),
                                         "m", &import, why, sizeof why),
                     VR_OK);
    assert_int_equal(history_restore(h, import.messages, import.count, 1),
                     VR_OK);
    cJSON *again = history_to_json(h);
    cJSON_DeleteItemFromObject(shown, "revision");
    cJSON_DeleteItemFromObject(again, "revision");
    assert_true(cJSON_Compare(shown, again, 1));
    cJSON_Delete(shown);
    cJSON_Delete(again);
    history_import_fini(&import);
    history_free(&h);
}

static void
test_the_settings_history_is_taken(void **state)
{
    char user_role[] = "USER", robot_role[] = "ASSISTANT", text[] = "hi";
    struct config_message items[] = {{user_role, text}, {robot_role, text}};
    struct config_history settings = {items, 2};
    (void)state;
    assert_int_equal(history_import_settings(&settings, &import), VR_OK);
    assert_message(0, HISTORY_USER, "hi");
    assert_message(1, HISTORY_ASSISTANT, "hi");
    history_import_fini(&import);
    settings.count = 0;
    assert_int_equal(history_import_settings(&settings, &import), VR_OK);
    history_import_fini(&import);
}

static void
test_any_allocation_may_fail(void **state)
{
    (void)state;
    if (!starve_works()) {
        print_message("skipped: only glibc lets malloc() be stood in for\n");
        skip();
    }
    cJSON *json = cJSON_Parse("[{\"role\":\"user\",\"text\":\"one\"},{\"role\":"
                              "\"user\",\"content\":[\"a\",\"b\"]}]");
    long number = 0;
    enum vr_status status;
    do {
        long live = starve_live();
        starve_at(number++);
        status = history_import_read(json, "h", &import, why, sizeof why);
        starve_end();
        assert_true(status == VR_OK || status == VR_NO_MEMORY);
        history_import_fini(&import);
        assert_int_equal(starve_live(), live);
    } while (status != VR_OK);
    assert_in_range(number, 4, 20);
    cJSON_Delete(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_both_shapes_are_taken),
        cmocka_unit_test(test_what_is_no_speech_is_dropped_and_told),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(test_nothing_is_an_empty_history),
        cmocka_unit_test(test_too_much_is_refused_and_too_long_is_cut),
        cmocka_unit_test(test_many_parts_are_refused),
        cmocka_unit_test(test_bytes_that_are_no_utf8_are_refused),
        cmocka_unit_test(test_what_is_shown_can_be_read_again),
        cmocka_unit_test(test_the_settings_history_is_taken),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
