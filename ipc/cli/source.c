#include "ipc/cli/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/cli/file.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"
#include "ipc/cli/wav.h"

#define BUFFER_BYTES 32768
/* Sizes from here on are what a writer puts that does not know the length. */
#define PLACEHOLDER_BYTES 0x7fff0000u

struct source {
    const struct cli *cli;
    const char *name;
    int fd;
    bool ended; /* the input has no more bytes */
    struct wav wav;
    uint64_t left_bytes; /* of the data, as the header says */
    size_t at, have;     /* unread part of the buffer */
    uint8_t bytes[BUFFER_BYTES];
};

/* Makes room and reads once more. */
static int
refill(struct source *s)
{
    memmove(s->bytes, s->bytes + s->at, s->have - s->at);
    s->have -= s->at;
    s->at = 0;
    for (;;) {
        if (!file_await(s->fd))
            return CLI_INTERRUPTED;
        ssize_t got =
            read(s->fd, s->bytes + s->have, sizeof s->bytes - s->have);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return say_fail(s->cli, CLI_FAILED, "%s: %s", s->name,
                            strerror(errno));
        s->ended = got == 0;
        s->have += (size_t)got;
        return CLI_DONE;
    }
}

static int
read_header(struct source *s)
{
    for (;;) {
        s->at += wav_feed(&s->wav, s->bytes + s->at, s->have - s->at);
        if (s->wav.state == WAV_BAD)
            return say_fail(s->cli, CLI_USAGE, "%s: %s", s->name,
                            s->wav.problem);
        if (s->wav.state == WAV_DATA)
            return CLI_DONE;
        if (s->ended)
            return say_fail(s->cli, CLI_USAGE,
                            "%s: it ends before any audio; is it a whole WAV?",
                            s->name);
        int code = refill(s);
        if (code != CLI_DONE)
            return code;
    }
}

static int
set_raw(struct source *s, const char *raw_format)
{
    unsigned rate_hz = 0, channels = 0;
    int length = 0;
    if (strlen(raw_format) > 20 || strpbrk(raw_format, "-+ ") ||
        sscanf(raw_format, "%u,%u%n", &rate_hz, &channels, &length) != 2 ||
        raw_format[length])
        return say_fail(s->cli, CLI_USAGE,
                        "--raw \"%s\" is no RATE,CHANNELS; for example "
                        "--raw 16000,1",
                        raw_format);
    if (!wav_set_raw(&s->wav, rate_hz, channels))
        return say_fail(s->cli, CLI_USAGE, "--raw: %s", s->wav.problem);
    return CLI_DONE;
}

static int
start(struct source *s, const char *path, const char *raw_format)
{
    bool standard = strcmp(path, "-") == 0;
    struct stat found;
    s->name = standard ? "standard input" : path;
    s->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 && stop_wanted())
        return CLI_INTERRUPTED;
    if (s->fd < 0 || fstat(s->fd, &found) != 0)
        return say_fail(s->cli, CLI_USAGE, "%s: %s", s->name, strerror(errno));
    if (S_ISDIR(found.st_mode))
        return say_fail(s->cli, CLI_USAGE, "%s: it is a folder", s->name);
    wav_init(&s->wav);
    int code = raw_format ? set_raw(s, raw_format) : read_header(s);
    s->left_bytes = s->wav.data_bytes;
    return code;
}

int
source_open(struct source **source, const struct cli *cli, const char *path,
            const char *raw_format)
{
    struct source *s = calloc(1, sizeof *s);
    *source = s;
    if (!s)
        return say_fail(cli, CLI_FAILED, "out of memory");
    s->cli = cli;
    int code = start(s, path, raw_format);
    if (code != CLI_DONE)
        source_close(source);
    return code;
}

void
source_close(struct source **source)
{
    if (*source && (*source)->fd > STDIN_FILENO)
        close((*source)->fd);
    free(*source);
    *source = NULL;
}

struct vr_format
source_format(const struct source *source)
{
    return (struct vr_format){source->wav.rate_hz, source->wav.channels};
}

/* The input has ended: was that where its header says? */
static void
check_end(struct source *s)
{
    size_t rest = s->have - s->at;
    if (rest && rest < s->left_bytes)
        say_note(s->cli, "%s: its last %zu bytes are no whole frame", s->name,
                 rest);
    else if (s->left_bytes && s->wav.data_bytes < PLACEHOLDER_BYTES)
        say_note(s->cli, "%s: it ends %llu bytes earlier than its header says",
                 s->name, (unsigned long long)s->left_bytes);
}

int
source_read(struct source *source, int16_t *samples, size_t frames, size_t *got)
{
    struct source *s = source;
    size_t frame_bytes = s->wav.frame_bytes;
    *got = 0;
    while (s->have - s->at < frame_bytes && s->left_bytes >= frame_bytes) {
        int code = s->ended ? CLI_DONE : refill(s);
        if (code != CLI_DONE)
            return code;
        if (s->ended && s->have - s->at < frame_bytes) {
            check_end(s);
            s->left_bytes = 0;
        }
    }
    size_t bytes = s->have - s->at;
    if (bytes > s->left_bytes)
        bytes = (size_t)s->left_bytes;
    *got = bytes / frame_bytes < frames ? bytes / frame_bytes : frames;
    wav_decode(&s->wav, s->bytes + s->at, *got, samples);
    s->at += *got * frame_bytes;
    if (s->left_bytes != UINT64_MAX)
        s->left_bytes -= *got * frame_bytes;
    return CLI_DONE;
}
