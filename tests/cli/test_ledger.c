/* What counts as a lost event, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ipc/cli/ledger.h"

static struct ledger *ledger;

static int
up(void **state)
{
    (void)state;
    ledger = ledger_new();
    return ledger && !ledger_epoch(ledger, "e1") ? 0 : -1;
}

static int
down(void **state)
{
    (void)state;
    ledger_free(&ledger);
    return ledger ? -1 : 0;
}

static void
test_first_of_a_topic_is_no_gap(void **state)
{
    (void)state;
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 17), 0);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 18), 0);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 21), 2);
    assert_int_equal(ledger_event(ledger, "v1/turn/b", 4), 0);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 21), 0);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 20), 0);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 22), 0);
}

static void
test_heartbeat_tells_the_newest(void **state)
{
    (void)state;
    assert_int_equal(ledger_heartbeat(ledger, "v1/turn/a", 30), 0);
    ledger_heartbeat_done(ledger, true);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 31), 0);
    assert_int_equal(ledger_heartbeat(ledger, "v1/turn/a", 33), 2);
    assert_int_equal(ledger_heartbeat(ledger, "v1/turn/a", 33), 0);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 34), 0);
}

static void
test_after_a_whole_heartbeat_topics_begin_at_one(void **state)
{
    (void)state;
    ledger_heartbeat_done(ledger, false);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 3), 0);
    ledger_heartbeat_done(ledger, true);
    assert_int_equal(ledger_event(ledger, "v1/turn/b", 3), 2);
    assert_int_equal(ledger_heartbeat(ledger, "v1/turn/c", 2), 2);
}

static void
test_new_epoch_forgets(void **state)
{
    (void)state;
    ledger_heartbeat_done(ledger, true);
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 1), 0);
    assert_false(ledger_epoch(ledger, "e1"));
    assert_true(ledger_epoch(ledger, "e2"));
    assert_int_equal(ledger_event(ledger, "v1/turn/a", 9), 0);
}

static void
test_is_bounded(void **state)
{
    char topic[400];
    (void)state;
    for (int i = 0; i < LEDGER_TOPICS_MAX + 100; i++) {
        snprintf(topic, sizeof topic, "v1/turn/%d", i);
        assert_int_equal(ledger_event(ledger, topic, 5), 0);
    }
    assert_int_equal(ledger_event(ledger, "v1/turn/0", 7), 1);
    assert_int_equal(ledger_event(ledger, "v1/turn/4190", 7), 0);
    snprintf(topic, sizeof topic, "v1/%0300d", 1);
    assert_int_equal(ledger_event(ledger, topic, 1), 0);
    assert_int_equal(ledger_event(ledger, topic, 9), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_of_a_topic_is_no_gap, up,
                                        down),
        cmocka_unit_test_setup_teardown(test_heartbeat_tells_the_newest, up,
                                        down),
        cmocka_unit_test_setup_teardown(
            test_after_a_whole_heartbeat_topics_begin_at_one, up, down),
        cmocka_unit_test_setup_teardown(test_new_epoch_forgets, up, down),
        cmocka_unit_test_setup_teardown(test_is_bounded, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
