/* Workers that are no children: who may be one, what they offer, how they
 * leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <zmq.h>

#include "gateway/toolbroker/broker_internal.h"
#include "gateway/toolbroker/remote.h"
#include "tests/toolbroker/remote_peer.h"

#define GRAB "{\"name\":\"grab\"}"
#define DROP "{\"name\":\"drop\"}"
#define ARM GRAB "," DROP

static struct rig rig;
static struct remote_peer a, b;
static struct config_provider rule;
static struct config_providers rules = {&rule, 1};

static void
use_rule(const char *name)
{
    rule = *config_provider_default(CONFIG_PROVIDER_WORKER);
    rule.name = (char *)name;
    rig.config.worker_rules = &rules;
}

static int
start(void **state)
{
    (void)state;
    rig_init(&rig);
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
refused(struct remote_peer *peer, const char *name, const char *more,
        const char *part)
{
    remote_peer_hello(peer, name, more);
    remote_peer_await(peer, "\"id\":1");
    if (!strstr(peer->text, "-32001") || !strstr(peer->text, part))
        fail_msg("%s -> %s", name, peer->text);
}

static void
welcome(struct remote_peer *peer, const char *name, const char *more)
{
    remote_peer_hello(peer, name, more);
    remote_peer_await(peer, "\"id\":1");
    if (!strstr(peer->text, "\"result\""))
        fail_msg("%s -> %s", name, peer->text);
}

static void
one_offers_and_answers(void **state)
{
    const struct rig_end *end;
    uint64_t id;

    (void)state;
    open_all();
    remote_peer_hello(&a, "arm", ",\"instance\":\"pid 7\"");
    remote_peer_await(&a, "\"result\"");
    assert_string_equal(
        a.text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,"
                "\"gateway\":\"voxring/" VOXRING_VERSION "\",\"name\":\"arm\","
                "\"heartbeat_ms\":1000,\"expires_ms\":3000}}");
    remote_peer_list(&a, ARM);
    remote_peer_until_tools(&rig, 2);
    assert_int_equal(broker_find(rig.broker, "grab")->kind,
                     BROKER_PROVIDER_WORKER);
    assert_string_equal(broker_find(rig.broker, "grab")->provider, "arm");
    assert_non_null(rig_notice(&rig, BROKER_OFFERED, "arm"));
    id = rig_call(&rig, "grab", "{\"what\":\"cup\"}", 0);
    assert_true(remote_peer_call(&a) == id);
    assert_non_null(strstr(a.text, "\"arguments\":{\"what\":\"cup\"}"));
    assert_non_null(strstr(a.text, "\"voxring/timeout_ms\":"));
    remote_peer_answer(&a, id, "held");
    remote_peer_until_ends(&rig, 1);
    end = rig_end(&rig, id);
    assert_int_equal(end->outcome, TOOL_OK);
    assert_string_equal(end->content, "{\"result\":\"held\"}");
}

static void
a_call_without_a_deadline_is_told_none(void **state)
{
    uint64_t id;

    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "",
                      "{\"name\":\"go\",\"_meta\":{\"voxring/mode\":"
                      "\"async\"}}");
    id = rig_call(&rig, "go", "{}", 0);
    assert_true(remote_peer_call(&a) == id);
    assert_null(strstr(a.text, "timeout_ms"));
    remote_peer_answer(&a, id, "there");
    remote_peer_until_ends(&rig, 1);
}

static void
names_have_rules(void **state)
{
    (void)state;
    rig_install(&rig, "echo");
    open_all();
    refused(&a, "", "", "1 to 32");
    refused(&a, "a b", "", "1 to 32");
    refused(&a, "a234567890123456789012345678901234", "", "1 to 32");
    refused(&a, "echo", "", "plugins/echo.so");
    refused(&a, "arm", ",\"error\":\"no port\"", "no port");
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                        "\"voxring/hello\",\"params\":{\"protocol\":2,"
                        "\"name\":\"arm\"}}");
    remote_peer_await(&a, "protocol 2");
    assert_int_equal(broker_counters(rig.broker)->refused_workers_total, 6);
    assert_non_null(rig_notice(&rig, BROKER_REFUSED, "echo"));
    welcome(&a, "arm", "");
}

static void
those_that_are_not_listed_are_refused(void **state)
{
    (void)state;
    use_rule("arm");
    rig.config.workers_accept = CONFIG_ACCEPT_LISTED;
    open_all();
    refused(&a, "leg", "", "workers.rules has no entry leg");
    welcome(&a, "arm", "");
}

static void
a_token_is_compared(void **state)
{
    char path[128];
    FILE *f;

    (void)state;
    use_rule("*");
    snprintf(path, sizeof path, "%s/token", rig.dir);
    rule.token_file = path;
    open_all();
    refused(&a, "arm", ",\"token\":\"secret\"", "is no file");
    f = fopen(path, "w");
    fputs("secret\n", f);
    fclose(f);
    refused(&a, "arm", "", "sent no token");
    refused(&a, "arm", ",\"token\":\"Secret\"", "wrong token");
    refused(&a, "arm", ",\"token\":\"secre\"", "wrong token");
    refused(&a, "arm", ",\"token\":\"secrets\"", "wrong token");
    assert_null(strstr(a.text, "secrets"));
    welcome(&a, "arm", ",\"token\":\"secret\"");
}

static void
config_says_which_tools(void **state)
{
    char name[] = "grab", *names[] = {name};

    (void)state;
    use_rule("arm");
    rule.tools.all = false;
    rule.tools.items = names;
    rule.tools.count = 1;
    open_all();
    remote_peer_offer(&a, "arm", "", ARM);
    assert_int_equal(broker_tool_count(rig.broker), 1);
    assert_non_null(broker_find(rig.broker, "grab"));
    assert_string_equal(rig_notice(&rig, BROKER_REFUSED, "arm")->tool, "drop");
    assert_non_null(strstr(rig_notice(&rig, BROKER_REFUSED, "arm")->reason,
                           "workers.rules.arm.tools"));
}

static void
the_last_ones_bye_takes_the_tools(void **state)
{
    uint64_t id;

    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", ARM);
    remote_peer_offer(&b, "arm", "", GRAB);
    assert_int_equal(broker_tool_count(rig.broker), 2);
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"method\":\"voxring/bye\"}");
    remote_peer_until_tools(&rig, 1);
    id = rig_call(&rig, "grab", "{}", 0);
    assert_true(remote_peer_call(&b) == id);
    remote_peer_say(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"voxring/bye\"}");
    remote_peer_until_tools(&rig, 0);
    remote_peer_until_ends(&rig, 1);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_CRASHED);
    assert_non_null(strstr(rig_end(&rig, id)->reason, "arm has left"));
    assert_int_equal(broker_counters(rig.broker)->worker_deaths_total, 0);
    remote_peer_say(&b, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"}");
    remote_peer_await(&b, "-32003");
    remote_peer_offer(&b, "arm", "", ARM);
    assert_int_equal(broker_tool_count(rig.broker), 2);
}

static void
lists_change_while_calls_run(void **state)
{
    uint64_t drop, grab;

    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", DROP);
    drop = rig_call(&rig, "drop", "{}", 0);
    assert_true(remote_peer_call(&a) == drop);
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"method\":"
                        "\"notifications/tools/list_changed\"}");
    remote_peer_list(&a, ARM);
    remote_peer_until_tools(&rig, 2);
    grab = rig_call(&rig, "grab", "{}", 0);
    assert_true(remote_peer_call(&a) == grab);
    for (int i = 0; i < 100; i++)
        remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"method\":"
                            "\"notifications/tools/list_changed\"}");
    remote_peer_list(&a, GRAB);
    remote_peer_until_tools(&rig, 1);
    assert_int_equal(rig.end_count, 0);
    remote_peer_answer(&a, drop, "dropped");
    remote_peer_answer(&a, grab, "grabbed");
    remote_peer_until_ends(&rig, 2);
    assert_int_equal(rig_end(&rig, drop)->outcome, TOOL_OK);
    assert_int_equal(rig_end(&rig, grab)->outcome, TOOL_OK);
}

static void
a_list_that_is_wrong_leaves_the_one_before(void **state)
{
    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", GRAB);
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"method\":"
                        "\"notifications/tools/list_changed\"}");
    remote_peer_list(&a, "{\"name\":\"no good\"}");
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}");
    remote_peer_await(&a, "\"id\":5");
    assert_int_equal(broker_tool_count(rig.broker), 1);
    remote_peer_offer(&b, "leg", "", "{\"name\":\"no good\"}");
    assert_non_null(rig_notice(&rig, BROKER_REFUSED, "leg"));
    assert_int_equal(broker_tool_count(rig.broker), 1);
}

static void
of_two_that_offer_one_tool_the_first_keeps_it(void **state)
{
    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", GRAB);
    remote_peer_offer(&b, "claw", "", GRAB);
    assert_int_equal(broker_tool_count(rig.broker), 1);
    assert_string_equal(broker_find(rig.broker, "grab")->provider, "arm");
    assert_string_equal(rig_notice(&rig, BROKER_REFUSED, "claw")->tool, "grab");
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"method\":\"voxring/bye\"}");
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\"}");
    remote_peer_await(&a, "\"id\":6");
    assert_int_equal(broker_tool_count(rig.broker), 1);
    assert_string_equal(broker_find(rig.broker, "grab")->provider, "claw");
}

static enum tool_outcome
run_builtin(void *arg, const struct broker_caller *caller,
            const cJSON *arguments, char **text)
{
    (void)arg;
    (void)caller;
    (void)arguments;
    *text = strdup("{}");
    return TOOL_OK;
}

static void
the_gateways_own_tool_wins_though_it_comes_later(void **state)
{
    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", ARM);
    assert_int_equal(broker_add_builtin(rig.broker, "grab", "d",
                                        "{\"type\":\"object\"}", run_builtin,
                                        NULL),
                     VR_OK);
    assert_int_equal(broker_find(rig.broker, "grab")->kind,
                     BROKER_PROVIDER_BUILTIN);
    assert_string_equal(rig_notice(&rig, BROKER_REFUSED, "arm")->tool, "grab");
    assert_string_equal(broker_find(rig.broker, "drop")->provider, "arm");
    refused(&b, "grab", "", "has the name of a tool of the gateway itself");
}

static void
a_worker_makes_way_for_what_has_its_name(void **state)
{
    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", ARM);
    remote_evict(broker_provider(rig.broker, "arm"),
                 "its name is that of the plugin /plugins/arm.so");
    assert_int_equal(broker_tool_count(rig.broker), 0);
    remote_peer_await(&a, "-32001");
    assert_non_null(strstr(a.text, "/plugins/arm.so"));
    assert_non_null(rig_notice(&rig, BROKER_REFUSED, "arm"));
}

static void
hellos_and_workers_are_bounded(void **state)
{
    static struct remote_peer many[20];

    (void)state;
    open_all();
    for (int i = 0; i < 16; i++) {
        remote_peer_open(&many[i], &rig, broker_endpoint(rig.broker));
        welcome(&many[i], "arm", "");
    }
    refused(&a, "arm", "", "16 of that name");
    for (int i = 0; i < 31; i++) {
        char name[16];
        struct remote_peer *peer = &many[16 + i % 4];
        if (!peer->socket)
            remote_peer_open(peer, &rig, broker_endpoint(rig.broker));
        snprintf(name, sizeof name, "w%d", i);
        /* the hello under another name is the bye of the one before */
        welcome(peer, name, "");
    }
    welcome(&a, "leg", "");
}

/* A gateway that lives before that of the rig, at the same endpoint. */
static struct rig earlier;

static void
open_earlier(const char *endpoint)
{
    struct broker_config config = {.runtime_dir = rig.dir,
                                   .endpoint = endpoint,
                                   .toolhost_path = "/bin/true"};

    memset(&earlier, 0, sizeof earlier);
    uv_loop_init(&earlier.loop);
    uv_timer_init(&earlier.loop, &earlier.guard);
    earlier.guard.data = &earlier;
    assert_int_equal(
        broker_open(&earlier.broker, &earlier.loop, &config, NULL, NULL, 0),
        VR_OK);
}

static void
close_earlier(void)
{
    broker_close(&earlier.broker, NULL, NULL);
    uv_close((uv_handle_t *)&earlier.guard, NULL);
    uv_run(&earlier.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&earlier.loop), 0);
}

static void
all_say_hello_again_to_a_new_gateway(void **state)
{
    char endpoint[128];
    uint64_t id;

    (void)state;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/tools.sock", rig.dir);
    open_earlier(endpoint);
    remote_peer_open(&a, &earlier, endpoint);
    remote_peer_offer(&a, "arm", "", GRAB);
    close_earlier();
    rig_open(&rig);
    a.rig = &rig;
    remote_peer_say(&a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    remote_peer_await(&a, "-32003");
    remote_peer_offer(&a, "arm", "", GRAB);
    id = rig_call(&rig, "grab", "{}", 0);
    assert_true(remote_peer_call(&a) == id);
    /* and once more, for good measure, while its call runs */
    remote_peer_hello(&a, "arm", "");
    remote_peer_list(&a, GRAB);
    remote_peer_answer(&a, id, "yes");
    remote_peer_until_ends(&rig, 1);
    assert_int_equal(rig_end(&rig, id)->outcome, TOOL_OK);
}

/* Messages that are dear to read, each a large array. */
#define DEAR 12

struct turns {
    uint64_t seen;
    unsigned count;
};

static void
on_turn(uv_check_t *check)
{
    struct turns *turns = check->data;
    uint64_t now = broker_counters(rig.broker)->malformed_total;

    turns->count += now > turns->seen;
    turns->seen = now;
}

static bool
has_read_the_dear(const struct rig *r)
{
    return broker_counters(r->broker)->malformed_total >= DEAR;
}

static void
the_loop_has_its_turns_between_messages_that_are_dear(void **state)
{
    size_t bytes = 1024 * 1024 - 1;
    char *text = malloc(bytes);
    struct turns turns = {0};
    static uv_check_t check;

    (void)state;
    open_all();
    remote_peer_offer(&a, "arm", "", GRAB);
    for (size_t i = 0; i < bytes; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[bytes - 1] = ']';
    uv_check_init(&rig.loop, &check);
    check.data = &turns;
    uv_check_start(&check, on_turn);
    for (int i = 0; i < DEAR; i++)
        zmq_send(a.socket, text, bytes, 0);
    remote_peer_until(&rig, has_read_the_dear);
    uv_close((uv_handle_t *)&check, NULL);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
    free(text);
    /* timers may run twice before a turn is counted */
    assert_in_range(turns.count, DEAR / 3, DEAR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_offers_and_answers),
        TEST(a_call_without_a_deadline_is_told_none),
        TEST(names_have_rules),
        TEST(those_that_are_not_listed_are_refused),
        TEST(a_token_is_compared),
        TEST(config_says_which_tools),
        TEST(the_last_ones_bye_takes_the_tools),
        TEST(lists_change_while_calls_run),
        TEST(a_list_that_is_wrong_leaves_the_one_before),
        TEST(of_two_that_offer_one_tool_the_first_keeps_it),
        TEST(the_gateways_own_tool_wins_though_it_comes_later),
        TEST(a_worker_makes_way_for_what_has_its_name),
        TEST(hellos_and_workers_are_bounded),
        TEST(all_say_hello_again_to_a_new_gateway),
        TEST(the_loop_has_its_turns_between_messages_that_are_dear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
