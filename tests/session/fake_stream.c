#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>
#include <cmocka.h>

#include "gateway/base64.h"
#include "tests/session/fake_stream.h"
#include "tests/session/starve.h"

struct fake_stream fake_stream;

struct bedrock_stream {
    int nothing;
};
static struct bedrock_stream the_stream;

void
fake_stream_forget(void)
{
    struct fake_stream *f = &fake_stream;
    for (size_t i = 0; i < f->event_count; i++)
        free(f->events[i]);
    f->event_count = 0;
    f->sample_count = 0;
    f->order[0] = '\0';
}

void
fake_stream_reset(void)
{
    fake_stream_forget();
    memset(&fake_stream, 0, sizeof fake_stream);
}

/* ---- what gateway/bedrock offers ---- */

struct bedrock_stream *
bedrock_stream_open(struct bedrock_client *client,
                    const struct bedrock_target *target,
                    const struct credentials *credentials,
                    const struct bedrock_stream_ops *ops, void *arg,
                    char *problem, size_t problem_size)
{
    struct fake_stream *f = &fake_stream;
    (void)client;
    assert_non_null(target->model_id);
    assert_non_null(credentials);
    assert_false(f->open);
    snprintf(problem, problem_size, "the fake refuses");
    if (f->refuse_open)
        return NULL;
    f->ops = ops;
    f->arg = arg;
    f->open = true;
    f->finished = f->connected = false;
    f->queued_bytes = 0;
    f->opened++;
    return &the_stream;
}

static void
note(const char *word)
{
    struct fake_stream *f = &fake_stream;
    size_t used = strlen(f->order);
    size_t bytes = strlen(word);
    bool again = used >= bytes + 1 && strcmp(word, "audio") == 0 &&
                 strncmp(f->order + used - bytes - 1, word, bytes) == 0;
    assert_true(used + bytes + 2 < sizeof f->order);
    if (!again)
        snprintf(f->order + used, sizeof f->order - used, "%s ", word);
}

static void
note_audio(const cJSON *body)
{
    struct fake_stream *f = &fake_stream;
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItem(body, "content"));
    uint8_t *at = (uint8_t *)(f->samples + f->sample_count);
    assert_non_null(text);
    assert_true(f->sample_count + base64_decoded_bytes_max(strlen(text)) / 2 <
                FAKE_SAMPLES_MAX);
    long bytes = base64_decode(text, strlen(text), at);
    assert_true(bytes > 0 && bytes % 2 == 0);
    f->sample_count += (size_t)bytes / 2;
    note("audio");
}

static void
note_event(const char *json, const cJSON *event)
{
    struct fake_stream *f = &fake_stream;
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(event, "type"));
    const char *role = cJSON_GetStringValue(cJSON_GetObjectItem(event, "role"));
    char word[96];
    snprintf(word, sizeof word, "%s%s%s%s%s", event->string, type ? ":" : "",
             type ? type : "", role ? ":" : "", role ? role : "");
    note(word);
    assert_true(f->event_count < FAKE_EVENTS_MAX);
    f->events[f->event_count++] = strdup(json);
}

enum vr_status
bedrock_stream_send(struct bedrock_stream *stream, const char *json,
                    size_t json_bytes, bool control)
{
    struct fake_stream *f = &fake_stream;
    (void)stream;
    if (!f->open || f->finished)
        return VR_CLOSED;
    if (json_bytes > BEDROCK_EVENT_BYTES_MAX)
        return VR_LIMIT;
    if (!f->connected || f->full) {
        f->refused++;
        return VR_AGAIN;
    }
    assert_int_equal(strlen(json), json_bytes);
    starve_pause();
    cJSON *root = cJSON_Parse(json);
    cJSON *event = cJSON_GetObjectItem(root, "event");
    assert_non_null(event);
    assert_int_equal(control, strcmp(event->child->string, "audioInput") != 0);
    if (control)
        note_event(json, event->child);
    else
        note_audio(event->child);
    cJSON_Delete(root);
    starve_resume();
    f->queued_bytes += json_bytes;
    return VR_OK;
}

uint64_t
bedrock_stream_queued_bytes(const struct bedrock_stream *stream)
{
    (void)stream;
    return fake_stream.queued_bytes;
}

uint64_t
bedrock_stream_sent_bytes(const struct bedrock_stream *stream)
{
    (void)stream;
    return fake_stream.queued_bytes;
}

void
bedrock_stream_finish(struct bedrock_stream *stream)
{
    (void)stream;
    assert_false(fake_stream.finished);
    fake_stream.finished = true;
    note("FINISH");
}

void
bedrock_stream_close(struct bedrock_stream **stream)
{
    if (!*stream)
        return;
    *stream = NULL;
    assert_true(fake_stream.open);
    fake_stream.open = false;
    fake_stream.closed++;
}

/* ---- the endpoint's side ---- */

void
fake_stream_connect(void)
{
    assert_true(fake_stream.open);
    fake_stream.connected = true;
    fake_stream.ops->on_open(fake_stream.arg);
}

void
fake_stream_answer(void)
{
    if (fake_stream.open)
        fake_stream.ops->on_response(fake_stream.arg, "request-1");
}

void
fake_stream_room(void)
{
    fake_stream.full = false;
    if (fake_stream.open)
        fake_stream.ops->on_writable(fake_stream.arg);
}

void
fake_stream_say(const char *format, ...)
{
    va_list args;
    char *json;
    va_start(args, format);
    starve_pause();
    assert_true(vasprintf(&json, format, args) >= 0);
    starve_resume();
    va_end(args);
    if (fake_stream.open)
        fake_stream.ops->on_event(fake_stream.arg, json, strlen(json));
    free(json);
}

void
fake_stream_end(enum bedrock_end_cause cause, bool normal)
{
    struct bedrock_end end = {.cause = cause, .normal = normal};
    snprintf(end.message, sizeof end.message, "the fake ended");
    if (fake_stream.open)
        fake_stream.ops->on_end(fake_stream.arg, &end);
}

const char *
fake_stream_last(const char *name)
{
    char start[96];
    snprintf(start, sizeof start, "{\"event\":{\"%s\"", name);
    for (size_t i = fake_stream.event_count; i-- > 0;) {
        if (strncmp(fake_stream.events[i], start, strlen(start)) == 0)
            return fake_stream.events[i];
    }
    return NULL;
}
