/* Sessions in random schedules: whatever comes in whatever order, on whichever
 * of their streams, each thing that began ends once, and every frame is
 * accounted for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "tests/session/rig.h"

#define SEEDS 150
#define STEPS 120

static struct rig rig;
static uint32_t seed, running; /* running: the schedule's number, 0 none */
static struct {
    uint64_t audio;  /* the content open or last open */
    int uses, asked; /* so far */
} play;

static unsigned
any(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const char *
any_words(void)
{
    static const char *const words[] = {"yes", "Once upon a time.", "no", "",
                                        "It is noon."};
    return words[any(5)];
}

static const char *
any_stop(void)
{
    static const char *const stops[] = {"PARTIAL_TURN", "END_TURN",
                                        "INTERRUPTED", "ODD"};
    return stops[any(4)];
}

/* ---- what can happen ---- */

static void
model_speaks(void)
{
    char id[16];
    switch (any(11)) {
    case 0:
        rig_speech(any(2));
        break;
    case 1:
        rig_user_says(&rig, any_words());
        break;
    case 2:
        rig_plans(&rig, any_words());
        break;
    case 3:
        rig_said(&rig, any_words(), any_stop());
        break;
    case 4:
        play.audio = rig_audio_begins(&rig);
        break;
    case 5:
        rig_audio(any(4) ? play.audio : any(50) + 1, any(300));
        break;
    case 6:
        rig_content_ends(any(4) ? play.audio : any(50) + 1, "AUDIO",
                         any_stop());
        break;
    case 7:
        rig_marker(&rig);
        break;
    case 8:
        snprintf(id, sizeof id, "use-%d.", any(3) ? play.uses++ : 0);
        rig_tool_use(id, any(4) ? "clock" : "ghost", "{}");
        break;
    case 9:
        fake_stream_say("{\"event\":{\"completionEnd\":{}}}");
        break;
    case 10:
        fake_stream_say("{\"event\":{\"usageEvent\":{\"details\":{\"delta\":{"
                        "\"input\":{\"speechTokens\":1}}}}}}");
        break;
    }
}

static void
tool_ends(void)
{
    size_t index =
        fake_broker.call_count ? any((unsigned)fake_broker.call_count) : 0;
    if (index < fake_broker.call_count && fake_broker.calls[index].on_result)
        fake_broker_end(index, (enum tool_outcome)any(5), "{\"a\":1}",
                        "as it goes");
}

static void
people_ask(void)
{
    double heard_ms;
    char params[96];
    switch (any(4)) {
    case 0:
        snprintf(params, sizeof params,
                 "{\"text\":\"hi\",\"wait\":\"%s\",\"timeout_ms\":%u}",
                 any(2) ? "response" : "accepted", any(3) * 10);
        rig_ask(&rig, ++play.asked, params);
        break;
    case 1:
        if (session_interrupt(rig.session, &heard_ms) == VR_OK)
            assert_true(heard_ms >= 0);
        break;
    case 2:
        session_mute(rig.session, any(2));
        break;
    case 3:
        session_tools_changed(rig.session);
        break;
    }
}

/* Streams end in all ways; few of these for good. */
static void
stream_ends(void)
{
    static const char *const codes[] = {
        "modelTimeoutException", "throttlingException", "ExpiredTokenException",
        "AccessDeniedException"};
    struct bedrock_end end = fake_stream_error(codes[any(4)], "as it goes");
    switch (any(4)) {
    case 0:
        fake_stream_end_as(&end);
        break;
    case 1:
        fake_stream_except(&end);
        break;
    default:
        fake_stream_end(BEDROCK_END_rst_stream, any(2));
    }
}

static void
session_changes(void)
{
    struct history_message message = {.role = HISTORY_USER, .text = "by hand"};
    char why[256];
    switch (any(9)) {
    case 0:
        session_reset(rig.session, any(2));
        break;
    case 1:
        session_sleep(rig.session);
        break;
    case 2:
        rig_update(&rig, 100000,
                   any(2) ? "{\"voice\":\"amy\"}" : "{\"voice\":\"tiffany\"}");
        break;
    case 3:
        (void)!session_history_append(rig.session, &message, any(3), why,
                                      sizeof why);
        break;
    case 4:
        rig_run(&rig, any(12));
        break;
    default:
        session_rotate(rig.session);
    }
}

static void
stream_moves(void)
{
    switch (any(7)) {
    case 6:
        fake_stream.choked = true;
        break;
    case 0:
        fake_stream.full = true;
        break;
    case 1:
        fake_stream_room();
        break;
    case 2:
        if (fake_stream.open && !fake_stream.connected)
            fake_stream_connect();
        break;
    case 3:
        if (fake_stream.open && fake_stream.connected)
            fake_stream_answer();
        break;
    case 4:
        if (!any(4))
            stream_ends();
        break;
    case 5:
        session_open(rig.session);
        break;
    }
}

/* Any of those that are open, the newest most of the time. */
static void
choose_stream(void)
{
    unsigned number = fake_endpoint.opened ? any(fake_endpoint.opened) + 1 : 0;
    bool other = number && any(3) == 0 && fake_stream_at(number)->open;
    fake_stream_select(other ? number : 0);
}

static void
step(void)
{
    unsigned what = any(22);
    choose_stream();
    if (what >= 20)
        session_changes();
    else if (what < 10 && fake_stream.connected)
        model_speaks();
    else if (what < 13)
        stream_moves();
    else if (what < 15)
        tool_ends();
    else if (what < 17)
        people_ask();
    else if (what < 19 && any(2))
        rig_talk(&rig, any(2000));
    else if (what < 19)
        rig_mic(&rig, any(2000));
    else
        rig_step(&rig);
}

/* ---- what must hold ---- */

static size_t
received_by(const struct fake_wire *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->left_count; i++)
        count += f->samples[i] != 0;
    return count;
}

/* Nothing is received that was not counted. */
static void
assert_account(void)
{
    uint64_t received = 0;
    for (unsigned n = 1; n <= fake_endpoint.opened; n++)
        received += received_by(fake_stream_at(n));
    rig_assert_balanced(&rig);
    assert_true(received <= rig_frames(&rig, "input_frames", "sent") +
                                rig_frames(&rig, "input_frames", "resent"));
}

static void
assert_each_ended_once(void)
{
    char id[24];
    size_t responses = fake_bus_count("response", "phase", "started");
    assert_int_equal(fake_bus_count("response", "phase", "ended"), responses);
    for (size_t i = 1; i <= responses; i++) {
        snprintf(id, sizeof id, "%zu", i);
        assert_int_equal(fake_bus_count("response", "response", id), 2);
        assert_in_range(fake_bus_count("turn", "turn", id), 0, 1);
        assert_in_range(fake_bus_count("interruption", "response", id), 0, 1);
    }
    size_t calls = fake_bus_count("tool_call", NULL, NULL);
    assert_int_equal(fake_bus_count("tool_result", NULL, NULL), calls);
    for (size_t i = 1; i <= calls; i++) {
        snprintf(id, sizeof id, "%zu", i);
        assert_int_equal(fake_bus_count("tool_result", "call", id), 1);
    }
}

static void
assert_answers(void)
{
    char id[24];
    int answers = 0;
    for (const char *at = rig.answers; (at = strstr(at, "\"id\":")); at++)
        answers += strncmp(at, "\"id\":100000,", 12) != 0;
    assert_int_equal(answers, play.asked);
    for (int i = 1; i <= play.asked; i++) {
        snprintf(id, sizeof id, "\"id\":%d,", i);
        const char *first = strstr(rig.answers, id);
        assert_non_null(first);
        assert_null(strstr(first + 1, id));
    }
}

/* One toolUse, one result on the wire, and on the stream that asked; blocks
 * whole and in their place. */
static void
assert_wire(const struct fake_wire *f)
{
    bool ended = false;
    for (size_t i = 0; i < f->event_count; i++) {
        const char *event = f->events[i];
        assert_int_equal(strstr(event, "\"sessionStart\"") != NULL, i == 0);
        assert_false(ended);
        ended = strstr(event, "\"sessionEnd\"") != NULL;
        const char *use = strstr(event, "\"toolUseId\"");
        for (size_t j = 0; use && j < i; j++) {
            const char *other = strstr(f->events[j], "\"toolUseId\"");
            assert_true(!other || strcmp(other, use) != 0);
        }
    }
}

static const char *const settings[] = {
    "{\"interrupt_on\":[\"speech_start\",\"marker\"],"
    "\"greeting\":\"Say hello.\",\"rotate_gap_s\":0}",
    "{\"listen\":\"when_quiet\",\"rotate_gap_s\":0,"
    "\"rotate_tool_wait_s\":0,\"speech\":{\"hangover_ms\":20}}",
    "{\"mode\":\"on_audio\",\"idle_close_s\":0.01,\"rotate_gap_s\":0,"
    "\"deaf_after_s\":0.01,\"speech\":{\"hangover_ms\":20}}",
    "{\"model\":\"amazon.nova-sonic-v1:0\",\"rotate_gap_s\":0,"
    "\"rotate_after_s\":0.2,\"rotate_deadline_s\":0.25,\"outage_buffer_s\":1}",
};

static void
close_it(void)
{
    session_close(rig.session);
    for (unsigned n = 1; n <= fake_endpoint.opened; n++) {
        fake_stream_select(n);
        fake_stream_room();
        fake_stream_end(BEDROCK_END_end_stream, any(2));
    }
    fake_stream_select(0);
    assert_int_equal(session_state(rig.session), SESSION_closed);
    assert_string_equal(fake_news[fake_news_count - 1].type, "session_state");
    assert_int_equal(fake_endpoint.open_now, 0);
}

static void
run(uint32_t number)
{
    seed = number * 2654435761u;
    memset(&play, 0, sizeof play);
    rig_bedrock("{\"retry_base_ms\":1,\"retry_cap_ms\":2,\"retry_slow_s\":0.2,"
                "\"max_streams\":3}");
    rig_open(&rig, settings[number % 4]);
    fake_broker_offer("clock", "{}");
    session_begin(rig.session);
    for (int i = 0; i < STEPS; i++) {
        step();
        if (i % 8 == 0)
            assert_account();
    }
    close_it();
    assert_account();
    assert_each_ended_once();
    assert_answers();
    for (unsigned n = 1; n <= fake_endpoint.opened; n++)
        assert_wire(fake_stream_at(n));
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
test_random_schedules(void **state)
{
    (void)state;
    for (running = 1; running <= SEEDS; running++)
        run(running);
    running = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_schedules, tell_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
