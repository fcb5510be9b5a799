/* voxring send: audio from a file or a pipe into a session's ring. */
#include <stdlib.h>

#include "ipc/cli/convert.h"
#include "ipc/cli/mic.h"
#include "ipc/cli/say.h"
#include "ipc/cli/source.h"
#include "ipc/cli/stop.h"
#include "ipc/cli/wav.h"

struct send {
    struct cli *cli;
    struct source *source;
    struct mic mic;
    struct convert *convert;
    int16_t samples[CONVERT_FRAMES * WAV_CHANNELS_MAX];
};

static int
choose_pace(struct cli *cli, enum mic_pace *pace)
{
    if (cli->options.fast && cli->options.live)
        return say_fail(cli, CLI_USAGE,
                        "--fast is for files, --live for what has a clock; "
                        "give one of them");
    *pace = cli->options.fast   ? MIC_FAST
            : cli->options.live ? MIC_LIVE
                                : MIC_REAL_TIME;
    return CLI_DONE;
}

static int
match_formats(struct send *s)
{
    struct vr_format from = source_format(s->source), to = s->mic.format;
    bool equal = from.rate_hz == to.rate_hz && from.channels == to.channels;
    if (!equal && s->cli->options.strict)
        return say_fail(s->cli, CLI_USAGE,
                        "the audio is %u Hz with %u channels, the ring %u Hz "
                        "with %u; without --strict it would be converted",
                        from.rate_hz, from.channels, to.rate_hz, to.channels);
    if (!equal)
        say_note(s->cli, "converting %u Hz with %u channels to %u Hz with %u",
                 from.rate_hz, from.channels, to.rate_hz, to.channels);
    if (convert_new(&s->convert, from, to) != VR_OK)
        return say_fail(s->cli, CLI_FAILED, "out of memory");
    return CLI_DONE;
}

static int
copy_audio(struct send *s)
{
    const int16_t *ready;
    size_t got, count;
    int code;
    do {
        code = source_read(s->source, s->samples, CONVERT_FRAMES, &got);
        if (code != CLI_DONE)
            return code;
        count = convert_push(s->convert, s->samples, got, &ready);
        code = mic_write(&s->mic, ready, count);
    } while (code == CLI_DONE && got);
    while (code == CLI_DONE && (count = convert_finish(s->convert, &ready)))
        code = mic_write(&s->mic, ready, count);
    return code;
}

static int
report(struct send *s, int code)
{
    uint64_t lost = mic_lost_frames(&s->mic);
    say_note(s->cli, "%llu frames (%.3f s) written, %llu lost%s",
             (unsigned long long)(s->mic.frames - lost),
             (double)(s->mic.frames - lost) / s->mic.format.rate_hz,
             (unsigned long long)lost,
             code == CLI_INTERRUPTED ? "; interrupted" : "");
    return code == CLI_DONE && lost ? CLI_LOST : code;
}

static int
send_all(struct send *s)
{
    const struct options *o = &s->cli->options;
    int code = mic_silence(&s->mic, o->silence_before_ms);
    if (code == CLI_DONE)
        code = copy_audio(s);
    if (code == CLI_DONE)
        code = mic_silence(&s->mic, o->silence_after_ms);
    if (code == CLI_DONE && !o->no_drain)
        code = mic_drain(&s->mic);
    return report(s, code);
}

int
send_run(struct cli *cli)
{
    enum mic_pace pace = MIC_REAL_TIME;
    int code = choose_pace(cli, &pace);
    struct send *s = calloc(1, sizeof *s);
    if (!s || code != CLI_DONE) {
        free(s);
        return code ? code : say_fail(cli, CLI_FAILED, "out of memory");
    }
    s->cli = cli;
    code = source_open(&s->source, cli, cli->arguments[1],
                       cli->options.raw_format);
    if (code == CLI_DONE)
        code = mic_open(&s->mic, cli, cli->arguments[0], pace);
    if (code == CLI_DONE)
        code = match_formats(s);
    if (code == CLI_DONE)
        code = send_all(s);
    convert_free(&s->convert);
    mic_close(&s->mic);
    source_close(&s->source);
    free(s);
    return code;
}
