#include "ipc/cli/mic.h"

#include <string.h>

#include "ipc/cli/ring.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"

#define BLOCK_MS 10
#define BLOCK_FRAMES_MAX (48 * BLOCK_MS)
#define CHANNELS_MAX 2
#define STALL_MS 15000
/* Later than this is not caught up: the input or this program had paused. */
#define LATE_NS UINT64_C(100000000)
/* Real time runs faster by this much, so that a pipe that is filled by another
 * clock, such as a sound card's, never grows full. */
#define HASTE_PPM 2000

int
mic_open(struct mic *mic, struct cli *cli, const char *session,
         enum mic_pace pace)
{
    struct vr_writer_stats stats;
    *mic = (struct mic){.cli = cli, .pace = pace, .stall_ms = STALL_MS};
    if (cli->options.timeout_ms >= 0)
        mic->stall_ms = cli->options.timeout_ms;
    int code = ring_open_writer(cli, session, &mic->writer);
    if (code != CLI_DONE)
        return code;
    vr_writer_stats(mic->writer, &stats, sizeof stats);
    mic->format = stats.format;
    return CLI_DONE;
}

static int
stalled(const struct mic *mic)
{
    struct vr_writer_stats stats;
    vr_writer_stats(mic->writer, &stats, sizeof stats);
    if (!stats.attached)
        return say_fail(mic->cli, CLI_ABSENT, "no gateway for %lld ms: %s",
                        (long long)mic->stall_ms, vr_writer_error(mic->writer));
    return say_fail(mic->cli, CLI_TIMEOUT,
                    "the gateway has read nothing for %lld ms; `voxring "
                    "session get %s` shows what it does, --timeout MS waits "
                    "longer",
                    (long long)mic->stall_ms, mic->cli->arguments[0]);
}

/* Waits for room for `frames`, as long as the gateway goes on reading. */
static int
await_space(struct mic *mic, size_t frames)
{
    struct vr_writer_stats stats;
    uint64_t deadline_ns = stop_deadline_ns(mic->stall_ms);
    uint64_t read_to = UINT64_MAX;
    while (!stop_wanted()) {
        enum vr_status status =
            vr_wait_space(mic->writer, frames, STOP_SLICE_MS);
        if (status == VR_OK)
            return CLI_DONE;
        if (status != VR_TIMEOUT && status != VR_AGAIN)
            return say_fail(mic->cli, say_exit_of(status), "%s",
                            vr_writer_error(mic->writer));
        vr_writer_stats(mic->writer, &stats, sizeof stats);
        if (stats.read_position != read_to && stats.attached)
            deadline_ns = stop_deadline_ns(mic->stall_ms);
        read_to = stats.read_position;
        if (vr_now_ns() >= deadline_ns)
            return stalled(mic);
    }
    return CLI_INTERRUPTED;
}

/* Waits until a microphone would have captured `frames` more. */
static int
await_time(struct mic *mic, size_t frames)
{
    uint64_t now_ns = vr_now_ns();
    uint64_t count = mic->frames + frames - mic->clock_frame;
    uint64_t length_ns = count *
                         (UINT64_C(1000000000) - HASTE_PPM * UINT64_C(1000)) /
                         mic->format.rate_hz;
    if (mic->clock_ns == 0 || now_ns > mic->clock_ns + length_ns + LATE_NS) {
        mic->clock_ns = now_ns;
        mic->clock_frame = mic->frames;
        return await_time(mic, frames);
    }
    stop_sleep_until(mic->clock_ns + length_ns);
    return stop_wanted() ? CLI_INTERRUPTED : CLI_DONE;
}

/* Whoever does not wait for room writes over what the gateway has not read. */
static void
count_overrun(struct mic *mic, size_t frames)
{
    struct vr_writer_stats stats;
    size_t space = vr_space(mic->writer);
    if (space >= frames)
        return;
    vr_writer_stats(mic->writer, &stats, sizeof stats);
    if (stats.attached)
        mic->overrun_frames += frames - space;
}

static int
write_block(struct mic *mic, const int16_t *samples, size_t frames)
{
    int code = CLI_DONE;
    if (mic->pace == MIC_REAL_TIME)
        code = await_time(mic, frames);
    if (code == CLI_DONE && mic->pace != MIC_LIVE)
        code = await_space(mic, frames);
    if (code == CLI_DONE && stop_wanted())
        code = CLI_INTERRUPTED;
    if (code != CLI_DONE)
        return code;
    if (mic->pace == MIC_LIVE)
        count_overrun(mic, frames);
    /* what a file holds was captured at no time of this machine's clock */
    enum vr_status status = vr_write(mic->writer, samples, frames,
                                     mic->pace == MIC_FAST ? 0 : vr_now_ns());
    mic->frames += frames;
    if (vr_status_class(status) == VR_CLASS_BUG)
        return say_fail(mic->cli, CLI_FAILED, "%s",
                        vr_writer_error(mic->writer));
    return CLI_DONE;
}

int
mic_write(struct mic *mic, const int16_t *samples, size_t frames)
{
    size_t block = mic->format.rate_hz * BLOCK_MS / 1000;
    int code = CLI_DONE;
    for (size_t at = 0; at < frames && code == CLI_DONE; at += block) {
        size_t count = frames - at < block ? frames - at : block;
        code = write_block(mic, samples + at * mic->format.channels, count);
    }
    return code;
}

int
mic_silence(struct mic *mic, int64_t ms)
{
    static const int16_t silence[BLOCK_FRAMES_MAX * CHANNELS_MAX];
    uint64_t left = ms > 0 ? (uint64_t)ms * mic->format.rate_hz / 1000 : 0;
    int code = CLI_DONE;
    while (left && code == CLI_DONE) {
        size_t count =
            left < BLOCK_FRAMES_MAX ? (size_t)left : BLOCK_FRAMES_MAX;
        code = mic_write(mic, silence, count);
        left -= count;
    }
    return code;
}

int
mic_drain(struct mic *mic)
{
    struct vr_writer_stats stats;
    vr_writer_stats(mic->writer, &stats, sizeof stats);
    return await_space(mic, (size_t)stats.capacity_frames);
}

uint64_t
mic_lost_frames(const struct mic *mic)
{
    struct vr_writer_stats stats;
    vr_writer_stats(mic->writer, &stats, sizeof stats);
    return stats.lost_frames + mic->overrun_frames;
}

void
mic_close(struct mic *mic)
{
    vr_writer_close(&mic->writer);
}
