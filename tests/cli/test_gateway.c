/* The commands that ask and listen, against a gateway that this test plays:
 * a ROUTER for control, an XPUB for events, which tells of subscribers. */
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
#include "tests/cli/program.h"

#define WAIT_MS 20000

static void *context, *control, *events;

static void *
bind_socket(int type, const char *name)
{
    char endpoint[128];
    int zero = 0;
    void *socket = zmq_socket(context, type);
    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", program_dir, name);
    assert_int_equal(zmq_bind(socket, endpoint), 0);
    return socket;
}

static int
up(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    control = bind_socket(ZMQ_ROUTER, "control.sock");
    events = bind_socket(ZMQ_XPUB, "events.sock");
    return 0;
}

static int
down(void **state)
{
    (void)state;
    if (control)
        zmq_close(control);
    if (events)
        zmq_close(events);
    zmq_ctx_term(context);
    unlink(program_path("control.sock"));
    unlink(program_path("events.sock"));
    control = events = context = NULL;
    return 0;
}

/* ---- control ---- */

static char peer[256];
static size_t peer_bytes;

/* The next request: its method, and its params as text; the id is 1. */
static void
expect_request(const char *method, const char *params)
{
    char text[1 << 16];
    zmq_pollitem_t item = {control, 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, WAIT_MS), 1);
    int got = zmq_recv(control, peer, sizeof peer, 0);
    assert_true(got > 0);
    peer_bytes = (size_t)got;
    got = zmq_recv(control, text, sizeof text, 0);
    assert_true(got > 0);
    cJSON *request = cJSON_ParseWithLength(text, (size_t)got);
    cJSON *wanted = cJSON_Parse(params);
    assert_string_equal(cJSON_GetObjectItem(request, "jsonrpc")->valuestring,
                        "2.0");
    assert_string_equal(cJSON_GetObjectItem(request, "method")->valuestring,
                        method);
    cJSON *given = cJSON_GetObjectItem(request, "params");
    if (!cJSON_Compare(given ? given : wanted, wanted, true))
        fail_msg("%.*s instead of %s", got, text, params);
    cJSON_Delete(wanted);
    cJSON_Delete(request);
}

static void
reply(const char *text)
{
    assert_true(zmq_send(control, peer, peer_bytes, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(control, text, strlen(text), 0) >= 0);
}

static void
reply_result(const char *result)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}",
             result);
    reply(text);
}

static void
reply_error(int code, const char *message)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":%d,"
             "\"message\":\"%s\"}}",
             code, message);
    reply(text);
}

/* One command, one request, one answer. */
#define ASK(method, params, result, ...) \
    ask(method, params, result, (const char *const[]){__VA_ARGS__, NULL})
static struct program *
ask(const char *method, const char *params, const char *result,
    const char *const *arguments)
{
    struct program *p = program_start(NULL, arguments);
    expect_request(method, params);
    reply_result(result);
    program_wait(p);
    assert_string_equal(p->err, p->code ? p->err : "");
    return p;
}

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
    expect_out(ASK("session.text",
                   "{\"session\":\"robot\",\"text\":\"hi\",\"wait\":"
                   "\"response\",\"timeout_ms\":30000}",
                   "{\"status\":\"complete\",\"text\":\"Hello.\\u001b[2J\"}",
                   "text", "robot", "hi"),
               0, "Hello.?[2J\n");
    expect_out(ASK("session.text",
                   "{\"session\":\"robot\",\"text\":\"hi\",\"wait\":"
                   "\"accepted\",\"timeout_ms\":700}",
                   "{\"response\":\"4\"}", "text", "robot", "hi", "--wait",
                   "accepted", "--timeout", "700", "--json"),
               0, "{\"response\":\"4\"}\n");
    struct program *p =
        program_start(program_file("t", "long\ntext", 9),
                      (const char *[]){"text", "robot", "-", NULL});
    expect_request("session.text",
                   "{\"session\":\"robot\",\"text\":\"long\\ntext\",\"wait\":"
                   "\"response\",\"timeout_ms\":30000}");
    reply_result("{\"status\":\"error\",\"text\":\"He\"}");
    expect_out(p, program_wait(p), "He\n");
    assert_int_equal(p->code, CLI_FAILED);
}

static void
test_sessions(void **state)
{
    (void)state;
    struct program *p =
        ASK("session.list", "{}",
            "{\"sessions\":[{\"session\":\"robot\",\"state\":\"streaming\"}]}",
            "session", "list");
    assert_non_null(strstr(p->out, "robot            streaming"));
    expect_out(ASK("session.get", "{\"session\":\"robot\"}", "{\"a\":[1,2]}",
                   "session", "get", "robot", "--json"),
               0, "{\"a\":[1,2]}\n");
    const char *text = "{ // \"x\"\n/**/\"voice\"/* \" */: \"/\\\"/*\"}";
    const char *path = program_file("c.jsonc", text, strlen(text));
    p = ASK("session.open",
            "{\"session\":\"k\",\"config\":{\"voice\":\"/\\\"/*\"},"
            "\"conversation\":\"c1\"}",
            "{\"session\":\"k\",\"state\":\"connecting\",\"conversation\":"
            "\"c1\"}",
            "session", "open", "k", "--config", path, "--conversation", "c1");
    expect_out(p, 0, "k connecting, conversation c1\n");
    ASK("session.open", "{\"session\":\"k\",\"config\":{\"voice\":\"amy\"}}",
        "{}", "session", "open", "k", "--config", "{\"voice\": \"amy\"}");
    p = ASK("session.close", "{\"session\":\"k\"}", "{\"state\":\"closed\"}",
            "session", "close", "k");
    expect_out(p, 0, "k closed, conversation ?\n");
    ASK("session.mute", "{\"session\":\"k\",\"muted\":true}", "{}", "session",
        "mute", "k");
    ASK("session.mute", "{\"session\":\"k\",\"muted\":false}", "{}", "session",
        "unmute", "k");
    p = ASK("session.interrupt", "{\"session\":\"k\"}", "{\"heard_ms\":900}",
            "session", "interrupt", "k");
    expect_out(p, 0, "interrupted after 900 ms\n");
}

static void
test_tools(void **state)
{
    (void)state;
    struct program *p =
        ASK("tool.list", "{}",
            "{\"tools\":[{\"name\":\"clock\",\"provider\":\"clock.so\","
            "\"description\":\"Tells\\nit\"}]}",
            "tool", "list");
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->out, "clock"));
    p = ASK("tool.call",
            "{\"tool\":\"clock\",\"session\":\"robot\",\"timeout_ms\":50,"
            "\"arguments\":{\"a\":1}}",
            "{\"outcome\":\"result\",\"content\":{\"t\":5}}", "tool", "call",
            "clock", "{\"a\": 1}", "--session", "robot", "--timeout", "50",
            "--json");
    assert_int_equal(p->code, 0);
    p = ASK("tool.call", "{\"tool\":\"clock\"}",
            "{\"outcome\":\"timeout\",\"content\":{},\"reason\":\"slow\"}",
            "tool", "call", "clock");
    assert_int_equal(p->code, CLI_TIMEOUT);
    assert_non_null(strstr(p->err, "timeout: slow"));
}

static void
test_the_gateway_itself(void **state)
{
    (void)state;
    struct program *p =
        ASK("gateway.stats", "{\"session\":\"robot\"}",
            "{\"uptime_seconds\":1.5,\"bus\":{\"dropped_total\":3},"
            "\"sessions\":{\"robot\":{\"state\":\"streaming\",\"input_frames\":"
            "{\"sent\":12345678901}}}}",
            "stats", "--session", "robot");
    assert_int_equal(p->code, 0);
    assert_non_null(strstr(p->out, "1.500\n"));
    assert_non_null(strstr(p->out, "bus.dropped_total "));
    assert_non_null(strstr(p->out, " 12345678901\n"));
    assert_non_null(strstr(p->out, "session robot (streaming)"));
    expect_out(ASK("gateway.log", "{}", "{\"levels\":\"info\"}", "log"), 0,
               "info\n");
    ASK("gateway.log", "{\"levels\":\"debug\"}", "{\"levels\":\"debug\"}",
        "log", "debug");
    expect_out(ASK("gateway.snapshot", "{}", "{\"epoch\":\"1\"}", "snapshot",
                   "--json"),
               0, "{\"epoch\":\"1\"}\n");
    p = ASK("gateway.version", "{}",
            "{\"version\":\"9.9\",\"libraries\":{\"zmq\":\"4\"}}", "version");
    assert_non_null(strstr(p->out, "voxringd 9.9\n  zmq      4\n"));
}

static void
test_shutdown_waits_for_the_end(void **state)
{
    (void)state;
    struct program *p = program_start(NULL, (const char *[]){"shutdown", NULL});
    expect_request("gateway.shutdown", "{}");
    reply_result("{}");
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
        expect_request("session.list", "{}");
        reply_error(cases[i].rpc, "It is so\\nbecause");
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
    expect_request("session.get", "{\"session\":\"robot\"}");
    reply_error(-32000, "no session");
    expect_request("gateway.stats", "{}");
    reply_result("{\"uptime_seconds\":0.1}");
    expect_request("session.get", "{\"session\":\"robot\"}");
    reply_error(-32000, "no session");
    expect_request("gateway.stats", "{}");
    reply_result("{\"uptime_seconds\":100}");
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
        expect_request("session.list", "{}");
        reply(answers[i]);
        assert_int_equal(program_wait(p), CLI_FAILED);
    }
}

static void
test_no_answer(void **state)
{
    (void)state;
    struct program *p = program_start(
        NULL, (const char *[]){"session", "list", "--timeout", "100", NULL});
    expect_request("session.list", "{}");
    assert_int_equal(program_wait(p), CLI_TIMEOUT);
    assert_non_null(strstr(p->err, "100 ms"));
    p = program_start(NULL, (const char *[]){"session", "list", NULL});
    expect_request("session.list", "{}");
    kill(p->pid, SIGINT);
    assert_int_equal(program_wait(p), CLI_INTERRUPTED);
    p = program_start(NULL, (const char *[]){"session", "list", NULL});
    expect_request("session.list", "{}");
    zmq_close(control);
    control = NULL;
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
        zmq_pollitem_t item = {events, 0, ZMQ_POLLIN, 0};
        assert_int_equal(zmq_poll(&item, 1, WAIT_MS), 1);
        int got = zmq_recv(events, text, sizeof text - 1, 0);
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
    assert_true(zmq_send(events, topic, strlen(topic), ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(events, text, strlen(text), 0) >= 0);
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
        zmq_send(events, "v1/heartbeat", 12, ZMQ_SNDMORE);
        zmq_send(events, texts[i], strlen(texts[i]), 0);
    }
    memset(topic, 'x', sizeof topic);
    memcpy(topic, "v1/turn/", 8);
    zmq_send(events, topic, sizeof topic, ZMQ_SNDMORE);
    zmq_send(events, "{}", 2, 0);
    zmq_send(events, "v1/turn/a", 9, 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

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
