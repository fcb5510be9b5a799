#include "tools/mcp/lines.h"

#include <string.h>

static void
add(struct lines *lines, const char *bytes, size_t count)
{
    if (lines->skipping)
        return;
    if (count > lines->limit_bytes ||
        lines->line.count > lines->limit_bytes - count ||
        !buffer_add(&lines->line, bytes, count)) {
        lines->skipping = true;
        buffer_clear(&lines->line);
    }
}

static void
end(struct lines *lines, lines_fn *on_line, void *arg)
{
    size_t count = lines->line.count;

    if (lines->skipping) {
        on_line(arg, NULL, 0);
    } else if (count > 0) {
        if (lines->line.bytes[count - 1] == '\r')
            lines->line.bytes[--count] = '\0';
        on_line(arg, lines->line.bytes, count);
    }
    lines->skipping = false;
    buffer_clear(&lines->line);
}

void
lines_feed(struct lines *lines, const char *bytes, size_t count,
           lines_fn *on_line, void *arg)
{
    const char *until = bytes + count;

    while (bytes < until) {
        const char *newline = memchr(bytes, '\n', (size_t)(until - bytes));
        add(lines, bytes, (size_t)((newline ? newline : until) - bytes));
        if (!newline)
            return;
        end(lines, on_line, arg);
        bytes = newline + 1;
    }
}

void
lines_fini(struct lines *lines)
{
    buffer_fini(&lines->line);
}
