/* A small text from a file or standard input. */
#ifndef IPC_CLI_FILE_H
#define IPC_CLI_FILE_H

#include <stddef.h>

#include "ipc/cli/command.h"

/* Reads `path` ("-": standard input) whole; *text is the caller's, by free(),
 * NUL at its end. CLI_USAGE after a line on stderr: it cannot be read, holds a
 * NUL, or more than max_bytes; *text is then NULL. CLI_INTERRUPTED. [any] */
int file_read(const struct cli *cli, const char *path, size_t max_bytes,
              char **text);

/* Waits until descriptor `fd` can be read, or ends, or stop_wanted(). False in
 * the last case. [any] */
bool file_await(int fd);

#endif
