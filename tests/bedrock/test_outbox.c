/* The buffer between signing and framing, against a plain copy of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/bedrock/outbox.h"

#define CAPACITY 1000

static void
push(struct outbox *outbox, size_t count, uint8_t *next)
{
    uint8_t *room = outbox_room(outbox, count);

    assert_non_null(room);
    for (size_t i = 0; i < count; i++)
        room[i] = (*next)++;
    outbox_push(outbox, count);
}

static void
pop(struct outbox *outbox, size_t count, uint8_t *next)
{
    const uint8_t *front = outbox_front(outbox);

    for (size_t i = 0; i < count; i++)
        assert_int_equal(front[i], (*next)++);
    outbox_pop(outbox, count);
}

static void
test_keeps_order(void **state)
{
    struct outbox outbox;
    uint8_t in = 0, out = 0;
    uint32_t random = 7;
    uint64_t popped = 0;

    (void)state;
    assert_int_equal(outbox_init(&outbox, CAPACITY), VR_OK);
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525u + 1013904223u;
        size_t count = (random >> 8) % 300;
        if (count <= CAPACITY - outbox_bytes(&outbox))
            push(&outbox, count, &in);
        else
            assert_null(outbox_room(&outbox, count));
        count = (random >> 16) % (outbox_bytes(&outbox) + 1);
        pop(&outbox, count, &out);
        popped += count;
        assert_true(outbox.popped == popped);
    }
    outbox_fini(&outbox);
}

static void
test_takes_its_whole_capacity(void **state)
{
    struct outbox outbox;
    uint8_t in = 0, out = 0;

    (void)state;
    assert_int_equal(outbox_init(&outbox, CAPACITY), VR_OK);
    assert_null(outbox_room(&outbox, CAPACITY + 1));
    assert_null(outbox_room(&outbox, SIZE_MAX));
    push(&outbox, CAPACITY, &in);
    assert_null(outbox_room(&outbox, 1));
    pop(&outbox, 1, &out);
    push(&outbox, 1, &in);
    assert_int_equal(outbox_bytes(&outbox), CAPACITY);
    pop(&outbox, CAPACITY, &out);
    assert_int_equal(outbox_bytes(&outbox), 0);
    outbox_fini(&outbox);
}

static void
test_lack_of_address_space(void **state)
{
    struct outbox outbox;

    (void)state;
    assert_int_equal(outbox_init(&outbox, SIZE_MAX / 2), VR_NO_MEMORY);
    outbox_fini(&outbox);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_order),
        cmocka_unit_test(test_takes_its_whole_capacity),
        cmocka_unit_test(test_lack_of_address_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
