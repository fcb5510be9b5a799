/* Errors of AWS's and ends of streams: each gets a kind, an action, a remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/bedrock/classify.h"
#include "gateway/bedrock/h2.h"

static const struct {
    const char *code;
    int status;
    const char *message;
    const char *kind, *action;
    bool recoverable;
} cases[] = {
    {"ModelTimeoutException", 408,
     "Model has timed out in processing the "
     "request. Try your request again.",
     "limit_8min", "reconnect", true},
    {"modelTimeoutException", 0, "", "limit_8min", "reconnect", true},
    {"validationException", 0, "Timed out waiting for input events", "idle",
     "reconnect", true},
    {"ValidationException", 0,
     "InternalErrorCode=531::RST_STREAM closed "
     "stream. HTTP/2 error code: NO_ERROR",
     "idle", "reconnect", true},
    {"ValidationException", 0,
     "System instability detected. Please retry your request.", "transient",
     "reconnect", true},
    {"ValidationException", 0, "Tool Response parsing error", "tool", "stay",
     true},
    {"ValidationException", 0, "Received invalid voiceId", "validation_config",
     "give_up", false},
    {"ValidationException", 400, "The provided model identifier is invalid.",
     "model", "give_up", false},
    {"ValidationException", 400, "something new", "validation_config",
     "give_up", false},
    {"ResourceNotFoundException", 404,
     "This model version has reached the end of its life.", "model", "give_up",
     false},
    {"AccessDeniedException", 403,
     "You don't have access to the model with the specified model ID.",
     "access", "give_up", false},
    {"AccessDeniedException", 403, "User is not authorized", "access",
     "give_up", false},
    {"UnrecognizedClientException", 403,
     "The security token included in the request is invalid.", "auth",
     "refresh", false},
    {"INVALIDSIGNATUREEXCEPTION", 403, "does not match", "signature", "refresh",
     false},
    {"InvalidSignatureException", 403,
     "Signature expired: 20260101T000000Z is now earlier than", "clock",
     "back_off", true},
    {"ExpiredTokenException:http://internal.amazon.com/", 403, "", "auth",
     "refresh", false},
    {"com.amazon.coral.service#MissingAuthenticationTokenException", 403, "",
     "auth", "refresh", false},
    {"SignatureDoesNotMatch", 403, "", "signature", "refresh", false},
    {"", 403,
     "The request signature we calculated does not match the signature you "
     "provided.",
     "signature", "refresh", false},
    {"InvalidSignatureException", 403,
     "Credential should be scoped to a valid region.", "validation_config",
     "give_up", false},
    {"RequestTimeTooSkewed", 403,
     "The difference between the request time and the current time is too "
     "large.",
     "clock", "back_off", true},
    {"RequestExpired", 400, "Request has expired.", "clock", "back_off", true},
    {"validationException", 0,
     "The security token included in the request is expired", "auth", "refresh",
     false},
    {"validationException", 0, "The provided token has expired.", "auth",
     "refresh", false},
    {"validationException", 0,
     "InternalErrorCode=532::Timed out waiting for audio bytes or interactive "
     "content",
     "idle", "reconnect", true},
    {"validationException", 0, "InternalErrorCode=599::new", "transient",
     "reconnect", true},
    {"validationException", 0, "No open content found for content name: x",
     "client_bug", "reconnect", true},
    {"ModelNotReadyException", 429, "", "transient", "back_off", true},
    {"InvalidAccessKeyId", 403, "", "auth", "refresh", false},
    {"AuthFailure", 401, "", "auth", "refresh", false},
    {"throttlingException", 0, "", "throttle", "back_off", true},
    {"ServiceQuotaExceededException", 400, "", "quota", "back_off", true},
    {"internalServerException", 0, "", "transient", "reconnect", true},
    {"serviceUnavailableException", 0, "", "transient", "back_off", true},
    {"", 429, NULL, "throttle", "back_off", true},
    {NULL, 502, "", "transient", "back_off", true},
    {"", 404, "", "endpoint", "give_up", false},
    {"NeverSeenException", 0, "", "unknown", "back_off", true},
    {"NeverSeenException", 418, "", "unknown", "back_off", true},
};

static void
test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct classification *result =
            classify_error(cases[i].code, cases[i].status, cases[i].message);

        assert_string_equal(classify_kind_name(result->kind), cases[i].kind);
        assert_string_equal(classify_action_name(result->action),
                            cases[i].action);
        assert_int_equal(result->recoverable, cases[i].recoverable);
    }
}

static void
test_old_model_names_its_successor(void **state)
{
    const struct classification *result = classify_error(
        "ResourceNotFoundException", 404,
        "This model version has reached the end of its life. Please refer to "
        "the AWS documentation for more details.");

    (void)state;
    assert_non_null(strstr(result->remedy, "amazon.nova-2-sonic-v1:0"));
    assert_non_null(strstr(result->remedy, "amazon.nova-2-5-sonic"));
}

static void
test_every_end_is_known(void **state)
{
    (void)state;
    for (int cause = 0; cause < BEDROCK_END_COUNT; cause++) {
        struct bedrock_end end = {.cause = (enum bedrock_end_cause)cause,
                                  .code = "throttlingException"};
        const struct classification *result = classify_end(&end);
        bool named =
            cause == BEDROCK_END_exception || cause == BEDROCK_END_http_status;

        assert_true(*result->remedy != '\0');
        assert_int_equal(result->kind == CLASSIFY_KIND_throttle, named);
        assert_int_not_equal(result->kind, CLASSIFY_KIND_unknown);
    }
}

static void
test_which_suspect_the_clock(void **state)
{
    static const struct {
        const char *code, *message;
        bool suspect;
    } codes[] = {
        {"InvalidSignatureException", "", true},
        {"SignatureDoesNotMatch", "", true},
        {"RequestTimeTooSkewed", "", true},
        {"RequestExpired", "", true},
        {"AccessDeniedException", "Signature expired: 2026", true},
        {"", "Signature not yet current", true},
        {"ExpiredTokenException", "", false},
        {"UnrecognizedClientException", "", false},
        {"AccessDeniedException", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const struct classification *c =
            classify_error(codes[i].code, 403, codes[i].message);

        assert_int_equal(c->clock_suspect, codes[i].suspect);
    }
}

static void
test_http2_codes(void **state)
{
    static const struct {
        uint32_t error;
        const char *name, *kind, *action;
    } codes[] = {
#define CLASSIFY_H2(error, name, kind, action, remedy) \
    {error, #name, #kind, #action},
#include "gateway/bedrock/exceptions.tbl.h"
    };
    struct bedrock_end end = {.cause = BEDROCK_END_rst_stream};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_int_equal(codes[i].error, i);
        assert_string_equal(h2_error_name(codes[i].error), codes[i].name);
        end.h2_error = codes[i].error;
        for (int goaway = 0; goaway < 2; goaway++) {
            end.cause = goaway ? BEDROCK_END_goaway : BEDROCK_END_rst_stream;
            const struct classification *c = classify_end(&end);
            assert_string_equal(classify_kind_name(c->kind), codes[i].kind);
            assert_string_equal(classify_action_name(c->action),
                                codes[i].action);
        }
        /* Other ends have no such code. */
        end.cause = BEDROCK_END_fin;
        assert_int_equal(classify_end(&end)->action, CLASSIFY_ACTION_reconnect);
    }
    end.cause = BEDROCK_END_goaway;
    end.h2_error = 4000000000;
    assert_int_equal(classify_end(&end)->action, CLASSIFY_ACTION_back_off);
}

/* Remedies are sentences that can stand before a period. */
static void
test_remedies_are_sentences(void **state)
{
    static const char *const remedies[] = {
#define CLASSIFY_ERROR(code, message, status, kind, action, remedy) remedy,
#include "gateway/bedrock/exceptions.tbl.h"
#define CLASSIFY_H2(error, name, kind, action, remedy) remedy,
#include "gateway/bedrock/exceptions.tbl.h"
#define CLASSIFY_CAUSE(cause, kind, action, remedy) remedy,
#include "gateway/bedrock/exceptions.tbl.h"
    };

    (void)state;
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
        assert_in_range(remedies[i][0], 'A', 'Z');
        assert_int_not_equal(remedies[i][strlen(remedies[i]) - 1], '.');
        assert_null(strstr(remedies[i], "session.open"));
    }
}

/* A row that an earlier row hides could never be reached. Each row's own
 * example finds that row or an earlier one; if no two find the same, each finds
 * its own. */
static void
test_every_row_is_reached(void **state)
{
    static const struct {
        const char *code, *message;
        int status;
        enum classify_kind kind;
        enum classify_action action;
    } rows[] = {
#define CLASSIFY_ERROR(code, message, status, kind, action, remedy) \
    {code, message, status, CLASSIFY_KIND_##kind, CLASSIFY_ACTION_##action},
#include "gateway/bedrock/exceptions.tbl.h"
    };

    const struct classification *found[sizeof rows / sizeof *rows];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct classification *result =
            classify_error(rows[i].code, rows[i].status, rows[i].message);

        found[i] = result;
        for (size_t j = 0; j < i; j++) {
            if (found[j] == result)
                fail_msg("\"%s\" \"%s\" %d is hidden by an earlier row",
                         rows[i].code, rows[i].message, rows[i].status);
        }
        assert_int_equal(result->kind, rows[i].kind);
        assert_int_equal(result->action, rows[i].action);
    }
}

static void
test_names_out_of_range(void **state)
{
    (void)state;
    assert_string_equal(classify_kind_name((enum classify_kind)999), "unknown");
    assert_string_equal(classify_action_name((enum classify_action)999),
                        "give_up");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_old_model_names_its_successor),
        cmocka_unit_test(test_every_end_is_known),
        cmocka_unit_test(test_which_suspect_the_clock),
        cmocka_unit_test(test_http2_codes),
        cmocka_unit_test(test_remedies_are_sentences),
        cmocka_unit_test(test_every_row_is_reached),
        cmocka_unit_test(test_names_out_of_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
