#include "ipc/cli/exposition.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct exposition_sample {
    char *family, *suffix, *help, *labels, *origin;
    const char *type;
    double value;
    size_t index; /* in order of arrival: the first of its kind counts */
};

/* How many bytes the UTF-8 character at `at` has, 0 if it is none. */
static size_t
utf8_bytes(const unsigned char *at)
{
    size_t more = *at < 0x80   ? 0
                  : *at < 0xc2 ? 4
                  : *at < 0xe0 ? 1
                  : *at < 0xf0 ? 2
                  : *at < 0xf5 ? 3
                               : 4;
    if (more == 4 || (*at == 0xe0 && at[1] < 0xa0) ||
        (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
        (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return more + 1;
}

static bool
controls(const unsigned char *at)
{
    return *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0);
}

/* Escaped as a label's value is, or, where quotes are not, as a help text. */
static void
write_escaped(FILE *out, const char *text, bool quotes)
{
    const unsigned char *at = (const void *)text;
    while (*at) {
        size_t bytes = utf8_bytes(at);
        if (*at == '\\' || (*at == '"' && quotes))
            fprintf(out, "\\%c", *at);
        else if (*at == '\n')
            fputs("\\n", out);
        else if (bytes && !controls(at))
            fwrite(at, 1, bytes, out);
        else
            putc('?', out);
        at += bytes ? bytes : 1;
    }
}

void
exposition_label(FILE *out, bool first, const char *name, const char *value)
{
    if (!first)
        putc(',', out);
    fprintf(out, "%s=\"", name);
    write_escaped(out, value, true);
    putc('"', out);
}

static char *
copy_name(const char *text)
{
    char *name = strdup(text);
    for (char *at = name; at && *at; at++) {
        if (!isascii(*at) || !(isalnum(*at) || *at == '_'))
            *at = '_';
    }
    return name;
}

static void
free_sample(struct exposition_sample *sample)
{
    free(sample->family);
    free(sample->suffix);
    free(sample->help);
    free(sample->labels);
    free(sample->origin);
}

static bool
make_room(struct exposition *e)
{
    if (e->count < e->room)
        return true;
    size_t room = e->room ? 2 * e->room : 64;
    void *samples = realloc(e->samples, room * sizeof *e->samples);
    if (!samples)
        return false;
    e->samples = samples;
    e->room = room;
    return true;
}

void
exposition_add(struct exposition *e, const struct exposition_point *point)
{
    struct exposition_sample sample = {
        .family = copy_name(point->family),
        .suffix = strdup(point->suffix),
        .help = strdup(point->help),
        .labels = strdup(point->labels),
        .origin = strdup(point->origin),
        .type = point->type,
        .value = point->value,
        .index = e->count,
    };
    if (sample.family && sample.suffix && sample.help && sample.labels &&
        sample.origin && make_room(e)) {
        e->samples[e->count++] = sample;
        return;
    }
    free_sample(&sample);
    e->incomplete = true;
}

static bool
is_same_line(const struct exposition_sample *a,
             const struct exposition_sample *b)
{
    return strcmp(a->family, b->family) == 0 &&
           strcmp(a->suffix, b->suffix) == 0 &&
           strcmp(a->labels, b->labels) == 0;
}

static bool
is_summary(const struct exposition_sample *sample)
{
    return strcmp(sample->type, "summary") == 0;
}

/* Families together, in each the parts of summaries first. */
static int
compare(const void *left, const void *right)
{
    const struct exposition_sample *a = left, *b = right;
    int order = strcmp(a->family, b->family);
    if (!order)
        order = is_summary(b) - is_summary(a);
    if (!order)
        order = strcmp(a->suffix, b->suffix);
    if (!order)
        order = strcmp(a->labels, b->labels);
    if (!order)
        order = strcmp(a->origin, b->origin);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static void
print_value(FILE *out, double value)
{
    if (isnan(value))
        fputs(" NaN\n", out);
    else if (isinf(value))
        fputs(value > 0 ? " +Inf\n" : " -Inf\n", out);
    else if (fabs(value) < 9007199254740992.0 && value == nearbyint(value))
        fprintf(out, " %.0f\n", value);
    else
        fprintf(out, " %.17g\n", value);
}

static void
print_sample(FILE *out, const struct exposition_sample *sample, bool told_apart)
{
    const char *labels = sample->labels;
    fprintf(out, "%s%s", sample->family, sample->suffix);
    if (*labels || told_apart) {
        putc('{', out);
        fputs(labels, out);
        if (told_apart)
            exposition_label(out, !*labels, "origin", sample->origin);
        putc('}', out);
    }
    print_value(out, sample->value);
}

static void
print_head(FILE *out, const struct exposition_sample *first)
{
    fprintf(out, "# HELP %s ", first->family);
    write_escaped(out, first->help, false);
    fprintf(out, "\n# TYPE %s %s\n", first->family, first->type);
}

static void
sort(struct exposition *e)
{
    if (e->count)
        qsort(e->samples, e->count, sizeof *e->samples, compare);
}

/* True if these first `length` characters of a name are a summary's family.
 * The samples are sorted, so that its first one tells. */
static bool
is_summary_family(const struct exposition *e, const char *name, size_t length)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *family = e->samples[middle].family;
        int order = strncmp(family, name, length);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->count && is_summary(&e->samples[low]) &&
           strncmp(e->samples[low].family, name, length) == 0 &&
           !e->samples[low].family[length];
}

/* True if a reader would take this number for a part of a summary. */
static bool
is_mistakable(const struct exposition *e,
              const struct exposition_sample *sample)
{
    static const char *const ends[] = {"", "_count", "_sum"};
    size_t length = strlen(sample->family);
    if (is_summary(sample))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t tail = strlen(ends[i]);
        if (length > tail &&
            strcmp(sample->family + length - tail, ends[i]) == 0 &&
            is_summary_family(e, sample->family, length - tail))
            return true;
    }
    return false;
}

/* Gives numbers that look like a part of a summary another family. */
static void
keep_summaries_apart(struct exposition *e)
{
    char **renamed = calloc(e->count + 1, sizeof *renamed);
    for (size_t i = 0; renamed && i < e->count; i++) {
        if (is_mistakable(e, &e->samples[i]) &&
            asprintf(&renamed[i], "%s_value", e->samples[i].family) < 0)
            renamed[i] = NULL;
    }
    for (size_t i = 0; renamed && i < e->count; i++) {
        if (!renamed[i])
            continue;
        free(e->samples[i].family);
        e->samples[i].family = renamed[i];
    }
    e->incomplete |= !renamed;
    free(renamed);
}

void
exposition_print(struct exposition *e, FILE *out)
{
    const struct exposition_sample *before = NULL;
    sort(e);
    keep_summaries_apart(e);
    sort(e);
    for (size_t i = 0; i < e->count; i++) {
        const struct exposition_sample *sample = &e->samples[i];
        if (!before || strcmp(before->family, sample->family) != 0)
            print_head(out, sample);
        bool repeated = before && is_same_line(before, sample);
        if (!repeated || strcmp(before->origin, sample->origin) != 0)
            print_sample(out, sample, repeated);
        before = sample;
    }
}

void
exposition_fini(struct exposition *e)
{
    for (size_t i = 0; i < e->count; i++)
        free_sample(&e->samples[i]);
    free(e->samples);
    *e = (struct exposition){0};
}
