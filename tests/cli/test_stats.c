/* voxring stats: for people, and for Prometheus, whose format another program
 * reads strictly (check_exposition.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/cli/command.h"
#include "ipc/cli/exposition.h"
#include "tests/cli/played.h"

/* What a gateway answers, and beside it what none does. */
static const char answer[] =
    "{\"uptime_seconds\":1.5,\"bus\":{\"published_total\":10,"
    "\"dropped_total\":3},\"tools\":{\"calls_total\":5,\"calls_ok_total\":4},"
    "\"new_thing\":{\"deep\":{\"queue_ms\":1500,\"is_on\":true,"
    "\"text\":\"no number\"}},\"targets\":[{\"failures_total\":1},"
    "{\"failures_total\":2}],\"sessions\":{"
    "\"robot\":{\"session\":\"robot\",\"state\":\"streaming\","
    "\"conversation\":\"a\\\"b\\\\c\\nd\",\"model\":\"amazon.nova\","
    "\"error\":{\"message\":\"x\",\"http_status\":503},\"state_seconds\":2.25,"
    "\"input_frames\":{\"produced\":12345678901,\"sent\":9,\"gated\":8,"
    "\"lost\":7,\"pending\":6,\"resent\":5,\"inserted_samples\":4,"
    "\"inserted_spans\":3,\"chunks\":2,\"brand_new\":1},"
    "\"output_frames\":{\"received\":100,\"played\":90,\"flushed\":5,"
    "\"pending\":4,\"queued\":2,\"lost\":1},"
    "\"tokens\":{\"input_speech\":1,\"input_text\":2,\"output_speech\":3,"
    "\"output_text\":4},"
    "\"mic_to_wire_seconds\":{\"count\":7,\"p50\":0.00025,\"p99\":0.001,"
    "\"max\":0.5},"
    "\"to_first_audio_ms\":{\"count\":2,\"sum\":3000,\"p50\":700,"
    "\"p999\":2300,\"mean\":1500},"
    "\"rings\":{\"in\":{\"fill_frames\":\"480\",\"name\":\"/voxring-1\"}},"
    "\"counters\":{\"streams_total\":3,\"rotations_total\":2}},"
    "\"b\":{\"state\":\"asleep\",\"tokens\":{\"input_speech\":11}}}}";

static struct program *
stats(const char *result, const char *option)
{
    return PLAYED_ASK("gateway.stats", "{}", result, "stats", option);
}

/* Insists that a strict reader takes it, and finds these samples in it. */
#define CHECK(p, ...) check(p, (const char *const[]){__VA_ARGS__, NULL})
static void
check(const struct program *p, const char *const *samples)
{
    const char *root = getenv("VOXRING_ROOT");
    char command[16384], line[1024], all[8192] = "";
    assert_int_equal(p->code, 0);
    const char *file = program_file("exposition", p->out, strlen(p->out));
    int used = snprintf(command, sizeof command,
                        "/usr/bin/python3 '%s/tests/cli/check_exposition.py'",
                        root ? root : ".");
    for (; *samples; samples++)
        used += snprintf(command + used, sizeof command - (size_t)used, " '%s'",
                         *samples);
    snprintf(command + used, sizeof command - (size_t)used, " <'%s' 2>&1",
             file);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    while (fgets(line, sizeof line, out))
        strncat(all, line, sizeof all - strlen(all) - 1);
    if (pclose(out) != 0)
        fail_msg("%s\n%s", all, p->out);
}

static void
test_for_people(void **state)
{
    (void)state;
    struct program *p = PLAYED_ASK("gateway.stats", "{\"session\":\"robot\"}",
                                   answer, "stats", "--session", "robot");
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->out, "1.500\n"));
    assert_non_null(strstr(p->out, "bus.dropped_total "));
    assert_non_null(strstr(p->out, " 12345678901\n"));
    assert_non_null(strstr(p->out, "session robot (streaming)"));
    assert_non_null(strstr(p->out, " 0.000250\n"));
}

static void
test_every_number_is_there(void **state)
{
    (void)state;
#define R "session=\"robot\""
    CHECK(stats(answer, "--prometheus"), "voxring_uptime_seconds=1.5",
          "voxring_bus_published_total=10", "voxring_bus_dropped_total=3",
          "voxring_tools_calls_ended_total{outcome=\"result\"}=4",
          "voxring_session_state_seconds{" R "}=2.25",
          "voxring_session_input_produced_frames_total{" R "}=12345678901",
          "voxring_session_input_frames_total{" R ",fate=\"sent\"}=9",
          "voxring_session_input_frames_total{" R ",fate=\"gated\"}=8",
          "voxring_session_input_frames_total{" R ",fate=\"lost\"}=7",
          "voxring_session_input_pending_frames{" R "}=6",
          "voxring_session_input_resent_frames_total{" R "}=5",
          "voxring_session_input_inserted_samples_total{" R "}=4",
          "voxring_session_input_inserted_spans_total{" R "}=3",
          "voxring_session_input_chunks_total{" R "}=2",
          "voxring_session_output_received_frames_total{" R "}=100",
          "voxring_session_output_frames_total{" R ",fate=\"played\"}=90",
          "voxring_session_output_frames_total{" R ",fate=\"flushed\"}=5",
          "voxring_session_output_frames_total{" R ",fate=\"lost\"}=1",
          "voxring_session_output_pending_frames{" R "}=4",
          "voxring_session_output_queued_frames{" R "}=2",
          "voxring_session_tokens_total{" R
          ",direction=\"output\",kind=\"text\"}=4",
          "voxring_session_tokens_total{session=\"b\",direction=\"input\",kind="
          "\"speech\"}=11",
          "voxring_session_mic_to_wire_seconds{" R ",quantile=\"0.5\"}=0.00025",
          "voxring_session_mic_to_wire_seconds{" R ",quantile=\"0.99\"}=0.001",
          "voxring_session_mic_to_wire_seconds{" R ",quantile=\"1\"}=0.5",
          "voxring_session_mic_to_wire_seconds_count{" R "}=7",
          "voxring_session_streams_total{" R "}=3");
}

/* Numbers that this program knows nothing of, in base units. */
static void
test_what_is_new_is_there(void **state)
{
    (void)state;
    CHECK(stats(answer, "--prometheus"),
          "voxring_new_thing_deep_queue_seconds=1.5",
          "voxring_new_thing_deep_is_on=1",
          "voxring_targets_failures_total{index=\"0\"}=1",
          "voxring_targets_failures_total{index=\"1\"}=2",
          "voxring_session_input_frames_brand_new{" R "}=1",
          "voxring_session_error_http_status{" R "}=503",
          "voxring_session_rotations_total{" R "}=2",
          "voxring_session_rings_in_fill_frames{" R "}=480",
          "voxring_session_to_first_audio_seconds{" R ",quantile=\"0.5\"}=0.7",
          "voxring_session_to_first_audio_seconds{" R
          ",quantile=\"0.999\"}=2.3",
          "voxring_session_to_first_audio_seconds_sum{" R "}=3",
          "voxring_session_to_first_audio_seconds_count{" R "}=2",
          "voxring_session_to_first_audio_ms_mean{" R "}=1500");
}

static void
test_texts_are_labels(void **state)
{
    (void)state;
    CHECK(stats(answer, "--prometheus"),
          "voxring_session_state{" R ",state=\"streaming\"}=1",
          "voxring_session_state{session=\"b\",state=\"asleep\"}=1",
          "voxring_session_model{" R ",model=\"amazon.nova\"}=1",
          "voxring_session_conversation{" R
          ",conversation=\"a\\\"b\\\\c\\nd\"}=1");
#undef R
}

/* Names that come to be the same, are none, or are given twice; texts that
 * would break a line or a terminal; numbers that are none. */
static void
test_any_answer_can_be_read(void **state)
{
    static const char *const answers[] = {
        "{}",
        "[]",
        "[1,[2,[3]]]",
        "5",
        "\"text\"",
        "{\"sessions\":[1,2]}",
        "{\"sessions\":{\"a\":5,\"b\":[],\"c\":{\"state\":7}}}",
        "{\"a.b\":1,\"a\":{\"b\":2},\"a_b\":3,\"a-b\":4,\"a b\":5}",
        "{\"\":1,\"0\":2,\"\\u00e4\":3,\"x{y=\\\"z\\\"} 1\\n#\":4}",
        "{\"a\":1,\"a\":2,\"a\":3}",
        "{\"a\":1e999,\"b\":-1e999,\"c\":1e-300,\"d\":-0.0,\"e\":1e22}",
        "{\"p\":{\"p50\":1,\"p\":2,\"p99x\":3,\"p1234567\":4,\"pp\":5}}",
        "{\"q\":{\"p50\":1,\"p050\":2,\"p5\":3,\"p100\":4,\"max\":5,"
        "\"min\":-1}}",
        "{\"q\":{\"p50\":1,\"count\":2,\"sum\":3},\"q_count\":4,\"q_sum\":5,"
        "\"q_sums\":6,\"r-s\":{\"p50\":7},\"r_s\":8,\"r\":{\"s\":9}}",
        "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":{\"j\":"
        "1}}}}}}}}}}",
        "{\"sessions\":{\"\\u001b[2J\\\\\":{\"model\":\"\xff\xc3\x28\xed\xa0"
        "\x80\xc2\x9b\",\"x\":1}}}",
        "{\"back\\\\slash\\nline\\u007f\":1,\"\xc0\xaf_total\":2}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct program *p = stats(answers[i], "--prometheus");
        check(p, (const char *const[]){NULL});
        assert_null(strpbrk(p->out, "\x1b\x7f\xff"));
    }
}

/* A name of a megabyte stays one line of a size. */
static void
test_long_names(void **state)
{
    enum { LONG = 1 << 20 };
    char *text = malloc(LONG + 64);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', LONG);
    memcpy(text, "{\"", 2);
    memcpy(text + LONG, "\":{\"p50\":1}}", 13);
    struct program *p = stats(text, "--prometheus");
    free(text);
    check(p, (const char *const[]){NULL});
    assert_true(strlen(p->out) < 4096);
}

static void
test_both_formats_are_none(void **state)
{
    (void)state;
    struct program *p = PROGRAM_RUN("stats", "--json", "--prometheus");
    assert_int_equal(p->code, CLI_USAGE);
    assert_non_null(strstr(p->err, "--prometheus"));
}

/* One is shown bare, the others with where they come from. */
static void
test_lines_that_come_to_be_the_same(void **state)
{
    struct exposition e = {0};
    struct exposition_point point = {.family = "a",
                                     .suffix = "",
                                     .type = "gauge",
                                     .help = "It\n\\",
                                     .labels = "",
                                     .origin = "x.y",
                                     .value = 2};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    exposition_add(&e, &point);
    exposition_add(&e, &point);
    point.origin = "x";
    exposition_add(&e, &point);
    exposition_print(&e, out);
    exposition_fini(&e);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "# HELP a It\\n\\\\\n# TYPE a gauge\n"
                              "a 2\na{origin=\"x.y\"} 2\n");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, played_up, played_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_for_people),
        TEST(test_every_number_is_there),
        TEST(test_what_is_new_is_there),
        TEST(test_texts_are_labels),
        TEST(test_any_answer_can_be_read),
        TEST(test_long_names),
        TEST(test_both_formats_are_none),
        cmocka_unit_test(test_lines_that_come_to_be_the_same),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}
