/* The histogram of latencies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/session/latency.h"

static void
test_empty(void **state)
{
    struct latency l = {0};
    (void)state;
    assert_int_equal(latency_quantile_ns(&l, 0.5), 0);
    assert_int_equal(latency_quantile_ns(&l, 1), 0);
}

/* One time alone is every quantile, never less than it, at most a bucket
 * above. */
static void
test_one_time(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < 20ull * 1000 * 1000 * 1000;
         ns = ns * 9 / 8 + 1) {
        struct latency l = {0};
        latency_add(&l, ns);
        assert_int_equal(latency_quantile_ns(&l, 0.01), ns);
        assert_int_equal(latency_quantile_ns(&l, 0.99), ns);
    }
}

static void
test_quantiles_are_within_a_bucket(void **state)
{
    struct latency l = {0};
    static const double shares[] = {0.1, 0.5, 0.9, 0.99};
    (void)state;
    for (uint64_t us = 1; us <= 100000; us++)
        latency_add(&l, us * 1000);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double exact = shares[i] * 100000 * 1000;
        double got = (double)latency_quantile_ns(&l, shares[i]);
        assert_true(got >= exact * 0.999 && got <= exact * 1.26);
    }
    assert_int_equal(latency_quantile_ns(&l, 1), 100000 * 1000);
    assert_int_equal(l.count, 100000);
}

static void
test_edges_ascend(void **state)
{
    struct latency l = {0};
    uint64_t before = 0;
    (void)state;
    for (uint64_t ns = 500; ns < 1ull << 50; ns *= 2)
        latency_add(&l, ns);
    for (int percent = 0; percent <= 100; percent++) {
        uint64_t ns = latency_quantile_ns(&l, percent / 100.0);
        assert_true(ns >= before);
        before = ns;
    }
}

static void
test_any_time_has_a_bucket(void **state)
{
    struct latency l = {0};
    (void)state;
    latency_add(&l, 0);
    latency_add(&l, UINT64_MAX);
    assert_int_equal(l.count, 2);
    assert_true(latency_quantile_ns(&l, 0.5) <= 1000);
    assert_true(latency_quantile_ns(&l, 1) > 10ull * 1000 * 1000 * 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one_time),
        cmocka_unit_test(test_quantiles_are_within_a_bucket),
        cmocka_unit_test(test_edges_ascend),
        cmocka_unit_test(test_any_time_has_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
