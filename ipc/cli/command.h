/* The commands of `voxring`, and what each is given. */
#ifndef IPC_CLI_COMMAND_H
#define IPC_CLI_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What the program ends with: see exit.tbl.h. */
enum cli_exit {
#define CLI_EXIT(symbol, code, when) CLI_##symbol = code,
#include "ipc/cli/exit.tbl.h"
#undef CLI_EXIT
};

enum command_id {
#define COMMAND(symbol, ...) COMMAND_##symbol,
#include "ipc/cli/command.tbl.h"
#undef COMMAND
    COMMAND_COUNT
};

struct cli;

/* A row of command.tbl.h. */
struct command {
    enum command_id id;
    const char *name; /* one or two words */
    const char *arguments;
    int least, most; /* how many arguments */
    const char *what;
    const char *details;
    int (*run)(struct cli *cli); /* returns an enum cli_exit */
};

/* A member for each row of option.tbl.h. Texts live as long as argv. */
struct options {
#define OPTION_FLAG(member) bool member;
#define OPTION_TEXT(member) const char *member;
#define OPTION_COUNT(member) int64_t member;
#define OPTION_SECONDS(member) int64_t member;
#define OPTION(member, name, kind, commands, argument, what) \
    OPTION_##kind(member)
#include "ipc/cli/option.tbl.h"
#undef OPTION
#undef OPTION_FLAG
#undef OPTION_TEXT
#undef OPTION_COUNT
#undef OPTION_SECONDS
};

/* One run of the program. */
struct cli {
    const struct command *command;
    struct options options;
    char **arguments; /* command->least to command->most of them */
    int argument_count;
    char runtime_dir[PATH_MAX];
    bool quiet; /* say_fail() and say_note() print nothing */
};

/* The command that argv[1] (and argv[2]) name; *words is then how many words
 * its name has. NULL if there is none. Static storage. [any] */
const struct command *command_find(int argc, char **argv, int *words);

/* By number, below COMMAND_COUNT. [any] */
const struct command *command_at(int index);

#define COMMAND(symbol, ...) int symbol##_run(struct cli *cli);
#include "ipc/cli/command.tbl.h"
#undef COMMAND

#endif
