/* What is being said and not answered yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "gateway/session/utterance.h"

#define S CLOCK_NS_PER_S
#define PATIENCE (10 * S)

static struct utterance u;

static int
set_up(void **state)
{
    (void)state;
    u = (struct utterance){0};
    return 0;
}

static bool
pending(uint64_t now_ns)
{
    return utterance_pending(&u, now_ns, PATIENCE);
}

static void
test_nothing_is_pending_at_first(void **state)
{
    (void)state;
    assert_false(pending(0));
    utterance_ended(&u, true, S);
    utterance_answered(&u, S);
    assert_false(pending(2 * S));
}

static void
test_by_its_energy(void **state)
{
    (void)state;
    utterance_began(&u, 1600, false, S);
    assert_true(pending(S));
    assert_false(u.heard);
    utterance_ended(&u, false, 2 * S);
    assert_true(pending(11 * S));
    assert_false(pending(12 * S));
    assert_int_equal(u.start_frame, 1600);
}

/* The model says that they speak: that lasts until it says otherwise. */
static void
test_by_the_model(void **state)
{
    (void)state;
    utterance_began(&u, 1600, true, S);
    assert_true(u.heard);
    assert_true(pending(60 * S));
    utterance_ended(&u, true, 60 * S);
    assert_true(pending(69 * S));
    assert_false(pending(70 * S));
}

/* Both tell of the same speech; it began where the earlier one says. */
static void
test_both_tell_of_one(void **state)
{
    (void)state;
    utterance_began(&u, 1600, false, S);
    utterance_began(&u, 1500, true, S + S / 2);
    assert_int_equal(u.start_frame, 1500);
    assert_int_equal(u.began_ns, S);
    utterance_began(&u, 1700, false, 2 * S);
    assert_int_equal(u.start_frame, 1500);
}

static void
test_a_pause_does_not_part_it(void **state)
{
    (void)state;
    utterance_began(&u, 1600, false, S);
    utterance_ended(&u, false, 2 * S);
    utterance_began(&u, 64000, false, 4 * S);
    assert_int_equal(u.start_frame, 1600);
    utterance_ended(&u, false, 5 * S);
    utterance_began(&u, 160000, false, 10 * S);
    assert_int_equal(u.start_frame, 160000); /* another one */
}

/* Words that are not answered belong to what follows. */
static void
test_words_keep_it_together(void **state)
{
    (void)state;
    utterance_began(&u, 1600, true, S);
    utterance_words(&u, 1600, 2 * S);
    utterance_ended(&u, true, 2 * S);
    assert_true(u.text);
    utterance_began(&u, 160000, true, 9 * S);
    assert_int_equal(u.start_frame, 1600);
    assert_false(u.text); /* what follows has no words yet */
}

static void
test_words_alone(void **state)
{
    (void)state;
    utterance_words(&u, 3200, S);
    assert_true(pending(S) && u.heard && u.text);
    assert_int_equal(u.start_frame, 3200);
    utterance_words(&u, 9999, 2 * S);
    assert_int_equal(u.start_frame, 3200);
    assert_int_equal(u.began_ns, S);
}

static void
test_answered_once_it_was_said(void **state)
{
    (void)state;
    utterance_began(&u, 1600, false, 5 * S);
    utterance_answered(&u, 4 * S); /* what the robot said before */
    assert_true(pending(6 * S));
    utterance_answered(&u, 7 * S);
    assert_false(pending(7 * S));
    utterance_began(&u, 3200, false, 8 * S);
    assert_int_equal(u.start_frame, 3200);
    assert_int_equal(u.began_ns, 8 * S);
}

#define TEST(name) cmocka_unit_test_setup(test_##name, set_up)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_pending_at_first),
        TEST(by_its_energy),
        TEST(by_the_model),
        TEST(both_tell_of_one),
        TEST(a_pause_does_not_part_it),
        TEST(words_keep_it_together),
        TEST(words_alone),
        TEST(answered_once_it_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
