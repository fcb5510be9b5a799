#include "tools/mcp/sse.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MAX_MS INT64_C(3600000)

static void
skip_event(struct sse *sse)
{
    sse->overlong = true;
    memset(&sse->outline, 0, sizeof sse->outline);
    outline_feed(&sse->outline, sse->data.bytes, sse->data.count);
    buffer_clear(&sse->data);
}

static void
add_data(struct sse *sse, const char *bytes, size_t count)
{
    sse->data_bytes += count;
    if (!sse->overlong && sse->data_bytes <= SSE_LIMIT_BYTES &&
        buffer_add(&sse->data, bytes, count))
        return;
    if (!sse->overlong)
        skip_event(sse);
    outline_feed(&sse->outline, bytes, count);
}

static void
dispatch(struct sse *sse, sse_fn *on_event, void *arg)
{
    memcpy(sse->id, sse->next_id, sizeof sse->id);
    if (sse->overlong && !sse->foreign)
        on_event(arg, NULL, sse->data_bytes);
    else if (sse->has_data && sse->data.count > 0 && !sse->foreign)
        on_event(arg, sse->data.bytes, sse->data.count);
    buffer_clear(&sse->data);
    sse->data_bytes = 0;
    sse->has_data = sse->foreign = sse->overlong = false;
}

static void
take_data(struct sse *sse, const char *value, size_t count)
{
    if (sse->has_data)
        add_data(sse, "\n", 1);
    sse->has_data = true;
    add_data(sse, value, count);
}

static void
take_retry(struct sse *sse, const char *value)
{
    int64_t ms;

    if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value))
        return;
    ms = strlen(value) > 9 ? RETRY_MAX_MS : strtoll(value, NULL, 10);
    sse->retry_ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

/* A field; `line` ends with a NUL. */
static void
take_field(struct sse *sse, char *line, size_t count)
{
    char *colon = memchr(line, ':', count);
    char *value = colon ? colon + 1 : line + count;
    size_t value_bytes;

    if (colon)
        *colon = '\0';
    if (*value == ' ')
        value++;
    value_bytes = count - (size_t)(value - line);
    if (strcmp(line, "data") == 0) {
        take_data(sse, value, value_bytes);
    } else if (strcmp(line, "event") == 0) {
        sse->foreign = value_bytes > 0 && strcmp(value, "message") != 0;
    } else if (strcmp(line, "id") == 0) {
        /* one with a NUL in it does not count (the standard); nor does one
         * that goes into no header */
        if (strlen(value) == value_bytes && value_bytes < SSE_ID_BYTES)
            memcpy(sse->next_id, value, value_bytes + 1);
    } else if (strcmp(line, "retry") == 0) {
        take_retry(sse, value);
    }
}

static void
end_line(struct sse *sse, sse_fn *on_event, void *arg)
{
    if (sse->long_line)
        sse->long_line = sse->long_data = false;
    else if (sse->line.count == 0)
        dispatch(sse, on_event, arg);
    else
        take_field(sse, sse->line.bytes, sse->line.count);
    buffer_clear(&sse->line);
}

/* The bytes of a byte order mark at the very begin of the stream, which may
 * come in pieces: such a stream has its first field called so. */
static void
drop_mark(struct sse *sse)
{
    if (sse->begun)
        return;
    sse->begun = true;
    if (sse->line.count >= 3 &&
        memcmp(sse->line.bytes, "\xef\xbb\xbf", 3) == 0) {
        sse->line.count -= 3;
        memmove(sse->line.bytes, sse->line.bytes + 3, sse->line.count + 1);
    }
}

/* The line has become too long: of one with data the event is skipped, any
 * other alone. */
static void
skip_line(struct sse *sse)
{
    size_t at = strlen("data:");

    drop_mark(sse);
    sse->long_line = true;
    sse->long_data =
        sse->line.count > at && memcmp(sse->line.bytes, "data:", at) == 0;
    if (sse->long_data) {
        at += sse->line.bytes[at] == ' ';
        take_data(sse, sse->line.bytes + at, sse->line.count - at);
    } else if (sse->line.count <= at && !sse->overlong) {
        /* memory is out: it may be anything */
        skip_event(sse);
    }
    buffer_clear(&sse->line);
}

static void
add_line(struct sse *sse, const char *bytes, size_t count)
{
    size_t space = SSE_LIMIT_BYTES - sse->line.count;
    size_t fitting = count < space ? count : space;

    if (!sse->long_line) {
        bool added = buffer_add(&sse->line, bytes, fitting);
        if (added && fitting == count)
            return;
        skip_line(sse);
        bytes += added ? fitting : 0;
        count -= added ? fitting : 0;
    }
    if (sse->long_data)
        add_data(sse, bytes, count);
}

void
sse_feed(struct sse *sse, const char *bytes, size_t count, sse_fn *on_event,
         void *arg)
{
    size_t at = 0;

    while (at < count) {
        size_t from = at;
        if (sse->after_cr && bytes[at] == '\n') {
            sse->after_cr = false;
            at++;
            continue;
        }
        sse->after_cr = false;
        while (at < count && bytes[at] != '\n' && bytes[at] != '\r')
            at++;
        add_line(sse, bytes + from, at - from);
        if (at == count)
            return;
        sse->after_cr = bytes[at++] == '\r';
        drop_mark(sse);
        end_line(sse, on_event, arg);
    }
}

void
sse_end(struct sse *sse)
{
    buffer_clear(&sse->line);
    buffer_clear(&sse->data);
    memcpy(sse->next_id, sse->id, sizeof sse->id);
    sse->data_bytes = 0;
    sse->long_line = sse->long_data = false;
    sse->begun = sse->after_cr = sse->has_data = false;
    sse->foreign = sse->overlong = false;
}

void
sse_fini(struct sse *sse)
{
    buffer_fini(&sse->line);
    buffer_fini(&sse->data);
}
