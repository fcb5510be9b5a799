/* Every pair of formats: as long as the input, and the same sound. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/cli/convert.h"

#define FRAMES 10007
#define OUT_MAX (FRAMES * 16 * 2)
#define TONE_HZ 440

static int16_t in[FRAMES * 6];
static int16_t out[OUT_MAX];

static double
tone(double seconds)
{
    return 10000 * sin(2 * 3.14159265358979 * TONE_HZ * seconds);
}

static size_t
keep(size_t at, const int16_t *samples, size_t frames, uint32_t channels)
{
    assert_true((at + frames) * channels <= OUT_MAX);
    memcpy(out + at * channels, samples, frames * channels * sizeof *samples);
    return at + frames;
}

/* Converts `frames` of `in`, `piece` at a time; returns the frames in `out`. */
static size_t
convert_all(struct vr_format from, struct vr_format to, size_t frames,
            size_t piece)
{
    struct convert *c;
    const int16_t *ready;
    size_t made = 0, count;
    assert_int_equal(convert_new(&c, from, to), VR_OK);
    for (size_t at = 0; at < frames; at += piece) {
        size_t give = frames - at < piece ? frames - at : piece;
        count = convert_push(c, in + at * from.channels, give, &ready);
        made = keep(made, ready, count, to.channels);
    }
    while ((count = convert_finish(c, &ready)))
        made = keep(made, ready, count, to.channels);
    convert_free(&c);
    assert_null(c);
    return made;
}

static void
fill(struct vr_format format)
{
    for (size_t i = 0; i < FRAMES; i++) {
        for (uint32_t n = 0; n < format.channels; n++)
            in[i * format.channels + n] =
                (int16_t)tone((double)i / format.rate_hz);
    }
}

static void
test_equal_formats_are_untouched(void **state)
{
    struct vr_format format = {16000, 2};
    (void)state;
    for (size_t i = 0; i < FRAMES * 2; i++)
        in[i] = (int16_t)(i * 7919);
    assert_int_equal(convert_all(format, format, FRAMES, 160), FRAMES);
    assert_memory_equal(in, out, FRAMES * 4);
}

static void
expect_tone(struct vr_format to, size_t frames)
{
    double worst = 0;
    for (size_t i = frames / 10; i < frames - frames / 10; i++) {
        for (uint32_t n = 0; n < to.channels; n++) {
            double off =
                fabs(out[i * to.channels + n] - tone((double)i / to.rate_hz));
            worst = off > worst ? off : worst;
        }
    }
    assert_true(worst < 300);
}

static void
test_pairs(void **state)
{
    static const uint32_t from_hz[] = {8000, 11025, 22050, 44100, 48000, 96000};
    static const uint32_t to_hz[] = {8000, 16000, 24000, 48000};
    (void)state;
    for (size_t f = 0; f < 6; f++) {
        for (size_t t = 0; t < 4; t++) {
            struct vr_format from = {from_hz[f], 1 + (uint32_t)(f % 2)};
            struct vr_format to = {to_hz[t], 1 + (uint32_t)(t % 2)};
            uint64_t due = ((uint64_t)FRAMES * to.rate_hz + from.rate_hz / 2) /
                           from.rate_hz;
            fill(from);
            size_t frames = convert_all(from, to, FRAMES, 1000);
            assert_int_equal(frames, due);
            expect_tone(to, frames);
        }
    }
}

static void
test_channels_are_means_of_their_own(void **state)
{
    struct vr_format from = {16000, 6}, two = {16000, 2}, one = {16000, 1};
    (void)state;
    for (int n = 0; n < 6; n++)
        in[n] = (int16_t)(100 * (n + 1));
    assert_int_equal(convert_all(from, two, 1, 1), 1);
    assert_int_equal(out[0], 300);
    assert_int_equal(out[1], 400);
    assert_int_equal(convert_all(from, one, 1, 1), 1);
    assert_int_equal(out[0], 350);
    in[0] = in[1] = INT16_MIN;
    assert_int_equal(convert_all(two, one, 1, 1), 1);
    assert_int_equal(out[0], INT16_MIN);
}

static void
test_little_is_not_lost(void **state)
{
    struct vr_format from = {8000, 1}, to = {48000, 2};
    (void)state;
    assert_int_equal(convert_all(from, to, 0, 1), 0);
    assert_int_equal(convert_all(from, to, 1, 1), 6);
    assert_int_equal(convert_all(to, from, 5, 1), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_formats_are_untouched),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_channels_are_means_of_their_own),
        cmocka_unit_test(test_little_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
