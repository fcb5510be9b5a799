#include "ipc/cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"
#include "ipc/cli/wav.h"

#define PIPE_BYTES 4096

static int
failed(const struct sink *s)
{
    return say_fail(s->cli, CLI_FAILED, "%s: %s", s->name, strerror(errno));
}

static int
write_all(struct sink *s, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count) {
        struct pollfd item = {.fd = s->fd, .events = POLLOUT};
        if (poll(&item, 1, STOP_SLICE_MS) <= 0) {
            if (stop_wanted())
                return CLI_INTERRUPTED;
            continue;
        }
        /* a pipe that has room for less would hold us here */
        ssize_t done =
            write(s->fd, at, count < PIPE_BYTES ? count : PIPE_BYTES);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return failed(s);
        if (done > 0) {
            at += done;
            count -= (size_t)done;
        }
    }
    return CLI_DONE;
}

static uint64_t
data_bytes(const struct sink *s)
{
    return s->frames * s->format.channels * sizeof(int16_t);
}

static int
update_header(struct sink *s)
{
    uint8_t header[WAV_HEADER_BYTES];
    if (s->raw || !s->seekable || s->header_frames == s->frames)
        return CLI_DONE;
    wav_header(header, s->format.rate_hz, s->format.channels, data_bytes(s));
    if (pwrite(s->fd, header, sizeof header, 0) != (ssize_t)sizeof header)
        return failed(s);
    s->header_frames = s->frames;
    return CLI_DONE;
}

int
sink_open(struct sink *sink, const struct cli *cli, const char *path, bool raw,
          struct vr_format format)
{
    struct sink *s = sink;
    uint8_t header[WAV_HEADER_BYTES];
    bool standard = strcmp(path, "-") == 0;
    *s = (struct sink){.cli = cli,
                       .name = standard ? "standard output" : path,
                       .raw = raw || standard,
                       .format = format};
    s->fd = standard
                ? STDOUT_FILENO
                : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->fd < 0)
        return say_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
    s->seekable = !standard && lseek(s->fd, 0, SEEK_CUR) == 0;
    if (s->raw)
        return CLI_DONE;
    wav_header(header, format.rate_hz, format.channels,
               s->seekable ? 0 : UINT64_MAX);
    int code = write_all(s, header, sizeof header);
    if (code != CLI_DONE)
        close(s->fd);
    return code;
}

int
sink_write(struct sink *sink, const int16_t *samples, size_t frames)
{
    struct sink *s = sink;
    size_t bytes = frames * s->format.channels * sizeof *samples;
    if (!s->raw && data_bytes(s) + bytes > UINT32_MAX - WAV_HEADER_BYTES)
        return say_fail(s->cli, CLI_FAILED,
                        "%s: a WAV ends at 4 GiB; use --raw for more", s->name);
    int code = write_all(s, samples, bytes);
    if (code != CLI_DONE)
        return code;
    s->frames += frames;
    if (s->frames - s->header_frames >= s->format.rate_hz / 2)
        return update_header(s);
    return CLI_DONE;
}

void
sink_shorten(struct sink *sink)
{
    (void)fcntl(sink->fd, F_SETPIPE_SZ, PIPE_BYTES);
}

int
sink_close(struct sink *sink)
{
    int code = update_header(sink);
    if (sink->fd > STDERR_FILENO && close(sink->fd) != 0 && code == CLI_DONE)
        code = failed(sink);
    return code;
}
