/* From an event to the bytes for TLS nothing is allocated, by us or by nghttp2.
 * (OpenSSL 3 allocates for each record.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/bedrock/scene.h"
#include "tests/shared/starve.h"

static void
test_sending_allocates_nothing(void **state)
{
    struct fake_h2_options options = {.window_bytes = 4000000};
    struct scene s;
    unsigned long before = 0;
    char json[1500];

    (void)state;
    if (!starve_works())
        skip();
    memset(json, 'a', sizeof(json));
    scene_open_with(&s, &options, &test_target);
    fake_wire_connected(&s.wire);
    fake_h2_window(s.wire.h2, 4000000);
    fake_wire_deliver(&s.wire);
    assert_true(starve_count() > 0);
    s.wire.swallows = true;
    for (unsigned i = 0; i < 500; i++) {
        /* The first ones fill what nghttp2 keeps. */
        if (i == 10)
            before = starve_count();
        assert_int_equal(
            bedrock_stream_send(s.record.stream, json, sizeof(json), false),
            VR_OK);
        assert_int_equal(bedrock_stream_unsent_bytes(s.record.stream), 0);
    }
    assert_int_equal(starve_count() - before, 0);
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
