#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/sonic/utf8.h"
#include "tests/sonic/record.h"

static void add(struct record *record, const char *format, ...) VR_PRINTF(2, 3);

static void
add(struct record *record, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (record->bytes + (size_t)need + 1 > record->capacity) {
        record->capacity = 2 * (record->bytes + (size_t)need + 1);
        record->text = realloc(record->text, record->capacity);
        if (!record->text)
            abort();
    }
    va_start(args, format);
    vsnprintf(record->text + record->bytes, (size_t)need + 1, format, args);
    va_end(args);
    record->bytes += (size_t)need;
}

static void
add_span(struct record *record, const char *name, struct sonic_span span)
{
    for (size_t i = 0; i < span.bytes;) {
        size_t n = sonic_utf8_char(span.text + i, span.bytes - i);
        if (n == 0 || span.text[i] == '\0')
            abort();
        i += n;
    }
    if (span.bytes > 0)
        add(record, " %s=%.*s", name, (int)span.bytes, span.text);
}

static void
add_usage(struct record *record, const struct sonic_usage *u)
{
    if (u->has_delta)
        add(record, " delta=%lu,%lu/%lu,%lu", u->delta_input.speech,
            u->delta_input.text, u->delta_output.speech, u->delta_output.text);
    if (u->has_total)
        add(record, " total=%lu,%lu/%lu,%lu", u->total_input.speech,
            u->total_input.text, u->total_output.speech, u->total_output.text);
    add(record, " sum=%lu+%lu=%lu", u->input_tokens, u->output_tokens,
        u->tokens);
}

static void
add_audio(struct record *record, const struct sonic_event *event)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < event->u.audio.count; i++)
        sum = sum * 31 + (uint16_t)event->u.audio.samples[i];
    add(record, " samples=%zu first=%d sum=%lu", event->u.audio.count,
        event->u.audio.samples[0], sum);
}

static void
add_payload(struct record *record, const struct sonic_event *event)
{
    switch (event->type) {
    case SONIC_CONTENT_START:
        if (event->u.content_start.rate_hz)
            add(record, " rate=%u", event->u.content_start.rate_hz);
        break;
    case SONIC_TEXT:
        add(record, " text='%.*s'", (int)event->u.text.bytes,
            event->u.text.text);
        break;
    case SONIC_TOOL_USE:
        add_span(record, "tool", event->u.tool_use.name);
        add_span(record, "use", event->u.tool_use.id);
        add_span(record, "arguments", event->u.tool_use.arguments);
        break;
    case SONIC_AUDIO:
        add_audio(record, event);
        break;
    case SONIC_CONTENT_END:
    case SONIC_COMPLETION_END:
        add(record, " stop=%s", sonic_stop_name(event->u.end.reason));
        add_span(record, "reason", event->u.end.reason_text);
        break;
    case SONIC_USAGE:
        add_usage(record, &event->u.usage);
        break;
    case SONIC_SPEECH_START:
    case SONIC_SPEECH_END:
        add(record, " at=%ld,%ld", (long)event->u.speech.offset_ms,
            (long)event->u.speech.detection_offset_ms);
        break;
    case SONIC_UNKNOWN:
        add_span(record, "name", event->u.unknown);
        break;
    default:
        break;
    }
}

static void
on_event(void *arg, const struct sonic_event *event)
{
    struct record *record = arg;
    record->events++;
    add(record, "%s", sonic_event_name(event->type));
    add_span(record, "s", event->session_id);
    add_span(record, "p", event->prompt_name);
    add_span(record, "c", event->completion_id);
    add_span(record, "k", event->content_id);
    if (event->role)
        add(record, " %s", sonic_role_name(event->role));
    if (event->content)
        add(record, " %s", sonic_content_name(event->content));
    if (event->stage)
        add(record, " %s", sonic_stage_name(event->stage));
    add_payload(record, event);
    add(record, "\n");
}

static void
on_problem(void *arg, const struct sonic_problem *problem)
{
    static const char *const kinds[] = {"malformed", "wrong", "event?", "key?"};
    struct record *record = arg;
    record->problems++;
    add(record, "! %s %s%s%s\n", kinds[problem->kind], problem->path,
        *problem->expected ? ": " : "", problem->expected);
}

const struct sonic_decoder_ops record_ops = {on_event, on_problem};

void
record_clear(struct record *record)
{
    record->bytes = 0;
    record->events = record->problems = 0;
    if (record->text)
        record->text[0] = '\0';
}

void
record_fini(struct record *record)
{
    free(record->text);
    memset(record, 0, sizeof *record);
}

const char *
record_text(const struct record *record)
{
    return record->text ? record->text : "";
}
