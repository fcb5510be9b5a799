/* A whole conversation, once for each allocation in it, which fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "tests/session/rig.h"
#include "tests/shared/starve.h"

#define STREAMS 5              /* in the whole conversation */
#define CONVERSATION_MAX 20000 /* allocations; there are far fewer */

static struct rig rig;

static void
answer(void)
{
    rig_plans(&rig, "It is noon.");
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 40);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, "It is noon.", "PARTIAL_TURN");
}

static void
end_tools(const char *content)
{
    for (size_t i = 0; i < fake_broker.call_count; i++) {
        if (fake_broker.calls[i].on_result)
            fake_broker_end(i, TOOL_OK, content, NULL);
    }
}

static void
talk(void)
{
    rig_ask(&rig, 1, "{\"text\":\"hello\",\"wait\":\"response\"}");
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-1", "clock", "{}");
    rig_tool_use("use-1a", "search", "{\"a\":1}");
    rig_tool_use("use-1b", "search", "\"{\\\"a\\\":1}\"");
    end_tools("{\"time\":\"noon\"}");
    answer();
    rig_marker(&rig);
}

/* Whatever stream is being opened now, if any. */
static void
take_stream(void)
{
    while (fake_stream.open && !fake_stream.connected)
        rig_accept();
}

/* Streams change, one is lost in the middle of a question, one is put to sleep
 * and woken, settings change, a tool outlives its stream. */
static void
change_streams(void)
{
    struct history_message message = {.role = HISTORY_USER, .text = "by hand"};
    char why[256];
    rig_user_says(&rig, "what time is it");
    rig_tool_use("use-2", "clock", "{\"a\":1}");
    fake_stream_end(BEDROCK_END_rst_stream, false);
    session_open(rig.session); /* no more backing off */
    take_stream();
    rig_tool_use("use-3", "clock", "{\"a\":1}");
    end_tools("{\"time\":\"one\"}");
    answer();
    session_reset(rig.session, true);
    take_stream();
    rig_update(&rig, 9, "{\"voice\":\"amy\"}");
    (void)!session_history_append(rig.session, &message, 0, why, sizeof why);
    cJSON_Delete(session_history(rig.session));
    session_sleep(rig.session);
    session_open(rig.session);
    take_stream();
}

static void
converse(void)
{
    if (!rig_make_session(&rig, false))
        return;
    session_open(rig.session);
    if (fake_stream.open)
        fake_stream_connect();
    fake_stream_answer();
    rig_plans(&rig, "Hello!"); /* the greeting's answer */
    rig_content_ends(rig_audio_begins(&rig), "AUDIO", "END_TURN");
    rig_said(&rig, "Hello!", "PARTIAL_TURN");
    session_rotate(rig.session);
    take_stream();
    talk();
    change_streams();
    cJSON_Delete(session_description(rig.session));
    cJSON_Delete(session_stats(rig.session));
    rig_ask(&rig, 2, "{\"text\":\"bye\",\"wait\":\"response\"}");
    session_close(rig.session);
    for (unsigned n = 1; n <= fake_endpoint.opened; n++) {
        fake_stream_select(n);
        fake_stream_end(BEDROCK_END_end_stream, true);
    }
    assert_int_equal(session_state(rig.session), SESSION_closed);
    assert_int_equal(fake_endpoint.open_now, 0);
}

/* One event or answer may be missing, the one that there was no memory for. */
static void
assert_once(void)
{
    int answers = 0;
    for (const char *at = rig.answers; (at = strchr(at, '\n')); at++)
        answers++;
    assert_in_range(answers, 2, 3);
    int started = (int)fake_bus_count("response", "phase", "started");
    int ended = (int)fake_bus_count("response", "phase", "ended");
    assert_in_range(started - ended + 1, 0, 2);
    int calls = (int)fake_bus_count("tool_call", NULL, NULL);
    int results = (int)fake_bus_count("tool_result", NULL, NULL);
    assert_in_range(calls - results + 1, 0, 2);
}

static bool
starved_at(long number)
{
    rig_prepare(&rig, "{\"outage_buffer_s\":0,\"input\":{\"rate_hz\":8000},"
                      "\"output\":{\"rate_hz\":8000},\"greeting\":\"Say "
                      "hello.\",\"history\":[{\"role\":"
                      "\"USER\",\"text\":\"hi\"},{\"role\":\"ASSISTANT\","
                      "\"text\":\"hello\"}]}");
    fake_broker_offer("clock", "{\"type\":\"object\"}");
    fake_broker_offer_async("search");
    starve_warm_up(&rig.loop);
    starve_at(number);
    converse();
    bool reached = starve_end();
    if (rig.session) {
        assert_once();
        rig_assert_balanced(&rig);
    }
    if (!reached)
        assert_int_equal(fake_endpoint.opened, STREAMS);
    rig_close(&rig);
    return reached;
}

static void
test_any_allocation_may_fail(void **state)
{
    long number = 0;
    (void)state;
    if (!starve_works()) {
        print_message("skipped: only glibc lets malloc() be stood in for\n");
        skip();
    }
    starved_at(CONVERSATION_MAX); /* what is made once is made now */
    for (bool more = true; more && number < CONVERSATION_MAX; number++) {
        long live = starve_live();
        more = starved_at(number);
        if (starve_live() != live)
            fail_msg("allocation %ld: %ld blocks are lost", number,
                     starve_live() - live);
    }
    assert_in_range(number, 100, CONVERSATION_MAX - 1);
    print_message("%ld allocations, each failed once\n", number);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    if (log_levels("off", NULL, 0) != VR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
