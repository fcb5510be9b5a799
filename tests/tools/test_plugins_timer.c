/* The plugin timer: rings, lists, cancels, and is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/tools/plugin_rig.h"

static const struct voxring_plugin *timer;

static int
setup(void **state)
{
    (void)state;
    timer = rig_load("timer");
    rig_start(timer, "{}");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    timer->fini();
    rig_publish_returns(0);
    assert_int_equal(rig_events(), 0);
    return 0;
}

static uint64_t
set(const char *input)
{
    return rig_begin(timer, "set_timer", "main", input);
}

static void
rings_on_the_bus_and_ends_its_call(void **state)
{
    uint64_t token = set("{\"seconds\":1,\"label\":\"eggs\"}");
    uint64_t of;
    cJSON *event, *answer;

    (void)state;
    assert_false(rig_is_over(token));
    event = rig_event("timer_rang", &of);
    assert_true(of == token);
    assert_string_equal(rig_text(event, "label"), "eggs");
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(event, "set_for_seconds")));
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(event, "id")));
    cJSON_Delete(event);
    answer = rig_end(token, VOXRING_OK);
    assert_string_equal(rig_text(answer, "text"),
                        "The timer \"eggs\" of 1 second has ended.");
    cJSON_Delete(answer);
    assert_int_equal(rig_progress(token, 1), 1);
}

static void
rings_though_nobody_waits_for_its_call(void **state)
{
    uint64_t token = set("{\"seconds\":2}");
    uint64_t of;

    (void)state;
    rig_cancel(token);
    cJSON_Delete(rig_end(token, VOXRING_ERROR));
    cJSON_Delete(rig_event("timer_rang", &of));
    assert_true(of == 0);
}

static void
ends_its_call_though_the_bus_is_not_granted(void **state)
{
    uint64_t token;

    (void)state;
    rig_publish_returns(-1);
    token = set("{\"seconds\":1}");
    cJSON_Delete(rig_end(token, VOXRING_OK));
    rig_publish_returns(0);
}

static void
lists_the_next_first_and_cancels_by_label_or_id(void **state)
{
    uint64_t tea = set("{\"minutes\":5,\"label\":\"Tea\"}");
    uint64_t cake = set("{\"minutes\":1,\"seconds\":30}");
    cJSON *list = rig_ask(timer, "list_timers", "{}", VOXRING_OK);
    const cJSON *first = cJSON_GetObjectItem(list, "timers")->child;
    char input[64];

    (void)state;
    assert_non_null(strstr(rig_text(list, "text"), "2 timers are running"));
    assert_int_equal(cJSON_GetObjectItem(first, "set_for_seconds")->valueint,
                     90);
    snprintf(input, sizeof input, "{\"id\":%d}",
             cJSON_GetObjectItem(first, "id")->valueint);
    cJSON_Delete(list);
    rig_expect(timer, "cancel_timer", "{}", VOXRING_ERROR, "Which timer?");
    rig_expect(timer, "cancel_timer", "{\"label\":\"soup\"}", VOXRING_ERROR,
               "There is no such timer");
    rig_expect(timer, "cancel_timer", "{\"id\":1e300}", VOXRING_ERROR,
               "There is no such timer");
    rig_expect(timer, "cancel_timer", "{\"label\":\" tea \"}", VOXRING_OK,
               "\"Tea\" of 5 minutes is cancelled");
    list = rig_end(tea, VOXRING_OK);
    assert_non_null(strstr(rig_text(list, "text"), "cancelled before it rang"));
    cJSON_Delete(list);
    rig_expect(timer, "cancel_timer", input, VOXRING_OK,
               "1 minute and 30 seconds");
    cJSON_Delete(rig_end(cake, VOXRING_OK));
    rig_expect(timer, "cancel_timer", input, VOXRING_ERROR, "No timer");
    rig_expect(timer, "list_timers", "{}", VOXRING_OK, "No timer is running");
}

static void
cancels_the_only_one_without_a_name(void **state)
{
    uint64_t token = set("{\"minutes\":1440}");

    (void)state;
    rig_expect(timer, "cancel_timer", "{}", VOXRING_OK,
               "The timer of 1 day is cancelled");
    cJSON_Delete(rig_end(token, VOXRING_OK));
}

static void
sessions_do_not_see_each_other(void **state)
{
    uint64_t other =
        rig_begin(timer, "set_timer", "kitchen", "{\"minutes\":2}");

    (void)state;
    rig_expect(timer, "list_timers", "{}", VOXRING_OK, "No timer is running");
    rig_expect(timer, "cancel_timer", "{}", VOXRING_ERROR, "No timer");
    cJSON_Delete(
        rig_end(rig_begin(timer, "cancel_timer", "kitchen", "{}"), VOXRING_OK));
    cJSON_Delete(rig_end(other, VOXRING_OK));
}

static void
is_bounded_and_leaves_room_for_questions(void **state)
{
    uint64_t tokens[32];
    unsigned over = 0;

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        char input[64];
        snprintf(input, sizeof input, "{\"minutes\":%zu}", i + 10);
        tokens[i] = set(input);
        over += rig_is_over(tokens[i]);
    }
    assert_int_equal(over, 32 - 6);
    rig_expect(timer, "set_timer", "{\"minutes\":1}", VOXRING_ERROR,
               "32 timers are running");
    rig_expect(timer, "list_timers", "{}", VOXRING_OK, "32 timers are running");
    for (unsigned id = 1; id < 200; id++) {
        char input[32];
        snprintf(input, sizeof input, "{\"id\":%u}", id);
        cJSON_Delete(rig_ask(timer, "cancel_timer", input, -1));
    }
    for (size_t i = 0; i < 32; i++)
        cJSON_Delete(rig_end(tokens[i], VOXRING_OK));
}

static void
lets_calls_go_that_nobody_waits_for(void **state)
{
    uint64_t tokens[7];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        tokens[i] = set("{\"minutes\":10}");
    rig_cancel(tokens[2]);
    tokens[6] = set("{\"minutes\":11}");
    cJSON_Delete(rig_end(tokens[2], VOXRING_ERROR));
    assert_false(rig_is_over(tokens[6]));
    rig_expect(timer, "list_timers", "{}", VOXRING_OK, "7 timers are running");
}

static void
says_what_is_wrong(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"seconds\":0}",
        "{\"seconds\":-5,\"minutes\":3}",
        "{\"seconds\":1e308}",
        "{\"minutes\":1440,\"seconds\":1}",
        "{\"seconds\":0.2}",
        "{\"seconds\":null,\"minutes\":null}",
    };
    char why[400], label[200];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        rig_expect(timer, "set_timer", wrong[i], VOXRING_ERROR,
                   "from 1 second to 24 hours");
    snprintf(label, sizeof label, "{\"seconds\":5,\"label\":\"%064d\"}", 7);
    rig_expect(timer, "set_timer", label, VOXRING_ERROR, "less than 64 bytes");
    assert_int_not_equal(rig_init(timer, "{\"held_calls\":99}", why), 0);
    assert_non_null(strstr(why, "plugins.config.timer.held_calls"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rings_on_the_bus_and_ends_its_call),
        TEST(rings_though_nobody_waits_for_its_call),
        TEST(ends_its_call_though_the_bus_is_not_granted),
        TEST(lists_the_next_first_and_cancels_by_label_or_id),
        TEST(cancels_the_only_one_without_a_name),
        TEST(sessions_do_not_see_each_other),
        TEST(is_bounded_and_leaves_room_for_questions),
        TEST(lets_calls_go_that_nobody_waits_for),
        TEST(says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
