#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/decoder.h"
#include "gateway/sonic/utf8.h"
#include "ipc/fnv.h"

/* A third of a second at 24 kHz: most chunks are smaller. */
#define SAMPLES_BYTES_FIRST 16384

static const char *const wire_names[] = {
#define SONIC_EVENT(code, wire, keys, what) wire,
#include "gateway/sonic/event.tbl.h"
#undef SONIC_EVENT
};

static const char *const known_keys[] = {
#define SONIC_EVENT(code, wire, keys, what) keys,
#include "gateway/sonic/event.tbl.h"
#undef SONIC_EVENT
};

struct sonic_decoder *
sonic_decoder_new(const struct sonic_decoder_ops *ops, void *arg)
{
    struct sonic_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->ops = *ops;
    decoder->arg = arg;
    if (!decoder_reserve_samples(decoder, SAMPLES_BYTES_FIRST))
        sonic_decoder_free(&decoder);
    return decoder;
}

void
sonic_decoder_free(struct sonic_decoder **decoder)
{
    if (!*decoder)
        return;
    free((*decoder)->samples);
    free(*decoder);
    *decoder = NULL;
}

const struct sonic_counters *
sonic_decoder_counters(const struct sonic_decoder *decoder)
{
    return &decoder->counters;
}

const char *
sonic_event_name(enum sonic_event_type type)
{
    if (type == SONIC_INTERRUPTED)
        return "interrupted";
    if ((unsigned)type >= SONIC_UNKNOWN)
        return "unknown";
    return wire_names[type];
}

enum sonic_event_type
decoder_event_type(const char *name)
{
    for (int type = 0; type < SONIC_UNKNOWN; type++)
        if (wire_names[type] && strcmp(wire_names[type], name) == 0)
            return (enum sonic_event_type)type;
    return SONIC_UNKNOWN;
}

/* The table's words are parted by spaces. */
bool
decoder_knows_key(enum sonic_event_type type, const char *key, size_t bytes)
{
    const char *words = known_keys[type];
    while (*words) {
        size_t word_bytes = strcspn(words, " ");
        if (word_bytes > 0 && word_bytes == bytes &&
            memcmp(words, key, bytes) == 0)
            return true;
        words += word_bytes;
        words += strspn(words, " ");
    }
    return false;
}

enum sonic_role
decoder_role(const char *name, size_t bytes)
{
    for (int role = SONIC_ROLE_SYSTEM; role <= SONIC_ROLE_TOOL; role++) {
        const char *known = sonic_role_name((enum sonic_role)role);
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0)
            return (enum sonic_role)role;
    }
    return SONIC_ROLE_NONE;
}

/* ---- problems ---- */

static void
count_problem(struct sonic_counters *counters, enum sonic_problem_kind kind)
{
    switch (kind) {
    case SONIC_PROBLEM_MALFORMED:
        counters->malformed++;
        break;
    case SONIC_PROBLEM_WRONG_TYPE:
        counters->wrong_type++;
        break;
    case SONIC_PROBLEM_UNKNOWN_EVENT:
        counters->unknown_events++;
        break;
    case SONIC_PROBLEM_UNKNOWN_KEY:
        counters->unknown_keys++;
        break;
    }
}

/* Whether it is to be told; remembers that it was. */
static bool
is_new(struct sonic_decoder *decoder, uint64_t problem)
{
    for (size_t i = 0; i < decoder->problem_count; i++)
        if (decoder->problems[i] == problem)
            return false;
    if (decoder->problem_count == DECODER_PROBLEMS_MAX)
        return false;
    decoder->problems[decoder->problem_count++] = problem;
    return true;
}

void
decoder_problem(struct sonic_decoder *decoder, enum sonic_problem_kind kind,
                const char *expected, const char *format, ...)
{
    char path[DECODER_PATH_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    path[sonic_utf8_cut(path, strlen(path), sizeof path - 4)] = '\0';
    count_problem(&decoder->counters, kind);
    if (!decoder->ops.on_problem)
        return;
    struct sonic_problem problem = {kind, path, expected};
    if (is_new(decoder, fnv_text(FNV_BASIS ^ (uint64_t)kind, path)))
        decoder->ops.on_problem(decoder->arg, &problem);
}

/* ---- open contents ---- */

static struct decoder_content *
find(const struct sonic_decoder *decoder, struct sonic_span id)
{
    uint64_t id_hash = fnv_bytes(FNV_BASIS, id.text, id.bytes);
    for (size_t i = 0; i < DECODER_CONTENTS_MAX; i++) {
        const struct decoder_content *c = &decoder->contents[i];
        if (c->open && c->id_hash == id_hash && c->id_bytes == id.bytes)
            return (struct decoder_content *)c;
    }
    return NULL;
}

/* A free place, or that of the oldest. */
static struct decoder_content *
place(struct sonic_decoder *decoder)
{
    struct decoder_content *oldest = &decoder->contents[0];
    for (size_t i = 0; i < DECODER_CONTENTS_MAX; i++) {
        struct decoder_content *c = &decoder->contents[i];
        if (!c->open)
            return c;
        if (c->opened < oldest->opened)
            oldest = c;
    }
    decoder->counters.contents_forgotten++;
    return oldest;
}

void
decoder_content_open(struct sonic_decoder *decoder,
                     const struct sonic_event *event)
{
    struct decoder_content *c = find(decoder, event->content_id);
    if (!c)
        c = place(decoder);
    *c = (struct decoder_content){
        .open = true,
        .id_hash = fnv_bytes(FNV_BASIS, event->content_id.text,
                             event->content_id.bytes),
        .id_bytes = event->content_id.bytes,
        .opened = decoder->contents_opened++,
        .role = event->role,
        .content = event->content,
        .stage = event->stage,
    };
}

void
decoder_content_close(struct sonic_decoder *decoder, struct sonic_span id)
{
    struct decoder_content *c = find(decoder, id);
    if (c)
        c->open = false;
}

void
decoder_complete(const struct sonic_decoder *decoder, struct sonic_event *event)
{
    const struct decoder_content *c = find(decoder, event->content_id);
    if (!c)
        return;
    if (event->role == SONIC_ROLE_NONE)
        event->role = c->role;
    if (event->content == SONIC_CONTENT_NONE)
        event->content = c->content;
    if (event->stage == SONIC_STAGE_NONE)
        event->stage = c->stage;
}

/* ---- delivery ---- */

void
decoder_deliver(struct sonic_decoder *decoder, const struct sonic_event *event)
{
    decoder->counters.events++;
    decoder->ops.on_event(decoder->arg, event);
}

bool
decoder_reserve_samples(struct sonic_decoder *decoder, size_t bytes)
{
    if (bytes <= decoder->samples_bytes)
        return true;
    size_t room = bytes + bytes / 2;
    int16_t *samples = realloc(decoder->samples, room);
    if (!samples)
        return false;
    decoder->samples = samples;
    decoder->samples_bytes = room;
    return true;
}

void
decoder_deliver_audio(struct sonic_decoder *decoder, struct sonic_event *event,
                      size_t bytes)
{
    if (bytes % sizeof(int16_t))
        decoder_problem(decoder, SONIC_PROBLEM_WRONG_TYPE,
                        "whole 16-bit samples", "event.audioOutput.content");
    event->u.audio.samples = decoder->samples;
    event->u.audio.count = bytes / sizeof(int16_t);
    if (event->u.audio.count > 0)
        decoder_deliver(decoder, event);
}
