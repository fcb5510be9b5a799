/* Every ring rate to every model rate: no sample lost, none gained, and the
 * sound stays the sound, at the place where it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "tests/capture/mic.h"

#define SAMPLES_MAX 100000

static const uint32_t ring_rates[] = {8000, 16000, 24000, 48000};
static const uint32_t model_rates[] = {8000, 16000, 24000};

static struct mic mic;
static int16_t heard[SAMPLES_MAX];
static size_t heard_count;

/* A tone of 440 Hz, in stereo as different halves of it. */
static void
write_tone(size_t frames)
{
    int16_t block[2 * 333];
    while (frames > 0) {
        size_t n = frames < 333 ? frames : 333;
        for (size_t i = 0; i < n; i++) {
            double t = (double)(mic.written + i) / mic.format.rate_hz;
            double value = 8000 * sin(2 * M_PI * 440 * t);
            if (mic.format.channels == 1) {
                block[i] = (int16_t)value;
            } else {
                block[2 * i] = (int16_t)(value * 1.5);
                block[2 * i + 1] = (int16_t)(value * 0.5);
            }
        }
        assert_int_equal(vr_write(mic.writer, block, n, 0), VR_OK);
        mic.written += n;
        frames -= n;
    }
}

static void
listen_to(const struct capture_chunk *chunk)
{
    size_t count = chunk->count - chunk->inserted_count;
    assert_true(heard_count + count <= SAMPLES_MAX);
    memcpy(heard + heard_count, chunk->samples, 2 * count);
    heard_count += count;
    capture_chunk_sent(mic.capture, chunk);
}

static void
poll_all(void)
{
    struct capture_chunk chunk;
    while (capture_poll(mic.capture, mic.now_ns, &chunk))
        if (chunk.kind == CAPTURE_AUDIO)
            listen_to(&chunk);
    mic_balance(&mic);
}

/* How far what was heard is from the tone, as a share of its strength; the
 * very ends are the filter's. */
static double
distance(uint32_t rate_hz)
{
    double wrong = 0, strength = 0;
    for (size_t i = 100; i + 100 < heard_count; i++) {
        double want = 8000 * sin(2 * M_PI * 440 * (double)i / rate_hz);
        wrong += (heard[i] - want) * (heard[i] - want);
        strength += want * want;
    }
    return sqrt(wrong / strength);
}

static void
check_rate(uint32_t ring_hz, uint32_t channels, uint32_t model_hz,
           size_t frames)
{
    struct capture_config config = {.model_rate_hz = model_hz, .chunk_ms = 20};
    mic_open(&mic, (struct vr_format){ring_hz, channels}, config, 0);
    heard_count = 0;
    capture_begin(mic.capture, mic.now_ns);
    for (size_t left = frames; left > 0;) {
        size_t n = left < 777 ? left : 777;
        write_tone(n);
        poll_all();
        left -= n;
    }
    mic.now_ns += MS(10000);
    poll_all();
    size_t want = (frames * model_hz + ring_hz - 1) / ring_hz;
    assert_int_equal(heard_count, want);
    if (distance(model_hz) > 0.02)
        fail_msg("%u to %u Hz: the tone is off by %f", ring_hz, model_hz,
                 distance(model_hz));
    struct capture_account account;
    capture_account(mic.capture, &account);
    assert_int_equal(account.sent, frames);
    assert_int_equal(account.pending, 0);
    mic_close(&mic);
}

static void
test_every_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++) {
            check_rate(ring_rates[i], 1, model_rates[j], ring_rates[i] * 2);
            check_rate(ring_rates[i], 2, model_rates[j], ring_rates[i] + 123);
        }
}

/* Ends at and around the places where a chunk or the look-ahead ends. */
static void
test_every_end(void **state)
{
    (void)state;
    for (size_t frames = 48000; frames < 48000 + 970; frames += 31)
        check_rate(48000, 1, 16000, frames);
    for (size_t frames = 8000; frames < 8000 + 165; frames += 7)
        check_rate(8000, 1, 24000, frames);
}

/* A gap in the middle: both sides come through whole. */
static void
test_gaps_lose_nothing(void **state)
{
    (void)state;
    struct capture_config config = {.model_rate_hz = 16000};
    mic_open(&mic, (struct vr_format){24000, 1}, config, 0);
    heard_count = 0;
    size_t want = 0;
    capture_begin(mic.capture, mic.now_ns);
    for (size_t frames = 1; frames < 2000; frames += 97) {
        write_tone(frames);
        poll_all();
        mic.now_ns += MS(2000);
        poll_all();
        want += (frames * 2 + 2) / 3;
        assert_int_equal(heard_count, want);
    }
    mic_close(&mic);
}

static void
test_a_resampled_chunk_is_these_frames(void **state)
{
    (void)state;
    struct capture_config config = {.model_rate_hz = 16000, .chunk_ms = 20};
    mic_open(&mic, (struct vr_format){48000, 1}, config, 0);
    capture_begin(mic.capture, mic.now_ns);
    write_tone(960);
    mic_poll_nothing(&mic);
    write_tone(960);
    struct capture_chunk chunk = mic_poll(&mic);
    assert_int_equal(chunk.from_frame, 0);
    assert_int_equal(chunk.to_frame, 960);
    assert_int_equal(chunk.sent_frames, 960);
    struct capture_chunk last;
    assert_true(capture_drain(mic.capture, mic.now_ns, &last));
    assert_int_equal(last.from_frame, 960);
    assert_int_equal(last.to_frame, 1920);
    assert_int_equal(last.inserted_count, 0);
    assert_false(capture_drain(mic.capture, mic.now_ns, &last));
    mic_close(&mic);
}

/* Also after a failure. */
static int
close_mic(void **state)
{
    (void)state;
    mic_close(&mic);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_rate, close_mic),
        cmocka_unit_test_teardown(test_every_end, close_mic),
        cmocka_unit_test_teardown(test_gaps_lose_nothing, close_mic),
        cmocka_unit_test_teardown(test_a_resampled_chunk_is_these_frames,
                                  close_mic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
