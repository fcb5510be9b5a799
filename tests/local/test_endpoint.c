/* Where speech begins and ends, in noise, in clicks, in any chunking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/local/endpoint.h"

struct hearing {
    struct endpoint endpoint;
    char events[64]; /* one letter each */
    uint32_t random;
    double noise;
    size_t chunk;
    size_t at;
};

static void
open_hearing(struct hearing *h, long rate_hz, double noise, size_t chunk)
{
    struct endpoint_config config = {rate_hz, -45, 480, 1500, 30000};

    memset(h, 0, sizeof(*h));
    endpoint_init(&h->endpoint, &config);
    h->random = 7;
    h->noise = noise;
    h->chunk = chunk;
}

static double
noise(struct hearing *h)
{
    h->random = h->random * 1664525u + 1013904223u;
    return h->noise * ((double)(h->random >> 8) / (1 << 23) - 1);
}

static void
feed(struct hearing *h, unsigned ms, double amplitude)
{
    size_t left = (size_t)h->endpoint.config.rate_hz * ms / 1000;
    int16_t *chunk = malloc(h->chunk * sizeof(*chunk));

    assert_non_null(chunk);
    while (left > 0) {
        size_t count = left < h->chunk ? left : h->chunk;
        const int16_t *at = chunk;

        for (size_t i = 0; i < count; i++)
            chunk[i] =
                (int16_t)(amplitude * sin((double)h->at++ * 0.3) + noise(h));
        left -= count;
        while (count > 0) {
            enum endpoint_event event =
                endpoint_feed(&h->endpoint, &at, &count);
            size_t used = strlen(h->events);

            if (event != ENDPOINT_NOTHING && used + 1 < sizeof(h->events))
                h->events[used] = event == ENDPOINT_START    ? 's'
                                  : event == ENDPOINT_PAUSE  ? 'p'
                                  : event == ENDPOINT_RESUME ? 'r'
                                                             : 't';
        }
    }
    free(chunk);
}

static void
test_an_utterance(void **state)
{
    static const size_t chunks[] = {1, 37, 160, 512, 16000};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct hearing h;

        open_hearing(&h, 16000, 0, chunks[i]);
        feed(&h, 500, 0);
        feed(&h, 600, 6000);
        feed(&h, 1490, 0);
        assert_string_equal(h.events, "sp");
        feed(&h, 20, 0);
        assert_string_equal(h.events, "spt");
        assert_in_range(h.endpoint.start_ms, 440, 520);
        assert_in_range(h.endpoint.loud_ms, 1090, 1110);
    }
}

static void
test_a_pause_and_on(void **state)
{
    struct hearing h;

    (void)state;
    open_hearing(&h, 8000, 0, 256);
    feed(&h, 500, 6000);
    feed(&h, 300, 0);
    feed(&h, 500, 6000);
    feed(&h, 900, 0);
    feed(&h, 500, 6000);
    feed(&h, 1600, 0);
    assert_string_equal(h.events, "sprpt");
}

static void
test_clicks_are_not_speech(void **state)
{
    struct hearing h;

    (void)state;
    open_hearing(&h, 16000, 0, 160);
    for (int i = 0; i < 20; i++) {
        feed(&h, 30, 20000);
        feed(&h, 200, 0);
    }
    assert_string_equal(h.events, "");
}

static void
test_a_noisy_room(void **state)
{
    struct hearing h;

    (void)state;
    open_hearing(&h, 16000, 900, 512);
    /* The fan is heard as speech at first, until the room is known. */
    feed(&h, 60000, 0);
    memset(h.events, 0, sizeof(h.events));
    assert_int_equal(h.endpoint.state, ENDPOINT_QUIET);
    feed(&h, 20000, 0);
    assert_string_equal(h.events, "");
    feed(&h, 700, 9000);
    feed(&h, 1600, 0);
    assert_string_equal(h.events, "spt");
}

static void
test_endless_speech_is_cut(void **state)
{
    struct hearing h;

    (void)state;
    open_hearing(&h, 16000, 0, 512);
    feed(&h, 29000, 12000);
    assert_string_equal(h.events, "s");
    feed(&h, 2000, 12000);
    assert_int_equal(h.events[1], 't');
}

static void
test_finish(void **state)
{
    struct hearing h;

    (void)state;
    open_hearing(&h, 24000, 0, 512);
    feed(&h, 300, 0);
    assert_false(endpoint_finish(&h.endpoint));
    feed(&h, 500, 6000);
    assert_true(endpoint_finish(&h.endpoint));
    assert_false(endpoint_finish(&h.endpoint));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_utterance),
        cmocka_unit_test(test_a_pause_and_on),
        cmocka_unit_test(test_clicks_are_not_speech),
        cmocka_unit_test(test_a_noisy_room),
        cmocka_unit_test(test_endless_speech_is_cut),
        cmocka_unit_test(test_finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
