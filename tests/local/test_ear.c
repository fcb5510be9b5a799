/* Spoken phrases, made by espeak-ng, heard by pocketsphinx, answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/local/ear.h"
#include "gateway/local/resample.h"
#include "gateway/local/script.h"
#include "gateway/local/synth.h"
#include "tests/local/talk.h"

#define NOVA2 "amazon.nova-2-sonic-v1:0"
#define WPM 140 /* SCRIPT.md: espeak-ng -v en-us -s 140 */

static bool
can_hear(void)
{
    char problem[512];
    struct script *script = script_load(NULL, problem, sizeof(problem));
    bool able;

    assert_non_null(script);
    able = script_prepare_ear(script, problem, sizeof(problem));
    script_free(&script);
    if (!able)
        print_message("skipped: %s\n", problem);
    return able && VR_HAVE_ESPEAK;
}

/* What `espeak-ng -v en-us -s 140 PHRASE` says, at the talk's rate. */
static void
speak(struct talk *t, const char *phrase)
{
    static const struct synth_voice voice = {"", "en-us", 50};
    struct synth_audio audio = {NULL, 0, 0, false};
    long rate_hz = synth_start();
    struct resample r;
    int16_t *samples;
    size_t frames;

    synth_say(&audio, phrase, &voice, WPM);
    assert_true(audio.frames > 0);
    assert_true(resample_init(&r, rate_hz, t->rate_hz));
    samples = malloc(resample_bound(&r, audio.frames) * sizeof(*samples));
    assert_non_null(samples);
    frames = resample_push(&r, audio.samples, audio.frames, samples);
    talk_audio(t, samples, frames);
    resample_fini(&r);
    free(samples);
    free(audio.samples);
}

static const char *
last_heard(const struct talk *t)
{
    const char *heard = "";
    const cJSON *item;

    cJSON_ArrayForEach(item, t->notes)
    {
        if (strncmp(item->valuestring, "heard: ", 7) == 0)
            heard = item->valuestring + 7;
    }
    return heard;
}

static void
hear_all_phrases(long rate_hz)
{
    struct talk t;

    talk_open(&t, NULL, EAR_REAL, NOVA2);
    t.rate_hz = rate_hz;
    talk_start(&t, "");
    for (size_t i = 0; i < t.script->line_count; i++) {
        const struct script_line *line = &t.script->lines[i];
        const cJSON *phrase;

        if ((line->on & SCRIPT_ON_SPEECH) == 0)
            continue;
        cJSON_ArrayForEach(phrase, line->hear)
        {
            talk_silence(&t, 500);
            speak(&t, phrase->valuestring);
            talk_silence(&t, 2500);
            assert_string_equal(last_heard(&t), phrase->valuestring);
        }
    }
    assert_string_equal(t.exception, "");
    talk_close(&t);
}

static void
test_every_phrase_of_the_builtin_script(void **state)
{
    (void)state;
    if (!can_hear())
        skip();
    hear_all_phrases(16000);
}

static void
test_other_input_rates(void **state)
{
    (void)state;
    if (!can_hear())
        skip();
    hear_all_phrases(24000);
}

static void
test_a_spoken_turn(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    if (!can_hear())
        skip();
    talk_open(&t, NULL, EAR_REAL, NOVA2);
    talk_start(&t, "");
    speak(&t, "goodbye");
    talk_silence(&t, 4000);
    assert_string_equal(talk_said(&t, "USER", "FINAL", &from), "goodbye");
    assert_string_equal(talk_said(&t, "ASSISTANT", "SPECULATIVE", &from),
                        "Goodbye!");
    assert_int_equal(talk_notes(&t, "violation"), 0);
    talk_close(&t);
}

/* Two conversations hear at the same time, each with a decoder of its own. */
static void
test_two_at_once(void **state)
{
    static const char *const phrases[] = {"hello", "goodbye"};
    struct ear *ears[2];
    struct ear_pool *pool;
    char problem[256] = "";
    static int16_t silence[8000];

    (void)state;
    if (!can_hear())
        skip();
    pool = ear_pool_new(phrases, 2, problem, sizeof(problem));
    assert_non_null(pool);
    for (int round = 0; round < 2; round++) {
        char heard[64];

        ears[0] = ear_open(pool);
        ears[1] = ear_open(pool);
        assert_non_null(ears[0]);
        assert_non_null(ears[1]);
        ear_feed(ears[0], silence, 8000);
        ear_close(&ears[0], heard, sizeof(heard));
        ear_feed(ears[1], silence, 8000);
        ear_close(&ears[1], heard, sizeof(heard));
        assert_null(ears[1]);
    }
    ear_pool_free(&pool);
}

static void
test_words_without_pronunciation(void **state)
{
    static const char *const phrases[] = {"hello", "call voxring now"};
    char problem[256] = "";

    (void)state;
    if (!can_hear())
        skip();
    assert_null(ear_pool_new(phrases, 2, problem, sizeof(problem)));
    assert_non_null(strstr(problem, "the word \"voxring\" in \"call voxring "
                                    "now\" is not in the dictionary"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_phrase_of_the_builtin_script),
        cmocka_unit_test(test_other_input_rates),
        cmocka_unit_test(test_a_spoken_turn),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_words_without_pronunciation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
