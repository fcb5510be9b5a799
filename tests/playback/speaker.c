#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/clock.h"
#include "tests/playback/speaker.h"

static void
note(void *arg, char kind, const struct playback_notice *notice)
{
    struct speaker *speaker = arg;
    assert_true(speaker->note_count < NOTES_MAX);
    speaker->notes[speaker->note_count++] = (struct note){kind, *notice};
}

static void
on_started(void *arg, const struct playback_notice *notice)
{
    note(arg, 's', notice);
}

static void
on_finished(void *arg, const struct playback_notice *notice)
{
    struct speaker *speaker = arg;
    struct playback_heard heard;
    note(arg, 'f', notice);
    assert_true(playback_heard(speaker->playback, notice->response_id,
                               speaker->now_ns, &heard));
}

static void
on_flushed(void *arg, const struct playback_notice *notice)
{
    note(arg, 'x', notice);
}

static void
on_overflow(void *arg, const struct playback_notice *notice)
{
    note(arg, 'o', notice);
}

static void
on_lost(void *arg, const struct playback_notice *notice)
{
    struct speaker *speaker = arg;
    note(arg, 'l', notice);
    speaker->lost_frames += notice->lost_frames;
}

static const struct playback_ops ops = {on_started, on_finished, on_flushed,
                                        on_overflow, on_lost};

void
speaker_open(struct speaker *speaker, struct vr_format format,
             struct playback_config config, unsigned seconds)
{
    char why[VR_ERROR_BYTES] = "";
    memset(speaker, 0, sizeof *speaker);
    speaker->format = format;
    speaker->now_ns = clock_mono_ns();
    snprintf(speaker->dir, sizeof speaker->dir, "/tmp/voxring-test-XXXXXX");
    assert_non_null(mkdtemp(speaker->dir));
    struct ring_host_config ring = {.runtime_dir = speaker->dir,
                                    .session = "speaker",
                                    .ring = VR_RING_OUT,
                                    .format = format,
                                    .min_frames = format.rate_hz * seconds};
    if (ring_host_open(&speaker->ring, &ring, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    config.ring = speaker->ring;
    speaker->playback = playback_new(&config, &ops, speaker);
    assert_non_null(speaker->playback);
}

void
speaker_close(struct speaker *speaker)
{
    playback_free(&speaker->playback);
    vr_reader_close(&speaker->player);
    ring_host_close(&speaker->ring);
    rmdir(speaker->dir);
}

void
speaker_plug(struct speaker *speaker)
{
    char why[VR_ERROR_BYTES] = "";
    struct vr_options options = {
        .runtime_dir = speaker->dir, .ring = VR_RING_OUT, .role = VR_PLAYER};
    if (vr_reader_open(&speaker->player, "speaker", &options, why,
                       sizeof why) != VR_OK)
        fail_msg("%s", why);
    speaker_wait(speaker, 200);
}

void
speaker_unplug(struct speaker *speaker)
{
    vr_reader_close(&speaker->player);
    speaker_wait(speaker, 200);
}

int16_t
speaker_sample(uint64_t sample)
{
    return (int16_t)(sample % 30011 + 1);
}

void
speaker_say(struct speaker *speaker, uint64_t response, size_t samples)
{
    int16_t block[1000];
    while (samples > 0) {
        size_t n = samples < 1000 ? samples : 1000;
        for (size_t i = 0; i < n; i++)
            block[i] = speaker_sample(speaker->sent + i);
        playback_write(speaker->playback, response, response + 100, block, n,
                       speaker->now_ns);
        speaker->sent += n;
        samples -= n;
    }
    speaker_account(speaker);
}

void
speaker_damage(struct speaker *speaker)
{
    assert_int_equal(shm_unlink(ring_host_name(speaker->ring)), 0);
    assert_true(ring_host_check(speaker->ring));
}

void
speaker_mend(struct speaker *speaker)
{
    char why[VR_ERROR_BYTES] = "";
    if (ring_host_recreate(speaker->ring, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    assert_false(ring_host_check(speaker->ring));
}

size_t
speaker_play(struct speaker *speaker, int16_t *samples, size_t frames)
{
    struct vr_block block;
    size_t done = 0;
    while (done < frames) {
        enum vr_status status =
            vr_read(speaker->player, samples + done * speaker->format.channels,
                    frames - done, &block);
        if (status == VR_FLUSHED)
            continue;
        if (status != VR_OK)
            break;
        done += block.frames;
        vr_played(speaker->player, block.position + block.frames);
    }
    playback_tick(speaker->playback, speaker->now_ns);
    speaker_account(speaker);
    return done;
}

void
speaker_wait(struct speaker *speaker, unsigned ms)
{
    speaker->now_ns += MS(ms);
    playback_tick(speaker->playback, speaker->now_ns);
    speaker_account(speaker);
}

struct playback_account
speaker_account(struct speaker *speaker)
{
    struct playback_account a;
    playback_account(speaker->playback, speaker->now_ns, &a);
    if (!playback_account_balances(&a))
        fail_msg("received %lu, played %lu, flushed %lu, pending %lu, lost %lu",
                 a.received, a.played, a.flushed, a.pending, a.lost);
    return a;
}

const char *
speaker_notes(struct speaker *speaker)
{
    static char text[NOTES_MAX * 8];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < speaker->note_count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%c%lu",
                               i ? " " : "", speaker->notes[i].kind,
                               speaker->notes[i].notice.response_id);
    speaker->note_count = 0;
    return text;
}
