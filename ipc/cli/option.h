/* A command's options, read as option.tbl.h says. */
#ifndef IPC_CLI_OPTION_H
#define IPC_CLI_OPTION_H

#include "ipc/cli/command.h"

/* Reads argv, whose first word is a name for the program, into cli->options,
 * cli->arguments (argv is permuted) and cli->runtime_dir, for cli->command.
 * Returns CLI_DONE, or CLI_USAGE after a line on stderr; with --help given the
 * rest is not looked at. [any] */
int option_parse(struct cli *cli, int argc, char **argv);

/* Prints the options of a command, or, for NULL, those of all. [any] */
void option_help(const struct command *command);

#endif
