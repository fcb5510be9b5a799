/* voxring: the command line of the gateway. */
#include <stdio.h>
#include <string.h>

#include "ipc/cli/help.h"
#include "ipc/cli/option.h"
#include "ipc/cli/say.h"
#include "ipc/cli/stop.h"
#include "ipc/standard_fds.h"

static bool
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
           strcmp(word, "help") == 0;
}

/* No command was named: help is what is wanted, or what is lacking. */
static int
without_command(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("voxring " VOXRING_VERSION);
        return CLI_DONE;
    }
    if (argc > 1 && is_help(argv[1])) {
        help_commands(argc > 2 ? argv[2] : NULL);
        return CLI_DONE;
    }
    if (argc == 3 && is_help(argv[2]) && help_commands(argv[1]))
        return CLI_DONE;
    if (argc < 2)
        return say_fail(NULL, CLI_USAGE,
                        "a command lacks; voxring --help lists them");
    return say_fail(NULL, CLI_USAGE,
                    "\"%s%s%s\" is no command; voxring %s%s--help lists them",
                    argv[1], argc > 2 ? " " : "", argc > 2 ? argv[2] : "",
                    help_knows(argv[1]) ? argv[1] : "",
                    help_knows(argv[1]) ? " " : "");
}

int
main(int argc, char **argv)
{
    struct cli cli = {0};
    int words = 0;
    standard_fds_fill();
    cli.command = command_find(argc, argv, &words);
    if (!cli.command)
        return without_command(argc, argv);
    int code = option_parse(&cli, argc - words, argv + words);
    if (code != CLI_DONE)
        return code;
    if (cli.options.help) {
        help_command(cli.command);
        return CLI_DONE;
    }
    stop_install();
    code = cli.command->run(&cli);
    if (fflush(stdout) != 0 && code == CLI_DONE)
        return say_fail(&cli, CLI_FAILED, "standard output: %m");
    return code;
}
