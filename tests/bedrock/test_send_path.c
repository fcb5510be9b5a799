/* From an event to the bytes for TLS nothing is allocated, by us or by nghttp2:
 * counted by standing in for malloc() in this program. (OpenSSL 3 allocates
 * for each record.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/bedrock/scene.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_COUNT 0
#else
#define CAN_COUNT 1
#endif

static unsigned long allocations;

#if CAN_COUNT
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

VR_API void *
malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

VR_API void *
calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

VR_API void *
realloc(void *old, size_t bytes)
{
    allocations++;
    return __libc_realloc(old, bytes);
}
#endif

static void
test_sending_allocates_nothing(void **state)
{
    struct fake_h2_options options = {.window_bytes = 4000000};
    struct scene s;
    unsigned long before = 0;
    char json[1500];

    (void)state;
    if (!CAN_COUNT)
        skip();
    memset(json, 'a', sizeof(json));
    scene_open_with(&s, &options, &test_target);
    fake_wire_connected(&s.wire);
    fake_h2_window(s.wire.h2, 4000000);
    fake_wire_deliver(&s.wire);
    assert_true(allocations > 0);
    s.wire.swallows = true;
    for (unsigned i = 0; i < 500; i++) {
        /* The first ones fill what nghttp2 keeps. */
        if (i == 10)
            before = allocations;
        assert_int_equal(
            bedrock_stream_send(s.record.stream, json, sizeof(json), false),
            VR_OK);
        assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    }
    assert_int_equal(allocations - before, 0);
    scene_close(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sending_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
