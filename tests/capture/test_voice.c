/* The voice detector by itself: tones, noise, clicks, gaps, real speech. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "gateway/capture/voice.h"
#include "gateway/clock.h"

#define RATE 16000
#define MS_FRAMES (RATE / 1000)
#define SPEECH_SECONDS 12

static struct voice voice;
static uint64_t position, now_ns;
static int begun, ended;
static uint64_t begun_at, ended_at;
static uint32_t seed;

static void
on_edge(void *arg, bool started, uint64_t frame)
{
    (void)arg;
    *(started ? &begun : &ended) += 1;
    *(started ? &begun_at : &ended_at) = frame;
}

static void
start(uint32_t rate_hz)
{
    struct voice_config config = {.rate_hz = rate_hz,
                                  .threshold_dbfs = -45,
                                  .hangover_ms = 500,
                                  .on_edge = on_edge};
    voice_init(&voice, &config);
    position = begun_at = ended_at = 0;
    begun = ended = 0;
    now_ns = 1000;
    seed = 1;
}

static int
setup(void **state)
{
    (void)state;
    start(RATE);
    return 0;
}

/* In pieces of odd lengths, as they come from a ring. */
static void
hear(const int16_t *frames, size_t count)
{
    while (count > 0) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = 1 + (seed >> 8) % 700;
        if (n > count)
            n = count;
        now_ns += n * CLOCK_NS_PER_S / RATE;
        voice_hear(&voice, position, frames, n, now_ns);
        position += n;
        count -= n;
        frames += frames ? n : 0;
    }
}

static double
uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 23) - 1;
}

/* A tone and white noise of these RMS levels, with a constant offset. */
static void
hear_ms(uint32_t ms, double tone_dbfs, double noise_dbfs, double offset)
{
    int16_t frames[MS_FRAMES * 10];
    double tone = 32768 * sqrt(2) * pow(10, tone_dbfs / 20);
    double noise = 32768 * sqrt(3) * pow(10, noise_dbfs / 20);
    for (uint32_t at = 0; at < ms; at += 10) {
        for (size_t i = 0; i < MS_FRAMES * 10; i++) {
            double turns = 220.0 * (double)(position + i) / RATE;
            frames[i] = (int16_t)(tone * sin(2 * M_PI * turns) +
                                  noise * uniform() + offset);
        }
        hear(frames, MS_FRAMES * 10);
    }
}

static void
assert_near_ms(uint64_t frame, uint64_t ms, uint64_t off_ms)
{
    uint64_t at_ms = frame * 1000 / RATE;
    uint64_t off = at_ms > ms ? at_ms - ms : ms - at_ms;
    if (off > off_ms)
        fail_msg("%lu ms, not %lu", at_ms, ms);
}

static void
test_a_tone_begins_and_ends(void **state)
{
    (void)state;
    hear_ms(1000, -90, -70, 0);
    assert_int_equal(begun, 0);
    hear_ms(60, -30, -70, 0);
    assert_int_equal(begun, 0);
    hear_ms(740, -30, -70, 0);
    assert_true(voice.speaking);
    assert_near_ms(voice.start_frame, 1000, 10);
    hear_ms(490, -90, -70, 0);
    assert_true(voice.speaking);
    hear_ms(30, -90, -70, 0);
    assert_false(voice.speaking);
    assert_int_equal(begun, 1);
    assert_int_equal(ended, 1);
    assert_near_ms(voice.end_frame, 1800, 10);
    assert_int_equal(voice.end_frame, ended_at);
    assert_int_equal(voice.start_frame, begun_at);
    assert_in_range(voice.loud_ms, 780, 820);
    assert_true(voice.ended_ns > 0 && voice.ended_ns <= now_ns);
}

static void
test_below_the_threshold_is_nothing(void **state)
{
    (void)state;
    hear_ms(3000, -46.5, -90, 0);
    assert_int_equal(begun, 0);
    start(RATE);
    hear_ms(300, -44, -90, 0);
    assert_int_equal(begun, 1);
}

static void
test_pauses_within_the_hangover_belong_to_it(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        hear_ms(300, -25, -70, 0);
        hear_ms(400, -90, -70, 0);
    }
    assert_int_equal(begun, 1);
    assert_int_equal(ended, 0);
    assert_in_range(voice.loud_ms, 2950, 3100);
    hear_ms(110, -90, -70, 0);
    assert_int_equal(ended, 1);
    assert_near_ms(voice.end_frame, 10 * 700 - 400, 10);
}

static void
test_clicks_are_no_speech_and_do_not_prolong_it(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        hear_ms(20, -10, -70, 0);
        hear_ms(180, -90, -70, 0);
    }
    assert_int_equal(begun, 0);
    hear_ms(500, -25, -70, 0);
    assert_true(voice.speaking);
    for (int i = 0; i < 4; i++) {
        hear_ms(180, -90, -70, 0);
        hear_ms(20, -10, -70, 0);
    }
    assert_false(voice.speaking);
    assert_near_ms(voice.end_frame, 6500, 10);
}

static void
test_noise_that_stays_becomes_the_floor(void **state)
{
    (void)state;
    hear_ms(1000, -90, -80, 0);
    hear_ms(9000, -90, -25, 0);
    assert_int_equal(begun, 1);
    assert_false(voice.speaking);
    hear_ms(20000, -90, -25, 0);
    assert_int_equal(begun, 1);
    /* Speech above it is heard, and speech like it no more. */
    hear_ms(400, -11, -25, 0);
    assert_int_equal(begun, 2);
    hear_ms(1000, -90, -25, 0);
    hear_ms(1000, -28, -25, 0);
    assert_int_equal(begun, 2);
    assert_false(voice.speaking);
    /* The floor comes down again by itself. */
    hear_ms(1000, -90, -80, 0);
    hear_ms(400, -35, -80, 0);
    assert_int_equal(begun, 3);
}

static void
test_an_offset_is_not_loud(void **state)
{
    (void)state;
    hear_ms(2000, -90, -70, 6000);
    assert_int_equal(begun, 0);
    hear_ms(300, -30, -70, 6000);
    assert_int_equal(begun, 1);
}

static void
test_the_loudest_there_is(void **state)
{
    (void)state;
    static int16_t square[RATE];
    for (size_t i = 0; i < RATE; i++)
        square[i] = i / 40 % 2 ? INT16_MAX : INT16_MIN;
    hear(square, RATE);
    assert_true(voice.speaking);
    assert_near_ms(voice.start_frame, 0, 0);
}

static void
test_gated_frames_are_quiet(void **state)
{
    (void)state;
    static int16_t loud[RATE];
    for (size_t i = 0; i < RATE; i++)
        loud[i] = i / 40 % 2 ? 8000 : -8000;
    hear(NULL, 3 * RATE);
    assert_int_equal(begun, 0);
    hear(loud, RATE / 2);
    assert_int_equal(begun, 1);
    hear(NULL, RATE);
    assert_int_equal(ended, 1);
    assert_near_ms(voice.end_frame, 3500, 10);
}

static void
test_gaps_are_quiet_and_places_stay_right(void **state)
{
    (void)state;
    hear_ms(500, -25, -70, 0);
    assert_int_equal(begun, 1);
    position += RATE / 10 + 7;
    hear_ms(100, -25, -70, 0);
    assert_int_equal(ended, 0);
    position += UINT64_C(1) << 50;
    hear_ms(10, -90, -70, 0);
    assert_int_equal(ended, 1);
    assert_near_ms(voice.end_frame, 700, 10);
    uint64_t at = position;
    hear_ms(60, -25, -70, 0);
    position += 33;
    hear_ms(60, -25, -70, 0);
    assert_int_equal(begun, 1);
    hear_ms(200, -25, -70, 0);
    assert_int_equal(begun, 2);
    assert_true(voice.start_frame >= at + 60 * MS_FRAMES + 33);
    assert_true(voice.start_frame <= at + 70 * MS_FRAMES + 33);
}

static void
test_a_producer_that_stops_ends_speech(void **state)
{
    (void)state;
    hear_ms(500, -25, -70, 0);
    voice_idle(&voice, 499 * CLOCK_NS_PER_MS, now_ns);
    assert_true(voice.speaking);
    voice_idle(&voice, 500 * CLOCK_NS_PER_MS, now_ns + 5);
    assert_false(voice.speaking);
    assert_int_equal(voice.ended_ns, now_ns + 5);
    voice_idle(&voice, 900 * CLOCK_NS_PER_MS, now_ns + 9);
    assert_int_equal(ended, 1);
}

/* Says two sentences with a pause; how many frames, 0 if nobody can. */
static size_t
speak(int16_t *frames, size_t most, uint32_t *rate_hz)
{
    uint8_t head[44];
    FILE *f = popen("espeak-ng -v en -a 60 --stdout 'Please bring me the red "
                    "cup from the kitchen table, and come back.' "
                    "2>/dev/null",
                    "r");
    if (!f)
        return 0;
    size_t got = fread(head, 1, sizeof head, f) == sizeof head
                     ? fread(frames, sizeof *frames, most, f)
                     : 0;
    if (pclose(f) != 0)
        return 0;
    *rate_hz = head[24] | (uint32_t)head[25] << 8;
    return got;
}

static void
test_spoken_words(void **state)
{
    (void)state;
    static int16_t frames[SPEECH_SECONDS * 22050];
    static int16_t quiet[22050];
    uint32_t rate_hz = 0;
    size_t count = speak(frames, sizeof frames / sizeof *frames, &rate_hz);
    if (count == 0) {
        print_message("no espeak-ng: skipped\n");
        skip();
    }
    start(rate_hz);
    for (size_t i = 0; i < rate_hz; i++)
        quiet[i] = (int16_t)(uniform() * 20);
    hear(quiet, rate_hz);
    for (int i = 0; i < 20; i++) {
        hear(frames, count);
        hear(quiet, rate_hz);
    }
    assert_int_equal(begun, 20);
    assert_int_equal(ended, 20);
    uint64_t last = position - rate_hz - count;
    assert_true(voice.start_frame + rate_hz / 20 > last);
    assert_true(voice.start_frame < last + rate_hz / 5);
    assert_true(voice.end_frame < position - rate_hz + rate_hz / 20);
    assert_true(voice.end_frame > position - rate_hz - rate_hz / 2);
    assert_true(voice.loud_ms > count * 500 / rate_hz);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_tone_begins_and_ends),
        TEST(test_below_the_threshold_is_nothing),
        TEST(test_pauses_within_the_hangover_belong_to_it),
        TEST(test_clicks_are_no_speech_and_do_not_prolong_it),
        TEST(test_noise_that_stays_becomes_the_floor),
        TEST(test_an_offset_is_not_loud),
        TEST(test_the_loudest_there_is),
        TEST(test_gated_frames_are_quiet),
        TEST(test_gaps_are_quiet_and_places_stay_right),
        TEST(test_a_producer_that_stops_ends_speech),
        TEST(test_spoken_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
