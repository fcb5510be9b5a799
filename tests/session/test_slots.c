/* Who gets a stream, in what order, and that nobody waits for ever: by hand and
 * in random schedules, with callbacks that come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/session/slots.h"

#define MOST 64

static struct slots *slots;
static struct slot_ticket tickets[MOST];
static struct slot_ticket *granted[256];
static size_t granted_count;

static void
begin(size_t streams, size_t handovers)
{
    memset(tickets, 0, sizeof tickets);
    granted_count = 0;
    slots = slots_new(streams, handovers);
    assert_non_null(slots);
}

static int
end(void **state)
{
    (void)state;
    for (size_t i = 0; slots && i < MOST; i++)
        slots_cancel(slots, &tickets[i]);
    for (size_t i = 0; slots && i < MOST; i++)
        slots_release(slots, &tickets[i]);
    slots_free(&slots);
    assert_null(slots);
    return 0;
}

static void
on_granted(void *arg, struct slot_ticket *ticket)
{
    assert_ptr_equal(arg, &tickets);
    assert_true(slots_held(ticket));
    granted[granted_count++] = ticket;
}

static enum slots_answer
ask(size_t i, enum slot_kind kind)
{
    return slots_ask(slots, &tickets[i], kind, on_granted, tickets);
}

static void
expect_granted(size_t count, const size_t *which)
{
    assert_int_equal(granted_count, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(granted[i], &tickets[which[i]]);
    granted_count = 0;
}
#define EXPECT_GRANTED(...)                                          \
    expect_granted(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), \
                   (size_t[]){__VA_ARGS__})

static void
test_first_come_first_served(void **state)
{
    (void)state;
    begin(2, 1);
    assert_int_equal(ask(0, SLOT_STREAM), SLOTS_GRANTED);
    assert_int_equal(ask(1, SLOT_STREAM), SLOTS_GRANTED);
    for (size_t i = 2; i < 6; i++)
        assert_int_equal(ask(i, SLOT_STREAM), SLOTS_QUEUED);
    assert_int_equal(slots_ahead(&tickets[5]), 3);
    assert_int_equal(slots_waiting(slots), 4);
    assert_int_equal(slots_open(slots), 2);
    slots_release(slots, &tickets[1]);
    EXPECT_GRANTED(2);
    assert_true(slots_cancel(slots, &tickets[3]));
    assert_false(slots_cancel(slots, &tickets[3]));
    assert_int_equal(slots_ahead(&tickets[5]), 1);
    slots_release(slots, &tickets[0]);
    slots_release(slots, &tickets[2]);
    EXPECT_GRANTED(4, 5);
    assert_int_equal(ask(3, SLOT_STREAM), SLOTS_QUEUED);
}

static void
test_who_has_none_goes_before_a_hand_over(void **state)
{
    (void)state;
    begin(2, 2);
    ask(0, SLOT_STREAM);
    ask(1, SLOT_STREAM);
    assert_int_equal(ask(2, SLOT_NEXT), SLOTS_QUEUED);
    assert_int_equal(ask(3, SLOT_STREAM), SLOTS_QUEUED);
    assert_int_equal(slots_ahead(&tickets[3]), 0);
    assert_int_equal(slots_waiting_for(slots, SLOT_NEXT), 1);
    slots_release(slots, &tickets[0]);
    EXPECT_GRANTED(3);
    slots_release(slots, &tickets[1]);
    EXPECT_GRANTED(2);
    assert_int_equal(slots_handovers(slots), 1);
}

/* The token is out until the old stream has gone, not only until the change. */
static void
test_few_hand_overs_at_once(void **state)
{
    (void)state;
    begin(20, 2);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ask(i, SLOT_STREAM), SLOTS_GRANTED);
    assert_int_equal(ask(10, SLOT_NEXT), SLOTS_GRANTED);
    assert_int_equal(ask(11, SLOT_NEXT), SLOTS_GRANTED);
    assert_int_equal(ask(12, SLOT_NEXT), SLOTS_QUEUED);
    assert_int_equal(ask(13, SLOT_NEXT), SLOTS_QUEUED);
    assert_int_equal(ask(4, SLOT_STREAM), SLOTS_GRANTED);
    slots_promote(slots, &tickets[10], &tickets[0]);
    assert_int_equal(slots_handovers(slots), 2);
    assert_int_equal(granted_count, 0);
    slots_release(slots, &tickets[0]);
    EXPECT_GRANTED(12);
    slots_release(slots, &tickets[11]); /* given up */
    EXPECT_GRANTED(13);
    slots_release(slots, &tickets[10]);
    assert_int_equal(slots_handovers(slots), 2);
    slots_promote(slots, &tickets[12], NULL);
    slots_release(slots, &tickets[3]); /* died before its next was ready */
    slots_promote(slots, &tickets[13], &tickets[3]);
    assert_int_equal(slots_handovers(slots), 0);
    assert_int_equal(slots_open(slots), 5);
}

static void
test_promote_grants_the_token_that_is_back(void **state)
{
    (void)state;
    begin(20, 1);
    ask(0, SLOT_NEXT);
    assert_int_equal(ask(1, SLOT_NEXT), SLOTS_QUEUED);
    slots_promote(slots, &tickets[0], NULL);
    EXPECT_GRANTED(1);
}

/* A hand-over that lacks a token keeps no stream from its slot. */
static void
test_a_hand_over_without_a_token_blocks_nobody(void **state)
{
    (void)state;
    begin(4, 1);
    ask(0, SLOT_NEXT);
    ask(1, SLOT_NEXT);
    for (size_t i = 0; i < 4 * SLOTS_OVERTAKEN_MAX; i++) {
        assert_int_equal(ask(2, SLOT_STREAM), SLOTS_GRANTED);
        slots_release(slots, &tickets[2]);
    }
    assert_int_equal(granted_count, 0);
}

/* Streams come and go without a pause, and the hand-over has its turn. */
static void
test_a_hand_over_does_not_starve(void **state)
{
    (void)state;
    begin(1, 1);
    ask(0, SLOT_STREAM);
    ask(10, SLOT_NEXT);
    size_t holder = 0, rounds = 0;
    while (!slots_held(&tickets[10])) {
        assert_int_equal(ask(1 - holder, SLOT_STREAM), SLOTS_QUEUED);
        slots_release(slots, &tickets[holder]);
        holder = 1 - holder;
        assert_true(++rounds <= SLOTS_OVERTAKEN_MAX + 1);
    }
    assert_int_equal(rounds, SLOTS_OVERTAKEN_MAX + 1);
}

static void
test_limits(void **state)
{
    (void)state;
    begin(0, 0);
    assert_int_equal(slots_limit(slots), 1);
    assert_int_equal(ask(0, SLOT_NEXT), SLOTS_GRANTED);
    assert_int_equal(ask(1, SLOT_NEXT), SLOTS_QUEUED);
    slots_release(slots, &tickets[2]); /* never asked */
    slots_release(slots, &tickets[1]); /* waits */
    assert_int_equal(slots_waiting(slots), 0);
    slots_free(&(struct slots *){NULL});
}

static size_t depth, deepest;

/* Gives its slot away at once, so that the next one does. */
static void
release_at_once(void *arg, struct slot_ticket *ticket)
{
    (void)arg;
    deepest = ++depth > deepest ? depth : deepest;
    granted[granted_count++] = ticket;
    slots_release(slots, ticket);
    depth--;
}

static void
test_a_chain_of_releases_is_no_recursion(void **state)
{
    (void)state;
    begin(1, 1);
    ask(0, SLOT_STREAM);
    depth = deepest = 0;
    for (size_t i = 1; i < MOST; i++)
        slots_ask(slots, &tickets[i], SLOT_STREAM, release_at_once, NULL);
    slots_release(slots, &tickets[0]);
    assert_int_equal(granted_count, MOST - 1);
    assert_int_equal(deepest, 1);
    assert_int_equal(slots_open(slots), 0);
}

/* ---- random schedules ---- */

static uint64_t seed;

static unsigned
draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* What the tickets' owners know of them. */
static struct {
    bool waits, holds, next, lends;
    uint64_t asked;
    size_t overtaken; /* while it was the first and could have gone */
} known[MOST];

static uint64_t clock_now;
static size_t limit_streams, limit_handovers;
static size_t known_open, known_handovers;

/* The one of this kind that has waited longest; MOST if none waits. */
static size_t
first_waiting(bool next)
{
    size_t first = MOST;
    for (size_t i = 0; i < MOST; i++) {
        if (known[i].waits && known[i].next == next &&
            (first == MOST || known[i].asked < known[first].asked))
            first = i;
    }
    return first;
}

static void
note_grant(size_t i)
{
    size_t next = first_waiting(true);
    known[i].waits = false;
    known[i].holds = true;
    if (!known[i].next && next < MOST && known_handovers < limit_handovers)
        known[next].overtaken++;
    known[i].lends = known[i].next;
    known_open++;
    known_handovers += known[i].next;
}

static void step(void);

static void
on_random_grant(void *arg, struct slot_ticket *ticket)
{
    size_t i = (size_t)(ticket - tickets);
    assert_ptr_equal(arg, &known[i]);
    assert_true(known[i].waits);
    assert_int_equal(first_waiting(known[i].next), i);
    if (known[i].next)
        assert_true(first_waiting(false) == MOST ||
                    known[i].overtaken >= SLOTS_OVERTAKEN_MAX);
    assert_true(known[i].overtaken <= SLOTS_OVERTAKEN_MAX);
    note_grant(i);
    while (draw(3) == 0)
        step();
}

static void
random_ask(size_t i)
{
    known[i].waits = true;
    known[i].next = draw(2);
    known[i].overtaken = 0;
    known[i].asked = ++clock_now;
    enum slots_answer answer =
        slots_ask(slots, &tickets[i], known[i].next ? SLOT_NEXT : SLOT_STREAM,
                  on_random_grant, &known[i]);
    if (answer == SLOTS_GRANTED)
        note_grant(i);
}

static void
random_release(size_t i)
{
    if (known[i].waits) {
        known[i].waits = false;
        if (draw(2))
            assert_true(slots_cancel(slots, &tickets[i]));
        else
            slots_release(slots, &tickets[i]);
        return;
    }
    assert_false(slots_cancel(slots, &tickets[i]));
    known_open -= known[i].holds;
    known_handovers -= known[i].lends;
    known[i].holds = known[i].lends = false;
    slots_release(slots, &tickets[i]);
}

static void
random_promote(size_t i)
{
    size_t old = draw(MOST);
    if (!known[i].holds || !known[i].next || old == i)
        return;
    known[i].next = known[i].lends = false;
    if (known[old].holds && !known[old].lends)
        known[old].lends = true;
    else
        known_handovers--;
    slots_promote(slots, &tickets[i], &tickets[old]);
}

static void
step(void)
{
    size_t i = draw(MOST);
    if (draw(4) == 0)
        random_promote(i);
    else if (known[i].waits || known[i].holds)
        random_release(i);
    else
        random_ask(i);
}

static void
check_all(void)
{
    size_t open = 0, waiting = 0, lent = 0;
    for (size_t i = 0; i < MOST; i++) {
        assert_int_equal(slots_held(&tickets[i]), known[i].holds);
        open += known[i].holds;
        waiting += known[i].waits;
        lent += known[i].lends;
        assert_true(known[i].overtaken <= SLOTS_OVERTAKEN_MAX);
    }
    assert_int_equal(slots_open(slots), open);
    assert_int_equal(slots_waiting(slots), waiting);
    assert_int_equal(slots_handovers(slots), lent);
    assert_true(open <= limit_streams && lent <= limit_handovers);
    /* Nobody waits for what is there. */
    if (first_waiting(false) < MOST)
        assert_int_equal(open, limit_streams);
    if (first_waiting(true) < MOST)
        assert_true(open == limit_streams || lent == limit_handovers);
}

static void
test_random_schedules(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        seed = round;
        limit_streams = 1 + draw(24);
        limit_handovers = 1 + draw(4);
        memset(known, 0, sizeof known);
        known_open = known_handovers = 0;
        begin(limit_streams, limit_handovers);
        for (unsigned i = 0; i < 2000; i++) {
            step();
            check_all();
        }
        end(NULL);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_come_first_served),
        TEST(test_who_has_none_goes_before_a_hand_over),
        TEST(test_few_hand_overs_at_once),
        TEST(test_promote_grants_the_token_that_is_back),
        TEST(test_a_hand_over_without_a_token_blocks_nobody),
        TEST(test_a_hand_over_does_not_starve),
        TEST(test_limits),
        TEST(test_a_chain_of_releases_is_no_recursion),
        TEST(test_random_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
