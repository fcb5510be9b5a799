/* What calls that run ask for in their conversations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/toolbroker/remote_peer.h"

static struct rig rig;
static struct remote_peer a;
static struct config_provider rule;
static struct config_providers rules = {&rule, 1};

/* What on_ask saw, and what it is to do. */
static struct {
    unsigned count;
    enum broker_ask_kind kind;
    uint64_t call_id;
    char provider[40], tool[40], session[40];
    enum vr_status status;
    bool cancels, closes;
} asked;

static void
on_closed(void *arg)
{
    struct rig *r = arg;

    r->closed = true;
    uv_close((uv_handle_t *)&r->guard, NULL);
}

static enum vr_status
on_ask(void *arg, const struct broker_ask *ask, cJSON **answer, char *why,
       size_t why_size)
{
    struct rig *r = arg;

    asked.count++;
    asked.kind = ask->kind;
    asked.call_id = ask->call_id;
    snprintf(asked.provider, sizeof asked.provider, "%s", ask->provider);
    snprintf(asked.tool, sizeof asked.tool, "%s", ask->tool ? ask->tool : "");
    snprintf(asked.session, sizeof asked.session, "%s",
             ask->caller.session ? ask->caller.session : "");
    assert_true(cJSON_IsObject(ask->params));
    if (asked.cancels)
        broker_cancel(r->broker, ask->call_id);
    if (asked.closes)
        broker_close(&r->broker, on_closed, r);
    if (ask->kind == BROKER_ASK_HISTORY)
        *answer = cJSON_Parse("{\"messages\":[],\"revision\":3}");
    snprintf(why, why_size, "as the test says");
    return asked.status;
}

static int
start(void **state)
{
    static char any[] = "*";

    (void)state;
    memset(&asked, 0, sizeof asked);
    rig_init(&rig);
    rule = *config_provider_default(CONFIG_PROVIDER_WORKER);
    rule.name = any;
    rule.grants = CONFIG_GRANT_PUBLISH | CONFIG_GRANT_TEXT |
                  CONFIG_GRANT_UPDATE | CONFIG_GRANT_HISTORY | CONFIG_GRANT_END;
    rig.config.worker_rules = &rules;
    rig.on_ask = on_ask;
    return 0;
}

/* A worker with a call open, whose id is returned. */
static uint64_t
open_call(void)
{
    rig_open(&rig);
    remote_peer_open(&a, &rig, broker_endpoint(rig.broker));
    remote_peer_offer(&a, "arm", "", "{\"name\":\"grab\"}");
    rig_call(&rig, "grab", "{}", 0);
    return remote_peer_call(&a);
}

static int
stop(void **state)
{
    (void)state;
    remote_peer_close_all();
    rig_fini(&rig);
    return 0;
}

/* Asks, and expects `part` in the answer. */
static void
ask(const char *method, const char *params, const char *part)
{
    remote_peer_say(&a,
                    "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":"
                    "\"voxring/%s\",\"params\":%s}",
                    method, params);
    remote_peer_await(&a, "\"id\":\"q\"");
    if (!strstr(a.text, part))
        fail_msg("%s %s -> %s", method, params, a.text);
}

/* The same about the call `id`; `params` without its brackets. */
static void
ask_of(uint64_t id, const char *method, const char *params, const char *part)
{
    static char text[30000];

    snprintf(text, sizeof text, "{\"call\":\"%" PRIu64 "\"%s%s}", id,
             params[0] ? "," : "", params);
    ask(method, text, part);
}

static void
what_is_granted_is_asked(void **state)
{
    uint64_t id = open_call();

    (void)state;
    ask_of(id, "text", "\"text\":\"hello\"", "\"result\":{}");
    assert_int_equal(asked.kind, BROKER_ASK_TEXT);
    assert_true(asked.call_id == id);
    assert_string_equal(asked.provider, "arm");
    assert_string_equal(asked.tool, "grab");
    assert_string_equal(asked.session, "kitchen");
    ask_of(id, "update", "\"config\":{}", "\"result\":{}");
    ask_of(id, "history", "", "\"result\":{\"messages\":[],\"revision\":3}");
    ask_of(id, "history",
           "\"append\":{\"role\":\"user\",\"text\":\"I live in Rome\"}",
           "\"revision\"");
    ask_of(id, "end", "", "\"result\":{}");
    ask_of(id, "end", "\"reason\":\"bye\",\"within_ms\":10", "\"result\":{}");
    ask_of(id, "publish", "\"name\":\"n\",\"data\":[1]", "\"result\":{}");
    assert_int_equal(asked.kind, BROKER_ASK_PUBLISH);
    ask("publish", "{\"name\":\"n\"}", "\"result\":{}");
    assert_true(asked.call_id == 0);
    assert_string_equal(asked.tool, "");
    assert_int_equal(asked.count, 8);
    assert_int_equal(broker_counters(rig.broker)->asks_total, 8);
    assert_int_equal(broker_counters(rig.broker)->asks_refused_total, 0);
}

static void
what_is_not_granted_is_not(void **state)
{
    uint64_t id;

    (void)state;
    rule.grants = CONFIG_GRANT_PUBLISH;
    id = open_call();
    ask_of(id, "text", "\"text\":\"hello\"", "-32005");
    assert_non_null(strstr(a.text, "workers.rules.arm.grants"));
    ask_of(id, "update", "\"config\":{}", "-32005");
    ask_of(id, "history", "", "-32005");
    ask_of(id, "end", "", "-32005");
    ask_of(id, "publish", "\"name\":\"n\"", "\"result\":{}");
    assert_int_equal(asked.count, 1);
}

static void
wrong_params_are_told(void **state)
{
    static char big[20000];
    uint64_t id = open_call();

    (void)state;
    ask("text", "{\"text\":\"x\"}", "-32602");
    ask("text", "[]", "-32602");
    ask("end", "{\"call\":5}", "-32602");
    ask("publish", "{\"call\":\"x\",\"name\":\"n\"}", "-32602");
    ask_of(id, "text", "", "-32602");
    ask_of(id, "text", "\"text\":\"\"", "-32602");
    ask_of(id, "text", "\"text\":\"\xff\"", "-32602");
    ask_of(id, "update", "\"config\":[]", "-32602");
    ask_of(id, "history", "\"append\":{\"role\":\"user\"}", "-32602");
    ask_of(id, "history", "\"append\":{\"text\":\"x\"}", "-32602");
    ask_of(id, "end", "\"within_ms\":-1", "-32602");
    ask_of(id, "end", "\"within_ms\":1e99", "-32602");
    ask_of(id, "publish", "", "-32602");
    ask_of(id, "publish", "\"name\":\"n\",\"data\":\"\xc0\x80\"", "-32602");
    snprintf(big, sizeof big, "\"name\":\"n\",\"data\":\"%016384d\"", 0);
    ask_of(id, "publish", big, "-32602");
    snprintf(big, sizeof big, "\"text\":\"%08193d\"", 0);
    ask_of(id, "text", big, "-32602");
    snprintf(big, sizeof big, "\"text\":\"%08192d\"", 0);
    ask_of(id, "text", big, "\"result\"");
    ask("dance", "{}", "-32601");
    assert_int_equal(asked.count, 1);
}

static void
a_call_that_is_over_asks_nothing(void **state)
{
    uint64_t id = open_call();

    (void)state;
    ask_of(id + 1, "text", "\"text\":\"x\"", "-32004");
    remote_peer_answer(&a, id, "held");
    remote_peer_until_ends(&rig, 1);
    ask_of(id, "text", "\"text\":\"x\"", "-32004");
    ask_of(id, "publish", "\"name\":\"n\"", "-32004");
    ask("publish", "{\"name\":\"n\"}", "\"result\"");
    assert_int_equal(asked.count, 1);
}

static void
what_the_gateway_says_is_answered(void **state)
{
    uint64_t id = open_call();

    (void)state;
    asked.status = VR_INVALID;
    ask_of(id, "text", "\"text\":\"x\"", "-32602");
    assert_non_null(strstr(a.text, "as the test says"));
    asked.status = VR_NOT_FOUND;
    ask_of(id, "text", "\"text\":\"x\"", "-32004");
    asked.status = VR_UNSUPPORTED;
    ask_of(id, "text", "\"text\":\"x\"", "-32601");
    asked.status = VR_NO_MEMORY;
    ask_of(id, "history", "", "-32603");
}

static void
events_have_a_rate(void **state)
{
    unsigned refused;

    (void)state;
    open_call();
    for (int i = 0; i < 200; i++)
        remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"method\":"
                            "\"voxring/publish\",\"params\":{\"name\":\"n\"}}");
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}");
    remote_peer_await(&a, "\"id\":8");
    refused = (unsigned)broker_counters(rig.broker)->asks_refused_total;
    assert_int_equal(asked.count + refused, 200);
    assert_in_range(asked.count, 50, 200);
}

static void
asking_may_end_the_call(void **state)
{
    uint64_t id = open_call();

    (void)state;
    asked.cancels = true;
    ask_of(id, "end", "", "\"result\":{}");
    remote_peer_until_ends(&rig, 1);
    assert_int_equal(rig.ends[0].outcome, TOOL_CANCELLED);
    ask_of(id, "end", "", "-32004");
}

static bool
is_closed(const struct rig *r)
{
    return r->closed;
}

static void
asking_may_close_the_gateway(void **state)
{
    uint64_t id = open_call();

    (void)state;
    asked.closes = true;
    remote_peer_say(&a,
                    "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":"
                    "\"voxring/end\",\"params\":{\"call\":\"%" PRIu64 "\"}}",
                    id);
    rig_until(&rig, is_closed);
    assert_int_equal(asked.count, 1);
    assert_int_equal(rig.ends[0].outcome, TOOL_CANCELLED);
}

static void
asks_have_a_rate(void **state)
{
    uint64_t id = open_call();

    (void)state;
    for (int i = 0; i < 300; i++)
        remote_peer_say(&a,
                        "{\"jsonrpc\":\"2.0\",\"id\":\"t\",\"method\":"
                        "\"voxring/text\",\"params\":{\"call\":\"%" PRIu64
                        "\",\"text\":\"now\"}}",
                        id);
    remote_peer_await(&a, "try again in a second");
    assert_non_null(strstr(a.text, "-32603"));
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}");
    remote_peer_await(&a, "\"id\":8");
    assert_int_equal(
        asked.count + broker_counters(rig.broker)->asks_refused_total, 300);
    assert_in_range(asked.count, 20, 299);
}

static void
progress_is_bounded(void **state)
{
    uint64_t id = open_call();

    (void)state;
    remote_peer_say(&a,
                    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                    "progress\",\"params\":{\"progressToken\":\"%" PRIu64
                    "\",\"progress\":1e999}}",
                    id);
    for (int i = 1; i <= 300; i++)
        remote_peer_say(&a,
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                        "progress\",\"params\":{\"progressToken\":\"%" PRIu64
                        "\",\"progress\":%d}}",
                        id, i);
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}");
    remote_peer_await(&a, "\"id\":8");
    assert_int_equal(broker_counters(rig.broker)->malformed_total, 1);
    assert_int_equal(rig.progress_count +
                         broker_counters(rig.broker)->progress_dropped_total,
                     300);
    assert_in_range(rig.progress_count, 100, 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_granted_is_asked),
        TEST(what_is_not_granted_is_not),
        TEST(wrong_params_are_told),
        TEST(a_call_that_is_over_asks_nothing),
        TEST(what_the_gateway_says_is_answered),
        TEST(events_have_a_rate),
        TEST(asking_may_end_the_call),
        TEST(asking_may_close_the_gateway),
        TEST(asks_have_a_rate),
        TEST(progress_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
