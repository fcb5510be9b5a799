/* What a client that changes its streams relies on: the next stream that waits
 * for its audio, audio that has waited, limits in scaled time, v1's spoken
 * trigger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/local/resample.h"
#include "gateway/local/script.h"
#include "gateway/local/synth.h"
#include "tests/local/talk.h"

#define NOVA2 "amazon.nova-2-sonic-v1:0"
#define V1 "amazon.nova-sonic-v1:0"

static const char trigger_script[] =
    "{\"endpoint_ms\":500,\"lines\":["
    "{\"hear\":\"hello robot\",\"on\":\"trigger\",\"say\":\"Welcome.\"},"
    "{\"hear\":\"good morning to you\",\"say\":\"Good morning.\"}]}";

static void
speak_turn(struct talk *t)
{
    talk_tone(t, 800);
    talk_silence(t, 3000);
}

/* ---- v1's trigger ---- */

static void
test_the_clip_comes_first_and_once(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t, trigger_script, EAR_SCRIPT, V1);
    talk_start(&t, "");
    speak_turn(&t);
    speak_turn(&t);
    assert_string_equal(talk_said(&t, "USER", "FINAL", &from), "hello robot");
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Welcome.");
    assert_string_equal(talk_said(&t, "USER", "FINAL", &from),
                        "good morning to you");
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from),
                        "Good morning.");
    assert_int_equal(talk_notes(&t, "endpoint: trigger"), 1);
    assert_string_equal(t.exception, "");
    talk_close(&t);
}

static void
send_history(struct talk *t, const char *name, const char *role,
             const char *text)
{
    talk_send(t,
              "{\"event\":{\"contentStart\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\",\"type\":\"TEXT\",\"interactive\":false,"
              "\"role\":\"%s\",\"textInputConfiguration\":{\"mediaType\":"
              "\"text/plain\"}}}}",
              name, role);
    talk_send(t,
              "{\"event\":{\"textInput\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\",\"content\":\"%s\"}}}",
              name, text);
    talk_send(t,
              "{\"event\":{\"contentEnd\":{\"promptName\":\"P\","
              "\"contentName\":\"%s\"}}}",
              name);
}

static void
start_audio(struct talk *t)
{
    talk_send(t,
              "{\"event\":{\"contentStart\":{\"promptName\":\"P\","
              "\"contentName\":\"A\",\"type\":\"AUDIO\",\"interactive\":true,"
              "\"role\":\"USER\",\"audioInputConfiguration\":{\"mediaType\":"
              "\"audio/lpcm\",\"sampleRateHertz\":16000,\"sampleSizeBits\":16,"
              "\"channelCount\":1,\"audioType\":\"SPEECH\",\"encoding\":"
              "\"base64\"}}}}");
}

/* A stream that goes on a conversation is no beginning. */
static void
test_no_trigger_after_history(void **state)
{
    struct talk t;
    int from = 0;

    (void)state;
    talk_open(&t, trigger_script, EAR_SCRIPT, V1);
    talk_setup(&t, "");
    send_history(&t, "h1", "USER", "Hello.");
    send_history(&t, "h2", "ASSISTANT", "Hello to you.");
    start_audio(&t);
    speak_turn(&t);
    assert_string_equal(talk_said(&t, "USER", "FINAL", &from),
                        "good morning to you");
    assert_int_equal(talk_notes(&t, "endpoint: trigger"), 0);
    assert_string_equal(t.exception, "");
    talk_close(&t);
}

static void
test_v1_answers_no_text(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, trigger_script, EAR_SCRIPT, V1);
    talk_start(&t, "");
    talk_text(&t, "T", "good morning to you");
    talk_silence(&t, 3000);
    assert_int_equal(talk_count(&t, "audioOutput"), 0);
    assert_int_equal(talk_count(&t, "textOutput"), 0);
    assert_string_equal(t.exception, "");
    talk_close(&t);
}

/* A clip of real speech, as a client would play it. */
static void
test_a_spoken_clip_is_heard(void **state)
{
    static const struct synth_voice voice = {"", "en-us", 50};
    struct synth_audio audio = {NULL, 0, 0, false};
    struct resample r;
    struct talk t;
    char problem[512];
    int from = 0;
    struct script *script = script_load(NULL, problem, sizeof(problem));
    bool able = script_prepare_ear(script, problem, sizeof(problem));

    (void)state;
    script_free(&script);
    if (!able || !VR_HAVE_ESPEAK)
        skip();
    talk_open(&t, trigger_script, EAR_REAL, V1);
    talk_start(&t, "");
    assert_true(resample_init(&r, synth_start(), 16000));
    synth_say(&audio, "hello robot", &voice, 140);
    int16_t *samples = malloc(resample_bound(&r, audio.frames) * 2);
    assert_non_null(samples);
    size_t frames = resample_push(&r, audio.samples, audio.frames, samples);
    talk_silence(&t, 300);
    talk_audio(&t, samples, frames);
    talk_silence(&t, 4000);
    assert_string_equal(talk_said(&t, "USER", "FINAL", &from), "hello robot");
    assert_string_equal(talk_said(&t, "ASSISTANT", "FINAL", &from), "Welcome.");
    resample_fini(&r);
    free(samples);
    free(audio.samples);
    talk_close(&t);
}

/* ---- the next stream ---- */

static void
test_a_stream_set_up_waits_its_55_seconds(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_setup(&t, "");
    talk_wait(&t, 54999);
    assert_false(t.ended);
    assert_string_equal(t.exception, "");
    /* History and audio are still welcome. */
    send_history(&t, "h1", "USER", "Hello.");
    start_audio(&t);
    talk_silence(&t, 500);
    assert_string_equal(t.exception, "");
    talk_close(&t);
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_setup(&t, "");
    talk_wait(&t, 55000);
    assert_string_equal(t.message, "Timed out waiting for input events");
    talk_close(&t);
}

static void
test_a_second_system_block_is_refused(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    send_history(&t, "s2", "SYSTEM", "You are another robot.");
    assert_string_equal(t.exception, "validationException");
    talk_close(&t);
}

/* ---- scaled time ---- */

static void
test_limits_at_scale_2000(void **state)
{
    struct talk t;

    (void)state;
    talk_open_scaled(&t,
                     "{\"lines\":[{\"hear\":\"x\"}],\"input_timeout_ms\":"
                     "86400000}",
                     EAR_NONE, NOVA2, 2000);
    talk_start(&t, "");
    talk_wait(&t, 239);
    assert_string_equal(t.exception, "");
    talk_wait(&t, 1);
    assert_string_equal(t.exception, "modelTimeoutException");
    talk_close(&t);
    talk_open_scaled(&t, NULL, EAR_NONE, NOVA2, 2000);
    talk_start(&t, "");
    talk_wait(&t, 26);
    assert_string_equal(t.exception, "");
    talk_wait(&t, 1);
    assert_string_equal(t.message, "Timed out waiting for input events");
    talk_close(&t);
    talk_open_scaled(&t,
                     "{\"lines\":[{\"hear\":\"x\"}],\"silence_timeout_ms\":"
                     "175000,\"input_timeout_ms\":600000}",
                     EAR_NONE, NOVA2, 2000);
    talk_start(&t, "");
    talk_wait(&t, 88);
    assert_non_null(strstr(t.message, "InternalErrorCode=531"));
    talk_close(&t);
}

/* What has waited comes three seconds at once, then at twice its pace. */
static void
test_catching_up_is_no_hurry(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t, NULL, EAR_NONE, NOVA2);
    talk_start(&t, "");
    for (int i = 0; i < 90; i++) {
        talk_silence(&t, 32);
        t.now_ms -= 32;
    }
    for (int i = 0; i < 400; i++) {
        talk_silence(&t, 32);
        t.now_ms -= 16;
    }
    assert_int_equal(talk_notes(&t, "violation: audioInput: more than 3 s"), 0);
    for (int i = 0; i < 100; i++) {
        talk_silence(&t, 32);
        t.now_ms -= 24;
    }
    assert_int_equal(talk_notes(&t, "violation: audioInput: more than 3 s"), 1);
    talk_close(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clip_comes_first_and_once),
        cmocka_unit_test(test_no_trigger_after_history),
        cmocka_unit_test(test_catching_up_is_no_hurry),
        cmocka_unit_test(test_v1_answers_no_text),
        cmocka_unit_test(test_a_spoken_clip_is_heard),
        cmocka_unit_test(test_a_stream_set_up_waits_its_55_seconds),
        cmocka_unit_test(test_a_second_system_block_is_refused),
        cmocka_unit_test(test_limits_at_scale_2000),
    };
    return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
