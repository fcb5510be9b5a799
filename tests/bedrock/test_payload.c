/* The payload of response chunks: what is taken, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <cmocka.h>

#include "gateway/bedrock/eventstream.h"

/* Decodes from and into buffers of exact size. */
static long
decode(const char *text, size_t bytes, char out[256])
{
    uint8_t *payload = malloc(bytes ? bytes : 1);
    uint8_t *event = malloc(bytes ? bytes : 1);
    long count;

    assert_true(payload && event);
    memcpy(payload, text, bytes);
    count = eventstream_payload_decode(payload, bytes, event);
    assert_true(count < 256);
    if (count >= 0) {
        memcpy(out, event, (size_t)count);
        out[count] = '\0';
    }
    free(payload);
    free(event);
    return count;
}

static void
test_taken(void **state)
{
    static const char *const cases[][2] = {
        {"{\"bytes\":\"Zm9vYmFy\"}", "foobar"},
        {"{\"bytes\":\"\"}", ""},
        {"{\"bytes\":\"Zm9v\",\"p\":\"abcdefghijklmnopqrstuvwxyzABC\"}", "foo"},
        {"{\"p\":\"abc\",\"bytes\":\"Zm9v\"}", "foo"},
        {" \t\r\n{ \"p\" : 1 , \"bytes\" : \"Zm8=\" } \n", "fo"},
        {"{\"a\":-1.5e+3,\"b\":0,\"c\":true,\"d\":false,\"e\":null,"
         "\"bytes\":\"Zg==\",\"f\":1E9}",
         "f"},
        {"{\"a\":{\"bytes\":\"xx\",\"y\":[1,[],{},[{\"z\":\"]}\"}]]},"
         "\"bytes\":\"Zm9v\"}",
         "foo"},
        {"{\"q\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\","
         "\"bytes\":\"Zm9v\"}",
         "foo"},
        {"{\"bytes\":\"\\/+++\"}", "\xff\xef\xbe"},
        {"{\"bytes\":\"\\u005am9v\"}", "foo"},
        {"{\"bytes\":\"Zg==\",\"bytes\":\"Zm9v\"}", "foo"},
        {"{\"caf\xc3\xa9\":\"\xf0\x9f\x98\x80\",\"bytes\":\"Zm9v\"}", "foo"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[256];

        assert_int_equal(decode(cases[i][0], strlen(cases[i][0]), out),
                         strlen(cases[i][1]));
        assert_string_equal(out, cases[i][1]);
    }
}

static void
test_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[]",
        "null",
        "\"bytes\"",
        "{\"p\":1}",
        "{\"bytes\":null}",
        "{\"bytes\":1}",
        "{\"bytes\":\"Zm9\"}",
        "{\"bytes\":\"Zm9v \"}",
        "{\"bytes\":\"Zm\\n9v\"}",
        "{\"bytes\":\"Zm9\\u0176\"}",
        "{\"bytes\":\"Zm9v\"",
        "{\"bytes\":\"Zm9v",
        "{\"bytes\":\"Zm9v\"}}",
        "{\"bytes\":\"Zm9v\"}x",
        "{\"bytes\":\"Zm9v\",}",
        "{,\"bytes\":\"Zm9v\"}",
        "{\"bytes\" \"Zm9v\"}",
        "{bytes:\"Zm9v\"}",
        "{\"a\":01,\"bytes\":\"Zm9v\"}",
        "{\"a\":1.,\"bytes\":\"Zm9v\"}",
        "{\"a\":.5,\"bytes\":\"Zm9v\"}",
        "{\"a\":1e,\"bytes\":\"Zm9v\"}",
        "{\"a\":-,\"bytes\":\"Zm9v\"}",
        "{\"a\":tru,\"bytes\":\"Zm9v\"}",
        "{\"a\":nulll,\"bytes\":\"Zm9v\"}",
        "{\"a\":[1,],\"bytes\":\"Zm9v\"}",
        "{\"a\":[1 2],\"bytes\":\"Zm9v\"}",
        "{\"a\":[1},\"bytes\":\"Zm9v\"}",
        "{\"a\":{\"b\"},\"bytes\":\"Zm9v\"}",
        "{\"a\":{1:2},\"bytes\":\"Zm9v\"}",
        "{\"a\":\"\\x\",\"bytes\":\"Zm9v\"}",
        "{\"a\":\"\\u12g4\",\"bytes\":\"Zm9v\"}",
        "{\"a\":\"\n\",\"bytes\":\"Zm9v\"}",
        "{\"a\":,\"bytes\":\"Zm9v\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[256];

        if (decode(cases[i], strlen(cases[i]), out) != -1)
            fail_msg("taken: %s", cases[i]);
    }
}

static void
test_nesting_is_limited(void **state)
{
    char text[512], out[256];

    (void)state;
    for (int depth = 1; depth < 80; depth++) {
        size_t used = 0;

        memcpy(text, "{\"a\":", 5);
        used = 5;
        memset(text + used, '[', (size_t)depth);
        used += (size_t)depth;
        memset(text + used, ']', (size_t)depth);
        used += (size_t)depth;
        memcpy(text + used, ",\"bytes\":\"Zm9v\"}", 16);
        used += 16;
        assert_int_equal(decode(text, used, out), depth <= 64 ? 3 : -1);
    }
}

/* Cut anywhere and with any one byte changed: never beyond the buffers, and
 * whatever is taken is JSON to another parser, too. */
static void
test_cuts_and_changes(void **state)
{
    static const char good[] = "{\"p\":[1,{\"a\":\"b\\u0041\"},null],\"bytes\":"
                               "\"Zm9vYmE=\",\"q\":-1e3}";
    char out[256];

    (void)state;
    for (size_t bytes = 0; bytes < sizeof good - 1; bytes++)
        assert_int_equal(decode(good, bytes, out), -1);
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int c = 1; c < 128; c++) {
            char text[sizeof good];
            cJSON *json;

            memcpy(text, good, sizeof good);
            text[at] = (char)c;
            if (decode(text, sizeof good - 1, out) < 0)
                continue;
            json = cJSON_ParseWithOpts(text, NULL, true);
            assert_non_null(json);
            assert_true(cJSON_HasObjectItem(json, "bytes"));
            cJSON_Delete(json);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nesting_is_limited),
        cmocka_unit_test(test_cuts_and_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
