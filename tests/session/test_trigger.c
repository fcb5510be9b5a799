/* The clip that makes a model without text input speak first: its file, how it
 * is said, what becomes of it when the stream is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/session/clip.h"
#include "gateway/session/self.h"
#include "tests/session/rig.h"
#include "tests/shared/starve.h"

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

#define HELLO "{\"model\":\"amazon.nova-sonic-v1:0\",\"greeting\":\"Hello.\"}"

/* Clips of a tenth of a second, and what is said before them. */
#define CLIP 1600
#define LEAD 8000

static struct rig rig;
static int files[8];
static size_t file_count;

static int
tear_down(void **state)
{
    (void)state;
    if (rig.session)
        rig_close(&rig);
    memset(&rig, 0, sizeof rig);
    while (file_count)
        close(files[--file_count]);
    return 0;
}

/* ---- files ---- */

struct form {
    unsigned format, channels, bits;
    uint32_t rate_hz;
    size_t data_bytes;
    uint32_t claimed_bytes; /* 0: as many as there are */
    bool extensible, no_format, list;
};

static uint8_t *
put(uint8_t *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *
put_text(uint8_t *at, const char *text)
{
    memcpy(at, text, 4);
    return at + 4;
}

static int16_t
sample_of(size_t i)
{
    return (int16_t)(i * 37 % 20000 + 1);
}

static size_t
make_wav(const struct form *f, uint8_t *bytes)
{
    uint8_t *at = put_text(put(put_text(bytes, "RIFF"), 0, 4), "WAVE");
    if (f->list)
        at = put(put(put_text(at, "LIST"), 3, 4), 0x616161, 4);
    if (!f->no_format) {
        at = put(put_text(at, "fmt "), f->extensible ? 40 : 16, 4);
        at = put(at, f->extensible ? 0xfffe : f->format, 2);
        at = put(put(at, f->channels, 2), f->rate_hz, 4);
        at = put(put(put(at, 0, 4), 0, 2), f->bits, 2);
        if (f->extensible) {
            at = put(put(put(at, 22, 2), f->bits, 2), 0, 4);
            at = put(put(at, f->format, 2), 0, 4);
            at = put(put(put(at, 0, 4), 0, 4), 0, 2);
        }
    }
    at = put(put_text(at, "data"),
             f->claimed_bytes ? f->claimed_bytes : (uint32_t)f->data_bytes, 4);
    for (size_t i = 0; i < f->data_bytes / 2; i++)
        at = put(at, (uint16_t)sample_of(i), 2);
    return (size_t)(at - bytes);
}

/* A file that nobody has to remove. */
static void
make_file(const uint8_t *bytes, size_t count, char path[64])
{
    int fd = memfd_create("clip", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), count);
    files[file_count++] = fd;
    snprintf(path, 64, "/proc/self/fd/%d", fd);
}

static enum vr_status
load(const struct form *f, uint32_t rate_hz, struct clip *clip, char *why)
{
    uint8_t *bytes = malloc(f->data_bytes + 256);
    char path[64];
    make_file(bytes, make_wav(f, bytes), path);
    free(bytes);
    enum vr_status status = clip_load(clip, path, rate_hz, why, CLIP_WHY_BYTES);
    close(files[--file_count]);
    return status;
}

static const struct form plain = {.format = 1,
                                  .channels = 1,
                                  .bits = 16,
                                  .rate_hz = 16000,
                                  .data_bytes = 2 * CLIP};

static void
test_a_clip_is_what_is_in_the_file(void **state)
{
    char why[CLIP_WHY_BYTES];
    struct form forms[] = {plain, plain, plain, plain};
    (void)state;
    forms[1].extensible = true;
    forms[2].list = true;
    forms[3].claimed_bytes = UINT32_MAX;
    for (size_t k = 0; k < 4; k++) {
        struct clip clip;
        assert_int_equal(load(&forms[k], 16000, &clip, why), VR_OK);
        assert_int_equal(clip.count, CLIP);
        for (size_t i = 0; i < clip.count; i++)
            assert_int_equal(clip.samples[i], sample_of(i));
        clip_fini(&clip);
        assert_null(clip.samples);
    }
}

static void
test_a_clip_is_mixed_and_resampled(void **state)
{
    char why[CLIP_WHY_BYTES];
    struct form form = plain;
    struct clip clip;
    (void)state;
    form.channels = 2;
    assert_int_equal(load(&form, 16000, &clip, why), VR_OK);
    assert_int_equal(clip.count, CLIP / 2);
    for (size_t i = 0; i < clip.count; i++)
        assert_int_equal(clip.samples[i],
                         (sample_of(2 * i) + sample_of(2 * i + 1)) / 2);
    clip_fini(&clip);
    form.rate_hz = 44100;
    assert_int_equal(load(&form, 8000, &clip, why), VR_OK);
    assert_int_equal(clip.count, (CLIP / 2 * 8000 + 44099) / 44100);
    clip_fini(&clip);
}

static void
refuse(const struct form *form, const char *word)
{
    char why[CLIP_WHY_BYTES] = "";
    struct clip clip;
    assert_int_equal(load(form, 16000, &clip, why), VR_INVALID);
    assert_null(clip.samples);
    if (!strstr(why, word) || strncmp(why, "/proc/self/fd/", 14) != 0)
        fail_msg("\"%s\" says nothing of \"%s\"", why, word);
}

static void
test_other_files_are_refused(void **state)
{
    struct form f = plain;
    (void)state;
    f.format = 3;
    refuse(&f, "16-bit PCM");
    f = plain;
    f.bits = 24;
    refuse(&f, "16-bit PCM");
    f = plain;
    f.channels = 3;
    refuse(&f, "two channels");
    f = plain;
    f.rate_hz = 7999;
    refuse(&f, "8000 and 48000");
    f.rate_hz = 48001;
    refuse(&f, "8000 and 48000");
    f = plain;
    f.data_bytes = 0;
    refuse(&f, "no audio");
    f.data_bytes = 2 * (160000 + 1);
    refuse(&f, "longer than 10");
    f = plain;
    f.no_format = true;
    refuse(&f, "format");
    f = plain;
    f.channels = 0;
    refuse(&f, "format");
    f = plain;
    f.data_bytes = 4 * 1024 * 1024;
    refuse(&f, "larger");
}

static void
test_what_is_no_file_is_refused(void **state)
{
    static const char *const paths[] = {"/dev/zero", "/proc/self",
                                        "/nonexistent/clip.wav", ""};
    char why[CLIP_WHY_BYTES];
    struct clip clip;
    int pipe_fds[2];
    char path[64];
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(clip_load(&clip, paths[i], 16000, why, sizeof why),
                         VR_INVALID);
    assert_int_equal(pipe(pipe_fds), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipe_fds[0]);
    assert_int_equal(clip_load(&clip, path, 16000, why, sizeof why),
                     VR_INVALID);
    assert_non_null(strstr(why, "no plain file"));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void
test_cut_and_spoilt_files_harm_nobody(void **state)
{
    uint8_t bytes[512];
    struct form form = plain;
    char why[CLIP_WHY_BYTES], path[64];
    struct clip clip;
    (void)state;
    form.data_bytes = 100;
    form.list = form.extensible = true;
    size_t count = make_wav(&form, bytes);
    for (size_t cut = 0; cut <= count; cut++) {
        for (int spoilt = 0; spoilt < 2; spoilt++) {
            uint8_t *copy = malloc(cut + 1);
            memcpy(copy, bytes, cut);
            if (cut && spoilt)
                copy[cut * 7 % cut] ^= 0xff, copy[cut - 1] = 0xff;
            make_file(copy, cut, path);
            free(copy);
            enum vr_status status =
                clip_load(&clip, path, 8000, why, sizeof why);
            assert_true(status == VR_OK || status == VR_INVALID);
            assert_true(status == VR_OK ? clip.count > 0 : !clip.samples);
            clip_fini(&clip);
            close(files[--file_count]);
        }
    }
}

/* ---- a session ---- */

static const char *
the_clip(void)
{
    static char path[64];
    static uint8_t bytes[2 * CLIP + 64];
    make_file(bytes, make_wav(&plain, bytes), path);
    return path;
}

static void
open_with(const char *settings, const char *clip)
{
    rig_open(&rig, settings);
    rig.services.ready_clip = clip;
    session_open(rig.session);
}

static size_t
said(unsigned number)
{
    return fake_stream_at(number)->sample_count;
}

/* Half a second of silence, the clip, and silence. */
static void
assert_said(unsigned number)
{
    const int16_t *samples = fake_stream_at(number)->samples;
    for (size_t i = 0; i < LEAD; i++)
        assert_int_equal(samples[i], 0);
    for (size_t i = 0; i < CLIP; i++)
        assert_int_equal(samples[LEAD + i], sample_of(i));
}

static void
answer(const char *words)
{
    rig_plans(&rig, words);
    uint64_t audio = rig_audio_begins(&rig);
    rig_audio(audio, 20);
    rig_content_ends(audio, "AUDIO", "END_TURN");
    rig_said(&rig, words, "END_TURN");
}

static void
test_the_clip_is_said_and_then_the_microphone(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_mic(&rig, 3200);
    rig_accept();
    uint64_t begun_ms = uv_hrtime() / 1000000;
    RIG_UNTIL(&rig, said(1) > LEAD + CLIP + 3200);
    uint64_t took_ms = uv_hrtime() / 1000000 - begun_ms;
    assert_true(took_ms >= 700); /* in real time */
    assert_said(1);
    for (size_t i = LEAD + CLIP; i < said(1); i++)
        assert_int_equal(fake_stream_at(1)->samples[i], 0);
    rig_mic(&rig, 3200);
    assert_int_equal(rig_frames(&rig, "input_frames", "sent"), 0);
    assert_int_equal(rig_frames(&rig, "input_frames", "pending"), 6400);
    size_t before = said(1);
    answer("Welcome.");
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") == 6400);
    for (size_t i = 0; i < 6400; i++)
        assert_int_equal(fake_stream_at(1)->samples[before + i], rig_sample(i));
    rig_assert_balanced(&rig);
}

static void
test_what_is_heard_of_it_is_marked(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    RIG_UNTIL(&rig, said(1) > LEAD + CLIP);
    rig_user_says(&rig, "ready");
    const cJSON *t = fake_bus_last("transcript", "role", "user");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(t, "trigger")));
    assert_true(history_find(rig.session->history, HISTORY_USER, 1)->trigger);
    rig_plans(&rig, "Welcome.");
    rig_user_says(&rig, "steady"); /* a late piece of the same */
    t = fake_bus_last("transcript", "role", "user");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(t, "trigger")));
    answer("Hello.");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    const cJSON *turn = fake_bus_last("turn", NULL, NULL);
    assert_string_equal(jsonx_text(turn, "user_text", "?"), "");
    assert_string_equal(jsonx_text(turn, "turn", "?"), "1");
    rig_user_says(&rig, "hello robot");
    t = fake_bus_last("transcript", "role", "user");
    assert_null(cJSON_GetObjectItem(t, "trigger"));
    assert_string_equal(jsonx_text(t, "turn", "?"), "2");
    assert_false(history_find(rig.session->history, HISTORY_USER, 2)->trigger);
    assert_false(rig.session->greeted && trigger_active(rig.session));
}

static void
test_words_nobody_answered_the_clip_with(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    RIG_UNTIL(&rig, rig.session->trigger.phase == TRIGGER_PAUSE);
    rig.session->trigger.said_ns -= 6000000000ull; /* six seconds pass */
    RIG_UNTIL(&rig, rig.session->trigger.phase == TRIGGER_UNANSWERED);
    assert_null(rig.session->trigger.clip.samples);
    rig_user_says(&rig, "ready"); /* late, and nobody spoke */
    assert_true(history_find(rig.session->history, HISTORY_USER, 1)->trigger);
    rig_talk(&rig, 16000);
    RIG_UNTIL(&rig, rig.session->utterance.open);
    rig_user_says(&rig, "hello robot");
    assert_false(history_find(rig.session->history, HISTORY_USER, 2)->trigger);
    answer("Hello.");
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    assert_string_equal(
        jsonx_text(fake_bus_last("turn", NULL, NULL), "user_text", "?"),
        "hello robot");
}

static void
test_a_full_network_stops_it(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    RIG_UNTIL(&rig, said(1) > 1600);
    fake_stream.full = true;
    RIG_UNTIL(&rig, rig.session->trigger.blocked);
    size_t before = said(1);
    unsigned refused = fake_stream.refused;
    rig_run(&rig, 300);
    assert_int_equal(said(1), before);
    assert_true(fake_stream.refused - refused < 30);
    fake_stream_room();
    RIG_UNTIL(&rig, said(1) > LEAD + CLIP);
    assert_said(1);
}

static void
test_lost_before_the_answer_it_is_said_again(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    rig_mic(&rig, 1600);
    RIG_UNTIL(&rig, said(1) > LEAD + CLIP);
    rig_user_says(&rig, "ready");
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    RIG_UNTIL(&rig, said(2) > LEAD + CLIP);
    assert_said(2);
    assert_int_equal(history_totals(rig.session->history)->messages, 0);
    rig_user_says(&rig, "ready");
    answer("Welcome.");
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") == 1600);
    assert_int_equal(history_totals(rig.session->history)->messages, 2);
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    rig_assert_balanced(&rig);
}

static void
test_lost_after_it_began_it_is_not(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    RIG_UNTIL(&rig, said(1) > LEAD + CLIP);
    rig_plans(&rig, "Welcome.");
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    rig_mic(&rig, 1600);
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") >= 1600);
    rig_assert_heard(2, 0, 1600);
}

static void
test_a_fallback_that_reads_is_greeted_in_writing(void **state)
{
    struct bedrock_end gone = fake_stream_error(
        "ResourceNotFoundException",
        "This model version has reached the end of its life.");
    (void)state;
    rig_bedrock("{\"fallback\":[{\"model\":\"amazon.nova-2-sonic-v1:0\"}]}");
    open_with(HELLO, the_clip());
    fake_stream_connect();
    fake_stream_answer();
    RIG_UNTIL(&rig, trigger_active(rig.session) && said(1) > 0);
    rig_user_says(&rig, "ready");
    fake_stream_end_as(&gone);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    rig_bedrock(NULL);
    assert_false(trigger_active(rig.session));
    RIG_UNTIL(&rig, fake_stream_last("textInput") &&
                        strstr(fake_stream_last("textInput"), "Hello."));
    for (size_t i = 0; i < fake_stream.event_count; i++)
        assert_null(strstr(fake_stream.events[i], "ready"));
    assert_int_equal(history_totals(rig.session->history)->messages, 0);
    rig_mic(&rig, 1600);
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") >= 1600);
}

/* And the other way round: words that wait are refused, not lost. */
static void
test_a_fallback_that_does_not_read_refuses_texts(void **state)
{
    struct bedrock_end gone = fake_stream_error(
        "ResourceNotFoundException",
        "This model version has reached the end of its life.");
    (void)state;
    rig_bedrock("{\"fallback\":[{\"model\":\"amazon.nova-sonic-v1:0\"}]}");
    open_with(NULL, NULL);
    rig_ask(&rig, 1, "{\"text\":\"hi\",\"wait\":\"response\"}");
    fake_stream_connect();
    fake_stream_end_as(&gone);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    rig_bedrock(NULL);
    RIG_UNTIL(&rig, strstr(rig.answers, "takes no text"));
    assert_null(strstr(fake_stream.order, "contentEnd contentStart textInput "
                                          "contentEnd"));
    assert_int_equal(session_state(rig.session), SESSION_streaming);
}

/* session.reset does not wait for the clip; the next stream hears it. */
static void
test_a_stream_left_at_once_hears_it_on_the_next(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    rig_mic(&rig, 1600);
    RIG_UNTIL(&rig, said(1) > 1600);
    rotation_want(rig.session, ROTATION_RESET);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    RIG_UNTIL(&rig, said(2) > LEAD + CLIP);
    assert_said(2);
    rig_user_says(&rig, "ready");
    answer("Welcome.");
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") == 1600);
    RIG_UNTIL(&rig, fake_bus_count("turn", NULL, NULL) == 1);
    rig_assert_balanced(&rig);
}

/* Who woke the session is greeted first and heard then; the greeting is no
 * answer to what was said. */
static void
test_the_words_that_woke_it_wait(void **state)
{
    (void)state;
    rig_open(&rig, "{\"model\":\"amazon.nova-sonic-v1:0\",\"mode\":"
                   "\"on_audio\",\"greeting\":\"Hello.\"}");
    rig.services.ready_clip = the_clip();
    session_begin(rig.session);
    rig_talk(&rig, 16000);
    RIG_UNTIL(&rig, fake_endpoint.opened == 1);
    rig_accept();
    RIG_UNTIL(&rig, said(1) > LEAD + CLIP);
    assert_said(1);
    rig_user_says(&rig, "ready");
    answer("Welcome.");
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") == 16000);
    assert_true(rig.session->utterance.open);
    fake_stream_end(BEDROCK_END_rst_stream, false);
    RIG_UNTIL(&rig, fake_endpoint.opened == 2);
    rig_accept();
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "resent") == 16000);
    rig_assert_heard(2, 0, 16000);
    rig_assert_balanced(&rig);
}

static void
test_nothing_is_allocated_while_it_is_said(void **state)
{
    (void)state;
    if (!starve_works())
        skip();
    open_with(HELLO, the_clip());
    rig_accept();
    RIG_UNTIL(&rig, said(1) > 1600);
    size_t before = said(1);
    starve_at(0);
    rig_run(&rig, 200);
    assert_false(starve_end());
    assert_true(said(1) > before);
}

static bool
starved_at(long number)
{
    rig_prepare(&rig, HELLO);
    rig.services.ready_clip = the_clip();
    starve_warm_up(&rig.loop);
    starve_at(number);
    if (rig_make_session(&rig, false)) {
        session_open(rig.session);
        if (fake_stream.open)
            rig_accept();
        if (trigger_active(rig.session)) {
            rig_step(&rig);
            rig_user_says(&rig, "ready");
            answer("Welcome.");
            rig_step(&rig);
        }
        session_close(rig.session);
        fake_stream_end(BEDROCK_END_end_stream, true);
    }
    bool reached = starve_end();
    rig_close(&rig);
    close(files[--file_count]);
    return reached;
}

static void
test_any_allocation_may_fail(void **state)
{
    long number = 0;
    (void)state;
    if (!starve_works())
        skip();
    starved_at(1000000); /* what is made once is made now */
    for (bool more = true; more; number++) {
        long live = starve_live();
        more = starved_at(number);
        if (starve_live() != live)
            fail_msg("allocation %ld: %ld blocks are lost", number,
                     starve_live() - live);
    }
    assert_true(number > 100);
    memset(&rig, 0, sizeof rig);
}

static void
test_without_a_clip_the_robot_waits(void **state)
{
    (void)state;
    open_with(HELLO, NULL);
    rig_accept();
    assert_false(trigger_active(rig.session));
    assert_int_equal(fake_bus_count("error", NULL, NULL), 0);
    rig_mic(&rig, 1600);
    RIG_UNTIL(&rig, rig_frames(&rig, "input_frames", "sent") == 1600);
}

static void
test_a_bad_clip_is_told_once(void **state)
{
    (void)state;
    rig_open(&rig, HELLO);
    rig.settings->trigger_clip = strdup("/nonexistent/clip.wav");
    rig.services.ready_clip = the_clip();
    session_open(rig.session);
    rig_accept();
    assert_int_equal(fake_bus_count("error", "code", "trigger_clip"), 1);
    const cJSON *e = fake_bus_last("error", NULL, NULL);
    assert_non_null(strstr(jsonx_text(e, "message", ""), "/nonexistent/clip"));
    assert_false(trigger_active(rig.session));
    assert_int_equal(session_state(rig.session), SESSION_streaming);
}

static void
test_models_that_read_hear_no_clip(void **state)
{
    (void)state;
    open_with("{\"greeting\":\"Hello.\"}", the_clip());
    rig_accept();
    assert_false(trigger_active(rig.session));
    assert_non_null(fake_stream_last("textInput"));
}

static void
test_sleep_and_close_end_it(void **state)
{
    (void)state;
    open_with(HELLO, the_clip());
    rig_accept();
    RIG_UNTIL(&rig, said(1) > 1600);
    rig_mic(&rig, 1600);
    session_close(rig.session);
    RIG_UNTIL(&rig, strstr(fake_stream.order, "sessionEnd"));
    assert_int_equal(rig_frames(&rig, "input_frames", "sent"), 1600);
    assert_false(trigger_active(rig.session));
    assert_null(rig.session->trigger.clip.samples);
    fake_stream_end(BEDROCK_END_end_stream, true);
    rig_assert_balanced(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clip_is_what_is_in_the_file),
        cmocka_unit_test(test_a_clip_is_mixed_and_resampled),
        cmocka_unit_test(test_other_files_are_refused),
        cmocka_unit_test(test_what_is_no_file_is_refused),
        cmocka_unit_test(test_cut_and_spoilt_files_harm_nobody),
        TEST(test_the_clip_is_said_and_then_the_microphone),
        TEST(test_what_is_heard_of_it_is_marked),
        TEST(test_words_nobody_answered_the_clip_with),
        TEST(test_a_full_network_stops_it),
        TEST(test_lost_before_the_answer_it_is_said_again),
        TEST(test_lost_after_it_began_it_is_not),
        TEST(test_a_fallback_that_reads_is_greeted_in_writing),
        TEST(test_a_fallback_that_does_not_read_refuses_texts),
        TEST(test_a_stream_left_at_once_hears_it_on_the_next),
        TEST(test_the_words_that_woke_it_wait),
        TEST(test_nothing_is_allocated_while_it_is_said),
        TEST(test_any_allocation_may_fail),
        TEST(test_without_a_clip_the_robot_waits),
        TEST(test_a_bad_clip_is_told_once),
        TEST(test_models_that_read_hear_no_clip),
        TEST(test_sleep_and_close_end_it),
    };
    if (log_levels("off", NULL, 0) != VR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
