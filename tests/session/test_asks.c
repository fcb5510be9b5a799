/* What tools that run ask for in their conversation: what control offers, for
 * the session that called and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/asks.h"
#include "gateway/session/daemon.h"
#include "gateway/session/methods.h"
#include "gateway/session/self.h"
#include "tests/session/rig.h"

static struct rig rig;
static struct daemon daemon_;
static struct daemon_session entry;
static cJSON *answer;
static char why[400];

/* ---- a daemon with one session ---- */

struct daemon_session *
daemon_find(struct daemon *d, const char *name)
{
    assert_ptr_equal(d, &daemon_);
    return entry.session && strcmp(name, "robot") == 0 ? &entry : NULL;
}

struct daemon_session *
daemon_add(struct daemon *d, const struct config_session *settings,
           struct config_session *owned, const struct session_begin *begin,
           char *problem, size_t problem_size)
{
    (void)d, (void)settings, (void)owned, (void)begin;
    snprintf(problem, problem_size, "there is one only");
    return NULL;
}

struct daemon_session *
methods_find(struct daemon *d, struct rpc_call *call, const cJSON *params)
{
    struct daemon_session *found =
        daemon_find(d, jsonx_text(params, "session", ""));
    if (!found)
        rpc_fail(call, RPC_NOT_FOUND, NULL, "There is no such session");
    return found;
}

static void
open_it(const char *settings)
{
    rig_open(&rig, settings);
    fake_broker_offer("clock", "{}");
    daemon_.asks = asks_new(&daemon_);
    assert_non_null(daemon_.asks);
    entry.session = rig.session;
}

static void
start(const char *settings)
{
    open_it(settings);
    rig_start(&rig);
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{}");
}

static int
tear_down(void **state)
{
    (void)state;
    cJSON_Delete(answer);
    answer = NULL;
    entry.session = NULL;
    vr_writer_close(&rig.mic);
    vr_reader_close(&rig.player);
    session_free(&rig.session);
    asks_free(&daemon_.asks);
    rig_close(&rig);
    return 0;
}

/* By call 1, unless it is another's. */
static enum vr_status
ask_as(struct broker_ask *ask, const char *params)
{
    cJSON *object = cJSON_Parse(params);
    assert_non_null(object);
    ask->provider = "fake";
    ask->params = object;
    cJSON_Delete(answer);
    answer = NULL;
    why[0] = '\0';
    enum vr_status status =
        asks_answer(&daemon_, ask, &answer, why, sizeof why);
    cJSON_Delete(object);
    assert_true(status == VR_OK || why[0]);
    assert_true(status == VR_OK || !answer);
    return status;
}

static enum vr_status
ask(enum broker_ask_kind kind, const char *params)
{
    struct broker_ask asked = {
        .kind = kind,
        .call_id = fake_broker.calls[0].id,
        .tool = "clock",
        .caller = {.session = "robot",
                   .conversation = session_conversation(rig.session)}};
    return ask_as(&asked, params);
}

static void
assert_answer(const char *json)
{
    char *text = cJSON_PrintUnformatted(answer);
    assert_string_equal(text, json);
    cJSON_free(text);
}

/* ---- text ---- */

static void
test_text(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(ask(BROKER_ASK_TEXT, "{\"text\":\"It rings.\"}"), VR_OK);
    assert_null(answer);
    assert_int_equal(rig_sent(1, "textInput", "It rings."), 1);
    assert_int_equal(ask(BROKER_ASK_TEXT, "{\"text\":\" \"}"), VR_INVALID);
    assert_non_null(strstr(why, "empty"));
    assert_int_equal(ask(BROKER_ASK_TEXT, "{\"text\":7}"), VR_INVALID);
}

/* There is no stream for it yet; nobody is kept waiting, and what control
 * says of it later is not taken for the answer to something else. */
static void
test_text_that_waits(void **state)
{
    (void)state;
    open_it(NULL);
    assert_true(session_open(rig.session));
    assert_int_equal(ask(BROKER_ASK_TEXT, "{\"text\":\"It rings.\"}"), VR_OK);
    assert_null(answer);
    assert_int_equal(ask(BROKER_ASK_HISTORY, "{}"), VR_OK);
    rig_accept();
    RIG_UNTIL(&rig, rig_sent(1, "textInput", "It rings.") == 1);
    assert_int_equal(ask(BROKER_ASK_HISTORY, "{}"), VR_OK);
    assert_non_null(cJSON_GetObjectItem(answer, "messages"));
}

static void
test_text_to_a_model_that_does_not_read(void **state)
{
    (void)state;
    start("{\"model\":\"amazon.nova-sonic-v1:0\"}");
    assert_int_equal(ask(BROKER_ASK_TEXT, "{\"text\":\"It rings.\"}"),
                     VR_UNSUPPORTED);
    assert_non_null(strstr(why, "no text"));
}

/* ---- settings, history ---- */

static void
test_update(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(
        ask(BROKER_ASK_UPDATE,
            "{\"config\":{\"voice\":\"amy\",\"async_result_s\":7}}"),
        VR_OK);
    assert_answer("{\"changed\":[\"async_result_s\",\"voice\"]}");
    assert_string_equal(rig.session->settings->voice, "amy");
    assert_int_equal(ask(BROKER_ASK_UPDATE, "{\"config\":{\"voice\":\"amy\"}}"),
                     VR_OK);
    assert_answer("{\"changed\":[]}");
    assert_int_equal(ask(BROKER_ASK_UPDATE, "{\"config\":{\"voize\":1}}"),
                     VR_INVALID);
    assert_non_null(strstr(why, "voize"));
    assert_int_equal(ask(BROKER_ASK_UPDATE, "{}"), VR_INVALID);
}

static void
test_history(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(ask(BROKER_ASK_HISTORY, "{}"), VR_OK);
    assert_non_null(cJSON_GetObjectItem(answer, "revision"));
    int before = cJSON_GetArraySize(cJSON_GetObjectItem(answer, "messages"));
    assert_int_equal(ask(BROKER_ASK_HISTORY, "{\"append\":{\"role\":\"user\","
                                             "\"text\":\"I like tea.\"}}"),
                     VR_OK);
    const cJSON *messages = cJSON_GetObjectItem(answer, "messages");
    assert_int_equal(cJSON_GetArraySize(messages), before + 1);
    assert_string_equal(
        jsonx_text(cJSON_GetArrayItem(messages, before), "text", ""),
        "I like tea.");
    assert_int_equal(
        ask(BROKER_ASK_HISTORY,
            "{\"append\":{\"role\":\"robot\",\"text\":\"I like tea.\"}}"),
        VR_INVALID);
    assert_non_null(strstr(why, "role"));
}

/* ---- the end ---- */

static void
test_end_after_the_answer(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(ask(BROKER_ASK_END, "{\"reason\":\"the show is over\"}"),
                     VR_OK);
    assert_int_equal(session_state(rig.session), SESSION_streaming);
    assert_false(rig.session->ending.withdrawable);
    fake_broker_end(0, TOOL_OK, "{}", NULL);
    rig_plans(&rig, "Goodbye.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "Goodbye.", "PARTIAL_TURN");
    RIG_UNTIL(&rig, session_state(rig.session) == SESSION_closing);
    assert_non_null(strstr(
        jsonx_text(fake_bus_last("session_state", NULL, NULL), "reason", ""),
        "the show is over"));
}

/* From inside the call that ends with it. */
static void
test_end_at_once(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(ask(BROKER_ASK_END, "{\"within_ms\":0}"), VR_OK);
    assert_int_equal(session_state(rig.session), SESSION_closing);
    assert_string_equal(rig_result("1", "outcome"), "cancelled");
    assert_true(fake_broker.calls[0].cancelled);
    assert_int_equal(rig_sent(1, "\"toolResult\"", ""), 1);
}

static void
test_end_within_bounds(void **state)
{
    (void)state;
    start(NULL);
    uint64_t most_ns = ENDING_WITHIN_MAX_MS * 1000000ull;
    uint64_t before_ns = uv_hrtime();
    assert_int_equal(ask(BROKER_ASK_END, "{\"within_ms\":1e9}"), VR_OK);
    assert_true(rig.session->ending.deadline_ns >= before_ns + most_ns);
    assert_true(rig.session->ending.deadline_ns <= uv_hrtime() + most_ns);
}

static void
test_end_by_the_model(void **state)
{
    char *text = NULL;
    (void)state;
    start(NULL);
    struct broker_caller caller = {
        .session = "robot", .conversation = session_conversation(rig.session)};
    assert_int_equal(asks_end_conversation(&daemon_, &caller, NULL, &text),
                     TOOL_OK);
    cJSON *object = cJSON_Parse(text);
    assert_true(cJSON_IsObject(object));
    cJSON_Delete(object);
    free(text);
    assert_true(rig.session->ending.active);
    assert_true(rig.session->ending.withdrawable);
    caller = (struct broker_caller){0};
    assert_int_equal(asks_end_conversation(&daemon_, &caller, NULL, &text),
                     TOOL_ERROR);
    assert_non_null(strstr(text, "no conversation"));
    free(text);
}

/* ---- events ---- */

static void
test_publish(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(
        ask(BROKER_ASK_PUBLISH, "{\"name\":\"ring\",\"data\":{\"a\":[1]}}"),
        VR_OK);
    const cJSON *event = fake_bus_last("tool_event", NULL, NULL);
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItem(event, "data"));
    assert_string_equal(text, "{\"a\":[1]}");
    cJSON_free(text);
    assert_string_equal(jsonx_text(event, "name", ""), "ring");
    assert_string_equal(jsonx_text(event, "provider", ""), "fake");
    assert_string_equal(jsonx_text(event, "tool", ""), "clock");
    assert_string_equal(jsonx_text(event, "call", ""), "1");
    struct broker_ask of_no_call = {.kind = BROKER_ASK_PUBLISH};
    assert_int_equal(ask_as(&of_no_call, "{\"name\":\"hello\"}"), VR_OK);
    event = fake_bus_last("tool_event", NULL, NULL);
    assert_string_equal(jsonx_text(event, "name", ""), "hello");
    assert_null(cJSON_GetObjectItem(event, "call"));
    assert_null(cJSON_GetObjectItem(event, "data"));
}

/* ---- whose conversation ---- */

static void
test_conversation_is_over(void **state)
{
    static const struct broker_caller callers[] = {
        {.session = "other", .conversation = "c"},
        {.session = "robot", .conversation = "another one"},
        {0}};
    (void)state;
    start(NULL);
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        for (int kind = BROKER_ASK_TEXT; kind <= BROKER_ASK_END; kind++) {
            struct broker_ask asked = {.kind = (enum broker_ask_kind)kind,
                                       .call_id = 1001,
                                       .tool = "clock",
                                       .caller = callers[i]};
            assert_int_equal(ask_as(&asked, "{\"text\":\"x\"}"), VR_NOT_FOUND);
        }
    }
    assert_false(rig.session->ending.active);
    session_close(rig.session);
    fake_stream_end(BEDROCK_END_end_stream, true);
    assert_int_equal(ask(BROKER_ASK_TEXT, "{\"text\":\"x\"}"), VR_NOT_FOUND);
    assert_int_equal(ask(BROKER_ASK_END, "{}"), VR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text),
        TEST(text_that_waits),
        TEST(text_to_a_model_that_does_not_read),
        TEST(update),
        TEST(history),
        TEST(end_after_the_answer),
        TEST(end_at_once),
        TEST(end_within_bounds),
        TEST(end_by_the_model),
        TEST(publish),
        TEST(conversation_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
