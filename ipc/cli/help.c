#include "ipc/cli/help.h"

#include <stdio.h>
#include <string.h>

#include "ipc/cli/option.h"

static bool
begins_with(const char *name, const char *word)
{
    size_t length = strlen(word);
    return strncmp(name, word, length) == 0 &&
           (name[length] == ' ' || name[length] == '\0');
}

static void
list_commands(const char *first_word)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = command_at(i);
        char left[64];
        if (first_word && !begins_with(c->name, first_word))
            continue;
        snprintf(left, sizeof left, "%s %s", c->name, c->arguments);
        printf("  %-27s %s\n", left, c->what);
    }
}

static void
list_exits(void)
{
    puts("\nexit codes:");
#define CLI_EXIT(symbol, code, when) printf("  %-4d %s\n", code, when);
#include "ipc/cli/exit.tbl.h"
#undef CLI_EXIT
}

bool
help_knows(const char *first_word)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (begins_with(command_at(i)->name, first_word))
            return true;
    }
    return false;
}

bool
help_commands(const char *first_word)
{
    if (first_word && !help_knows(first_word))
        return false;
    puts("voxring talks to a running voxringd: audio by shared-memory rings,\n"
         "everything else by ZeroMQ.\n"
         "\n"
         "usage: voxring COMMAND ... [options]\n"
         "       voxring COMMAND --help\n");
    list_commands(first_word);
    puts("\noptions of every command:");
    option_help(NULL);
    puts("\nWithout --runtime-dir it is $VOXRING_RUNTIME_DIR, else the first "
         "of\n$XDG_RUNTIME_DIR/voxring, /run/voxring and /tmp/voxring-UID that "
         "exists.");
    list_exits();
    puts("\nTry: voxringd --local &\n"
         "     voxring text robot 'what time is it'");
    return true;
}

void
help_command(const struct command *command)
{
    printf("usage: voxring %s%s%s [options]\n\nvoxring %s %s.\n\n",
           command->name, *command->arguments ? " " : "", command->arguments,
           command->name, command->what);
    fputs(command->details, stdout);
    puts("\noptions:");
    option_help(command);
    list_exits();
}
