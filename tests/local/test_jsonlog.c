/* The lines that voxring-local logs, whatever a client sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "gateway/local/jsonlog.h"

static int pipes[2];
static char line[16384];
static const struct jsonlog_place place = {3, 5};

static int
setup(void **state)
{
    (void)state;
    return pipe(pipes);
}

static int
teardown(void **state)
{
    (void)state;
    close(pipes[0]);
    close(pipes[1]);
    return 0;
}

/* What was written; "" if nothing was. */
static const char *
written(void)
{
    ssize_t count = write(pipes[1], "", 1);
    assert_int_equal(count, 1);
    count = read(pipes[0], line, sizeof(line) - 1);
    assert_true(count > 0);
    line[count] = '\0';
    return line;
}

static cJSON *
logged_event(const char *json, size_t bytes)
{
    struct jsonlog log = {JSONLOG_JSON, pipes[1]};
    jsonlog_event(&log, place, "received", json, bytes);
    const char *text = written();
    assert_true(text[strlen(text) - 1] == '\n');
    assert_true(strchr(text, '\n') == text + strlen(text) - 1);
    cJSON *object = cJSON_Parse(text);
    assert_non_null(object);
    return object;
}

static const char *
member(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static void
audio_is_a_count(void **state)
{
    static const char *const cases[][2] = {{"", "0"},         {"AAAA", "3"},
                                           {"AAA=", "2"},     {"AA==", "1"},
                                           {"AAAAAAAA", "6"}, {"=", "0"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[256], right[64];
        snprintf(json, sizeof(json),
                 "{\"event\":{\"audioInput\":{\"promptName\":\"P\","
                 "\"content\":\"%s\"}}}",
                 cases[i][0]);
        snprintf(right, sizeof(right), "\"audio_bytes\":%s}", cases[i][1]);
        cJSON *object = logged_event(json, strlen(json));
        assert_string_equal(member(object, "kind"), "received");
        assert_string_equal(member(object, "type"), "audioInput");
        assert_int_equal(strlen(member(object, "time")), 24);
        assert_int_equal(cJSON_GetObjectItem(object, "stream")->valueint, 5);
        assert_non_null(strstr(line, right));
        assert_null(strstr(line, "content"));
        cJSON_Delete(object);
    }
}

static void
text_is_kept(void **state)
{
    const char json[] = "{\"event\":{\"textInput\":{\"content\":"
                        "\"a\\n\xc3\xa9\"}}}";
    (void)state;
    cJSON *object = logged_event(json, strlen(json));
    assert_non_null(strstr(line, "\"content\":\"a\\n\xc3\xa9\""));
    cJSON_Delete(object);
}

static void
nonsense_is_a_line_too(void **state)
{
    static const char *const cases[] = {
        "",
        "x",
        "{",
        "[]",
        "5",
        "{\"event\":5}",
        "{\"event\":{}}",
        "{\"event\":[1]}",
        "{\"event\":{\"audioInput\":5}}",
        "{\"event\":{\"audioInput\":{\"content\":5}}}"};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cJSON_Delete(logged_event(cases[i], strlen(cases[i])));
}

static void
bad_utf8_is_replaced(void **state)
{
    static const char *const cases[][2] = {
        {"\xff", "?"},
        {"\xc3", "?"},
        {"\xc0\xaf", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xe2\x82", "??"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[128], right[64];
        snprintf(json, sizeof(json), "{\"event\":{\"x\":{\"content\":\"%s\"}}}",
                 cases[i][0]);
        snprintf(right, sizeof(right), "\"content\":\"%s\"", cases[i][1]);
        cJSON_Delete(logged_event(json, strlen(json)));
        if (strstr(line, right) == NULL)
            fail_msg("case %zu: %s", i, line);
    }
}

static void
notes(void **state)
{
    struct jsonlog json = {JSONLOG_JSON, pipes[1]};
    struct jsonlog text = {JSONLOG_TEXT, pipes[1]};
    struct jsonlog quiet = {JSONLOG_QUIET, pipes[1]};
    struct jsonlog_place connection = {7, 0};
    (void)state;
    jsonlog_note(&json, place, "violation", "%s %d", "a\nb", 1);
    assert_non_null(strstr(written(), "\"kind\":\"violation\","
                                      "\"text\":\"a\\nb 1\"}\n"));
    jsonlog_note(&text, place, "violation", "a\nb\x1b[31m");
    assert_string_equal(written(), "voxring-local [3:5] violation: a b?[31m\n");
    jsonlog_note(&text, connection, "connection", "gone");
    assert_string_equal(written(), "voxring-local [7] connection: gone\n");
    jsonlog_note(&quiet, place, "violation", "a");
    assert_string_equal(written(), "");
    jsonlog_event(&text, place, "sent", "{}", 2);
    assert_string_equal(written(), "");
}

static void
long_notes_are_cut(void **state)
{
    struct jsonlog text = {JSONLOG_TEXT, pipes[1]};
    static char long_text[9000];
    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    jsonlog_note(&text, place, "note", "%s", long_text);
    written();
    assert_true(strlen(line) < 2100);
    assert_true(line[strlen(line) - 1] == '\n');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(audio_is_a_count),
        TEST(text_is_kept),
        TEST(nonsense_is_a_line_too),
        TEST(bad_utf8_is_replaced),
        TEST(notes),
        TEST(long_notes_are_cut),
#undef TEST
    };
    return cmocka_run_group_tests_name("local/jsonlog", tests, NULL, NULL);
}
