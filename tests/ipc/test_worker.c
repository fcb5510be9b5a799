/* The worker helper against a gateway that this test plays: a ROUTER. Where
 * nothing else is said, one thread steps the worker and plays the gateway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <zmq.h>

#include "ipc/status.h"
#include "ipc/voxring_worker.h"

#ifdef VR_TSAN
/* It does not see how libzmq, which is not built for it, hands messages from
 * thread to thread. */
__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
    return "race:libzmq\n";
}
#endif

#define LIMIT_NS UINT64_C(20000000000)

static char folder[64], endpoint[96], why[VR_ERROR_BYTES];
static void *context, *router;
static char peer[256];
static size_t peer_bytes;
static struct vr_worker *worker;
static uint64_t token; /* of the call in hand */
static unsigned calls;
static pthread_t runner;
static int running;

/* ---- the gateway ------------------------------------------------------------ */

static void
open_router(void)
{
    int zero = 0;

    router = zmq_socket(context, ZMQ_ROUTER);
    assert_non_null(router);
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero);
    assert_int_equal(zmq_bind(router, endpoint), 0);
}

static int
up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vr-worker-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/tools.sock", folder);
    context = zmq_ctx_new();
    open_router();
    token = calls = 0;
    return 0;
}

static int
down(void **state)
{
    char path[128];

    (void)state;
    if (running) {
        vr_worker_stop(worker);
        pthread_join(runner, NULL);
        running = 0;
    }
    vr_worker_close(&worker);
    zmq_close(router);
    zmq_ctx_term(context);
    snprintf(path, sizeof path, "%s/tools.sock", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/token", folder);
    unlink(path);
    return rmdir(folder);
}

/* The next message; meanwhile the worker steps, if nobody else does it. */
static cJSON *
next(void)
{
    uint64_t limit_ns = vr_now_ns() + LIMIT_NS;
    zmq_msg_t frame;
    cJSON *message;
    int got = -1;

    while (got < 0 && vr_now_ns() < limit_ns) {
        zmq_pollitem_t item = {router, 0, ZMQ_POLLIN, 0};
        if (!running)
            (void)!vr_worker_step(worker, 5);
        zmq_poll(&item, 1, running ? 20 : 0);
        got = zmq_recv(router, peer, sizeof peer, ZMQ_DONTWAIT);
    }
    assert_true(got > 0);
    peer_bytes = (size_t)got;
    zmq_msg_init(&frame);
    assert_true(zmq_msg_recv(&frame, router, 0) >= 0);
    message = cJSON_ParseWithLength(zmq_msg_data(&frame), zmq_msg_size(&frame));
    zmq_msg_close(&frame);
    assert_non_null(message);
    return message;
}

static const char *
text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

static int
is_noise(const cJSON *message)
{
    return strcmp(text_of(message, "method"), "ping") == 0;
}

/* The next message that is no heartbeat. */
static cJSON *
next_news(void)
{
    cJSON *message = next();

    while (is_noise(message)) {
        cJSON_Delete(message);
        message = next();
    }
    return message;
}

static cJSON *
expect(const char *method)
{
    cJSON *message = next_news();

    assert_string_equal(text_of(message, "method"), method);
    return message;
}

static void
send_text(const char *text)
{
    assert_true(zmq_send(router, peer, peer_bytes, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(router, text, strlen(text), 0) >= 0);
}

VR_PRINTF(1, 2)
static void
say(const char *format, ...)
{
    char text[8192];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    send_text(text);
}

/* Answers a request with a result or an error, as JSON. */
static void
reply(cJSON *request, const char *what, const char *json)
{
    char *id = cJSON_PrintUnformatted(cJSON_GetObjectItem(request, "id"));

    say("{\"jsonrpc\":\"2.0\",\"id\":%s,\"%s\":%s}", id, what, json);
    free(id);
    cJSON_Delete(request);
}

static cJSON *
welcome(const char *times)
{
    cJSON *hello = expect("voxring/hello");
    cJSON *params = cJSON_DetachItemFromObject(hello, "params");
    char result[256];

    snprintf(result, sizeof result,
             "{\"protocol\":1,\"gateway\":\"voxring/test\",\"name\":\"w\"%s}",
             times);
    reply(hello, "result", result);
    return params;
}

static cJSON *
answer_to(const char *id)
{
    cJSON *message = next_news();

    assert_string_equal(text_of(message, "id"), id);
    return message;
}

static void
send_call(int id, const char *tool, const char *arguments)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":\"%d\",\"method\":\"tools/call\","
        "\"params\":{\"name\":\"%s\",\"arguments\":%s,\"_meta\":{"
        "\"progressToken\":\"%d\",\"voxring/session\":\"robot\","
        "\"voxring/timeout_ms\":5000}}}",
        id, tool, arguments, id);
}

/* The text block of a CallToolResult. */
static void
expect_text(const char *id, const char *text, int is_error)
{
    cJSON *answer = answer_to(id);
    const cJSON *result = cJSON_GetObjectItem(answer, "result");

    assert_string_equal(
        text_of(cJSON_GetArrayItem(cJSON_GetObjectItem(result, "content"), 0),
                "text"),
        text);
    assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(result, "isError")),
                     is_error);
    cJSON_Delete(answer);
}

/* ---- the worker ----------------------------------------------------------------- */

static void
echo(struct vr_worker *w, const struct vr_worker_call *call, void *arg)
{
    assert_string_equal(call->session, "robot");
    assert_string_equal(call->conversation, "");
    assert_int_equal(
        vr_worker_complete(w, call->token, arg == NULL, call->arguments_json),
        VR_OK);
    assert_int_equal(vr_worker_complete(w, call->token, 1, "{}"), VR_NOT_FOUND);
}

/* Leaves the call open. */
static void
keep(struct vr_worker *w, const struct vr_worker_call *call, void *arg)
{
    (void)w;
    (void)arg;
    token = call->token;
    calls++;
}

static void
offer(const char *name, vr_worker_call_fn *call, void *arg)
{
    struct vr_worker_tool tool = {
        .name = name,
        .description = "Does what the test wants.",
        .input_schema = "{\"type\":\"object\"}",
        .mode = VR_WORKER_ASYNC,
        .serial = 1,
        .cancel_on_interrupt = 1,
        .call = call,
        .arg = arg,
    };

    assert_int_equal(vr_worker_offer(worker, &tool, why, sizeof why), VR_OK);
}

static void
open_worker(struct vr_worker_config config)
{
    config.name = "w";
    config.runtime_dir = folder;
    assert_int_equal(vr_worker_open(&worker, &config, why, sizeof why), VR_OK);
}

static void
test_refused_configs(void **state)
{
    struct vr_worker_config config = {.name = "a b"};
    struct vr_worker_tool tool = {.name = "t", .description = "d"};

    (void)state;
    assert_int_equal(vr_worker_open(&worker, &config, why, sizeof why),
                     VR_INVALID);
    assert_null(worker);
    config.name = "w";
    config.token_file = "/nonexistent/token";
    assert_int_equal(vr_worker_open(&worker, &config, why, sizeof why),
                     VR_NOT_FOUND);
    assert_non_null(strstr(why, "/nonexistent/token"));
    config.token_file = NULL;
    config.endpoint = "nonsense";
    assert_int_equal(vr_worker_open(&worker, &config, NULL, 0), VR_INVALID);
    open_worker((struct vr_worker_config){0});
    assert_int_equal(vr_worker_offer(worker, &tool, why, sizeof why),
                     VR_INVALID);
    tool.call = echo;
    tool.input_schema = "{\"type\":\"array\"}";
    assert_int_equal(vr_worker_offer(worker, &tool, why, sizeof why),
                     VR_INVALID);
    tool.input_schema = NULL;
    assert_int_equal(vr_worker_offer(worker, &tool, NULL, 0), VR_OK);
    assert_int_equal(vr_worker_offer(worker, &tool, why, sizeof why), VR_BUSY);
    assert_int_equal(vr_worker_withdraw(worker, "t"), VR_OK);
    assert_int_equal(vr_worker_withdraw(worker, "t"), VR_NOT_FOUND);
}

static void
test_hello_and_list(void **state)
{
    char path[128];
    FILE *file;
    cJSON *params, *list;
    const cJSON *tool, *meta;

    (void)state;
    snprintf(path, sizeof path, "%s/token", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
    open_worker((struct vr_worker_config){
        .token_file = path, .instance = "left", .catch_all = keep});
    offer("echo", echo, NULL);
    params = welcome("");
    assert_string_equal(text_of(params, "name"), "w");
    assert_string_equal(text_of(params, "token"), "secret");
    assert_string_equal(text_of(params, "instance"), "left");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(params, "catchAll")));
    cJSON_Delete(params);
    say("{\"jsonrpc\":\"2.0\",\"id\":\"l\",\"method\":\"tools/list\"}");
    list = answer_to("l");
    tool = cJSON_GetArrayItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(list, "result"), "tools"), 0);
    meta = cJSON_GetObjectItem(tool, "_meta");
    assert_string_equal(text_of(tool, "name"), "echo");
    assert_string_equal(text_of(meta, "voxring/mode"), "async");
    assert_string_equal(text_of(meta, "voxring/threading"), "serial");
    assert_int_equal(cJSON_GetObjectItem(meta, "voxring/timeout_ms")->valueint,
                     0);
    assert_true(
        cJSON_IsTrue(cJSON_GetObjectItem(meta, "voxring/cancel_on_interrupt")));
    cJSON_Delete(list);
    assert_int_equal(vr_worker_is_ready(worker), 1);
    offer("later", echo, NULL);
    cJSON_Delete(expect("notifications/tools/list_changed"));
    assert_int_equal(vr_worker_withdraw(worker, "later"), VR_OK);
    cJSON_Delete(expect("notifications/tools/list_changed"));
    vr_worker_close(&worker);
    open_worker((struct vr_worker_config){0});
    cJSON_Delete(expect("voxring/bye"));
}

static void
test_calls(void **state)
{
    cJSON *error;

    (void)state;
    open_worker((struct vr_worker_config){0});
    offer("echo", echo, NULL);
    offer("fails", echo, worker);
    cJSON_Delete(welcome(""));
    send_call(1, "echo", "{\"a\":[1,\"\\u00e9\"]}");
    expect_text("1", "{\"a\":[1,\"\303\251\"]}", 0);
    send_call(2, "fails", "{}");
    expect_text("2", "{}", 1);
    send_call(3, "nobody", "{}");
    error = answer_to("3");
    assert_int_equal(
        cJSON_GetObjectItem(cJSON_GetObjectItem(error, "error"), "code")
            ->valueint,
        -32602);
    cJSON_Delete(error);
    say("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}");
    cJSON_Delete(answer_to("p"));
    send_text("no JSON");
    send_text("[]");
    send_text("{\"method\":7,\"id\":{}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"none/such\"}");
    cJSON_Delete(answer_to("x"));
}

/* Steps until the kept call has come. */
static void
await_call(unsigned count)
{
    uint64_t limit_ns = vr_now_ns() + LIMIT_NS;

    while (calls < count && vr_now_ns() < limit_ns)
        (void)!vr_worker_step(worker, 20);
    assert_int_equal(calls, count);
}

static void
test_progress_cancel_drain(void **state)
{
    cJSON *message;

    (void)state;
    open_worker((struct vr_worker_config){.catch_all = keep});
    offer("keep", keep, NULL);
    cJSON_Delete(welcome(""));
    send_call(7, "keep", "{}");
    await_call(1);
    vr_worker_progress(worker, token, 1, 4, "a quarter");
    vr_worker_progress(worker, token, 2, 4, "too soon");
    message = expect("notifications/progress");
    assert_string_equal(
        text_of(cJSON_GetObjectItem(message, "params"), "progressToken"), "7");
    cJSON_Delete(message);
    vr_worker_log(worker, "warning", "hot");
    message = expect("notifications/message");
    assert_string_equal(text_of(cJSON_GetObjectItem(message, "params"), "data"),
                        "hot");
    cJSON_Delete(message);
    /* serial: this one waits for the first, and is given back */
    send_call(8, "keep", "{}");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"voxring/drain\"}");
    message = answer_to("8");
    assert_int_equal(
        cJSON_GetObjectItem(cJSON_GetObjectItem(message, "error"), "code")
            ->valueint,
        -32002);
    cJSON_Delete(message);
    assert_int_equal(vr_worker_is_cancelled(worker, token), 0);
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
        "\"params\":{\"requestId\":\"7\"}}");
    while (!vr_worker_is_cancelled(worker, token))
        (void)!vr_worker_step(worker, 20);
    assert_int_equal(vr_worker_complete(worker, token, 0, "stopped"), VR_OK);
    expect_text("7", "stopped", 1);
    send_call(9, "anything", "{}");
    await_call(2);
    vr_worker_complete(worker, token, 1, NULL);
    expect_text("9", "{}", 0);
}

static void
test_refused_hello(void **state)
{
    (void)state;
    open_worker((struct vr_worker_config){0});
    reply(expect("voxring/hello"), "error",
          "{\"code\":-32001,\"message\":\"not listed; add it\"}");
    assert_int_equal(vr_worker_run(worker), VR_DENIED);
    assert_non_null(strstr(vr_worker_error(worker), "not listed; add it"));
}

/* The gateway forgets the worker: open calls are nobody's, and their answers do
 * not reach the next gateway, which has the same numbers. */
static void
test_hello_again(void **state)
{
    cJSON *message;

    (void)state;
    open_worker((struct vr_worker_config){0});
    offer("keep", keep, NULL);
    offer("echo", echo, NULL);
    cJSON_Delete(welcome(""));
    send_call(1, "keep", "{}");
    await_call(1);
    say("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32003,"
        "\"message\":\"Say voxring/hello first\"}}");
    cJSON_Delete(welcome(""));
    assert_int_equal(vr_worker_is_cancelled(worker, token), 1);
    assert_int_equal(vr_worker_complete(worker, token, 1, "{}"), VR_NOT_FOUND);
    send_call(1, "echo", "{\"new\":1}");
    expect_text("1", "{\"new\":1}", 0);
    /* and a gateway that is started anew */
    zmq_close(router);
    open_router();
    message = next();
    while (is_noise(message)) {
        reply(message, "error", "{\"code\":-32003,\"message\":\"hello\"}");
        message = next();
    }
    assert_string_equal(text_of(message, "method"), "voxring/hello");
    reply(message, "result", "{\"protocol\":1}");
    send_call(2, "echo", "{}");
    expect_text("2", "{}", 0);
}

static void
test_heartbeat_and_silence(void **state)
{
    cJSON *message;

    (void)state;
    open_worker((struct vr_worker_config){0});
    cJSON_Delete(welcome(",\"heartbeat_ms\":60,\"expires_ms\":400"));
    for (int i = 0; i < 3; i++) {
        message = next();
        assert_string_equal(text_of(message, "method"), "ping");
        reply(message, "result", "{}");
    }
    /* unanswered pings, then hello */
    cJSON_Delete(welcome(""));
    assert_int_equal(vr_worker_is_ready(worker), 0);
}

static void
ask_all(struct vr_worker *w, const struct vr_worker_call *call, void *arg)
{
    uint64_t t = call->token;
    char *json = NULL;

    (void)arg;
    assert_int_equal(vr_worker_publish(w, t, "ding", "{\"n\":1}", NULL, 0),
                     VR_OK);
    assert_int_equal(
        vr_worker_publish(w, t, "ding", "no json", why, sizeof why),
        VR_INVALID);
    assert_int_equal(vr_worker_text(w, t, "hi", why, sizeof why), VR_DENIED);
    assert_string_equal(why, "not granted");
    assert_int_equal(vr_worker_update(w, t, "{\"voice\":\"amy\"}", NULL, 0),
                     VR_OK);
    assert_int_equal(vr_worker_history(w, t, &json, NULL, 0), VR_OK);
    assert_string_equal(json, "{\"messages\":[],\"revision\":3}");
    free(json);
    assert_int_equal(vr_worker_append(w, t, "user", "I am Ada", NULL, 0),
                     VR_NOT_FOUND);
    assert_int_equal(vr_worker_end(w, t, "bye", 0, NULL, 0), VR_OK);
    assert_int_equal(vr_worker_complete(w, t, 1, "{\"asked\":true}"), VR_OK);
    assert_int_equal(vr_worker_text(w, t, "late", why, sizeof why),
                     VR_NOT_FOUND);
}

/* Expects a request whose params are these, and answers it. */
static void
answer_ask(const char *method, const char *params, const char *what,
           const char *json)
{
    cJSON *request = expect(method), *wanted = cJSON_Parse(params);

    if (!cJSON_Compare(cJSON_GetObjectItem(request, "params"), wanted, 1))
        fail_msg("%s: not %s", method, params);
    cJSON_Delete(wanted);
    reply(request, what, json);
}

static void *
run_worker(void *arg)
{
    (void)arg;
    assert_int_equal(vr_worker_run(worker), VR_CANCELLED);
    return NULL;
}

static void
start_runner(void)
{
    assert_int_equal(pthread_create(&runner, NULL, run_worker, NULL), 0);
    running = 1;
}

/* On a thread of the library, and inside the step. */
static void
ask_in(uint32_t threads)
{
    open_worker((struct vr_worker_config){.threads = threads});
    offer("ask", ask_all, NULL);
    start_runner();
    cJSON_Delete(welcome(""));
    send_call(5, "ask", "{}");
    answer_ask("voxring/publish",
               "{\"call\":\"5\",\"name\":\"ding\",\"data\":{\"n\":1}}",
               "result", "{}");
    answer_ask("voxring/text", "{\"call\":\"5\",\"text\":\"hi\"}", "error",
               "{\"code\":-32005,\"message\":\"not granted\"}");
    answer_ask("voxring/update",
               "{\"call\":\"5\",\"config\":{\"voice\":\"amy\"}}", "result",
               "{\"changed\":[\"voice\"]}");
    answer_ask("voxring/history", "{\"call\":\"5\"}", "result",
               "{\"messages\":[],\"revision\":3}");
    answer_ask("voxring/history",
               "{\"call\":\"5\",\"append\":{\"role\":\"user\",\"text\":\"I am "
               "Ada\"}}",
               "error", "{\"code\":-32004,\"message\":\"over\"}");
    answer_ask("voxring/end",
               "{\"call\":\"5\",\"reason\":\"bye\",\"within_ms\":30000}",
               "result", "{}");
    expect_text("5", "{\"asked\":true}", 0);
}

static void
test_asking_on_a_thread(void **state)
{
    (void)state;
    ask_in(2);
}

static void
test_asking_in_the_step(void **state)
{
    (void)state;
    ask_in(0);
}

static void
test_many_calls_on_threads(void **state)
{
    char seen[200] = {0};

    (void)state;
    open_worker((struct vr_worker_config){.threads = 4});
    struct vr_worker_tool tool = {
        .name = "many", .description = "Many at once.", .call = echo};
    assert_int_equal(vr_worker_offer(worker, &tool, why, sizeof why), VR_OK);
    start_runner();
    cJSON_Delete(welcome(""));
    for (int sent = 0, got = 0; got < 200; got++) {
        for (; sent < 200 && sent - got < 32; sent++)
            send_call(sent + 1, "many", "{\"n\":1}");
        cJSON *answer = next_news();
        long id = strtol(text_of(answer, "id"), NULL, 10);
        assert_in_range(id, 1, 200);
        assert_int_equal(seen[id - 1]++, 0);
        cJSON_Delete(answer);
    }
}

/* A loop of one's own sleeps on the descriptor, and is woken for all. */
static void
test_own_loop(void **state)
{
    struct pollfd item;
    uint64_t limit_ns = vr_now_ns() + LIMIT_NS;
    cJSON *answer = NULL;
    int called = 0;

    (void)state;
    open_worker((struct vr_worker_config){0});
    offer("echo", echo, NULL);
    cJSON_Delete(welcome(""));
    item = (struct pollfd){vr_worker_fd(worker), POLLIN, 0};
    while (!answer && vr_now_ns() < limit_ns) {
        zmq_pollitem_t in = {router, 0, ZMQ_POLLIN, 0};
        if (!called++)
            send_call(1, "echo", "{}");
        assert_true(poll(&item, 1, 5000) == 1);
        assert_int_equal(vr_worker_step(worker, 0), VR_OK);
        if (zmq_poll(&in, 1, 0) == 1)
            answer = next_news();
    }
    assert_string_equal(text_of(answer, "id"), "1");
    cJSON_Delete(answer);
}

static void
test_forked_child(void **state)
{
    int status = -1;
    pid_t child;

    (void)state;
    open_worker((struct vr_worker_config){0});
    child = fork();
    if (child == 0) {
        int bad = vr_worker_step(worker, 0) != VR_STATE ||
                  vr_worker_complete(worker, 1, 1, "{}") != VR_STATE;
        vr_worker_close(&worker);
        _exit(bad);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    cJSON_Delete(welcome(""));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        TEST(test_refused_configs),
        TEST(test_hello_and_list),
        TEST(test_calls),
        TEST(test_progress_cancel_drain),
        TEST(test_refused_hello),
        TEST(test_hello_again),
        TEST(test_heartbeat_and_silence),
        TEST(test_asking_on_a_thread),
        TEST(test_asking_in_the_step),
        TEST(test_many_calls_on_threads),
        TEST(test_own_loop),
        TEST(test_forked_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
