/* Calls to workers that are no children: sharing, death, hanging, names that
 * nobody offers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <zmq.h>

#include "tests/toolbroker/remote_peer.h"

#define GRAB "{\"name\":\"grab\"}"
#define LOOK \
    "{\"name\":\"look\",\"_meta\":{\"voxring/threading\":\"parallel\"}}"

static struct rig rig;
static struct remote_peer a, b;
static struct config_provider rule;
static struct config_providers rules = {&rule, 1};

static int
start(void **state)
{
    static char any[] = "*";

    (void)state;
    rig_init(&rig);
    rule = *config_provider_default(CONFIG_PROVIDER_WORKER);
    rule.name = any;
    rig.config.worker_rules = &rules;
    rig.config.worker_grace_ms = 60000;
    return 0;
}

static void
open_all(void)
{
    rig_open(&rig);
    remote_peer_open(&a, &rig, broker_endpoint(rig.broker));
    remote_peer_open(&b, &rig, broker_endpoint(rig.broker));
}

static int
stop(void **state)
{
    (void)state;
    remote_peer_close_all();
    rig_fini(&rig);
    return 0;
}

static void
those_of_one_name_share_the_calls(void **state)
{
    uint64_t first[2], second[2];

    (void)state;
    open_all();
    remote_peer_offer(&a, "eye", "", LOOK);
    remote_peer_offer(&b, "eye", "", LOOK "," GRAB);
    for (int i = 0; i < 4; i++)
        rig_call(&rig, "look", "{}", 0);
    for (int i = 0; i < 2; i++) {
        first[i] = remote_peer_call(&a);
        second[i] = remote_peer_call(&b);
    }
    rig_call(&rig, "grab", "{}", 0);
    remote_peer_answer(&b, remote_peer_call(&b), "only b has this one");
    for (int i = 0; i < 2; i++) {
        remote_peer_answer(&a, first[i], "a");
        remote_peer_answer(&b, second[i], "b");
    }
    remote_peer_until_ends(&rig, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig.ends[i].outcome, TOOL_OK);
}

static void
calls_of_one_process_have_their_limit(void **state)
{
    uint64_t id;

    (void)state;
    rule.concurrent_calls = 1;
    open_all();
    remote_peer_offer(&a, "eye", "", LOOK);
    rig_call(&rig, "look", "{}", 0);
    rig_call(&rig, "look", "{}", 0);
    id = remote_peer_call(&a);
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}");
    remote_peer_await(&a, "\"");
    assert_non_null(strstr(a.text, "\"id\":3"));
    remote_peer_answer(&a, id, "seen");
    remote_peer_answer(&a, remote_peer_call(&a), "seen");
    remote_peer_until_ends(&rig, 2);
}

static void
an_answer_counts_from_the_one_that_was_asked(void **state)
{
    uint64_t id;

    (void)state;
    open_all();
    remote_peer_offer(&a, "eye", "", GRAB);
    remote_peer_offer(&b, "leg", "", LOOK);
    id = rig_call(&rig, "grab", "{}", 0);
    assert_true(remote_peer_call(&a) == id);
    remote_peer_answer(&b, id, "forged");
    remote_peer_say(&b, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}");
    remote_peer_await(&b, "\"id\":3");
    assert_int_equal(rig.end_count, 0);
    remote_peer_answer(&a, id, "real");
    remote_peer_until_ends(&rig, 1);
    assert_string_equal(rig.ends[0].content, "{\"result\":\"real\"}");
}

static bool
has_crash(const struct rig *r)
{
    return rig_notice(r, BROKER_CRASHED, "eye") != NULL;
}

static void
the_calls_of_a_silent_one_fail_and_the_others_go_on(void **state)
{
    uint64_t lost, kept;

    (void)state;
    rig.config.worker_expires_ms = 300;
    open_all();
    remote_peer_offer(&a, "eye", ",\"instance\":\"pid 12\"", LOOK);
    remote_peer_offer(&b, "eye", ",\"instance\":\"pid 13\"", LOOK);
    lost = rig_call(&rig, "look", "{}", 0);
    assert_true(remote_peer_call(&a) == lost);
    kept = rig_call(&rig, "look", "{}", 0);
    assert_true(remote_peer_call(&b) == kept);
    a.silent = true;
    remote_peer_until_ends(&rig, 1);
    assert_int_equal(rig_end(&rig, lost)->outcome, TOOL_CRASHED);
    assert_non_null(
        strstr(rig_end(&rig, lost)->reason, "the worker eye (pid 12) is gone"));
    assert_true(has_crash(&rig));
    assert_int_equal(broker_counters(rig.broker)->worker_deaths_total, 1);
    remote_peer_answer(&b, kept, "seen");
    remote_peer_until_ends(&rig, 2);
    assert_int_equal(rig_end(&rig, kept)->outcome, TOOL_OK);
    /* what comes of the dead is a stranger's */
    remote_peer_answer(&a, lost, "late");
    remote_peer_await(&a, "-32003");
    assert_int_equal(broker_tool_count(rig.broker), 1);
}

static void
calls_wait_for_a_successor(void **state)
{
    unsigned changes;
    uint64_t id;

    (void)state;
    rig.config.worker_expires_ms = 300;
    open_all();
    remote_peer_offer(&a, "eye", "", LOOK);
    remote_peer_close(&a);
    remote_peer_until(&rig, has_crash);
    changes = rig.changes;
    id = rig_call(&rig, "look", "{}", 0);
    remote_peer_hello(&b, "eye", "");
    remote_peer_list(&b, LOOK);
    assert_true(remote_peer_call(&b) == id);
    remote_peer_answer(&b, id, "seen");
    remote_peer_until_ends(&rig, 1);
    assert_int_equal(rig.ends[0].outcome, TOOL_OK);
    assert_int_equal(rig.changes, changes);
    assert_non_null(rig_notice(&rig, BROKER_RESTARTED, "eye"));
}

static void
after_the_grace_tools_and_calls_go(void **state)
{
    uint64_t id;

    (void)state;
    rig.config.worker_expires_ms = 300;
    rig.config.worker_grace_ms = 300;
    open_all();
    remote_peer_offer(&a, "eye", "", LOOK);
    a.silent = true;
    remote_peer_until(&rig, has_crash);
    id = rig_call(&rig, "look", "{}", 0);
    remote_peer_until_tools(&rig, 0);
    remote_peer_until_ends(&rig, 1);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_CRASHED);
    assert_non_null(strstr(rig_end(&rig, id)->reason, "start it again"));
    assert_non_null(rig_notice(&rig, BROKER_GONE, "eye"));
}

static void
a_worker_that_never_answers_is_left_alone_in_the_end(void **state)
{
    (void)state;
    rule.concurrent_calls = 2;
    open_all();
    remote_peer_offer(&a, "eye", "", LOOK);
    rig_call(&rig, "look", "{}", 20);
    rig_call(&rig, "look", "{}", 20);
    remote_peer_until_ends(&rig, 2);
    assert_int_equal(rig.ends[0].outcome, TOOL_TIMEOUT);
    remote_peer_await(&a, "notifications/cancelled");
    remote_peer_await(&a, "-32003");
    assert_true(has_crash(&rig));
    remote_peer_offer(&a, "eye", "", LOOK);
    rig_call(&rig, "look", "{}", 0);
    remote_peer_answer(&a, remote_peer_call(&a), "awake");
    remote_peer_until_ends(&rig, 3);
    assert_int_equal(rig.ends[2].outcome, TOOL_OK);
}

static void
a_serial_tool_that_hangs_is_not_waited_for(void **state)
{
    uint64_t id;

    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "",
                      "{\"name\":\"grab\",\"_meta\":{\"voxring/mode\":"
                      "\"async\"}}," LOOK);
    id = rig_call(&rig, "grab", "{}", 0);
    assert_true(remote_peer_call(&a) == id);
    broker_cancel(rig.broker, id);
    id = rig_call(&rig, "grab", "{}", 0);
    remote_peer_until_ends(&rig, 2);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_ERROR);
    assert_non_null(strstr(rig_end(&rig, id)->reason, "hangs"));
    rig_call(&rig, "look", "{}", 0);
    remote_peer_answer(&a, remote_peer_call(&a), "seen");
    remote_peer_until_ends(&rig, 3);
    assert_int_equal(rig.ends[2].outcome, TOOL_OK);
}

static void
names_that_nobody_offers_go_to_who_takes_them(void **state)
{
    uint64_t id;

    (void)state;
    open_all();
    remote_peer_offer(&a, "rest", ",\"catchAll\":true", "");
    assert_int_equal(rig_ask(&rig, "dance", "{}", 0)->outcome, TOOL_ERROR);
    assert_false(broker_takes(rig.broker, "dance"));
    rule.catch_all = true;
    remote_peer_offer(&b, "rest", ",\"catchAll\":true", LOOK);
    assert_true(broker_takes(rig.broker, "dance"));
    assert_true(broker_takes(rig.broker, "look"));
    id = rig_call(&rig, "dance", "{\"how\":\"wild\"}", 0);
    assert_true(remote_peer_call(&b) == id);
    assert_non_null(strstr(b.text, "\"name\":\"dance\""));
    remote_peer_answer(&b, id, "done");
    remote_peer_until_ends(&rig, 2);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_OK);
    assert_int_equal(rig_ask(&rig, "dance", "[]", 0)->outcome, TOOL_ERROR);
    remote_peer_say(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"voxring/bye\"}");
    remote_peer_until_tools(&rig, 0);
    assert_int_equal(rig_ask(&rig, "dance", "{}", 0)->outcome, TOOL_ERROR);
}

/* Both ends are in this thread: who waited for room would wait for ever. */
static void
say_at_last(struct remote_peer *peer, const char *text)
{
    while (zmq_send(peer->socket, text, strlen(text), ZMQ_DONTWAIT) < 0) {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        while (remote_peer_take(peer))
            ;
    }
}

static void
a_flood_costs_the_others_nothing(void **state)
{
    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", GRAB);
    remote_peer_offer(&b, "eye", "", LOOK);
    a.silent = true;
    for (int i = 0; i < 3000; i++) {
        say_at_last(&a, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}");
        say_at_last(&a, "{\"jsonrpc\":\"2.0\",\"method\":"
                        "\"notifications/message\",\"params\":{\"data\":"
                        "\"x\"}}");
        if (i % 500 != 0)
            continue;
        rig_call(&rig, "look", "{}", 0);
        remote_peer_answer(&b, remote_peer_call(&b), "seen");
    }
    remote_peer_until_ends(&rig, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(rig.ends[i].outcome, TOOL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(those_of_one_name_share_the_calls),
        TEST(calls_of_one_process_have_their_limit),
        TEST(an_answer_counts_from_the_one_that_was_asked),
        TEST(the_calls_of_a_silent_one_fail_and_the_others_go_on),
        TEST(calls_wait_for_a_successor),
        TEST(after_the_grace_tools_and_calls_go),
        TEST(a_worker_that_never_answers_is_left_alone_in_the_end),
        TEST(a_serial_tool_that_hangs_is_not_waited_for),
        TEST(names_that_nobody_offers_go_to_who_takes_them),
        TEST(a_flood_costs_the_others_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
