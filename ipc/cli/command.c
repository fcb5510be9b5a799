#include "ipc/cli/command.h"

#include <stddef.h>
#include <string.h>

static const struct command commands[] = {
#define COMMAND(symbol, name, arguments, least, most, what, details) \
    {COMMAND_##symbol, name,        arguments, least, most, what,    \
     details,          symbol##_run},
#include "ipc/cli/command.tbl.h"
#undef COMMAND
};

const struct command *
command_at(int index)
{
    return &commands[index];
}

/* The rest of `name` behind its first word, "" if that is all; NULL if the
 * first word is not `word`. */
static const char *
behind_word(const char *name, const char *word)
{
    size_t length = strlen(word);
    if (length == 0 || strncmp(name, word, length) != 0)
        return NULL;
    if (name[length] == '\0')
        return name + length;
    return name[length] == ' ' ? name + length + 1 : NULL;
}

const struct command *
command_find(int argc, char **argv, int *words)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const char *rest =
            argc > 1 ? behind_word(commands[i].name, argv[1]) : NULL;
        if (!rest)
            continue;
        if (*rest != '\0' && (argc < 3 || strcmp(rest, argv[2]) != 0))
            continue;
        *words = *rest == '\0' ? 1 : 2;
        return &commands[i];
    }
    return NULL;
}
