#include "gateway/config_problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (128u * 1024u)

void
config_problems_init(struct config_problems *problems, const char *file)
{
    *problems = (struct config_problems){.file = file};
    strbuf_init(&problems->text, TEXT_BYTES_MAX);
}

static void
add(struct config_problems *problems, size_t line, const char *path,
    const char *format, va_list args)
{
    char message[1024];
    char text[2048];
    char where[32] = "";
    if (problems->count++ >= CONFIG_PROBLEMS_MAX)
        return;
    vsnprintf(message, sizeof message, format, args);
    if (line)
        snprintf(where, sizeof where, ":%zu", line);
    int n = snprintf(text, sizeof text, "%s%s%s%s%s%.1024s\n",
                     problems->file ? problems->file : "",
                     problems->file ? where : "", problems->file ? ": " : "",
                     path, *path ? ": " : "", message);
    size_t bytes = n < (int)sizeof text ? (size_t)n : sizeof text - 1;
    /* Keys come from outside: they must not forge lines. */
    for (size_t i = 0; i + 1 < bytes; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    }
    strbuf_append(&problems->text, text, bytes);
}

void
config_problem(struct config_problems *problems, const cJSON *item,
               const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, jsonc_line(problems->jsonc, item), path, format, args);
    va_end(args);
}

void
config_problem_at(struct config_problems *problems, size_t line,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, line, "", format, args);
    va_end(args);
}

char *
config_problems_take(struct config_problems *problems)
{
    char *text = NULL;
    if (problems->count > CONFIG_PROBLEMS_MAX) {
        char more[64];
        int n = snprintf(more, sizeof more, "and %zu more\n",
                         problems->count - CONFIG_PROBLEMS_MAX);
        strbuf_append(&problems->text, more, (size_t)n);
    }
    if (problems->count)
        text = strdup(strbuf_text(&problems->text));
    strbuf_fini(&problems->text);
    return text;
}
