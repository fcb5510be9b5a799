/* The voice: rates, distinct voices, cache, and a resampler without clicks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/local/resample.h"
#include "gateway/local/voice.h"

static const char sentence[] = "The robot counts its cups.";

static void
test_speech_at_each_rate(void **state)
{
    static const long rates_hz[] = {8000, 16000, 24000};
    struct voice *voice = voice_new(165);

    (void)state;
    assert_non_null(voice);
    for (size_t i = 0; i < 3; i++) {
        struct pcm *pcm = voice_say(voice, sentence, "tiffany", rates_hz[i]);
        double sum = 0;

        assert_non_null(pcm);
        assert_int_equal(pcm->rate_hz, rates_hz[i]);
        /* Between one and four seconds, and not silent. */
        assert_true(pcm->frames > (size_t)rates_hz[i]);
        assert_true(pcm->frames < (size_t)rates_hz[i] * 4);
        for (size_t k = 0; k < pcm->frames; k++)
            sum += (double)pcm->samples[k] * pcm->samples[k];
        assert_true(sqrt(sum / (double)pcm->frames) > 300);
        voice_release(&pcm);
        assert_null(pcm);
    }
    voice_free(&voice);
    assert_null(voice);
}

static void
test_voices_differ(void **state)
{
    struct voice *voice = voice_new(165);
    struct pcm *a = voice_say(voice, sentence, "tiffany", 16000);
    struct pcm *b = voice_say(voice, sentence, "matthew", 16000);

    (void)state;
    assert_true(a->frames != b->frames ||
                memcmp(a->samples, b->samples, a->frames * 2) != 0);
    voice_release(&a);
    voice_release(&b);
    voice_free(&voice);
}

static void
test_the_same_again_is_cached(void **state)
{
    struct voice *voice = voice_new(165);
    struct pcm *a = voice_say(voice, sentence, "tiffany", 16000);
    struct pcm *b = voice_say(voice, sentence, "tiffany", 16000);

    (void)state;
    assert_ptr_equal(a, b);
    voice_release(&a);
    /* Speech that is in use outlives the cache. */
    voice_free(&voice);
    assert_true(b->frames > 0);
    voice_release(&b);
}

/* Much more than the cache holds, with one kept in use all the time. */
static void
test_the_cache_is_bounded(void **state)
{
    struct voice *voice = voice_new(165);
    struct pcm *kept = voice_say(voice, sentence, "tiffany", 24000);
    size_t frames = kept->frames;
    char text[] = "Once upon a time there was a robot in a house, number aa.";

    (void)state;
    for (int i = 0; i < 120; i++) {
        struct pcm *pcm;

        text[sizeof(text) - 4] = (char)('a' + i / 26);
        text[sizeof(text) - 3] = (char)('a' + i % 26);
        pcm = voice_say(voice, text, "tiffany", 24000);
        assert_non_null(pcm);
        voice_release(&pcm);
    }
    assert_int_equal(kept->frames, frames);
    voice_release(&kept);
    voice_free(&voice);
}

static void
test_strange_texts(void **state)
{
    static const char *const texts[] = {"",       " ",        "...",
                                        "日本語", "<b>&amp;", "\x01\x02"};
    struct voice *voice = voice_new(165);

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pcm *pcm = voice_say(voice, texts[i], "nobody", 8000);

        assert_non_null(pcm);
        assert_true(pcm->frames > 0);
        voice_release(&pcm);
    }
    voice_free(&voice);
}

/* A tone keeps its level and its shape, in odd pieces as in one. */
static void
assert_tone(long in_hz, long out_hz)
{
    enum { FRAMES = 8000 };
    static int16_t in[FRAMES], out[FRAMES * 4];
    struct resample r;
    size_t used = 0, n = 0;
    double worst = 0;

    for (int i = 0; i < FRAMES; i++)
        in[i] = (int16_t)lrint(
            10000 * sin(2 * 3.14159265358979 * 500 * i / (double)in_hz));
    assert_true(resample_init(&r, in_hz, out_hz));
    while (used < FRAMES) {
        size_t piece = 1 + used % 97;

        if (piece > FRAMES - used)
            piece = FRAMES - used;
        n += resample_push(&r, in + used, piece, out + n);
        used += piece;
    }
    assert_in_range(n, (size_t)FRAMES * (size_t)out_hz / (size_t)in_hz - 1,
                    (size_t)FRAMES * (size_t)out_hz / (size_t)in_hz + 1);
    for (size_t i = 200; i < n; i++) {
        double t =
            (double)i / (double)out_hz - (RESAMPLE_TAPS / 2) / (double)in_hz;
        double off = fabs(out[i] - 10000 * sin(2 * 3.14159265358979 * 500 * t));

        if (off > worst)
            worst = off;
    }
    if (worst > 120)
        fail_msg("%ld to %ld Hz: off by %.1f", in_hz, out_hz, worst);
    resample_fini(&r);
}

static void
test_resampling_keeps_a_tone(void **state)
{
    (void)state;
    assert_tone(22050, 24000);
    assert_tone(22050, 16000);
    assert_tone(22050, 8000);
    assert_tone(8000, 16000);
    assert_tone(24000, 16000);
    assert_tone(16000, 16000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speech_at_each_rate),
        cmocka_unit_test(test_voices_differ),
        cmocka_unit_test(test_the_same_again_is_cached),
        cmocka_unit_test(test_the_cache_is_bounded),
        cmocka_unit_test(test_strange_texts),
        cmocka_unit_test(test_resampling_keeps_a_tone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
