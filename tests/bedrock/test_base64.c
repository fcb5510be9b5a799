/* Base64: the standard's examples, OpenSSL as a second opinion, bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <cmocka.h>

#include "gateway/base64.h"

static void
test_rfc_4648(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16] = "";
        uint8_t bytes[16];
        size_t count = strlen(cases[i][0]);

        assert_int_equal(
            base64_encode((const uint8_t *)cases[i][0], count, text),
            strlen(cases[i][1]));
        assert_int_equal(base64_encoded_bytes(count), strlen(cases[i][1]));
        assert_string_equal(text, cases[i][1]);
        assert_int_equal(base64_decode(text, strlen(text), bytes), count);
        assert_memory_equal(bytes, cases[i][0], count);
    }
}

/* Every length, in buffers of exact size, against OpenSSL; decoding also into
 * its own input. */
static void
test_against_openssl(void **state)
{
    (void)state;
    for (size_t count = 0; count < 400; count++) {
        size_t chars = base64_encoded_bytes(count);
        uint8_t *in = malloc(count + 1), *out = malloc(count + 1);
        char *own = malloc(chars + 1);
        uint8_t *theirs = malloc(chars + 1);

        assert_true(in && out && own && theirs);
        for (size_t i = 0; i < count; i++)
            in[i] = (uint8_t)(i * 167 + count * 31);
        assert_int_equal(base64_encode(in, count, own), chars);
        assert_int_equal(EVP_EncodeBlock(theirs, in, (int)count), chars);
        assert_memory_equal(own, theirs, chars);
        assert_int_equal(base64_decode(own, chars, out), count);
        assert_memory_equal(in, out, count);
        assert_int_equal(base64_decode(own, chars, (uint8_t *)own), count);
        assert_memory_equal(in, own, count);
        free(in);
        free(out);
        free(own);
        free(theirs);
    }
}

static void
test_malformed(void **state)
{
    static const char *const cases[] = {
        "Z",
        "Zg",
        "Zg=",
        "Zg==Zg==",
        "=",
        "====",
        "Z===",
        "=g==",
        "Zg=g",
        "Zm9v\n",
        "Zm9 ",
        " m9v",
        "Zm-v",
        "Zm_v",
        "Zh==",
        "Zm9=",
        "Zm9vZg=a",
        "Zm=vZm9v",
        "Z\xff"
        "9v",
        "Zm9vZm9",
    };
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(base64_decode(cases[i], strlen(cases[i]), out), -1);
    assert_int_equal(base64_decode("Zm9\0", 4, out), -1);
}

/* A bad character at any place, of any value. */
static void
test_every_bad_character(void **state)
{
    (void)state;
    for (size_t at = 0; at < 24; at++) {
        for (int c = 0; c < 256; c++) {
            char text[] = "QUJDREVGR0hJSktMTU5PUFFS";
            uint8_t out[32];
            bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/';

            text[at] = (char)c;
            if (at == 23 && c == '=')
                continue;
            assert_int_equal(base64_decode(text, 24, out), good ? 18 : -1);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_4648),
        cmocka_unit_test(test_against_openssl),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_every_bad_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
