/* voxring record: a session's ring to a file, as a recorder that takes all, or
 * as the player that people hear. */
#include <stdlib.h>

#include "ipc/cli/ring.h"
#include "ipc/cli/say.h"
#include "ipc/cli/sink.h"
#include "ipc/cli/stop.h"

#define RECORDER_FRAMES 4800
/* What is with the loudspeaker at a time, so at most what a flush is late. */
#define PLAYER_MS 10
#define FRAMES_MAX (RECORDER_FRAMES * 2)
/* After a pause longer than this, the player's clock begins anew. */
#define PAUSE_NS UINT64_C(50000000)

struct record {
    struct cli *cli;
    struct vr_reader *reader;
    struct sink sink;
    bool sink_is_open;
    struct vr_format format;
    uint64_t end_ns;        /* --seconds */
    uint64_t last_audio_ns; /* 0: none yet */
    uint64_t busy_until_ns; /* player: the loudspeaker plays until then */
    uint64_t lost_frames, flushes, skipped_frames;
    bool gone; /* the ring was closed */
    int code;  /* what went wrong with it */
    int16_t samples[FRAMES_MAX];
};

static int
open_from(struct record *r, enum vr_start start, uint64_t past_frames)
{
    const struct options *o = &r->cli->options;
    struct vr_options options = {
        .ring = o->input_ring ? VR_RING_IN : VR_RING_OUT,
        .role = o->player ? VR_PLAYER : VR_OTHER,
        .start = start,
        .marks_only = !o->player,
        .past_frames = past_frames,
    };
    return ring_open_reader(r->cli, r->cli->arguments[0], &options, &r->reader);
}

/* The past is given in ms, but the ring wants frames, and only an open ring
 * tells its rate. */
static int
open_reader(struct record *r)
{
    int64_t past_ms = r->cli->options.past_ms;
    struct vr_reader_stats stats;
    int code = open_from(r, VR_START_NOW, 0);
    if (code != CLI_DONE)
        return code;
    vr_reader_stats(r->reader, &stats, sizeof stats);
    r->format = stats.format;
    if (past_ms < 0)
        return CLI_DONE;
    vr_reader_close(&r->reader);
    return open_from(r, VR_START_PAST,
                     (uint64_t)past_ms * r->format.rate_hz / 1000);
}

/* What a read told besides audio. VR_AGAIN: nothing more yet. */
static void
take_news(struct record *r, enum vr_status status, const struct vr_block *block)
{
    switch (status) {
    case VR_FLUSHED:
        r->flushes++;
        r->skipped_frames += block->skipped_frames;
        break;
    case VR_LAPPED:
        r->lost_frames += block->lost_frames;
        say_note(r->cli, "%llu frames were overwritten before they were read",
                 (unsigned long long)block->lost_frames);
        break;
    case VR_AGAIN:
        break;
    case VR_CLOSED:
        say_note(r->cli, "the gateway or the session ended%s",
                 r->cli->options.keep ? "; waiting for the next" : "");
        r->gone = !r->cli->options.keep;
        break;
    default:
        r->code = say_fail(r->cli, status == VR_BUSY ? CLI_BUSY : CLI_FAILED,
                           "%s", vr_reader_error(r->reader));
        r->gone = true;
        break;
    }
}

static bool
is_over(const struct record *r)
{
    uint64_t now_ns = vr_now_ns();
    int64_t idle_ms = r->cli->options.until_idle_ms;
    if (stop_wanted() || r->gone || now_ns >= r->end_ns)
        return true;
    return idle_ms >= 0 && r->last_audio_ns &&
           now_ns >= r->last_audio_ns + (uint64_t)idle_ms * 1000000;
}

/* When is_over() may turn true by time alone. */
static uint64_t
next_ns(const struct record *r)
{
    int64_t idle_ms = r->cli->options.until_idle_ms;
    if (idle_ms < 0 || !r->last_audio_ns)
        return r->end_ns;
    uint64_t idle_ns = r->last_audio_ns + (uint64_t)idle_ms * 1000000;
    return idle_ns < r->end_ns ? idle_ns : r->end_ns;
}

/* ---- the recorder ---- */

/* Takes what is there, up to where the writer was when it was asked. */
static int
take_all(struct record *r)
{
    struct vr_block block = {0};
    struct vr_reader_stats stats;
    enum vr_status status;
    int code = CLI_DONE;
    vr_reader_stats(r->reader, &stats, sizeof stats);
    do {
        status = vr_read(r->reader, r->samples, RECORDER_FRAMES, &block);
        if (status == VR_OK) {
            code = sink_write(&r->sink, r->samples, (size_t)block.frames);
            r->last_audio_ns = vr_now_ns();
        } else {
            take_news(r, status, &block);
        }
    } while (code == CLI_DONE && !r->gone && status != VR_AGAIN &&
             block.position + block.frames < stats.head);
    return code;
}

static int
run_recorder(struct record *r)
{
    int code = CLI_DONE;
    while (code == CLI_DONE && !is_over(r)) {
        if (vr_wait(r->reader, stop_slice_ms(next_ns(r))) == VR_OK)
            code = take_all(r);
    }
    if (code == CLI_DONE && !r->gone)
        code = take_all(r);
    return code;
}

/* ---- the player ---- */

/* The loudspeaker takes `frames` frames; returns when they were played. */
static int
play(struct record *r, size_t frames)
{
    uint64_t now_ns = vr_now_ns();
    if (now_ns > r->busy_until_ns + PAUSE_NS)
        r->busy_until_ns = now_ns;
    r->busy_until_ns += frames * UINT64_C(1000000000) / r->format.rate_hz;
    stop_sleep_until(r->busy_until_ns);
    return sink_write(&r->sink, r->samples, frames);
}

static int
play_silence(struct record *r, size_t frames)
{
    for (size_t i = 0; i < frames * r->format.channels; i++)
        r->samples[i] = 0;
    return play(r, frames);
}

static int
play_next(struct record *r, size_t frames)
{
    struct vr_block block = {0};
    enum vr_status status = vr_read(r->reader, r->samples, frames, &block);
    if (status == VR_OK) {
        int code = play(r, (size_t)block.frames);
        r->last_audio_ns = vr_now_ns();
        if (code == CLI_DONE &&
            vr_played(r->reader, block.position + block.frames) != VR_OK)
            say_note(r->cli, "%s", vr_reader_error(r->reader));
        return code;
    }
    take_news(r, status, &block);
    if (status == VR_AGAIN && r->cli->options.silence)
        return play_silence(r, frames);
    if (status == VR_AGAIN)
        status = vr_wait(r->reader, stop_slice_ms(next_ns(r)));
    return CLI_DONE;
}

static int
run_player(struct record *r)
{
    size_t frames = r->format.rate_hz * PLAYER_MS / 1000;
    int code = CLI_DONE;
    sink_shorten(&r->sink);
    while (code == CLI_DONE && !is_over(r))
        code = play_next(r, frames);
    return code;
}

static int
report(struct record *r, int code)
{
    say_note(r->cli,
             "%llu frames (%.3f s) %s to %s; %llu flushes skipped %llu "
             "frames; %llu lost",
             (unsigned long long)r->sink.frames,
             (double)r->sink.frames / r->format.rate_hz,
             r->cli->options.player ? "played" : "written", r->sink.name,
             (unsigned long long)r->flushes,
             (unsigned long long)r->skipped_frames,
             (unsigned long long)r->lost_frames);
    return code == CLI_DONE && r->lost_frames ? CLI_LOST : code;
}

static int
record_all(struct record *r)
{
    const struct options *o = &r->cli->options;
    int code =
        sink_open(&r->sink, r->cli, r->cli->arguments[1], o->raw, r->format);
    if (code != CLI_DONE)
        return code;
    r->end_ns = stop_deadline_ns(o->seconds_ms);
    code = o->player ? run_player(r) : run_recorder(r);
    /* a signal is how a recording ends */
    if (code == CLI_INTERRUPTED || code == CLI_DONE)
        code = r->code;
    int closed = sink_close(&r->sink);
    return report(r, code == CLI_DONE ? closed : code);
}

int
record_run(struct cli *cli)
{
    struct record *r = calloc(1, sizeof *r);
    if (!r)
        return say_fail(cli, CLI_FAILED, "out of memory");
    r->cli = cli;
    int code = CLI_DONE;
    if (cli->options.silence && !cli->options.player)
        code = say_fail(cli, CLI_USAGE, "--silence is for --player");
    else if (cli->options.player && cli->options.input_ring)
        code = say_fail(cli, CLI_USAGE,
                        "--player is for the model's voice, not for --in");
    if (code == CLI_DONE)
        code = open_reader(r);
    if (code == CLI_DONE)
        code = record_all(r);
    vr_reader_close(&r->reader);
    free(r);
    return code;
}
