/* Where recorded audio goes: a WAV that is whole at every moment, or raw
 * bytes. */
#ifndef IPC_CLI_SINK_H
#define IPC_CLI_SINK_H

#include <stddef.h>

#include "ipc/cli/command.h"
#include "ipc/voxring.h"

struct sink {
    const struct cli *cli;
    const char *name;
    int fd;
    bool raw;
    bool seekable;
    struct vr_format format;
    uint64_t frames;        /* written */
    uint64_t header_frames; /* of these, told by the header */
};

/* Opens `path` ("-": standard output, raw). An exit code. [any] */
int sink_open(struct sink *sink, const struct cli *cli, const char *path,
              bool raw, struct vr_format format);

/* Appends; about every half second a WAV's header follows. CLI_DONE;
 * CLI_FAILED after a line: the disk or the reader; CLI_INTERRUPTED. [any] */
int sink_write(struct sink *sink, const int16_t *samples, size_t frames);

/* Keeps little in a pipe, so that what was written is soon heard. [any] */
void sink_shorten(struct sink *sink);

/* Completes the header. An exit code. [any] */
int sink_close(struct sink *sink);

#endif
