/* voxring tool new: the source of a plugin. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/cli/place.h"
#include "ipc/cli/say.h"

#define NAME_MAX_BYTES 64
#define NAME_LETTERS \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define PLACEHOLDER "@NAME@"

enum variant { SYNC = 1, ASYNC = 2, BOTH = 3 };

static const struct {
    enum variant variants;
    const char *text;
} lines[] = {
#define LINE(variants, text) {variants, text},
#include "ipc/cli/tool_template.tbl.h"
#undef LINE
};

static int
check_name(const struct cli *cli, const char *name)
{
    size_t bytes = strlen(name);
    if (bytes > 0 && bytes <= NAME_MAX_BYTES &&
        strspn(name, NAME_LETTERS) == bytes && name[0] != '-')
        return CLI_DONE;
    return say_fail(cli, CLI_USAGE,
                    "\"%.80s\" cannot be a tool's name: 1 to %d of A-Z a-z "
                    "0-9 _ -, for example turn_on_lamp",
                    name, NAME_MAX_BYTES);
}

static void
write_line(FILE *file, const char *text, const char *name)
{
    const char *at;
    while ((at = strstr(text, PLACEHOLDER))) {
        fprintf(file, "%.*s%s", (int)(at - text), text, name);
        text = at + strlen(PLACEHOLDER);
    }
    fprintf(file, "%s\n", text);
}

static int
write_source(const struct cli *cli, const char *path, const char *name)
{
    enum variant wanted = cli->options.async ? ASYNC : SYNC;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file && errno == EEXIST)
        return say_fail(cli, CLI_BUSY,
                        "%s is there already; name another with --output FILE",
                        path);
    if (!file)
        return say_fail(cli, CLI_USAGE, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i].variants & wanted)
            write_line(file, lines[i].text, name);
    }
    int bad = ferror(file);
    if (fclose(file) == 0 && !bad)
        return CLI_DONE;
    unlink(path);
    return say_fail(cli, CLI_FAILED, "%s: %s", path, strerror(errno));
}

/* What a shell takes as one word. */
static void
print_word(const char *word)
{
    if (word[strspn(word, NAME_LETTERS "/.+,:@%=")] == '\0') {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*word);
    }
    putchar('\'');
}

/* Where every compiler looks needs no -I. */
static bool
is_known(const char *folder)
{
    return strcmp(folder, "/usr/include") == 0 ||
           strcmp(folder, "/usr/local/include") == 0;
}

static void
print_build(const struct cli *cli, const char *path, const char *library)
{
    char folder[PATH_MAX];
    bool found = place_find_header(folder, sizeof folder);
    fputs("    cc -shared -fPIC -Wall -Wextra ", stdout);
    if (cli->options.async)
        fputs("-pthread ", stdout);
    if (!found)
        fputs("-I FOLDER_OF_voxring_tool.h ", stdout);
    if (found && !is_known(folder)) {
        fputs("-I ", stdout);
        print_word(folder);
        putchar(' ');
    }
    fputs("-o ", stdout);
    print_word(library);
    putchar(' ');
    print_word(path);
    puts(" -lcjson");
}

static void
print_next(const struct cli *cli, const char *path, const char *name)
{
    char library[PATH_MAX];
    snprintf(library, sizeof library, "./%s.so", name);
    printf("%s is written. Build it, try it, and offer it to the model:\n\n",
           path);
    print_build(cli, path, library);
    printf("    voxring tool test %s\n", library);
    printf("    voxring tool test %s %s '%s'\n", library, name,
           cli->options.async ? "{\"steps\": 3}" : "{\"name\": \"Ada\"}");
    printf("    cp %s PLUGIN_FOLDER/    # plugins.path of the gateway's "
           "config\n",
           library);
}

int
tool_new_run(struct cli *cli)
{
    const char *name = cli->arguments[0], *given = cli->options.output;
    char path[PATH_MAX];
    int code = check_name(cli, name);
    if (code != CLI_DONE)
        return code;
    if (snprintf(path, sizeof path, given ? "%s" : "%s.c",
                 given ? given : name) >= (int)sizeof path)
        return say_fail(cli, CLI_USAGE, "the file's name is too long");
    code = write_source(cli, path, name);
    if (code == CLI_DONE)
        print_next(cli, path, name);
    return code;
}
