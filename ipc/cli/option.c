#include "ipc/cli/option.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/cli/say.h"
#include "ipc/voxring.h"

#define COUNT_MAX 2000000000

enum kind { KIND_FLAG, KIND_TEXT, KIND_COUNT, KIND_SECONDS };

struct row {
    const char *name;
    enum kind kind;
    uint32_t commands;
    const char *argument;
    const char *what;
    size_t offset; /* in struct options */
};

#define FOR(symbol) (UINT32_C(1) << COMMAND_##symbol)
#define ANY UINT32_MAX
static const struct row rows[] = {
#define OPTION(member, name, kind, commands, argument, what) \
    {name,     KIND_##kind, commands,                        \
     argument, what,        offsetof(struct options, member)},
#include "ipc/cli/option.tbl.h"
#undef OPTION
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])
_Static_assert(COMMAND_COUNT < 32, "a bit for each command");

static bool
takes(const struct command *command, const struct row *row)
{
    return row->commands & (UINT32_C(1) << command->id);
}

static void
set_defaults(struct options *options)
{
    memset(options, 0, sizeof *options);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        int64_t none = -1;
        if (rows[i].kind == KIND_COUNT || rows[i].kind == KIND_SECONDS)
            memcpy((char *)options + rows[i].offset, &none, sizeof none);
    }
    options->connect_timeout_ms = 3000;
}

static bool
parse_count(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < 0 || number > COUNT_MAX)
        return false;
    *value = number;
    return true;
}

static bool
parse_seconds(const char *text, int64_t *value_ms)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number < 0 ||
        number > COUNT_MAX / 1000.0)
        return false;
    *value_ms = (int64_t)(number * 1000);
    return true;
}

static int
take(struct cli *cli, const struct row *row, const char *given)
{
    void *member = (char *)&cli->options + row->offset;
    int64_t number = 0;
    if (row->kind == KIND_FLAG) {
        *(bool *)member = true;
        return CLI_DONE;
    }
    if (row->kind == KIND_TEXT) {
        memcpy(member, &given, sizeof given);
        return CLI_DONE;
    }
    if (row->kind == KIND_COUNT ? !parse_count(given, &number)
                                : !parse_seconds(given, &number))
        return say_fail(cli, CLI_USAGE,
                        "--%s \"%s\" is no number from 0 to %d; for example "
                        "--%s 5",
                        row->name, given,
                        row->kind == KIND_COUNT ? COUNT_MAX : COUNT_MAX / 1000,
                        row->name);
    memcpy(member, &number, sizeof number);
    return CLI_DONE;
}

static int
refuse(const struct cli *cli, int option, char **argv)
{
    const char *given = argv[optind > 1 ? optind - 1 : 1];
    if (option == ':')
        return say_fail(cli, CLI_USAGE,
                        "%s needs a value; see voxring %s "
                        "--help",
                        given, cli->command->name);
    return say_fail(cli, CLI_USAGE,
                    "no option %s is known; see voxring %s "
                    "--help",
                    given, cli->command->name);
}

static int
read_options(struct cli *cli, int argc, char **argv)
{
    struct option list[ROW_COUNT + 1];
    int found = 0, option, index = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (takes(cli->command, &rows[i]))
            list[found++] = (struct option){
                rows[i].name, rows[i].kind != KIND_FLAG, NULL, 256 + (int)i};
    }
    list[found] = (struct option){0};
    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, ":h", list, &index)) != -1) {
        if (option == 'h')
            cli->options.help = true;
        else if (option < 256)
            return refuse(cli, option, argv);
        else if (take(cli, &rows[option - 256], optarg) != CLI_DONE)
            return CLI_USAGE;
    }
    return CLI_DONE;
}

static int
find_runtime_dir(struct cli *cli)
{
    const char *given = cli->options.runtime_dir;
    if (given && strlen(given) < sizeof cli->runtime_dir) {
        memcpy(cli->runtime_dir, given, strlen(given) + 1);
        return CLI_DONE;
    }
    if (given || vr_runtime_dir(cli->runtime_dir, sizeof cli->runtime_dir))
        return say_fail(cli, CLI_USAGE,
                        "the runtime folder's path is too long; give a "
                        "shorter one with --runtime-dir");
    return CLI_DONE;
}

int
option_parse(struct cli *cli, int argc, char **argv)
{
    const struct command *c = cli->command;
    set_defaults(&cli->options);
    int code = read_options(cli, argc, argv);
    if (code != CLI_DONE || cli->options.help)
        return code;
    cli->arguments = argv + optind;
    cli->argument_count = argc - optind;
    if (cli->argument_count < c->least || cli->argument_count > c->most)
        return say_fail(cli, CLI_USAGE,
                        "%s: usage is voxring %s%s%s; see voxring %s --help",
                        cli->argument_count < c->least ? "an argument lacks"
                                                       : "too many arguments",
                        c->name, *c->arguments ? " " : "", c->arguments,
                        c->name);
    return find_runtime_dir(cli);
}

void
option_help(const struct command *command)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        if (command ? !takes(command, &rows[i]) : rows[i].commands != ANY)
            continue;
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name,
                 *rows[i].argument ? " " : "", rows[i].argument);
        if (strlen(left) > 20)
            printf("  %s\n  %-20s ", left, "");
        else
            printf("  %-20s ", left);
        puts(rows[i].what);
    }
}
