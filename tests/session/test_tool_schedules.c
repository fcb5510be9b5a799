/* Exactly one toolResult per toolUse, in random schedules over all that can
 * happen to a call: every outcome, cancelling, barge-in, the same call again,
 * results of any size, streams that are lost, changed, refuse or are closed.
 * What a stream was sent is held against what was told of each call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/session/ending.h"
#include "gateway/session/link.h"
#include "gateway/session/self.h"
#include "tests/session/rig.h"

#define SEEDS 240
#define STEPS 100
#define USES_MAX 128

static struct rig rig;
static uint32_t seed, running; /* running: the schedule's number, 0 none */
static char large[1200 * 1000];

/* One toolUse, by the number of its call; uses[0] is none. */
static struct use {
    char id[24];
    unsigned stream; /* that asked */
    int joins;       /* the call whose result it gets, 0 none */
    bool ended;
    bool waited; /* its stream was the current one before and after its end */
} uses[USES_MAX];
static int asked;
static size_t read_news;

static const struct {
    const char *json;
    bool silent;  /* a model that needs placeholders */
    bool nothing; /* what a cancelled call sends */
} settings[] = {
    {"{\"end_conversation\":\"on\",\"rotate_gap_s\":0,"
     "\"interrupt_on\":[\"speech_start\",\"marker\",\"stop_reason\"]}",
     false, false},
    {"{\"cancelled_result\":\"nothing\",\"rotate_gap_s\":0,"
     "\"rotate_tool_wait_s\":0}",
     false, true},
    {"{\"model\":\"amazon.nova-sonic-v1:0\",\"end_conversation\":\"on\","
     "\"rotate_gap_s\":0,\"rotate_tool_wait_s\":0.01}",
     true, false},
    {"{\"model\":\"amazon.nova-sonic-v1:0\",\"async_result_s\":0.005,"
     "\"cancelled_result\":\"nothing\",\"rotate_gap_s\":0}",
     true, true},
};

static unsigned
any(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void
on_call(const struct broker_caller *caller)
{
    (void)caller;
    ending_begin(rig.session, any(50), true, NULL);
}

/* ---- what can happen ---- */

static void
model_calls(void)
{
    static const char *const tools[] = {"clock", "search", "search",
                                        "drive", "ghost",  ENDING_TOOL};
    static const char *const arguments[] = {
        "{}", "null", "", "{\"a\":1}", "\"{\\\"a\\\":1}\"", "{oops"};
    char id[24];
    if (asked >= USES_MAX - 1)
        return;
    asked = any(8) ? asked + 1 : asked;
    snprintf(id, sizeof id, "use-%d.", asked);
    rig_tool_use(id, tools[any(6)], arguments[any(6)]);
}

static void
tool_ends(void)
{
    size_t at = fake_broker.call_count ? any((unsigned)fake_broker.call_count)
                                       : FAKE_CALLS_MAX;
    bool failed = any(2);
    if (at >= fake_broker.call_count || !fake_broker.calls[at].on_result)
        return;
    if (failed && !fake_broker.calls[at].cancelled)
        fake_broker_end(at, (enum tool_outcome)(1 + any(4)),
                        "{\"error\":\"no\"}", "as it goes");
    else if (failed)
        fake_broker_end(at, TOOL_CANCELLED, "{\"error\":\"no\"}", "as it goes");
    else
        fake_broker_end(at, TOOL_OK, any(25) ? "{\"a\":1}" : large, NULL);
}

static void
somebody_speaks(void)
{
    uint64_t audio;
    switch (any(6)) {
    case 0:
        rig_user_says(&rig, "no, wait");
        break;
    case 1:
        rig_speech(any(2));
        break;
    case 2:
        rig_marker(&rig);
        break;
    case 3:
        rig_said(&rig, "I am", any(2) ? "INTERRUPTED" : "PARTIAL_TURN");
        break;
    case 4:
        rig_plans(&rig, "I am looking.");
        break;
    case 5:
        audio = rig_audio_begins(&rig);
        rig_audio(audio, any(60));
        rig_content_ends(audio, "AUDIO", any(3) ? "END_TURN" : "PARTIAL_TURN");
        break;
    }
}

static void
people_act(void)
{
    double heard_ms;
    switch (any(6)) {
    case 0:
        (void)!session_interrupt(rig.session, &heard_ms);
        break;
    case 1:
        fake_broker_deliver_cancelled();
        break;
    case 2:
        session_reset(rig.session, any(2));
        break;
    case 3:
        if (!any(4))
            session_sleep(rig.session);
        break;
    case 4:
        session_rotate(rig.session);
        break;
    case 5:
        fake_broker.closing = !any(4);
        break;
    }
}

static void
stream_changes(void)
{
    struct bedrock_end refusal =
        fake_stream_error("validationException", "Tool Response parsing error");
    switch (any(7)) {
    case 0:
        fake_stream.full = true;
        break;
    case 1:
        fake_stream_room();
        break;
    case 2:
        if (fake_stream.connected)
            fake_stream_except(&refusal);
        break;
    case 3:
        if (!any(3))
            fake_stream_end(BEDROCK_END_rst_stream, any(2));
        break;
    case 4:
        rig_run(&rig, any(8));
        break;
    default:
        session_open(rig.session);
        if (fake_stream.open && !fake_stream.connected)
            rig_accept();
    }
}

/* The newest stream, or, now and then, one that is parting. */
static void
choose_stream(void)
{
    unsigned number = fake_endpoint.opened ? any(fake_endpoint.opened) + 1 : 0;
    bool other = number && !any(4) && fake_stream_at(number)->open &&
                 fake_stream_at(number)->connected;
    fake_stream_select(other ? number : 0);
}

static void
step(void)
{
    unsigned what = any(20);
    if (what < 7 && fake_stream.connected)
        model_calls();
    else if (what < 11)
        tool_ends();
    else if (what < 15 && fake_stream.connected)
        somebody_speaks();
    else if (what < 17)
        people_act();
    else if (what < 19)
        stream_changes();
    else
        rig_step(&rig);
}

/* ---- what is told of it ---- */

/* Whether the model could be answered on this stream. */
static bool
is_current(unsigned number)
{
    return number && rig.session->leg.link &&
           rig.session->leg.generation == number &&
           fake_stream_at(number)->open && !fake_stream_at(number)->finished;
}

/* 64-bit numbers are texts in events. */
static int
number_in(const cJSON *news, const char *member)
{
    return (int)strtol(jsonx_text(news, member, "0"), NULL, 10);
}

static struct use *
use_of(const cJSON *news)
{
    int number = number_in(news, "call");
    assert_in_range(number, 1, USES_MAX - 1);
    return &uses[number];
}

static void
note_call(const cJSON *call, unsigned stream)
{
    struct use *u = use_of(call);
    assert_int_equal(u->stream, 0);
    u->stream = stream;
    u->joins = number_in(call, "joins");
    snprintf(u->id, sizeof u->id, "%s", jsonx_text(call, "tool_use_id", ""));
}

static void
note_result(const cJSON *result, unsigned current)
{
    struct use *u = use_of(result);
    assert_true(u->stream);
    assert_false(u->ended);
    u->ended = true;
    /* A model that refuses results waits for none (PROTOCOL 5.2). */
    bool refused = strstr(jsonx_text(result, "reason", ""), "has refused");
    u->waited = u->stream == current && is_current(u->stream) && !refused &&
                link_clear(rig.session->leg.link);
}

/* What was told in the last step, before which this stream was current. */
static void
read_on(unsigned asking, unsigned current)
{
    for (; read_news < fake_news_count; read_news++) {
        const struct fake_news *n = &fake_news[read_news];
        if (strcmp(n->type, "tool_call") == 0)
            note_call(n->data, asking);
        else if (strcmp(n->type, "tool_result") == 0)
            note_result(n->data, current);
    }
}

/* Who waits for a call waits no longer than that one runs. */
static void
check_joined(void)
{
    for (int i = 1; i < USES_MAX; i++) {
        const struct use *u = &uses[i];
        if (u->joins && uses[u->joins].ended && !u->ended)
            fail_msg("%s still waits for %s", u->id, uses[u->joins].id);
    }
}

static unsigned
selected(void)
{
    for (unsigned n = fake_endpoint.opened; n > 0; n--) {
        if (fake_stream_at(n) == fake_stream_selected())
            return n;
    }
    return 0;
}

/* ---- what must hold ---- */

static size_t
answers(unsigned number, const struct use *u, const char **content)
{
    const struct fake_wire *f = fake_stream_at(number);
    size_t count = 0;
    for (size_t i = 0; i < f->event_count; i++) {
        if (!strstr(f->events[i], "\"toolUseId\"") ||
            !strstr(f->events[i], u->id))
            continue;
        count++;
        assert_true(i + 1 < f->event_count);
        *content = f->events[i + 1];
        assert_non_null(strstr(*content, "\"toolResult\""));
    }
    return count;
}

static void
check_use(size_t number, bool nothing)
{
    struct use *u = &uses[number];
    const char *content = "";
    char call[8];
    snprintf(call, sizeof call, "%zu", number);
    for (unsigned n = 1; n <= fake_endpoint.opened; n++) {
        if (n != u->stream)
            assert_int_equal(answers(n, u, &content), 0);
    }
    size_t count = answers(u->stream, u, &content);
    const char *delivery = rig_result(call, "delivery");
    bool cancelled = strcmp(rig_result(call, "outcome"), "cancelled") == 0;
    if (count > 1)
        fail_msg("%s has %zu results", u->id, count);
    if (count == 0 && u->waited && !(cancelled && nothing))
        fail_msg("%s: its stream was there, and it has no result: %s, %s",
                 u->id, delivery, rig_result(call, "reason"));
    if (count && !strstr(content, "running") && !settings[running % 4].silent)
        assert_string_equal(delivery, "answer");
}

static void
check_all(void)
{
    const size_t calls = fake_bus_count("tool_call", NULL, NULL);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), calls);
    for (size_t i = 1; i <= calls; i++) {
        assert_true(uses[i].ended);
        check_use(i, settings[running % 4].nothing);
    }
    assert_int_equal(calls_open(rig.session->calls), 0);
}

/* ---- one schedule ---- */

static void
close_it(void)
{
    uint32_t generation = rig.session->leg.generation;
    bool open =
        is_current(generation) && !link_finishing(rig.session->leg.link);
    session_close(rig.session);
    read_on(0, open ? generation : 0);
    fake_broker_deliver_cancelled();
    for (unsigned n = 1; n <= fake_endpoint.opened; n++) {
        fake_stream_select(n);
        fake_stream_room();
        fake_stream_end(BEDROCK_END_end_stream, any(2));
    }
    fake_stream_select(0);
    read_on(0, 0);
    assert_int_equal(session_state(rig.session), SESSION_closed);
}

static void
begin(uint32_t number)
{
    seed = number * 2654435761u;
    memset(uses, 0, sizeof uses);
    asked = 0;
    read_news = 0;
    rig_bedrock("{\"retry_base_ms\":1,\"retry_cap_ms\":2,\"retry_slow_s\":0.2,"
                "\"max_streams\":3}");
    rig_open(&rig, settings[number % 4].json);
    fake_broker_offer("clock", "{}");
    fake_broker_offer_async("search");
    fake_broker_offer_async("drive")->cancel_on_interrupt = true;
    fake_broker_offer(ENDING_TOOL, "{}")->kind = BROKER_PROVIDER_BUILTIN;
    fake_broker.on_call = on_call;
    assert_true(session_open(rig.session));
    rig_accept();
}

static void
run(uint32_t number)
{
    begin(number);
    for (int i = 0; i < STEPS; i++) {
        uint32_t generation = rig.session->leg.generation;
        bool open =
            is_current(generation) && !link_finishing(rig.session->leg.link);
        choose_stream();
        unsigned asking = selected();
        step();
        read_on(asking, open ? generation : 0);
        check_joined();
    }
    close_it();
    check_all();
    rig_close(&rig);
}

static int
tell_which(void **state)
{
    (void)state;
    if (running)
        print_message("in schedule %u\n", running);
    return 0;
}

static void
test_one_result_for_one_use(void **state)
{
    size_t all = 0, told = 0;
    (void)state;
    memset(large, 'x', sizeof large);
    memcpy(large, "{\"a\":\"", 6);
    memcpy(large + sizeof large - 3, "\"}", 3);
    for (running = 1; running <= SEEDS; running++) {
        run(running);
        for (int i = 1; i < USES_MAX; i++) {
            all += uses[i].ended;
            told += uses[i].waited;
        }
    }
    running = 0;
    print_message("%zu calls, %zu of them on a stream that lived on\n", all,
                  told);
    assert_true(told > all / 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_one_result_for_one_use, tell_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
