/* Streams that end and nobody asked them to: what is done, when, and what is
 * told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"
#include "tests/session/rig.h"

static struct rig rig;
static char profile[64]; /* the folder of a credentials file, "": none */

static int
tear_down(void **state)
{
    char path[96];
    (void)state;
    rig_close(&rig);
    if (!profile[0])
        return 0;
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    snprintf(path, sizeof path, "%s/credentials", profile);
    unlink(path);
    rmdir(profile);
    profile[0] = '\0';
    return 0;
}

static bool
is_in(enum session_state state)
{
    return session_state(rig.session) == state;
}

static void
lose(void)
{
    fake_stream_end(BEDROCK_END_rst_stream, false);
}

static void
lose_as(const char *code, const char *message)
{
    struct bedrock_end end = fake_stream_error(code, message);
    fake_stream_end_as(&end);
}

static const cJSON *
error_told(void)
{
    return fake_bus_last("error", NULL, NULL);
}

static double
retry_told(void)
{
    return jsonx_number(fake_bus_last("session_state", "state", "waiting"),
                        "retry_in_ms", -1);
}

/* ---- each action ---- */

static void
test_at_once(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    lose_as("modelTimeoutException", "Model has timed out in processing");
    assert_int_equal(rig_opened(), 2);
    rig_accept();
    assert_true(is_in(SESSION_streaming));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(error_told(), "recoverable")));
    assert_true(jsonx_number(error_told(), "retry_in_ms", -1) == 0);
    assert_true(retry_told() == 0);
    assert_string_equal(fake_bus_streams(),
                        "error:ModelTimeoutException dropped:1 state:waiting "
                        "state:connecting opening:2 state:preparing "
                        "state:starting current:2 state:streaming ");
}

static void
test_after_a_while(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":200,\"retry_cap_ms\":200}");
    rig_begin(&rig, NULL);
    lose_as("throttlingException", "Too many requests, please wait");
    double delay_ms = retry_told();
    assert_true(delay_ms >= 0 && delay_ms <= 200);
    assert_true(jsonx_number(error_told(), "retry_in_ms", -1) >= 0);
    assert_true(is_in(SESSION_waiting) || delay_ms == 0);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    assert_true(is_in(SESSION_streaming));
}

static void
test_not_before_the_server_says(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    struct bedrock_end end =
        fake_stream_error("ThrottlingException", "Too many requests");
    end.retry_after_ms = 150;
    uint64_t before_ns = uv_hrtime();
    fake_stream_end_as(&end);
    assert_true(is_in(SESSION_waiting));
    assert_true(jsonx_number(error_told(), "retry_in_ms", -1) >= 150);
    RIG_UNTIL(&rig, rig_opened() == 2);
    assert_true(uv_hrtime() - before_ns >= 150 * CLOCK_NS_PER_MS);
}

static void
test_given_up_with_a_remedy(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    lose_as("ResourceNotFoundException",
            "This model version has reached the end of its life");
    assert_true(is_in(SESSION_failed));
    assert_false(
        cJSON_IsTrue(cJSON_GetObjectItem(error_told(), "recoverable")));
    assert_null(cJSON_GetObjectItem(error_told(), "retry_in_ms"));
    assert_non_null(strstr(jsonx_text(error_told(), "remedy", ""),
                           "amazon.nova-2-sonic-v1:0"));
    rig_run(&rig, 50);
    assert_int_equal(rig_opened(), 1);
}

static void
test_the_stream_stays(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    fake_broker_offer("clock", "{}");
    rig_start(&rig);
    rig_tool_use("use-1", "clock", "{}");
    rig_tool_use("use-2", "clock", "{}");
    struct bedrock_end end =
        fake_stream_error("validationException", "Tool Response parsing error");
    fake_stream_except(&end);
    assert_true(is_in(SESSION_streaming));
    assert_int_equal(rig_opened(), 1);
    assert_int_equal(fake_bus_count("tool_result", "outcome", "cancelled"), 2);
    assert_true(fake_broker.calls[0].cancelled);
    assert_null(strstr(fake_stream.order, "toolResult"));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(error_told(), "recoverable")));
    assert_null(cJSON_GetObjectItem(error_told(), "retry_in_ms"));
    fake_broker_deliver_cancelled();
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), 2);
    rig_user_says(&rig, "never mind");
    rig_plans(&rig, "Well.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "Well.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, fake_bus_count("response", "status", "complete") >= 1);
}

static void
test_no_continuation_means_none(void **state)
{
    (void)state;
    rig_begin(&rig, "{\"continuation\":\"off\"}");
    lose_as("modelTimeoutException", "Model has timed out in processing");
    assert_true(is_in(SESSION_failed));
    assert_false(
        cJSON_IsTrue(cJSON_GetObjectItem(error_told(), "recoverable")));
}

/* ---- budget ---- */

static void
fail_to_connect(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        unsigned number = rig_opened();
        fake_stream_end(BEDROCK_END_refused, false);
        if (i + 1 < times)
            RIG_UNTIL(&rig, rig_opened() == number + 1);
    }
}

static void
test_slow_once_the_budget_is_spent(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":2,\"retry_cap_ms\":4,\"retry_budget\":3,"
                "\"retry_slow_s\":0.2}");
    rig_begin(&rig, NULL);
    lose();
    assert_int_equal(rig_opened(), 2);
    fail_to_connect(3);
    assert_true(is_in(SESSION_waiting));
    assert_true(retry_told() >= 150);
    assert_int_equal(fake_bus_count("error", "code", "outage"), 1);
    assert_int_equal(slots_open(rig.services.slots), 0); /* for others */
    RIG_UNTIL(&rig, rig_opened() == 5);
    fail_to_connect(1);
    assert_int_equal(fake_bus_count("error", "code", "outage"), 1);
    RIG_UNTIL(&rig, rig_opened() == 6);
    rig_accept();
    assert_true(is_in(SESSION_streaming));
}

static void
test_asked_for_in_an_outage(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":2,\"retry_cap_ms\":4,\"retry_budget\":1,"
                "\"retry_slow_s\":60}");
    rig_begin(&rig, NULL);
    lose();
    fail_to_connect(1);
    assert_true(retry_told() > 10000);
    assert_true(session_open(rig.session));
    assert_true(is_in(SESSION_connecting));
    assert_int_equal(rig_opened(), 3);
}

static void
test_text_waits_for_the_next_stream(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":60,\"retry_cap_ms\":60}");
    rig_begin(&rig, NULL);
    lose_as("throttlingException", "Too many requests");
    rig_ask(&rig, 1, "{\"text\":\"hi\"}");
    RIG_UNTIL(&rig, rig_opened() == 2);
    assert_string_equal(rig.answers, "");
    rig_accept();
    assert_non_null(strstr(rig.answers, "\"accepted\":true"));
    assert_non_null(strstr(fake_stream_last("textInput"), "hi"));
}

static void
test_quick_deaths_count(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":2,\"retry_cap_ms\":4,\"retry_budget\":4,"
                "\"retry_slow_s\":60}");
    rig_begin(&rig, NULL);
    for (unsigned i = 1; i <= 4; i++) {
        rig_user_says(&rig, "hm");
        lose();
        RIG_UNTIL(&rig, rig_opened() == i + 1);
        rig_accept();
    }
    lose();
    assert_true(is_in(SESSION_waiting));
    assert_true(retry_told() > 10000);
}

static void
test_good_streams_are_forgiven(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":2,\"retry_cap_ms\":4,\"retry_budget\":1,"
                "\"retry_slow_s\":60,\"healthy_after_s\":0}");
    rig_begin(&rig, NULL);
    for (unsigned i = 1; i <= 5; i++) {
        rig_plans(&rig, "I am alive.");
        lose();
        assert_int_equal(rig_opened(), i + 1);
        rig_accept();
    }
    assert_true(is_in(SESSION_streaming));
}

/* ---- elsewhere ---- */

#define FALLBACK                                                 \
    "\"fallback\":[{\"region\":\"us-west-2\",\"model\":"         \
    "\"amazon.nova-2-sonic-v1:0\"}],\"fallback_retry_s\":0.2,"   \
    "\"retry_base_ms\":2,\"retry_cap_ms\":4,\"retry_budget\":2," \
    "\"region\":\"us-east-1\""

static void
test_fallback_and_home(void **state)
{
    (void)state;
    rig_bedrock("{" FALLBACK "}");
    rig_begin(&rig, "{\"rotate_gap_s\":0.1}");
    rig_user_says(&rig, "my name is Ada");
    rig_plans(&rig, "Hello Ada.");
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "Hello Ada.", "PARTIAL_TURN");
    assert_string_equal(fake_stream.region, "us-east-1");
    lose();
    fail_to_connect(2);
    RIG_UNTIL(&rig, rig_opened() == 4);
    assert_string_equal(fake_stream.region, "us-west-2");
    rig_accept();
    assert_true(is_in(SESSION_streaming));
    assert_non_null(strstr(fake_stream_last("textInput"), "Hello Ada."));
    RIG_UNTIL(&rig, rig_opened() == 5);
    assert_string_equal(fake_stream.region, "us-east-1");
    fake_stream_end(BEDROCK_END_refused, false); /* not yet */
    assert_true(is_in(SESSION_streaming));
    RIG_UNTIL(&rig, rig_opened() == 6);
    assert_string_equal(fake_stream.region, "us-east-1");
    rig_accept();
    assert_true(fake_stream_at(4)->finished);
    rig_run(&rig, 300);
    assert_int_equal(rig_opened(), 6);
}

static void
test_fallback_where_nothing_else_helps(void **state)
{
    (void)state;
    rig_bedrock("{" FALLBACK "}");
    rig_open(&rig, NULL);
    session_open(rig.session);
    fake_stream_refuse();
    RIG_UNTIL(&rig, rig_opened() == 2);
    assert_string_equal(fake_stream.region, "us-west-2");
    fake_stream_refuse();
    assert_true(is_in(SESSION_failed)); /* no circle */
    rig_run(&rig, 30);
    assert_int_equal(rig_opened(), 2);
    assert_true(session_open(rig.session));
    assert_int_equal(rig_opened(), 3);
}

/* ---- the clock ---- */

static void
refuse_for_the_clock(int64_t ahead_ms)
{
    struct bedrock_end end = fake_stream_error(
        "InvalidSignatureException", "Signature expired: 20261121T000000Z");
    end.http_status = 403;
    end.server_ahead_ms = ahead_ms;
    fake_stream_end_as(&end);
}

static void
test_clock_is_corrected_once(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    refuse_for_the_clock(600 * 1000);
    assert_int_equal(rig_opened(), 2);
    assert_int_equal(fake_stream.clock_offset_ms, 600 * 1000);
    assert_int_equal(fake_bus_count("error", "code", "clock_skew"), 1);
    rig_accept();
    assert_true(is_in(SESSION_streaming));
}

static void
test_clock_that_stays_wrong(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":1000,\"retry_cap_ms\":1000}");
    rig_open(&rig, NULL);
    session_open(rig.session);
    refuse_for_the_clock(600 * 1000);
    refuse_for_the_clock(1200 * 1000);
    assert_int_equal(fake_bus_count("error", "code", "clock_skew"), 1);
    assert_int_equal(fake_bus_count("error", NULL, NULL), 2);
    assert_in_range(rig_opened(), 2, 3);
}

static void
test_clock_that_is_right(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    session_open(rig.session);
    refuse_for_the_clock(60 * 1000);
    assert_int_equal(fake_bus_count("error", "code", "clock_skew"), 0);
    assert_int_equal(rig.clock_offset_ms, 0);
}

/* ---- credentials ---- */

static void
write_profile(const char *key)
{
    char path[96];
    snprintf(path, sizeof path, "%s/credentials", profile);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "[default]\naws_access_key_id = %s\n"
            "aws_secret_access_key = secret\n",
            key);
    fclose(file);
}

static void
open_with_profile(const char *bedrock)
{
    char path[96];
    snprintf(profile, sizeof profile, "/tmp/voxring-profile-XXXXXX");
    assert_non_null(mkdtemp(profile));
    snprintf(path, sizeof path, "%s/credentials", profile);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_PROFILE");
    write_profile("AKIAOLD");
    rig_bedrock(bedrock);
    rig_open(&rig, NULL);
    rig.services.credentials = NULL;
}

static void
test_new_credentials_are_taken(void **state)
{
    (void)state;
    open_with_profile(NULL);
    rig_start(&rig);
    assert_string_equal(fake_stream.key, "AKIAOLD");
    write_profile("AKIANEW");
    lose_as("ExpiredTokenException", "The security token has expired");
    assert_int_equal(rig_opened(), 2);
    assert_string_equal(fake_stream.key, "AKIANEW");
    rig_accept();
    assert_true(is_in(SESSION_streaming));
}

static void
test_credentials_are_waited_for(void **state)
{
    (void)state;
    open_with_profile("{\"retry_slow_s\":0.2}");
    rig_start(&rig);
    lose_as("ExpiredTokenException", "The security token has expired");
    assert_true(is_in(SESSION_waiting));
    RIG_UNTIL(&rig, rig_opened() == 2);
    lose_as("ExpiredTokenException", "The security token has expired");
    write_profile("AKIANEW");
    RIG_UNTIL(&rig, rig_opened() == 3);
    assert_string_equal(fake_stream.key, "AKIANEW");
    rig_accept();
    assert_true(is_in(SESSION_streaming));
}

/* Somebody is about to write them anew. */
static void
test_credentials_that_are_gone_for_a_moment(void **state)
{
    char path[96];
    (void)state;
    open_with_profile("{\"retry_slow_s\":0.2}");
    rig_start(&rig);
    snprintf(path, sizeof path, "%s/credentials", profile);
    assert_int_equal(unlink(path), 0);
    lose();
    assert_true(is_in(SESSION_waiting));
    assert_int_equal(fake_bus_count("error", "code", "no_credentials"), 1);
    assert_int_equal(slots_open(rig.services.slots), 0);
    write_profile("AKIANEW");
    RIG_UNTIL(&rig, rig_opened() == 2);
    assert_string_equal(fake_stream.key, "AKIANEW");
    rig_accept();
    assert_true(is_in(SESSION_streaming));
}

static void
test_credentials_that_never_worked(void **state)
{
    (void)state;
    open_with_profile(NULL);
    session_open(rig.session);
    lose_as("UnrecognizedClientException",
            "The security token included in the request is invalid");
    assert_true(is_in(SESSION_failed));
    assert_int_equal(rig_opened(), 1);
}

/* ---- audio ---- */

static void
test_audio_of_an_outage_is_kept(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":100,\"retry_cap_ms\":100}");
    rig_begin(&rig, "{\"connect_buffer_ms\":100,\"outage_buffer_s\":1}");
    rig_mic(&rig, 1000);
    RIG_UNTIL(&rig, rig_heard(1) >= 512);
    lose_as("throttlingException", "Too many requests");
    rig_mic(&rig, 10000);
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    RIG_UNTIL(&rig, rig_heard(1) + rig_heard(2) == 11000);
    rig_assert_heard(1, 0, rig_heard(1));
    rig_assert_heard(2, rig_heard(1), 11000);
    assert_int_equal(rig_frames(&rig, "input_frames", "lost"), 0);
    assert_int_equal(rig_frames(&rig, "input_frames", "resent"), 0);
    rig_assert_balanced(&rig);
    assert_true(jsonx_number(fake_bus_last("stream", "phase", "current"),
                             "gap_seconds", -1) >= 0);
}

static void
test_no_more_than_the_outage_buffer(void **state)
{
    (void)state;
    rig_bedrock("{\"retry_base_ms\":300,\"retry_cap_ms\":300}");
    rig_begin(&rig, "{\"outage_buffer_s\":1}");
    struct bedrock_end end =
        fake_stream_error("ThrottlingException", "Too many requests");
    end.retry_after_ms = 50;
    fake_stream_end_as(&end);
    for (int i = 0; i < 40; i++) {
        rig_mic(&rig, 800);
        rig_step(&rig);
    }
    RIG_UNTIL(&rig, rig_opened() == 2);
    rig_accept();
    session_close(rig.session);
    rig_assert_heard(2, 16000, 32000);
    assert_int_equal(rig_frames(&rig, "input_frames", "lost"), 16000);
    rig_assert_balanced(&rig);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(at_once),
        TEST(after_a_while),
        TEST(not_before_the_server_says),
        TEST(given_up_with_a_remedy),
        TEST(the_stream_stays),
        TEST(no_continuation_means_none),
        TEST(slow_once_the_budget_is_spent),
        TEST(asked_for_in_an_outage),
        TEST(text_waits_for_the_next_stream),
        TEST(quick_deaths_count),
        TEST(good_streams_are_forgiven),
        TEST(fallback_and_home),
        TEST(fallback_where_nothing_else_helps),
        TEST(clock_is_corrected_once),
        TEST(clock_that_stays_wrong),
        TEST(clock_that_is_right),
        TEST(new_credentials_are_taken),
        TEST(credentials_are_waited_for),
        TEST(credentials_that_are_gone_for_a_moment),
        TEST(credentials_that_never_worked),
        TEST(audio_of_an_outage_is_kept),
        TEST(no_more_than_the_outage_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
