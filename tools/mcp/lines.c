#include "tools/mcp/lines.h"

#include <string.h>

static void
add(struct lines *lines, const char *bytes, size_t count)
{
    lines->bytes += count;
    if (!lines->skipping && lines->bytes <= lines->limit_bytes &&
        buffer_add(&lines->line, bytes, count))
        return;
    if (!lines->skipping) {
        lines->skipping = true;
        memset(&lines->outline, 0, sizeof lines->outline);
        outline_feed(&lines->outline, lines->line.bytes, lines->line.count);
        buffer_clear(&lines->line);
    }
    outline_feed(&lines->outline, bytes, count);
}

static void
end(struct lines *lines, lines_fn *on_line, void *arg)
{
    size_t count = lines->line.count;

    if (lines->skipping) {
        on_line(arg, NULL, lines->bytes);
    } else if (count > 0) {
        if (lines->line.bytes[count - 1] == '\r')
            lines->line.bytes[--count] = '\0';
        on_line(arg, lines->line.bytes, count);
    }
    lines->skipping = false;
    lines->bytes = 0;
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
