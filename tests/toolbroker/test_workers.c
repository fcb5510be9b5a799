/* The worker socket against strangers: whatever they send, the broker answers
 * or counts it and goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <zmq.h>

#include "tests/toolbroker/rig.h"

static struct rig rig;
static void *context;
static void *stranger;
static char answer[4096];

static int
begin(void)
{
    int linger = 0;

    rig_open(&rig);
    context = zmq_ctx_new();
    stranger = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(stranger, ZMQ_LINGER, &linger, sizeof linger);
    return zmq_connect(stranger, broker_endpoint(rig.broker));
}

static int
start(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.config.workers_accept = CONFIG_ACCEPT_NONE;
    rig_install(&rig, "echo");
    return begin();
}

static int
start_odd(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_compile(&rig, "odd", "odd", "");
    return begin();
}

static int
stop(void **state)
{
    (void)state;
    zmq_close(stranger);
    zmq_ctx_term(context);
    rig_fini(&rig);
    return 0;
}

static bool
has_answer(const struct rig *r)
{
    int n = zmq_recv(stranger, answer, sizeof answer - 1, ZMQ_DONTWAIT);

    (void)r;
    if (n < 0)
        return false;
    answer[(size_t)n < sizeof answer ? n : (int)sizeof answer - 1] = '\0';
    return true;
}

static void
on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* The stranger's socket is not on the loop: a timer lets us look at it. */
static void
await(bool (*done)(const struct rig *r))
{
    uv_timer_t tick;

    uv_timer_init(&rig.loop, &tick);
    uv_timer_start(&tick, on_tick, 1, 1);
    rig_until(&rig, done);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
}

static void
say(const char *text)
{
    assert_int_equal(zmq_send(stranger, text, strlen(text), 0), strlen(text));
}

static void
expect_answer(const char *text, const char *part)
{
    say(text);
    await(has_answer);
    if (!strstr(answer, part))
        fail_msg("%s -> %s", text, answer);
}

static void
broker_still_works(void)
{
    assert_int_equal(rig_ask(&rig, "echo", "{\"text\":\"x\"}", 0)->outcome,
                     TOOL_OK);
}

static void
where_no_worker_is_accepted_all_are_refused(void **state)
{
    (void)state;
    expect_answer("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"voxring/hello\","
                  "\"params\":{\"protocol\":1,\"name\":\"me\"}}",
                  "workers.accept is none");
    assert_non_null(strstr(answer, "\"id\":1"));
    assert_non_null(strstr(answer, "-32001"));
    expect_answer("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"voxring/hello\","
                  "\"params\":{\"protocol\":1,\"name\":\"me\",\"token\":"
                  "\"00000000-0000-4000-8000-000000000000\"}}",
                  "-32001");
    expect_answer("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"voxring/hello\","
                  "\"params\":{\"protocol\":1,\"name\":\"me\",\"token\":\"\"}}",
                  "-32001");
    assert_int_equal(broker_counters(rig.broker)->refused_workers_total, 3);
    assert_int_equal(broker_tool_count(rig.broker), 1);
    broker_still_works();
}

static void
wrong_messages_are_answered_or_counted(void **state)
{
    (void)state;
    expect_answer("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}",
                  "Say voxring/hello first");
    expect_answer("{\"jsonrpc\":\"1.0\",\"id\":8,\"method\":\"ping\"}",
                  "\\\"jsonrpc\\\": \\\"2.0\\\"");
    expect_answer("{\"jsonrpc\":\"2.0\",\"id\":9}", "-32600");
    expect_answer("{\"jsonrpc\":\"2.0\",\"id\":\"1025\",\"result\":{}}",
                  "Say voxring/hello first");
    expect_answer(
        "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"voxring/hello\"}",
        "needs a string");
    assert_int_equal(broker_counters(rig.broker)->malformed_total, 5);
    broker_still_works();
}

static void
large_messages_of_strangers_are_not_read(void **state)
{
    size_t bytes = 16 * 1024 + 1;
    char *text = malloc(bytes + 1);

    (void)state;
    memset(text, ' ', bytes);
    text[bytes] = '\0';
    text[0] = '{';
    text[bytes - 1] = '}';
    expect_answer(text, "Say voxring/hello first");
    assert_non_null(strstr(answer, "-32003"));
    assert_non_null(strstr(answer, "\"id\":null"));
    free(text);
    assert_int_equal(broker_counters(rig.broker)->malformed_total, 1);
}

static bool
has_malformed(const struct rig *r)
{
    return broker_counters(r->broker)->malformed_total >= 10;
}

static void
rubbish_is_counted(void **state)
{
    char deep[20000];

    (void)state;
    say("");
    say("{");
    say("null");
    say("[]");
    say("{\"jsonrpc\":\"2.0\"}");
    say("\xff\xfe\xfd");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}");
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    say(deep);
    zmq_send(stranger, "two", 3, ZMQ_SNDMORE);
    zmq_send(stranger, "", 0, ZMQ_SNDMORE);
    zmq_send(stranger, "frames", 6, 0);
    await(has_malformed);
    assert_int_equal(broker_counters(rig.broker)->malformed_total, 10);
    broker_still_works();
}

static void
a_result_of_a_stranger_ends_nothing(void **state)
{
    const struct rig_end *end;
    uint64_t id;
    char text[200];

    (void)state;
    id = rig_call(&rig, "forgets", "{}", 300);
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":\"%llu\",\"result\":{\"content\":"
             "[{\"type\":\"text\",\"text\":\"forged\"}]}}",
             (unsigned long long)id);
    expect_answer(text, "Say voxring/hello first");
    assert_int_equal(rig.end_count, 0);
    rig_until_ends(&rig, 1);
    end = rig_end(&rig, id);
    assert_int_equal(end->outcome, TOOL_TIMEOUT);
}

static bool
has_flood(const struct rig *r)
{
    return broker_counters(r->broker)->malformed_total >= 5000;
}

static void
a_flood_does_not_stop_calls(void **state)
{
    int sent = 0;

    (void)state;
    while (sent < 5000) {
        if (zmq_send(stranger, "{}", 2, ZMQ_DONTWAIT) >= 0)
            sent++;
        else
            uv_run(&rig.loop, UV_RUN_NOWAIT);
    }
    broker_still_works();
    await(has_flood);
    broker_still_works();
}

static bool
has_refusal(const struct rig *r)
{
    return broker_counters(r->broker)->refused_workers_total > 0;
}

static void
a_message_over_the_limit_costs_its_connection(void **state)
{
    size_t bytes = 2 * 1024 * 1024;
    char *huge = malloc(bytes);
    uint64_t before = broker_counters(rig.broker)->malformed_total;

    (void)state;
    memset(huge, 'x', bytes);
    zmq_send(stranger, huge, bytes, 0);
    free(huge);
    broker_still_works();
    /* libzmq connects again by itself */
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"voxring/hello\","
        "\"params\":{\"protocol\":1,\"name\":\"me\"}}");
    await(has_refusal);
    assert_int_equal(broker_counters(rig.broker)->malformed_total, before);
}

static void
bytes_that_are_no_zmtp_are_harmless(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/tools.sock",
             rig.dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address),
                     0);
    assert_true(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) > 0);
    broker_still_works();
    close(fd);
    broker_still_works();
}

static void
the_socket_is_its_owners_alone(void **state)
{
    char path[128];
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s/tools.sock", rig.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(where_no_worker_is_accepted_all_are_refused),
        TEST(wrong_messages_are_answered_or_counted),
        TEST(large_messages_of_strangers_are_not_read),
        TEST(rubbish_is_counted),
        cmocka_unit_test_setup_teardown(a_result_of_a_stranger_ends_nothing,
                                        start_odd, stop),
        TEST(a_flood_does_not_stop_calls),
        TEST(a_message_over_the_limit_costs_its_connection),
        TEST(bytes_that_are_no_zmtp_are_harmless),
        TEST(the_socket_is_its_owners_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
