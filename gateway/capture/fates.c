#include <stdbool.h>
#include <string.h>

#include "gateway/capture/fates.h"

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void
fates_init(struct fates *f, uint64_t floor)
{
    f->floor = floor;
    f->count = 0;
}

static void
forget_oldest(struct fates *f)
{
    f->floor = f->spans[0].to;
    f->count--;
    memmove(f->spans, f->spans + 1, f->count * sizeof *f->spans);
}

/* A new span before span number `at`, which stays if it is the oldest one that
 * is forgotten. */
static void
insert(struct fates *f, size_t at, struct fates_span span)
{
    if (f->count == FATES_MAX && at == 0) {
        f->floor = span.to;
        return;
    }
    if (f->count == FATES_MAX) {
        forget_oldest(f);
        at--;
    }
    memmove(f->spans + at + 1, f->spans + at,
            (f->count - at) * sizeof *f->spans);
    f->spans[at] = span;
    f->count++;
}

/* A span where there is none, joined to its neighbours if they touch. */
static void
put(struct fates *f, struct fates_span span)
{
    size_t at = f->count;
    while (at > 0 && f->spans[at - 1].from >= span.to)
        at--;
    struct fates_span *before = at > 0 ? &f->spans[at - 1] : NULL;
    struct fates_span *after = at < f->count ? &f->spans[at] : NULL;
    bool joins = before && before->to == span.from && before->fate == span.fate;
    bool joined = after && after->from == span.to && after->fate == span.fate;
    if (joins && joined) {
        before->to = after->to;
        f->count--;
        memmove(after, after + 1, (f->count - at) * sizeof *after);
    } else if (joins) {
        before->to = span.to;
    } else if (joined) {
        after->from = span.from;
    } else {
        insert(f, at, span);
    }
}

uint64_t
fates_mark(struct fates *f, uint64_t from, uint64_t to, enum fate fate)
{
    uint64_t marked = 0, end;
    for (uint64_t at = later(from, f->floor); at < to; at = end) {
        enum fate was = fates_at(f, at, &end);
        end = earlier(end, to);
        if (was != FATE_NONE)
            continue;
        put(f, (struct fates_span){at, end, fate});
        marked += end - at;
    }
    return marked;
}

uint64_t
fates_count(const struct fates *f, uint64_t from, uint64_t to)
{
    uint64_t count = 0;
    for (size_t i = f->count; i > 0 && f->spans[i - 1].to > from; i--) {
        const struct fates_span *span = &f->spans[i - 1];
        if (span->from < to)
            count += earlier(span->to, to) - later(span->from, from);
    }
    return count;
}

enum fate
fates_at(const struct fates *f, uint64_t frame, uint64_t *end)
{
    *end = UINT64_MAX;
    for (size_t i = f->count; i > 0 && f->spans[i - 1].to > frame; i--) {
        const struct fates_span *span = &f->spans[i - 1];
        *end = span->from;
        if (span->from <= frame) {
            *end = span->to;
            return span->fate;
        }
    }
    return FATE_NONE;
}

uint64_t
fates_next_floor(const struct fates *f)
{
    return f->count == FATES_MAX ? f->spans[0].to : f->floor;
}
