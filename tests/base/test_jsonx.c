#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/jsonx.h"

static cJSON *
must_parse(const char *text)
{
    cJSON *json = jsonx_parse(text, strlen(text), NULL, NULL);
    assert_non_null(json);
    return json;
}

static void
typed_reads_fall_back(void **state)
{
    (void)state;
    cJSON *o = must_parse("{\"t\":\"x\",\"i\":-7,\"f\":1.5,\"b\":true,"
                          "\"big\":1e17,\"n\":null}");
    assert_string_equal(jsonx_text(o, "t", "d"), "x");
    assert_string_equal(jsonx_text(o, "i", "d"), "d");
    assert_string_equal(jsonx_text(NULL, "t", "d"), "d");
    assert_int_equal(jsonx_int(o, "i", 3), -7);
    assert_int_equal(jsonx_int(o, "f", 3), 3);
    assert_int_equal(jsonx_int(o, "big", 3), 3);
    assert_int_equal(jsonx_int(o, "t", 3), 3);
    assert_true(jsonx_number(o, "f", 0) == 1.5);
    assert_true(jsonx_bool(o, "b", false));
    assert_true(jsonx_bool(o, "n", true));
    cJSON_Delete(o);
}

static void
sixty_four_bits_survive_as_text(void **state)
{
    (void)state;
    uint64_t v = 1;
    cJSON *o = must_parse("{\"a\":\"18446744073709551616\",\"b\":\"\","
                          "\"c\":\"-1\",\"d\":\"+1\",\"e\":-1,\"f\":1.5,"
                          "\"g\":[],\"h\":42,\"i\":\" 1\"}");
    const char *bad[] = {"a", "b", "c", "d", "e", "f", "g", "i", "none"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(jsonx_u64(o, bad[i], &v));
    assert_int_equal(v, 1);
    assert_true(jsonx_u64(o, "h", &v));
    assert_int_equal(v, 42);
    jsonx_add_u64(o, "max", UINT64_MAX);
    assert_string_equal(jsonx_text(o, "max", ""), "18446744073709551615");
    assert_true(jsonx_u64(o, "max", &v));
    assert_true(v == UINT64_MAX);
    cJSON_Delete(o);
}

static void
texts_become_valid_utf8(void **state)
{
    (void)state;
    cJSON *o = cJSON_CreateObject();
    jsonx_add_text(o, "t", "a\xff\xc3\xa9\xed\xa0\x80z\xe2\x82");
    jsonx_add_text(o, "none", NULL);
    jsonx_add_text(NULL, "t", "x");
    assert_string_equal(jsonx_text(o, "t", ""),
                        "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
                        "\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd");
    assert_false(cJSON_HasObjectItem(o, "none"));
    cJSON_Delete(o);
    assert_int_equal(jsonx_utf8_bytes("\xf0\x9f\x98\x80", 4), 4);
    assert_int_equal(jsonx_utf8_bytes("\xf0\x9f\x98\x80", 3), 0);
    assert_int_equal(jsonx_utf8_bytes("\xf4\x90\x80\x80", 4), 0);
    assert_int_equal(jsonx_utf8_bytes("\xe0\x80\x80", 3), 0);
    assert_int_equal(jsonx_utf8_bytes("\xc1\xbf", 2), 0);
}

struct bad {
    const char *text;
    size_t bytes;
    size_t offset;
};

static void
flaws_are_found_where_they_are(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"{\"a\":\"b\nc\"}", 11, 7},
        {"{\"a\":\"\\u0000\"}", 14, 6},
        {"{\"a\":\"\xff\"}", 9, 6},
        {"{\"a\":1}\0", 8, 7},
        {"{\"a\":1} x", 9, 8},
        {"\x01{}", 3, 0},
        {"{\"a\":\"b\tc\"}", 11, 7},
        {"\"\\", 2, 0},
        {"", 0, 0},
        {"[1, -1e999]", 11, 4},
        {"[1000000000000000000000000000000000000000000000000000000000000000]",
         66, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t offset = 99;
        const char *flaw = NULL;
        cJSON *json = jsonx_parse(bad[i].text, bad[i].bytes, &offset, &flaw);
        assert_null(json);
        assert_non_null(flaw);
        if (i != 7)
            assert_int_equal(offset, bad[i].offset);
    }
    cJSON *good = must_parse("{\"a\":\"\\\\u0000 \\\" \\u00e9\"}\n\t ");
    assert_string_equal(jsonx_text(good, "a", ""), "\\u0000 \" \xc3\xa9");
    cJSON_Delete(good);
}

static void
nesting_is_bounded(void **state)
{
    (void)state;
    char text[2 * (JSONX_DEPTH_MAX + 1)];
    size_t n = JSONX_DEPTH_MAX + 1;
    memset(text, '[', n);
    memset(text + n, ']', n);
    assert_null(jsonx_parse(text, 2 * n, NULL, NULL));
    cJSON *json = jsonx_parse(text + 1, 2 * n - 2, NULL, NULL);
    assert_non_null(json);
    cJSON_Delete(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_reads_fall_back),
        cmocka_unit_test(sixty_four_bits_survive_as_text),
        cmocka_unit_test(texts_become_valid_utf8),
        cmocka_unit_test(flaws_are_found_where_they_are),
        cmocka_unit_test(nesting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
