/* Audio from a file or standard input, as s16 in the input's own format. */
#ifndef IPC_CLI_SOURCE_H
#define IPC_CLI_SOURCE_H

#include <stddef.h>

#include "ipc/cli/command.h"
#include "ipc/voxring.h"

struct source;

/* Opens `path` ("-": standard input) and reads its header; with raw_format,
 * such as "16000,1", it has none. CLI_DONE: *source is the caller's. Otherwise
 * a line was printed (but for CLI_INTERRUPTED). [any] */
int source_open(struct source **source, const struct cli *cli, const char *path,
                const char *raw_format);

/* [any] */
void source_close(struct source **source);

/* Its rate, and 1 to WAV_CHANNELS_MAX channels. [any] */
struct vr_format source_format(const struct source *source);

/* Reads at most `frames` frames to `samples`. *got is 0 at the end. CLI_DONE;
 * CLI_FAILED after a line; CLI_INTERRUPTED. [any] */
int source_read(struct source *source, int16_t *samples, size_t frames,
                size_t *got);

#endif
