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

/* The spans [lo, hi) become one. */
static void
replace(struct fates *f, size_t lo, size_t hi, struct fates_span span)
{
    memmove(f->spans + lo + 1, f->spans + hi,
            (f->count - hi) * sizeof *f->spans);
    f->count += lo + 1;
    f->count -= hi;
    f->spans[lo] = span;
}

static void
forget_oldest(struct fates *f)
{
    f->floor = f->spans[0].to;
    f->count--;
    memmove(f->spans, f->spans + 1, f->count * sizeof *f->spans);
}

/* Puts the span in place of [lo, hi), which lies inside it, joined to its
 * neighbours where they touch. */
static void
put(struct fates *f, size_t lo, size_t hi, struct fates_span span)
{
    if (lo > 0 && f->spans[lo - 1].to == span.from &&
        f->spans[lo - 1].fate == span.fate)
        span.from = f->spans[--lo].from;
    if (hi < f->count && f->spans[hi].from == span.to &&
        f->spans[hi].fate == span.fate)
        span.to = f->spans[hi++].to;
    if (lo == hi && f->count == FATES_MAX) {
        if (lo == 0) {
            f->floor = span.to;
            return;
        }
        forget_oldest(f);
        lo--;
        hi--;
    }
    replace(f, lo, hi, span);
}

uint64_t
fates_mark(struct fates *f, uint64_t from, uint64_t to, enum fate fate)
{
    from = later(from, f->floor);
    if (to <= from)
        return 0;
    uint64_t fresh = to - from - fates_count(f, from, to);
    if (fresh == 0)
        return 0;
    size_t hi = f->count;
    while (hi > 0 && f->spans[hi - 1].from >= to)
        hi--;
    size_t lo = hi;
    while (lo > 0 && f->spans[lo - 1].to > from)
        lo--;
    /* No span holds all of [from, to), so these are two. */
    if (lo < hi && f->spans[lo].from < from)
        f->spans[lo++].to = from;
    if (lo < hi && f->spans[hi - 1].to > to)
        f->spans[--hi].from = to;
    put(f, lo, hi, (struct fates_span){from, to, fate});
    return fresh;
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
