/* What ends say: text from peers, causes of failed connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/bedrock/end.h"
#include "gateway/bedrock/failure.h"

static void
test_copies_only_good_text(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"a\nb\tc\x7f", "a b c "},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc3", "?"},                /* cut */
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xe0\x80\xaf", "???"},      /* overlong */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xff\x80z", "??z"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        end_copy(out, sizeof(out), cases[i].in, strlen(cases[i].in));
        assert_string_equal(out, cases[i].out);
    }
}

static void
test_cuts_between_characters(void **state)
{
    static const char text[] = "ab\xc3\xa9\xc3\xa9";
    static const char *const cut[] = {
        "", "a", "ab", "ab", "ab\xc3\xa9", "ab\xc3\xa9", "ab\xc3\xa9\xc3\xa9"};
    char out[8];

    (void)state;
    for (size_t size = 1; size <= 7; size++) {
        end_copy(out, size, text, sizeof(text) - 1);
        assert_string_equal(out, cut[size - 1]);
    }
}

static void
test_every_cause_is_named(void **state)
{
    (void)state;
    for (int cause = 0; cause < BEDROCK_END_COUNT; cause++) {
        assert_true(*bedrock_end_name(cause));
        assert_true(*bedrock_end_sentence(cause));
    }
    assert_string_equal(bedrock_end_name(BEDROCK_END_no_h2), "no_h2");
}

static void
test_causes_of_failures(void **state)
{
    static const struct endpoint endpoint = {.authority = "host:1"};
    static const struct {
        struct failure failure;
        enum bedrock_end_cause cause;
        const char *words;
    } cases[] = {
        {{CURLE_COULDNT_CONNECT, "x", ECONNREFUSED, 0, false, NULL, &endpoint},
         BEDROCK_END_refused,
         "firewall"},
        {{CURLE_COULDNT_CONNECT, "x", ETIMEDOUT, 0, false, NULL, &endpoint},
         BEDROCK_END_connect_timeout,
         "in time"},
        {{CURLE_COULDNT_CONNECT, "x", ENETUNREACH, 0, false, NULL, &endpoint},
         BEDROCK_END_network,
         "host:1: x"},
        {{CURLE_COULDNT_RESOLVE_HOST, "", 0, 0, false, NULL, &endpoint},
         BEDROCK_END_dns,
         "DNS"},
        {{CURLE_COULDNT_RESOLVE_PROXY, "", 0, 0, false, NULL, &endpoint},
         BEDROCK_END_proxy,
         "HTTPS_PROXY"},
        {{CURLE_RECV_ERROR, "x", 0, 403, false, NULL, &endpoint},
         BEDROCK_END_proxy,
         "NO_PROXY"},
        {{CURLE_RECV_ERROR, "x", 0, 200, false, NULL, &endpoint},
         BEDROCK_END_network,
         "host:1: x"},
        {{CURLE_SSL_CONNECT_ERROR, "x", 0, 0, true, NULL, &endpoint},
         BEDROCK_END_no_h2,
         "ALPN"},
        {{CURLE_SSL_CACERT_BADFILE, "x", 0, 0, false, "/f", &endpoint},
         BEDROCK_END_tls,
         "/f"},
        {{CURLE_SSL_CACERT_BADFILE, "x" FAILURE_PROXY_MARK, 0, 0, false, "/f",
          &endpoint},
         BEDROCK_END_proxy,
         "not supported"},
        {{CURLE_OUT_OF_MEMORY, "", 0, 0, false, NULL, &endpoint},
         BEDROCK_END_network,
         "memory"},
    };
    char message[768];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum bedrock_end_cause cause =
            failure_explain(&cases[i].failure, message, sizeof(message));
        assert_string_equal(bedrock_end_name(cause),
                            bedrock_end_name(cases[i].cause));
        if (!strstr(message, cases[i].words))
            fail_msg("case %zu: %s", i, message);
    }
}

static void
test_causes_of_lost_sessions(void **state)
{
    static const struct endpoint endpoint = {.authority = "host"};
    char message[768];
    struct failure failure = {.endpoint = &endpoint};

    (void)state;
    failure.detail = "OpenSSL SSL_read: error:0A000119:SSL routines::bad mac";
    assert_int_equal(failure_explain_session(&failure, message, 768),
                     BEDROCK_END_tls);
    failure.detail = "OpenSSL SSL_read: Connection reset by peer, errno 104";
    assert_int_equal(failure_explain_session(&failure, message, 768),
                     BEDROCK_END_network);
    failure.detail = "";
    assert_int_equal(failure_explain_session(&failure, message, 768),
                     BEDROCK_END_network);
    assert_string_equal(message, "Connection to host: lost");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_only_good_text),
        cmocka_unit_test(test_cuts_between_characters),
        cmocka_unit_test(test_every_cause_is_named),
        cmocka_unit_test(test_causes_of_failures),
        cmocka_unit_test(test_causes_of_lost_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
