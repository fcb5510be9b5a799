/* The commands that ask and listen, against a gateway that this test plays:
 * a ROUTER for played_control, an XPUB for played_events, which tells of subscribers. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <zmq.h>

#include "ipc/cli/command.h"
#include "tests/cli/played.h"
#include "tests/cli/program.h"

#define WAIT_MS 20000

static void
expect_out(struct program *p, int code, const char *out)
{
    assert_int_equal(p->code, code);
    assert_string_equal(p->out, out);
}

static void
test_text(void **state)
{
    (void)state;
    expect_out(
        PLAYED_ASK("session.text",
                   "{\"session\":\"robot\",\"text\":\"hi\",\"wait\":"
                   "\"response\",\"timeout_ms\":30000}",
                   "{\"status\":\"complete\",\"text\":\"Hello.\\u001b[2J\"}",
                   "text", "robot", "hi"),
        0, "Hello.?[2J\n");
    expect_out(PLAYED_ASK("session.text",
                          "{\"session\":\"robot\",\"text\":\"hi\",\"wait\":"
                          "\"accepted\",\"timeout_ms\":700}",
                          "{\"response\":\"4\"}", "text", "robot", "hi",
                          "--wait", "accepted", "--timeout", "700", "--json"),
               0, "{\"response\":\"4\"}\n");
    struct program *p =
        program_start(program_file("t", "long\ntext", 9),
                      (const char *[]){"text", "robot", "-", NULL});
    played_expect("session.text",
                  "{\"session\":\"robot\",\"text\":\"long\\ntext\",\"wait\":"
                  "\"response\",\"timeout_ms\":30000}");
    played_result("{\"status\":\"error\",\"text\":\"He\"}");
    expect_out(p, program_wait(p), "He\n");
    assert_int_equal(p->code, CLI_FAILED);
}

static void
test_sessions(void **state)
{
    (void)state;
    struct program *p = PLAYED_ASK(
        "session.list", "{}",
        "{\"sessions\":[{\"session\":\"robot\",\"state\":\"streaming\"}]}",
        "session", "list");
    assert_non_null(strstr(p->out, "robot            streaming"));
    expect_out(PLAYED_ASK("session.get", "{\"session\":\"robot\"}",
                          "{\"a\":[1,2]}", "session", "get", "robot", "--json"),
               0, "{\"a\":[1,2]}\n");
    const char *text = "{ // \"x\"\n/**/\"voice\"/* \" */: \"/\\\"/*\"}";
    const char *path = program_file("c.jsonc", text, strlen(text));
    p = PLAYED_ASK(
        "session.open",
        "{\"session\":\"k\",\"config\":{\"voice\":\"/\\\"/*\"},"
        "\"conversation\":\"c1\"}",
        "{\"session\":\"k\",\"state\":\"connecting\",\"conversation\":"
        "\"c1\"}",
        "session", "open", "k", "--config", path, "--conversation", "c1");
    expect_out(p, 0, "k connecting, conversation c1\n");
    PLAYED_ASK("session.open",
               "{\"session\":\"k\",\"config\":{\"voice\":\"amy\"}}", "{}",
               "session", "open", "k", "--config", "{\"voice\": \"amy\"}");
    p = PLAYED_ASK("session.close", "{\"session\":\"k\"}",
                   "{\"state\":\"closed\"}", "session", "close", "k");
    expect_out(p, 0, "k closed, conversation ?\n");
    PLAYED_ASK("session.mute", "{\"session\":\"k\",\"muted\":true}", "{}",
               "session", "mute", "k");
    PLAYED_ASK("session.mute", "{\"session\":\"k\",\"muted\":false}", "{}",
               "session", "unmute", "k");
    p = PLAYED_ASK("session.interrupt", "{\"session\":\"k\"}",
                   "{\"heard_ms\":900}", "session", "interrupt", "k");
    expect_out(p, 0, "interrupted after 900 ms\n");
}

static void
test_tools(void **state)
{
    (void)state;
    struct program *p =
        PLAYED_ASK("tool.list", "{}",
                   "{\"tools\":[{\"name\":\"clock\",\"provider\":\"clock.so\","
                   "\"description\":\"Tells\\nit\"}]}",
                   "tool", "list");
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->out, "clock"));
    p = PLAYED_ASK(
        "tool.call",
        "{\"tool\":\"clock\",\"session\":\"robot\",\"timeout_ms\":50,"
        "\"arguments\":{\"a\":1}}",
        "{\"outcome\":\"result\",\"content\":{\"t\":5}}", "tool", "call",
        "clock", "{\"a\": 1}", "--session", "robot", "--timeout", "50",
        "--json");
    assert_int_equal(p->code, 0);
    p = PLAYED_ASK(
        "tool.call", "{\"tool\":\"clock\"}",
        "{\"outcome\":\"timeout\",\"content\":{},\"reason\":\"slow\"}", "tool",
        "call", "clock");
    assert_int_equal(p->code, CLI_TIMEOUT);
    assert_non_null(strstr(p->err, "timeout: slow"));
}

static void
test_the_gateway_itself(void **state)
{
    (void)state;
    struct program *p = PLAYED_ASK(
        "gateway.stats", "{\"session\":\"robot\"}",
        "{\"uptime_seconds\":1.5,\"bus\":{\"dropped_total\":3},"
        "\"sessions\":{\"robot\":{\"state\":\"streaming\",\"input_frames\":"
        "{\"sent\":12345678901}}}}",
        "stats", "--session", "robot");
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->out, "1.500\n"));
    assert_non_null(strstr(p->out, "bus.dropped_total "));
    assert_non_null(strstr(p->out, " 12345678901\n"));
    assert_non_null(strstr(p->out, "session robot (streaming)"));
    expect_out(PLAYED_ASK("gateway.log", "{}", "{\"levels\":\"info\"}", "log"),
               0, "info\n");
    PLAYED_ASK("gateway.log", "{\"levels\":\"debug\"}",
               "{\"levels\":\"debug\"}", "log", "debug");
    expect_out(PLAYED_ASK("gateway.snapshot", "{}", "{\"epoch\":\"1\"}",
                          "snapshot", "--json"),
               0, "{\"epoch\":\"1\"}\n");
    p = PLAYED_ASK("gateway.version", "{}",
                   "{\"version\":\"9.9\",\"libraries\":{\"zmq\":\"4\"}}",
                   "version");
    assert_non_null(strstr(p->out, "voxringd 9.9\n  zmq      4\n"));
}

static void
test_shutdown_waits_for_the_end(void **state)
{
    (void)state;
    struct program *p = program_start(NULL, (const char *[]){"shutdown", NULL});
    played_expect("gateway.shutdown", "{}");
    played_result("{}");
    for (int i = 0; i < 100; i++)
        program_pause();
    assert_false(program_ended(p));
    unlink(program_path("control.sock"));
    assert_int_equal(program_wait(p), 0);
}

static void
test_errors_become_exit_codes(void **state)
{
    static const struct {
        int rpc, code;
    } cases[] = {{-32602, CLI_USAGE},   {-32001, CLI_FAILED},
                 {-32003, CLI_TIMEOUT}, {-32005, CLI_BUSY},
                 {-32006, CLI_BUSY},    {-32008, CLI_ABSENT}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program *p =
            program_start(NULL, (const char *[]){"session", "list", NULL});
        played_expect("session.list", "{}");
        played_error(cases[i].rpc, "It is so\\nbecause");
        assert_int_equal(program_wait(p), cases[i].code);
        assert_string_equal(p->err, "voxring session list: It is so because\n");
    }
}

/* A session that is not there yet may be, while the gateway is young. */
static void
test_not_found_is_asked_again_of_a_young_gateway(void **state)
{
    (void)state;
    struct program *p =
        program_start(NULL, (const char *[]){"session", "get", "robot", NULL});
    played_expect("session.get", "{\"session\":\"robot\"}");
    played_error(-32000, "no session");
    played_expect("gateway.stats", "{}");
    played_result("{\"uptime_seconds\":0.1}");
    played_expect("session.get", "{\"session\":\"robot\"}");
    played_error(-32000, "no session");
    played_expect("gateway.stats", "{}");
    played_result("{\"uptime_seconds\":100}");
    assert_int_equal(program_wait(p), CLI_FAILED);
    assert_string_equal(p->err, "voxring session get: no session\n");
}

static void
test_answers_that_are_none(void **state)
{
    static const char *const answers[] = {"",   "{",    "[]",
                                          "{}", "null", "{\"error\":5}"};
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct program *p =
            program_start(NULL, (const char *[]){"session", "list", NULL});
        played_expect("session.list", "{}");
        played_reply(answers[i]);
        assert_int_equal(program_wait(p), CLI_FAILED);
    }
}

static void
test_no_answer(void **state)
{
    (void)state;
    struct program *p = program_start(
        NULL, (const char *[]){"session", "list", "--timeout", "100", NULL});
    played_expect("session.list", "{}");
    assert_int_equal(program_wait(p), CLI_TIMEOUT);
    assert_non_null(strstr(p->err, "100 ms"));
    p = program_start(NULL, (const char *[]){"session", "list", NULL});
    played_expect("session.list", "{}");
    kill(p->pid, SIGINT);
    assert_int_equal(program_wait(p), CLI_INTERRUPTED);
    p = program_start(NULL, (const char *[]){"session", "list", NULL});
    played_expect("session.list", "{}");
    zmq_close(played_control);
    played_control = NULL;
    assert_int_equal(program_wait(p), CLI_ABSENT);
    assert_non_null(strstr(p->err, "went away"));
}

/* ---- events ---- */

/* Until somebody has subscribed to each of these, in whatever order. */
static void
await_subscriber(const char *const *topics)
{
    char text[256];
    size_t left = 0, found = 0;
    while (topics[left])
        left++;
    while (found < left) {
        zmq_pollitem_t item = {played_events, 0, ZMQ_POLLIN, 0};
        assert_int_equal(zmq_poll(&item, 1, WAIT_MS), 1);
        int got = zmq_recv(played_events, text, sizeof text - 1, 0);
        assert_true(got > 0);
        text[got] = '\0';
        for (size_t i = 0; i < left && text[0] == 1; i++)
            found += strcmp(text + 1, topics[i]) == 0;
    }
}

static void
publish(const char *topic, unsigned sequence, const char *epoch,
        const char *data)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"sequence\":\"%u\",\"epoch\":\"%s\",\"data\":%s}", sequence,
             epoch, data);
    assert_true(zmq_send(played_events, topic, strlen(topic), ZMQ_SNDMORE) >=
                0);
    assert_true(zmq_send(played_events, text, strlen(text), 0) >= 0);
}

static void
heartbeat(unsigned sequence, const char *sequences)
{
    char data[512];
    snprintf(data, sizeof data,
             "{\"interval_ms\":2000,\"complete\":true,\"sequences\":%s}",
             sequences);
    publish("v1/heartbeat", sequence, "e1", data);
}

static void
test_tail_filters(void **state)
{
    (void)state;
    struct program *p = program_start(
        NULL, (const char *[]){"tail", "turn", "error", "--session", "robot",
                               "--count", "2", NULL});
    await_subscriber((const char *[]){"v1/heartbeat", "v1/turn/robot",
                                      "v1/error/robot", NULL});
    heartbeat(1, "{}");
    publish("v1/turn/robot2", 1, "e1", "{}");
    publish("v1/turn/robot", 1, "e1", "{\"a\":\"\\u001b\"}");
    publish("v1/transcript/robot", 1, "e1", "{}");
    publish("v1/error/robot", 1, "e1", "{}");
    assert_int_equal(program_wait(p), 0);
    assert_string_equal(
        p->out,
        "{\"sequence\":\"1\",\"epoch\":\"e1\",\"data\":{\"a\":\"\\u001b\"}}\n"
        "{\"sequence\":\"1\",\"epoch\":\"e1\",\"data\":{}}\n");
    assert_string_equal(p->err, "");
}

static void
test_tail_shows_all_but_heartbeats(void **state)
{
    (void)state;
    struct program *p =
        program_start(NULL, (const char *[]){"tail", "--count", "2", NULL});
    await_subscriber((const char *[]){"v1/heartbeat", "v1/", NULL});
    publish("v1/tool.registered/-", 1, "e1", "{\"n\":\n1}");
    heartbeat(1, "{\"v1/tool.registered/-\":\"1\"}");
    publish("v1/new.type/x", 1, "e1", "{}");
    assert_int_equal(program_wait(p), 0);
    assert_string_equal(
        p->out, "{\"sequence\":\"1\",\"epoch\":\"e1\",\"data\":{\"n\":1}}\n"
                "{\"sequence\":\"1\",\"epoch\":\"e1\",\"data\":{}}\n");
}

static void
test_tail_tells_losses(void **state)
{
    (void)state;
    struct program *p = program_start(
        NULL, (const char *[]){"tail", "turn", "--count", "4", NULL});
    await_subscriber((const char *[]){"v1/heartbeat", "v1/turn/", NULL});
    publish("v1/turn/a", 7, "e1", "{}");
    publish("v1/turn/a", 9, "e1", "{}");
    heartbeat(1, "{\"v1/turn/a\":\"12\",\"v1/speech/a\":\"99\"}");
    publish("v1/turn/a", 13, "e1", "{}");
    publish("v1/turn/a", 1, "e2", "{}");
    assert_int_equal(program_wait(p), CLI_LOST);
    assert_non_null(strstr(p->err, "lost 1 events of v1/turn/a up to "
                                   "sequence 8"));
    assert_non_null(strstr(p->err, "lost 3 events of v1/turn/a up to "
                                   "sequence 12"));
    assert_null(strstr(p->err, "speech"));
    assert_non_null(strstr(p->err, "started anew"));
}

static void
test_tail_bears_nonsense(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{",
        "5",
        "{}",
        "{\"sequence\":7,\"epoch\":5}",
        "{\"sequence\":\"-1\",\"data\":{\"sequences\":5}}"};
    char topic[400];
    (void)state;
    struct program *p =
        program_start(NULL, (const char *[]){"tail", "--timeout", "20000",
                                             "--count", "1", "turn", NULL});
    await_subscriber((const char *[]){"v1/heartbeat", "v1/turn/", NULL});
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        zmq_send(played_events, "v1/heartbeat", 12, ZMQ_SNDMORE);
        zmq_send(played_events, texts[i], strlen(texts[i]), 0);
    }
    memset(topic, 'x', sizeof topic);
    memcpy(topic, "v1/turn/", 8);
    zmq_send(played_events, topic, sizeof topic, ZMQ_SNDMORE);
    zmq_send(played_events, "{}", 2, 0);
    zmq_send(played_events, "v1/turn/a", 9, 0);
    publish("v1/turn/a", 1, "e1", "{}");
    assert_int_equal(program_wait(p), 0);
    assert_string_equal(p->out,
                        "{\"sequence\":\"1\",\"epoch\":\"e1\",\"data\":{}}\n");
}

static void
test_tail_ends(void **state)
{
    (void)state;
    struct program *p =
        PROGRAM_RUN("tail", "turn", "--count", "1", "--timeout", "100");
    assert_int_equal(p->code, CLI_TIMEOUT);
    assert_non_null(strstr(p->err, "0 of 1 events"));
    assert_int_equal(PROGRAM_RUN("tail", "trun", "--timeout", "50")->code, 0);
    p = program_start(NULL, (const char *[]){"tail", "heartbeat", NULL});
    await_subscriber((const char *[]){"v1/heartbeat/", NULL});
    kill(p->pid, SIGTERM);
    assert_int_equal(program_wait(p), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, played_up, played_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_text),
        TEST(test_sessions),
        TEST(test_tools),
        TEST(test_the_gateway_itself),
        TEST(test_shutdown_waits_for_the_end),
        TEST(test_errors_become_exit_codes),
        TEST(test_not_found_is_asked_again_of_a_young_gateway),
        TEST(test_answers_that_are_none),
        TEST(test_no_answer),
        TEST(test_tail_filters),
        TEST(test_tail_shows_all_but_heartbeats),
        TEST(test_tail_tells_losses),
        TEST(test_tail_bears_nonsense),
        TEST(test_tail_ends),
    };
    return cmocka_run_group_tests(tests, program_up, program_down);
}
