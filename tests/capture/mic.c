#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "tests/capture/mic.h"

static void
on_starved(void *arg, uint64_t frame)
{
    struct mic *mic = arg;
    (void)frame;
    mic->starved++;
}

static void
on_resumed(void *arg, uint64_t frame, uint64_t starved_ns)
{
    struct mic *mic = arg;
    (void)frame;
    mic->resumed++;
    mic->starved_ns += starved_ns;
}

static void
on_lost(void *arg, enum capture_loss why, uint64_t frames, uint64_t frame)
{
    struct mic *mic = arg;
    (void)frame;
    mic->lost[why] += frames;
}

static void
on_speech(void *arg, bool started, uint64_t frame)
{
    struct mic *mic = arg;
    if (started && mic->speeches < 8)
        mic->speech_from[mic->speeches++] = frame;
    if (!started && mic->speech_ends < 8)
        mic->speech_to[mic->speech_ends++] = frame;
}

static const struct capture_ops ops = {.on_starved = on_starved,
                                       .on_resumed = on_resumed,
                                       .on_lost = on_lost,
                                       .on_speech = on_speech};

static void
open_ring(struct mic *mic, uint64_t min_frames)
{
    char why[VR_ERROR_BYTES] = "";
    snprintf(mic->dir, sizeof mic->dir, "/tmp/voxring-test-XXXXXX");
    assert_non_null(mkdtemp(mic->dir));
    struct ring_host_config config = {
        .runtime_dir = mic->dir,
        .session = "mic",
        .ring = VR_RING_IN,
        .format = mic->format,
        .min_frames = min_frames ? min_frames
                                 : ring_host_min_frames(
                                       VR_RING_IN, mic->format.rate_hz, 0)};
    if (ring_host_open(&mic->ring, &config, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    struct vr_options options = {.runtime_dir = mic->dir};
    if (vr_writer_open(&mic->writer, "mic", &options, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
}

void
mic_open(struct mic *mic, struct vr_format format, struct capture_config config,
         uint64_t min_frames)
{
    memset(mic, 0, sizeof *mic);
    mic->format = format;
    mic->now_ns = clock_mono_ns();
    open_ring(mic, min_frames);
    config.ring = mic->ring;
    mic->capture = capture_new(&config, &ops, mic);
    assert_non_null(mic->capture);
}

void
mic_close(struct mic *mic)
{
    capture_free(&mic->capture);
    vr_writer_close(&mic->writer);
    ring_host_close(&mic->ring);
    if (mic->dir[0])
        rmdir(mic->dir);
    mic->dir[0] = '\0';
}

int16_t
mic_sample(uint64_t frame)
{
    return (int16_t)(frame % 30011 + 1);
}

/* `amplitude` < 0: samples that count. */
static void
write_frames(struct mic *mic, size_t frames, double amplitude)
{
    int16_t block[2 * 480];
    while (frames > 0) {
        size_t n = frames < 480 ? frames : 480;
        for (size_t i = 0; i < n * mic->format.channels; i++) {
            uint64_t frame = mic->written + i / mic->format.channels;
            double turns = 300.0 * (double)frame / mic->format.rate_hz;
            block[i] = amplitude < 0
                           ? mic_sample(frame)
                           : (int16_t)(amplitude * sin(2 * M_PI * turns));
        }
        assert_int_equal(vr_write(mic->writer, block, n, 0), VR_OK);
        mic->written += n;
        frames -= n;
    }
    if (mic->now_ns < clock_mono_ns())
        mic->now_ns = clock_mono_ns();
}

void
mic_write(struct mic *mic, size_t frames)
{
    write_frames(mic, frames, -1);
}

void
mic_write_tone(struct mic *mic, size_t frames, double amplitude)
{
    write_frames(mic, frames, amplitude);
}

struct capture_account
mic_account(struct mic *mic)
{
    struct capture_account a;
    capture_account(mic->capture, &a);
    if (!capture_account_balances(&a))
        fail_msg("produced %lu, sent %lu, gated %lu, lost %lu, pending %lu",
                 a.produced, a.sent, a.gated, a.lost, a.pending);
    return a;
}

void
mic_balance(struct mic *mic)
{
    assert_int_equal(mic_account(mic).produced, mic->written);
}

struct capture_chunk
mic_poll(struct mic *mic)
{
    struct capture_chunk chunk;
    assert_true(capture_poll(mic->capture, mic->now_ns, &chunk));
    assert_int_equal(chunk.count, capture_chunk_samples(mic->capture));
    mic_balance(mic);
    return chunk;
}

void
mic_poll_nothing(struct mic *mic)
{
    struct capture_chunk chunk;
    assert_false(capture_poll(mic->capture, mic->now_ns, &chunk));
    mic_balance(mic);
}
