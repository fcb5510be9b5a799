#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/control/rpc.h"
#include "gateway/control/rpc_params.h"
#include "gateway/jsonx.h"

static struct rpc *rpc;
static struct rpc_peer peer = {.bytes = "me", .byte_count = 2};
static char answers[1 << 20];      /* one line each */
static struct rpc_call *held[256]; /* by the handler of "hold" */
static size_t held_count;
static size_t dropped;

static void
on_send(void *arg, const struct rpc_peer *to, const char *text,
        size_t text_bytes)
{
    (void)arg;
    size_t at = strlen(answers);
    assert_true(to->byte_count >= 1);
    assert_true(at + text_bytes + 2 < sizeof answers);
    snprintf(answers + at, sizeof answers - at, "%.*s\n", (int)text_bytes,
             text);
}

static void
on_echo(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)arg;
    assert_string_equal(rpc_call_method(call), "echo");
    rpc_reply(call, cJSON_Duplicate(params, true));
}

static void
on_hold(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)arg;
    (void)params;
    held[held_count++] = call;
}

static void
on_fail(void *arg, struct rpc_call *call, const cJSON *params)
{
    (void)arg;
    (void)params;
    rpc_fail(call, RPC_STATE, cJSON_CreateString("idle"),
             "%s is %s; open it first", "robot", "closed");
}

static int
setup(void **state)
{
    (void)state;
    held_count = dropped = 0;
    answers[0] = '\0';
    rpc = rpc_new(on_send, NULL);
    return !rpc ||
           rpc_register(rpc, "echo",
                        "text:text! n:uint x:number b:bool o:object a:array "
                        "any:any wait:accepted|response",
                        on_echo, NULL) != VR_OK ||
           rpc_register(rpc, "hold", "", on_hold, NULL) != VR_OK ||
           rpc_register(rpc, "fail", "", on_fail, NULL) != VR_OK;
}

static int
teardown(void **state)
{
    (void)state;
    rpc_free(&rpc);
    return 0;
}

static void
send_text(const char *text)
{
    answers[0] = '\0';
    rpc_receive(rpc, &peer, text, strlen(text));
}

static void
expect(const char *request, const char *answer)
{
    send_text(request);
    assert_string_equal(answers, answer);
}

/* The request is refused with this code, id and words in the message. */
static void
expect_error(const char *request, int code, const char *id, const char *words)
{
    char ids[128];
    send_text(request);
    cJSON *answer = cJSON_Parse(answers);
    assert_non_null(answer);
    const cJSON *error = cJSON_GetObjectItem(answer, "error");
    assert_int_equal(jsonx_int(error, "code", 0), code);
    if (!strstr(jsonx_text(error, "message", ""), words))
        fail_msg("%s is not in %s", words, answers);
    char *printed = cJSON_PrintUnformatted(cJSON_GetObjectItem(answer, "id"));
    snprintf(ids, sizeof ids, "%s", printed ? printed : "none");
    free(printed);
    cJSON_Delete(answer);
    assert_string_equal(ids, id);
}

/* ---- the specification ---- */

static void
a_request_gets_its_answer(void **state)
{
    (void)state;
    expect("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":"
           "{\"text\":\"hi\",\"n\":3,\"x\":0.5,\"b\":true,\"o\":{},\"a\":[],"
           "\"any\":null,\"wait\":\"response\"}}",
           "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"text\":\"hi\",\"n\":3,"
           "\"x\":0.5,\"b\":true,\"o\":{},\"a\":[],\"wait\":\"response\"}}\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"fail\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32001,"
           "\"message\":\"robot is closed; open it first\",\"data\":\"idle\"}}"
           "\n");
    expect("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"fail\","
           "\"params\":null}",
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,"
           "\"message\":\"robot is closed; open it first\",\"data\":\"idle\"}}"
           "\n");
}

static void
notifications_run_unanswered(void **state)
{
    (void)state;
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"fail\"}", "");
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}", "");
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{}}", "");
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"hold\"}", "");
    assert_int_equal(held_count, 1);
    rpc_reply(held[0], NULL);
    assert_string_equal(answers, "");
    assert_int_equal(rpc_stats(rpc).notifications, 2);
    assert_int_equal(rpc_stats(rpc).pending, 0);
}

static void
bad_documents_are_refused(void **state)
{
    (void)state;
    expect_error("{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\"",
                 -32700, "null", "Parse error: ");
    expect_error("", -32700, "null", "at byte 0");
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"e\\u0000\"}",
                 -32700, "null", "\\u0000");
    expect_error("[1e999]", -32700, "null", "a number is too large");
    expect_error("1", -32600, "null", "request must be an object");
    expect_error("[]", -32600, "null", "batch is empty");
    expect_error("{\"id\":1,\"method\":\"echo\"}", -32600, "1",
                 "jsonrpc must be \"2.0\"");
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}", -32600,
                 "null", "id must be a text or a number");
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":1e300,\"method\":\"echo\"}",
                 -32600, "1e+300", "beyond 2^53");
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", -32600, "1",
                 "method must be a text");
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\","
                 "\"params\":\"bar\"}",
                 -32600, "1", "params must be an object");
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"}", -32601,
                 "1", "Method not found: none is not known");
    static char big[RPC_MESSAGE_BYTES_MAX + 2];
    memset(big, ' ', sizeof big - 1);
    expect_error(big, -32600, "null", "too long");
}

static void
bad_parameters_are_named(void **state)
{
    (void)state;
#define ECHO(p) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":" p "}"
    expect_error(ECHO("[1]"), -32602, "1", "params must be an object");
    expect_error(ECHO("{}"), -32602, "1",
                 "text is missing; give a text of at most 262144 bytes");
    expect_error(ECHO("{\"text\":null}"), -32602, "1", "text is missing");
    expect_error(ECHO("{\"text\":1}"), -32602, "1",
                 "text is 1; use a text of at most");
    expect_error(ECHO("{\"text\":\"\",\"n\":-1}"), -32602, "1",
                 "n is -1; use a whole number from 0");
    expect_error(ECHO("{\"text\":\"\",\"n\":1.5}"), -32602, "1", "n is 1.5");
    expect_error(ECHO("{\"text\":\"\",\"x\":\"1\"}"), -32602, "1",
                 "x is \"1\"; use a number");
    expect_error(ECHO("{\"text\":\"\",\"b\":0}"), -32602, "1",
                 "b is 0; use true or false");
    expect_error(ECHO("{\"text\":\"\",\"wait\":\"respons\"}"), -32602, "1",
                 "wait is \"respons\"; use one of accepted|response");
    expect_error(ECHO("{\"text\":\"\",\"txt\":1}"), -32602, "1",
                 "txt is not known here; leave it out, or use: text:text! ");
    cJSON *answer = cJSON_Parse(answers);
    const cJSON *data =
        cJSON_GetObjectItem(cJSON_GetObjectItem(answer, "error"), "data");
    assert_string_equal(jsonx_text(data, "param", ""), "txt");
    cJSON_Delete(answer);
    assert_int_equal(rpc_stats(rpc).calls, 0);
    assert_int_equal(rpc_stats(rpc).refused, 10);
}

static void
a_batch_is_answered_whole_when_its_last_call_is(void **state)
{
    (void)state;
    send_text("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"},"
              "{\"jsonrpc\":\"2.0\",\"method\":\"hold\"}, 1,"
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"fail\"}]");
    assert_string_equal(answers, "");
    rpc_reply(held[0], cJSON_CreateNumber(5));
    assert_string_equal(answers, "");
    rpc_reply(held[1], NULL);
    cJSON *batch = cJSON_Parse(answers);
    assert_int_equal(cJSON_GetArraySize(batch), 3);
    assert_int_equal(jsonx_int(cJSON_GetArrayItem(batch, 2), "result", 0), 5);
    cJSON_Delete(batch);
    expect("[{\"jsonrpc\":\"2.0\",\"method\":\"fail\"}]", "");
    char many[RPC_BATCH_MAX * 2 + 8] = "[";
    for (int i = 0; i <= RPC_BATCH_MAX; i++)
        strncat(many, i ? ",1" : "1", sizeof many - strlen(many) - 1);
    strncat(many, "]", sizeof many - strlen(many) - 1);
    expect_error(many, -32600, "null", "too many requests");
}

/* ---- calls ---- */

static void
waiting_calls_are_bounded_per_peer_and_in_all(void **state)
{
    (void)state;
    struct rpc_peer other = {.bytes = "other", .byte_count = 5};
    const char *hold = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}";
    for (int i = 0; i < RPC_PENDING_PEER_MAX; i++)
        expect(hold, "");
    expect_error(hold, RPC_LIMIT, "1", "one call too many");
    answers[0] = '\0';
    rpc_receive(rpc, &other, hold, strlen(hold));
    assert_string_equal(answers, "");
    rpc_reply(held[0], NULL);
    expect(hold, "");
    assert_int_equal(rpc_stats(rpc).pending, RPC_PENDING_PEER_MAX + 1);
}

static void
on_drop(void *arg, struct rpc_call *call)
{
    assert_ptr_equal(arg, &held);
    assert_ptr_equal(call, held[0]);
    dropped++;
}

static void
shutdown_answers_what_waits_and_refuses_the_rest(void **state)
{
    (void)state;
    send_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}");
    rpc_call_on_drop(held[0], on_drop, &held);
    rpc_shutdown(rpc);
    assert_int_equal(dropped, 1);
    assert_non_null(strstr(answers, "\"code\":-32008"));
    assert_non_null(strstr(answers, "the gateway stopped before hold"));
    expect_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}",
                 RPC_SHUTDOWN, "1", "the gateway is stopping");
    rpc_shutdown(rpc);
    assert_int_equal(dropped, 1);
}

static void
lists_of_parameters_are_checked(void **state)
{
    (void)state;
    const char *bad[] = {"a",       "a:",      ":text",          "a:txt",
                         "a:text ", " a:text", "a:text  b:text", "a:!"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rpc_params_valid(bad[i]));
    assert_true(rpc_params_valid(""));
    assert_true(rpc_params_valid("a:x|y! b:any"));
    assert_int_equal(rpc_register(rpc, "bad", "a", on_echo, NULL), VR_INVALID);
    assert_int_equal(rpc_register(rpc, "echo", "", on_echo, NULL), VR_INVALID);
}

static void
statuses_have_codes(void **state)
{
    (void)state;
    assert_int_equal(rpc_error_of(VR_NOT_FOUND), RPC_NOT_FOUND);
    assert_int_equal(rpc_error_of(VR_STATE), RPC_STATE);
    assert_int_equal(rpc_error_of(VR_NETWORK), RPC_FAILED);
    assert_int_equal(rpc_error_of(VR_INVALID), RPC_PARAMS);
}

static long allocations_left;

static void *
scarce(size_t bytes)
{
    return allocations_left-- > 0 ? malloc(bytes) : NULL;
}

static void
no_allocation_of_json_is_taken_for_granted(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":"
        "{\"text\":\"x\"}},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
        "\"hold\"},{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"none\"}]";
    cJSON_Hooks hooks = {scarce, free};
    allocations_left = 0;
    for (long n = 0; allocations_left <= 0; n++) {
        held_count = 0;
        answers[0] = '\0';
        allocations_left = n;
        cJSON_InitHooks(&hooks);
        rpc_receive(rpc, &peer, text, sizeof text - 1);
        if (held_count)
            rpc_reply(held[0], cJSON_CreateArray());
        cJSON_InitHooks(NULL);
        assert_int_equal(rpc_stats(rpc).pending, 0);
        assert_true(n < 10000);
    }
    assert_non_null(strstr(answers, "\"result\":[]"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_gets_its_answer),
        TEST(notifications_run_unanswered),
        TEST(bad_documents_are_refused),
        TEST(bad_parameters_are_named),
        TEST(a_batch_is_answered_whole_when_its_last_call_is),
        TEST(waiting_calls_are_bounded_per_peer_and_in_all),
        TEST(shutdown_answers_what_waits_and_refuses_the_rest),
        TEST(lists_of_parameters_are_checked),
        TEST(statuses_have_codes),
        TEST(no_allocation_of_json_is_taken_for_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
