#include "tools/plugins/agent_search/sse.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 1024u

void
sse_init(struct sse *sse, size_t limit_bytes, sse_event_fn *on_event, void *arg)
{
    memset(sse, 0, sizeof *sse);
    sse->limit_bytes = limit_bytes;
    sse->on_event = on_event;
    sse->arg = arg;
    sse->first_line = true;
}

void
sse_fini(struct sse *sse)
{
    free(sse->line);
    free(sse->data);
    sse->line = sse->data = NULL;
}

/* Appends n bytes and a NUL to one of the two buffers. */
static bool
append(const struct sse *sse, char **to, size_t *used, size_t *room,
       const char *bytes, size_t n)
{
    size_t want = *room ? *room : FIRST_BYTES;
    char *larger;

    if (n > sse->limit_bytes - *used)
        return false;
    while (want < *used + n + 1)
        want *= 2;
    if (want != *room) {
        larger = realloc(*to, want);
        if (!larger)
            return false;
        *to = larger;
        *room = want;
    }
    if (n > 0)
        memcpy(*to + *used, bytes, n);
    *used += n;
    (*to)[*used] = '\0';
    return true;
}

static bool
add_data(struct sse *sse, const char *bytes, size_t n)
{
    return append(sse, &sse->data, &sse->data_bytes, &sse->data_room_bytes,
                  bytes, n);
}

static void
end_event(struct sse *sse)
{
    bool has_data = sse->has_data;
    size_t bytes = sse->data_bytes;

    sse->has_data = false;
    sse->data_bytes = 0;
    if (has_data && !sse->on_event(sse->arg, sse->data, bytes))
        sse->verdict = SSE_ENOUGH;
}

/* `value` is what stands behind "data:", or "" for a line that is "data". */
static void
take_data(struct sse *sse, const char *value, size_t n)
{
    if (n > 0 && value[0] == ' ') {
        value++;
        n--;
    }
    if ((sse->has_data && !add_data(sse, "\n", 1)) || !add_data(sse, value, n))
        sse->verdict = SSE_TOO_LARGE;
    sse->has_data = true;
}

static void
end_line(struct sse *sse)
{
    const char *line = sse->line ? sse->line : "";
    size_t n = sse->line_bytes;

    sse->line_bytes = 0;
    if (sse->first_line && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        n -= 3;
    }
    sse->first_line = false;
    if (n == 0)
        end_event(sse);
    else if (n == 4 && memcmp(line, "data", 4) == 0)
        take_data(sse, "", 0);
    else if (n >= 5 && memcmp(line, "data:", 5) == 0)
        take_data(sse, line + 5, n - 5);
}

/* Bytes before the next line's end, at most n. */
static size_t
line_rest(const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && bytes[i] != '\n' && bytes[i] != '\r')
        i++;
    return i;
}

enum sse_verdict
sse_feed(struct sse *sse, const char *bytes, size_t n)
{
    while (n > 0 && sse->verdict == SSE_MORE) {
        size_t part = line_rest(bytes, n);

        if (part > 0 && !append(sse, &sse->line, &sse->line_bytes,
                                &sse->line_room_bytes, bytes, part)) {
            sse->verdict = SSE_TOO_LARGE;
            break;
        }
        if (part < n) {
            bool half = part == 0 && bytes[0] == '\n' && sse->after_cr;
            sse->after_cr = bytes[part] == '\r';
            if (!half)
                end_line(sse);
            part++;
        } else {
            sse->after_cr = false;
        }
        bytes += part;
        n -= part;
    }
    return sse->verdict;
}
