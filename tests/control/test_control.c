#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/control/control.h"
#include "gateway/jsonx.h"

#define WAIT_MS 10000 /* for what must come; a test never waits so long */

static uv_loop_t loop;
static void *zmq;
static struct control *control;
static char dir[64];
static char endpoint[128];
static struct rpc_call *held;
static char version[] = "1.2";
static char answer[1 << 20];

static void
on_version(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)params;
    rpc_reply(call, cJSON_CreateString(arg));
}

static void
on_list(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)arg;
    (void)params;
    held = call;
}

static int
setup(void **state)
{
    (void)state;
    char problem[512];
    snprintf(dir, sizeof dir, "/tmp/voxring-test-control-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/control.sock", dir);
    uv_loop_init(&loop);
    zmq = zmq_ctx_new();
    held = NULL;
    struct control_config config = {
        .zmq = zmq, .loop = &loop, .endpoint = endpoint};
    control = control_open(&config, problem, sizeof problem);
    if (!control) {
        print_message("%s\n", problem);
        return -1;
    }
    return control_register(control, "gateway.version", on_version, version) !=
               VR_OK ||
           control_register(control, "session.list", on_list, NULL) != VR_OK;
}

static int
teardown(void **state)
{
    (void)state;
    control_close(&control);
    uv_run(&loop, UV_RUN_DEFAULT);
    int leaked = uv_loop_close(&loop);
    zmq_ctx_term(zmq);
    return rmdir(dir) != 0 || leaked;
}

/* ---- a client ---- */

static void *
client(int type)
{
    void *s = zmq_socket(zmq, type);
    int linger = 0;
    zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(s, endpoint), 0);
    return s;
}

static void
ask(void *s, const char *text)
{
    assert_true(zmq_send(s, text, strlen(text), 0) >= 0);
}

static void
on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the client has something to read; false after WAIT_MS. */
static bool
turn_until_readable(void *s)
{
    uv_timer_t tick;
    uint64_t end_ns = clock_mono_ns() + WAIT_MS * CLOCK_NS_PER_MS;
    zmq_pollitem_t item = {.socket = s, .events = ZMQ_POLLIN};
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 1, 1);
    while (zmq_poll(&item, 1, 0) == 0 && clock_mono_ns() < end_ns)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return item.revents != 0;
}

static void
turn_until(uint64_t (*counter)(void), uint64_t least)
{
    uint64_t end_ns = clock_mono_ns() + WAIT_MS * CLOCK_NS_PER_MS;
    uv_timer_t tick;
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 1, 1);
    while (counter() < least && clock_mono_ns() < end_ns)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(counter() >= least);
}

static const char *
receive(void *s)
{
    assert_true(turn_until_readable(s));
    int n = zmq_recv(s, answer, sizeof answer - 1, 0);
    assert_true(n >= 0 && n < (int)sizeof answer);
    answer[n] = '\0';
    return answer;
}

#define VERSION(id) \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"gateway.version\"}"
#define VERSION_ANSWER(id) \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":\"1.2\"}"

/* ---- tests ---- */

static void
req_and_dealer_are_answered_in_their_shape(void **state)
{
    (void)state;
    void *req = client(ZMQ_REQ);
    void *dealer = client(ZMQ_DEALER);
    ask(req, VERSION(1));
    assert_string_equal(receive(req), VERSION_ANSWER(1));
    ask(dealer, VERSION(2));
    assert_string_equal(receive(dealer), VERSION_ANSWER(2));
    ask(req, VERSION(3));
    assert_string_equal(receive(req), VERSION_ANSWER(3));
    zmq_close(req);
    zmq_close(dealer);
}

static void
a_burst_is_answered_in_order_without_a_further_signal(void **state)
{
    (void)state;
    void *dealer = client(ZMQ_DEALER);
    for (int i = 0; i < 1000; i++) {
        char text[96];
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":"
                 "\"gateway.version\"}",
                 i);
        ask(dealer, text);
    }
    for (int i = 0; i < 1000; i++) {
        char text[96];
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":\"1.2\"}", i);
        assert_string_equal(receive(dealer), text);
    }
    zmq_close(dealer);
}

static void
a_method_without_a_handler_says_so(void **state)
{
    (void)state;
    void *dealer = client(ZMQ_DEALER);
    ask(dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tool.list\"}");
    assert_non_null(strstr(receive(dealer), "\"code\":-32002"));
    assert_int_equal(control_register(control, "tool.list", on_list, NULL),
                     VR_OK);
    assert_int_equal(control_register(control, "tool.list", on_list, NULL),
                     VR_BUSY);
    assert_int_equal(control_register(control, "tool.lost", on_list, NULL),
                     VR_NOT_FOUND);
    zmq_close(dealer);
}

static void
malformed_and_large_messages_are_counted_and_answered(void **state)
{
    (void)state;
    static char big[RPC_MESSAGE_BYTES_MAX + 1];
    void *dealer = client(ZMQ_DEALER);
    assert_true(zmq_send(dealer, "a", 1, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(dealer, "b", 1, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(dealer, "c", 1, 0) >= 0);
    assert_non_null(strstr(receive(dealer), "must be one frame"));
    assert_int_equal(control_stats(control).malformed, 1);
    ask(dealer, "");
    assert_non_null(strstr(receive(dealer), "\"code\":-32700"));
    memset(big, ' ', sizeof big);
    assert_true(zmq_send(dealer, big, sizeof big, 0) >= 0);
    assert_non_null(strstr(receive(dealer), "is too long"));
    assert_int_equal(control_stats(control).oversized, 1);
    ask(dealer, VERSION(1));
    assert_string_equal(receive(dealer), VERSION_ANSWER(1));
    zmq_close(dealer);
}

static uint64_t
pending(void)
{
    return control_stats(control).rpc.pending;
}

static void
answers_to_a_client_that_left_are_dropped(void **state)
{
    (void)state;
    void *other = client(ZMQ_DEALER);
    /* libzmq learns in the background that a client is gone: more than one
     * may have to leave before an answer meets that. */
    for (int i = 0; i < 100 && control_stats(control).vanished == 0; i++) {
        void *dealer = client(ZMQ_DEALER);
        ask(dealer,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.list\"}");
        turn_until(pending, 1);
        zmq_close(dealer);
        for (int turns = 0; turns <= i; turns++) {
            ask(other, VERSION(2));
            assert_string_equal(receive(other), VERSION_ANSWER(2));
        }
        rpc_reply(held, cJSON_CreateArray());
        assert_int_equal(pending(), 0);
    }
    assert_true(control_stats(control).vanished > 0);
    ask(other, VERSION(3));
    assert_string_equal(receive(other), VERSION_ANSWER(3));
    zmq_close(other);
}

static void
closing_answers_what_waits(void **state)
{
    (void)state;
    void *mine = zmq;
    zmq = zmq_ctx_new();
    void *other = zmq;
    void *dealer = client(ZMQ_DEALER);
    zmq = mine;
    ask(dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.list\"}");
    turn_until(pending, 1);
    control_shutdown(control);
    assert_non_null(strstr(receive(dealer), "\"code\":-32008"));
    ask(dealer, VERSION(2));
    assert_non_null(strstr(receive(dealer), "\"code\":-32008"));
    control_close(&control);
    assert_null(control);
    uv_run(&loop, UV_RUN_DEFAULT);
    zmq_close(dealer);
    zmq_ctx_term(other);
}

static void
a_taken_endpoint_is_refused(void **state)
{
    (void)state;
    char problem[512];
    struct control_config config = {
        .zmq = zmq, .loop = &loop, .endpoint = endpoint};
    assert_null(control_open(&config, problem, sizeof problem));
    assert_non_null(strstr(problem, "another process listens on"));
}

/* ---- documentation ---- */

static void
every_method_and_error_is_documented(void **state)
{
    (void)state;
    static const struct {
        const char *name, *params, *what;
    } methods[] = {
#define CONTROL_METHOD(symbol, name, params, what) {name, params, what},
#include "gateway/control/control.tbl.h"
#undef CONTROL_METHOD
    };
    static const struct {
        int code;
        const char *message, *meaning;
    } errors[] = {
#define RPC_ERROR(symbol, code, message, meaning) {code, message, meaning},
#include "gateway/control/error.tbl.h"
#undef RPC_ERROR
    };
    static char docs[1 << 16];
    char line[512];
    size_t headings = 0;
    FILE *f = fopen("ipc/control.md", "r");
    assert_non_null(f);
    size_t bytes = fread(docs, 1, sizeof docs - 1, f);
    fclose(f);
    assert_true(bytes < sizeof docs - 1);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        snprintf(line, sizeof line, "\n### %s\n\n`%s`\n", methods[i].name,
                 *methods[i].params ? methods[i].params : "no parameters");
        if (!strstr(docs, line))
            fail_msg("ipc/control.md lacks: %s", line);
    }
    for (const char *p = docs; (p = strstr(p, "\n### ")); p++)
        headings++;
    assert_int_equal(headings, sizeof methods / sizeof *methods);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        snprintf(line, sizeof line, "\n| %d | %s | %s |\n", errors[i].code,
                 errors[i].message, errors[i].meaning);
        if (!strstr(docs, line))
            fail_msg("ipc/control.md lacks: %s", line);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(req_and_dealer_are_answered_in_their_shape),
        TEST(a_burst_is_answered_in_order_without_a_further_signal),
        TEST(a_method_without_a_handler_says_so),
        TEST(malformed_and_large_messages_are_counted_and_answered),
        TEST(answers_to_a_client_that_left_are_dropped),
        TEST(closing_answers_what_waits),
        TEST(a_taken_endpoint_is_refused),
        TEST(every_method_and_error_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
