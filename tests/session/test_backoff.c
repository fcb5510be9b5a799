/* How soon a thing is done again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/session/backoff.h"

#define S CLOCK_NS_PER_S

static struct backoff b;
static uint64_t now;

static int
setup(void **state)
{
    (void)state;
    b = (struct backoff){0};
    now = 1000 * S;
    return 0;
}

/* Needed `after` its last time: done as late as it says, which is returned. */
static uint64_t
again(uint64_t after)
{
    now += after;
    uint64_t late = backoff_due_ns(&b, now) - now;
    now += late;
    backoff_did(&b, now);
    return late;
}

static void
test_now_and_then_is_at_once(void **state)
{
    (void)state;
    assert_int_equal(again(0), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(again(60 * S), 0);
}

static void
test_at_once_again_is_put_off(void **state)
{
    static const uint64_t seconds[] = {0, 1, 2, 4, 8, 16, 30, 30};
    (void)state;
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        assert_int_equal(again(S / 10), seconds[i] * S);
    /* As late as it was, until a minute was quiet. */
    assert_int_equal(again(60 * S - 1), 30 * S);
    assert_int_equal(again(60 * S), 0);
}

static void
test_too_often_is_put_off(void **state)
{
    (void)state;
    for (int i = 0; i <= BACKOFF_OFTEN; i++)
        assert_int_equal(again(2 * S), 0);
    assert_int_equal(again(2 * S), S);
    assert_int_equal(again(2 * S), 2 * S);
}

/* Tried in vain is needed again at once. */
static void
test_in_vain(void **state)
{
    (void)state;
    assert_int_equal(again(0), 0);
    assert_int_equal(again(0), S);
    assert_int_equal(again(0), 2 * S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_now_and_then_is_at_once, setup),
        cmocka_unit_test_setup(test_at_once_again_is_put_off, setup),
        cmocka_unit_test_setup(test_too_often_is_put_off, setup),
        cmocka_unit_test_setup(test_in_vain, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
