/* Backing off: jitter, budget, the slow attempts after it, jumps of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/session/retry.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static const struct retry_config defaults = {250,    20000, 8,
                                             300000, 60000, 20000};

/* A stream that never said anything. */
static struct retry_verdict
die(struct retry *r, uint64_t now_ns)
{
    return retry_after_death(r, now_ns, 0, false, false, 0);
}

static uint64_t
most_ns(unsigned attempt)
{
    uint64_t most = (250 * MS) << (attempt - 1);
    return most < 20 * S ? most : 20 * S;
}

/* Uniform between nothing and a limit that doubles up to the cap. */
static void
test_full_jitter(void **state)
{
    enum { RUNS = 4000, ATTEMPTS = 8, BINS = 8 };
    static unsigned bins[ATTEMPTS][BINS];
    (void)state;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct retry r;
        retry_init(&r, &defaults, seed);
        for (unsigned n = 1; n <= ATTEMPTS; n++) {
            struct retry_verdict v = die(&r, n * S);
            assert_false(v.spent);
            assert_int_equal(v.attempt, n);
            assert_true(v.delay_ns <= most_ns(n));
            bins[n - 1][v.delay_ns * BINS / (most_ns(n) + 1)]++;
        }
    }
    /* 500 in each bin, with a deviation of 21: six of them to each side. */
    for (unsigned n = 0; n < ATTEMPTS; n++) {
        for (unsigned b = 0; b < BINS; b++)
            assert_in_range(bins[n][b], 374, 626);
    }
}

static void
test_a_seed_repeats_and_seeds_differ(void **state)
{
    struct retry a, b, c;
    unsigned same = 0;
    (void)state;
    retry_init(&a, &defaults, 7);
    retry_init(&b, &defaults, 7);
    retry_init(&c, &defaults, 8);
    for (unsigned n = 0; n < 20; n++) {
        uint64_t delay_ns = die(&a, n * S).delay_ns;
        assert_int_equal(delay_ns, die(&b, n * S).delay_ns);
        same += delay_ns == die(&c, n * S).delay_ns;
    }
    assert_int_equal(same, 0);
}

static void
test_at_once_is_for_the_first_attempt(void **state)
{
    uint64_t later_ns = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct retry r;
        retry_init(&r, &defaults, seed);
        struct retry_verdict v = retry_after_death(&r, S, 0, false, true, 0);
        assert_int_equal(v.delay_ns, 0);
        assert_int_equal(v.attempt, 1);
        v = retry_after_death(&r, 2 * S, 0, false, true, 0);
        assert_true(v.delay_ns <= most_ns(2));
        later_ns += v.delay_ns;
    }
    assert_true(later_ns > 0);
}

static void
test_an_at_once_that_had_to_back_off_before_waits(void **state)
{
    uint64_t all_ns = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct retry r;
        retry_init(&r, &defaults, seed);
        die(&r, S);
        all_ns += retry_after_death(&r, 2 * S, 0, false, true, 0).delay_ns;
    }
    assert_true(all_ns > 0);
}

/* Neither a long silent life nor a short one with events is a good one. */
static void
test_only_a_good_life_is_forgiven(void **state)
{
    struct retry r;
    (void)state;
    retry_init(&r, &defaults, 1);
    assert_int_equal(
        retry_after_death(&r, S, 20 * S - 1, true, false, 0).attempt, 1);
    assert_int_equal(
        retry_after_death(&r, 2 * S, 400 * S, false, false, 0).attempt, 2);
    assert_int_equal(die(&r, 1000000 * S).attempt, 3);
    struct retry_verdict v =
        retry_after_death(&r, 1000030 * S, 20 * S, true, true, 0);
    assert_int_equal(v.attempt, 1);
    assert_int_equal(v.delay_ns, 0);
    assert_int_equal(die(&r, 1000031 * S).attempt, 2);
}

/* Healthy streams in a row, each cut after a while, never spend a budget. */
static void
test_good_lives_never_spend_the_budget(void **state)
{
    struct retry r;
    (void)state;
    retry_init(&r, &defaults, 1);
    for (unsigned n = 0; n < 1000; n++) {
        struct retry_verdict v =
            retry_after_death(&r, n * 21 * S, 21 * S, true, true, 0);
        assert_false(v.spent);
        assert_int_equal(v.delay_ns, 0);
    }
}

static void
spend(struct retry *r, uint64_t now_ns)
{
    for (unsigned n = 0; n < 8; n++)
        assert_false(die(r, now_ns + n).spent);
}

static void
test_after_the_budget_slowly_and_for_ever(void **state)
{
    struct retry r;
    uint64_t now_ns = 1000 * S, least = UINT64_MAX, most = 0, sum = 0;
    (void)state;
    retry_init(&r, &defaults, 3);
    spend(&r, now_ns);
    for (unsigned n = 0; n < 2000; n++) {
        struct retry_verdict v =
            retry_after_death(&r, now_ns, 0, n & 1, true, 0);
        assert_true(v.spent);
        assert_int_equal(v.attempt, 9 + n);
        assert_in_range(v.delay_ns, 48 * S, 72 * S);
        least = v.delay_ns < least ? v.delay_ns : least;
        most = v.delay_ns > most ? v.delay_ns : most;
        sum += v.delay_ns / 2000;
        now_ns += v.delay_ns;
    }
    assert_true(least < 49 * S && most > 71 * S);
    assert_in_range(sum, 59 * S, 61 * S);
}

static void
test_what_ends_the_slow_attempts(void **state)
{
    struct retry r;
    (void)state;
    retry_init(&r, &defaults, 3);
    spend(&r, S);
    assert_true(die(&r, 2 * S).spent);
    struct retry_verdict v = retry_after_death(&r, 60 * S, 20 * S, true, 0, 0);
    assert_false(v.spent);
    assert_int_equal(v.attempt, 1);
    retry_reset(&r);
    spend(&r, 61 * S);
    assert_true(die(&r, 62 * S).spent);
    retry_reset(&r);
    spend(&r, 63 * S);
}

/* The window slides: attempts far apart never fill it, however many. */
static void
test_the_budget_is_per_window(void **state)
{
    struct retry r;
    (void)state;
    retry_init(&r, &defaults, 3);
    for (unsigned n = 1; n < 100; n++) {
        struct retry_verdict v = die(&r, n * 38 * S);
        assert_false(v.spent);
        assert_int_equal(v.attempt, n);
        assert_true(v.delay_ns <= 20 * S);
    }
    retry_init(&r, &defaults, 3);
    for (unsigned n = 1; n <= 8; n++)
        assert_false(die(&r, n * 37 * S).spent);
    assert_true(die(&r, 9 * 37 * S).spent);
}

/* Retry-After is kept, also when slow, not together, and not for a day. */
static void
test_at_least(void **state)
{
    struct retry r, other;
    (void)state;
    retry_init(&r, &defaults, 3);
    retry_init(&other, &defaults, 4);
    uint64_t a = retry_after_death(&r, S, 0, false, true, 5 * S).delay_ns;
    uint64_t b = retry_after_death(&other, S, 0, false, true, 5 * S).delay_ns;
    assert_in_range(a, 5 * S, 5 * S + 250 * MS);
    assert_in_range(b, 5 * S, 5 * S + 250 * MS);
    assert_true(a != b);
    a = retry_after_death(&r, S, 0, false, false, UINT64_MAX).delay_ns;
    assert_in_range(a, RETRY_AT_LEAST_MAX_NS, RETRY_AT_LEAST_MAX_NS + S);
    for (unsigned n = 2; n < 8; n++)
        die(&r, 2 * S);
    a = retry_after_death(&r, 2 * S, 0, false, false, 10 * S).delay_ns;
    assert_in_range(a, 48 * S, 72 * S);
    a = retry_after_death(&r, 2 * S, 0, false, false, 100 * S).delay_ns;
    assert_in_range(a, 148 * S, 172 * S);
}

/* Forward, as after a suspend: the window is empty. Back: what was tried
 * counts for one window from then, not for the years in between. */
static void
test_time_jumps(void **state)
{
    struct retry r;
    uint64_t year_ns = UINT64_C(365) * 86400 * S;
    (void)state;
    retry_init(&r, &defaults, 3);
    spend(&r, S);
    assert_false(die(&r, year_ns).spent);
    for (unsigned n = 0; n < 7; n++)
        assert_false(die(&r, year_ns).spent);
    assert_true(die(&r, S).spent);
    retry_init(&r, &defaults, 3);
    spend(&r, year_ns);
    assert_false(die(&r, year_ns + 301 * S).spent);
    retry_init(&r, &defaults, 3);
    for (unsigned n = 0; n < 7; n++)
        die(&r, year_ns);
    assert_false(die(&r, S).spent);
    assert_false(die(&r, 301 * S).spent);
    retry_init(&r, &defaults, 3);
    spend(&r, UINT64_MAX - 10 * S);
    assert_true(die(&r, UINT64_MAX).spent);
}

static void
test_settings_at_their_ends(void **state)
{
    static const struct retry_config none = {0, 0, 0, 0, 0, 0};
    static const struct retry_config all = {UINT32_MAX, UINT32_MAX, UINT32_MAX,
                                            UINT32_MAX, UINT32_MAX, UINT32_MAX};
    static const struct retry_config no_budget = {250,   20000, 0,
                                                  30000, 60000, 20000};
    struct retry r;
    (void)state;
    retry_init(&r, &none, 0);
    for (unsigned n = 1; n < 100; n++) {
        struct retry_verdict v = die(&r, n);
        assert_int_equal(v.delay_ns, 0);
        assert_false(v.spent);
    }
    retry_init(&r, &all, UINT64_MAX);
    for (unsigned n = 1; n <= RETRY_BUDGET_MAX + 5; n++) {
        struct retry_verdict v = die(&r, n);
        assert_int_equal(v.spent, n > RETRY_BUDGET_MAX);
        assert_true(v.delay_ns <= UINT32_MAX * MS / 5 * 6);
    }
    retry_init(&r, &no_budget, 0);
    assert_true(die(&r, S).spent);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_jitter),
        cmocka_unit_test(test_a_seed_repeats_and_seeds_differ),
        cmocka_unit_test(test_at_once_is_for_the_first_attempt),
        cmocka_unit_test(test_an_at_once_that_had_to_back_off_before_waits),
        cmocka_unit_test(test_only_a_good_life_is_forgiven),
        cmocka_unit_test(test_good_lives_never_spend_the_budget),
        cmocka_unit_test(test_after_the_budget_slowly_and_for_ever),
        cmocka_unit_test(test_what_ends_the_slow_attempts),
        cmocka_unit_test(test_the_budget_is_per_window),
        cmocka_unit_test(test_at_least),
        cmocka_unit_test(test_time_jumps),
        cmocka_unit_test(test_settings_at_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
