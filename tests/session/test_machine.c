/* The state machine's table: nothing unreachable, nothing without a way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/session/machine.h"

static void
reach(enum session_state from, bool *seen)
{
    size_t count;
    const struct session_edge *edges = machine_edges(&count);
    if (seen[from])
        return;
    seen[from] = true;
    for (size_t i = 0; i < count; i++) {
        if (edges[i].from == from)
            reach(edges[i].to, seen);
    }
}

static void
test_every_state_is_reached(void **state)
{
    bool seen[SESSION_STATE_COUNT] = {false};
    (void)state;
    reach(SESSION_idle, seen);
    for (int s = 0; s < SESSION_STATE_COUNT; s++)
        assert_true(seen[s]);
}

static void
test_every_state_can_be_closed(void **state)
{
    (void)state;
    for (int s = 0; s < SESSION_STATE_COUNT; s++) {
        bool seen[SESSION_STATE_COUNT] = {false};
        reach((enum session_state)s, seen);
        assert_true(seen[SESSION_closed]);
        bool asked = s == SESSION_closing || s == SESSION_closed;
        assert_int_equal(!machine_edge((enum session_state)s, SESSION_ON_close),
                         asked);
    }
}

static void
test_nothing_leaves_closed(void **state)
{
    (void)state;
    for (int e = 0; e < SESSION_EVENT_COUNT; e++)
        assert_null(machine_edge(SESSION_closed, (enum session_event)e));
}

static void
test_no_two_edges_for_one_event(void **state)
{
    size_t count;
    const struct session_edge *edges = machine_edges(&count);
    (void)state;
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(machine_edge(edges[i].from, edges[i].event),
                         &edges[i]);
}

static void
test_every_event_is_good_for_something(void **state)
{
    size_t count;
    const struct session_edge *edges = machine_edges(&count);
    (void)state;
    for (int e = 0; e < SESSION_EVENT_COUNT; e++) {
        bool used = false;
        for (size_t i = 0; i < count; i++)
            used = used || edges[i].event == (enum session_event)e;
        assert_true(used);
    }
}

/* A lost stream is noticed wherever there is one, a reached end is an end. */
static void
test_a_stream_may_be_lost_wherever_it_is(void **state)
{
    (void)state;
    static const enum session_state with_stream[] = {
        SESSION_connecting, SESSION_preparing, SESSION_starting,
        SESSION_streaming};
    for (size_t i = 0; i < sizeof with_stream / sizeof with_stream[0]; i++) {
        assert_non_null(machine_edge(with_stream[i], SESSION_ON_lost));
        assert_non_null(machine_edge(with_stream[i], SESSION_ON_cut));
        assert_non_null(machine_edge(with_stream[i], SESSION_ON_sleep));
    }
    assert_non_null(machine_edge(SESSION_closing, SESSION_ON_lost));
    for (int s = 0; s < SESSION_STATE_COUNT; s++) {
        const struct session_edge *e =
            machine_edge((enum session_state)s, SESSION_ON_lost);
        assert_true(!e || e->to == SESSION_failed || e->to == SESSION_closed);
    }
}

static void
test_everything_has_a_name_and_a_meaning(void **state)
{
    (void)state;
    for (int s = 0; s < SESSION_STATE_COUNT; s++) {
        assert_true(machine_state_name((enum session_state)s)[0] != '\0');
        assert_true(machine_state_what((enum session_state)s)[0] != '\0');
    }
    for (int e = 0; e < SESSION_EVENT_COUNT; e++) {
        assert_true(machine_event_name((enum session_event)e)[0] != '\0');
        assert_true(machine_event_what((enum session_event)e)[0] != '\0');
    }
    assert_string_equal(machine_state_name(SESSION_streaming), "streaming");
}

/* Every edge of the table stands in the README as "from --event--> to". */
static void
test_readme_shows_the_table(void **state)
{
    static char readme[65536];
    size_t count, shown = 0;
    const struct session_edge *edges = machine_edges(&count);
    const char *root = getenv("VOXRING_ROOT");
    char path[4096];
    (void)state;
    snprintf(path, sizeof path, "%s/gateway/session/README.md",
             root ? root : ".");
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s: run from the top of the tree", path);
    size_t bytes = fread(readme, 1, sizeof readme - 1, file);
    fclose(file);
    readme[bytes] = '\0';
    for (size_t i = 0; i < count; i++) {
        char line[128];
        snprintf(line, sizeof line, "\n%s --%s--> %s\n",
                 machine_state_name(edges[i].from),
                 machine_event_name(edges[i].event),
                 machine_state_name(edges[i].to));
        if (!strstr(readme, line))
            fail_msg("the README lacks:%s", line);
    }
    for (const char *at = readme; (at = strstr(at, "--> ")); at++)
        shown++;
    assert_int_equal(shown, count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_is_reached),
        cmocka_unit_test(test_every_state_can_be_closed),
        cmocka_unit_test(test_nothing_leaves_closed),
        cmocka_unit_test(test_no_two_edges_for_one_event),
        cmocka_unit_test(test_every_event_is_good_for_something),
        cmocka_unit_test(test_a_stream_may_be_lost_wherever_it_is),
        cmocka_unit_test(test_everything_has_a_name_and_a_meaning),
        cmocka_unit_test(test_readme_shows_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
