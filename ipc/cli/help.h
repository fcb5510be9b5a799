/* What --help prints. */
#ifndef IPC_CLI_HELP_H
#define IPC_CLI_HELP_H

#include "ipc/cli/command.h"

/* All commands, or, with a first word such as "session", those that begin with
 * it; prints and returns true, or prints nothing if there are none. [any] */
bool help_commands(const char *first_word);

/* Whether a command begins with that word. [any] */
bool help_knows(const char *first_word);

/* One command: arguments, details, options, exit codes. [any] */
void help_command(const struct command *command);

#endif
