#include "ipc/cli/say.h"

#include <stdarg.h>
#include <string.h>

#define LINE_BYTES 2048

/* C0, DEL, and C1 as UTF-8 encodes it. */
static bool
controls(const unsigned char *at)
{
    return *at < 0x20 || *at == 0x7f ||
           (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

static void
print_clean(FILE *out, const char *text, const char *kept)
{
    for (const unsigned char *at = (const void *)text; *at; at++) {
        if (!controls(at) || strchr(kept, *at)) {
            putc(*at, out);
            continue;
        }
        putc('?', out);
        at += *at == 0xc2;
    }
}

/* Several lines become one. */
static void
join_lines(char *line)
{
    for (size_t length = strlen(line); length && line[length - 1] == '\n';)
        line[--length] = '\0';
    for (char *at = strchr(line, '\n'); at; at = strchr(at, '\n'))
        *at = ' ';
}

static void
print_line(const struct cli *cli, const char *format, va_list list)
{
    char line[LINE_BYTES];
    if (cli && cli->quiet)
        return;
    vsnprintf(line, sizeof line, format, list);
    join_lines(line);
    flockfile(stderr);
    fprintf(stderr, "voxring%s%s: ", cli && cli->command ? " " : "",
            cli && cli->command ? cli->command->name : "");
    print_clean(stderr, line, "");
    putc('\n', stderr);
    funlockfile(stderr);
}

int
say_fail(const struct cli *cli, int exit_code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_line(cli, format, list);
    va_end(list);
    return exit_code;
}

void
say_note(const struct cli *cli, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_line(cli, format, list);
    va_end(list);
}

void
say_library(void *log_arg, const char *line)
{
    say_note(log_arg, "%s", line);
}

void
say_text(FILE *out, const char *text)
{
    print_clean(out, text, "\n\t");
}

void
say_line(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    join_lines(line);
    print_clean(stdout, line, "");
    putchar('\n');
}

int
say_exit_of(enum vr_status status)
{
    switch (status) {
    case VR_NOT_FOUND:
    case VR_CLOSED:
        return CLI_ABSENT;
    case VR_BUSY:
        return CLI_BUSY;
    case VR_TIMEOUT:
        return CLI_TIMEOUT;
    case VR_INVALID:
        return CLI_USAGE;
    default:
        return CLI_FAILED;
    }
}
