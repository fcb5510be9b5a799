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
#include "tests/shared/starve.h"

#define STREAMS_MAX 4096

struct fake_endpoint fake_endpoint;

struct bedrock_stream {
    struct fake_wire fake;
};

static struct bedrock_stream *streams[STREAMS_MAX]; /* in order of opening */
static struct bedrock_stream nobody;
static unsigned selected;

struct fake_wire *
fake_stream_at(unsigned number)
{
    assert_in_range(number, 1, fake_endpoint.opened);
    return &streams[number - 1]->fake;
}

struct fake_wire *
fake_stream_selected(void)
{
    unsigned number = selected ? selected : fake_endpoint.opened;
    return number ? fake_stream_at(number) : &nobody.fake;
}

void
fake_stream_select(unsigned number)
{
    selected = number;
}

static void
forget(struct fake_wire *f)
{
    starve_pause();
    for (size_t i = 0; i < f->event_count; i++)
        free(f->events[i]);
    starve_resume();
    f->event_count = 0;
    f->sample_count = f->left_count = 0;
    f->order[0] = '\0';
}

void
fake_stream_forget(void)
{
    forget(&fake_stream);
}

void
fake_stream_reset(void)
{
    for (unsigned i = 0; i < fake_endpoint.opened; i++) {
        forget(&streams[i]->fake);
        free(streams[i]->fake.samples);
        free(streams[i]);
    }
    memset(&fake_endpoint, 0, sizeof fake_endpoint);
    memset(&nobody, 0, sizeof nobody);
    selected = 0;
}

/* ---- what gateway/bedrock offers ---- */

static struct bedrock_stream *
new_stream(void)
{
    starve_pause();
    struct bedrock_stream *stream = calloc(1, sizeof *stream);
    starve_resume();
    assert_non_null(stream);
    assert_true(fake_endpoint.opened < STREAMS_MAX);
    streams[fake_endpoint.opened++] = stream;
    if (++fake_endpoint.open_now > fake_endpoint.open_most)
        fake_endpoint.open_most = fake_endpoint.open_now;
    return stream;
}

struct bedrock_stream *
bedrock_stream_open(struct bedrock_client *client,
                    const struct bedrock_target *target,
                    const struct credentials *credentials,
                    const struct bedrock_stream_ops *ops, void *arg,
                    char *problem, size_t problem_size)
{
    (void)client;
    assert_non_null(target->model_id);
    assert_non_null(credentials);
    snprintf(problem, problem_size, "the fake refuses");
    if (fake_endpoint.refuse_open)
        return NULL;
    struct bedrock_stream *stream = new_stream();
    struct fake_wire *f = &stream->fake;
    f->ops = ops;
    f->arg = arg;
    f->open = true;
    f->clock_offset_ms = target->clock_offset_ms;
    snprintf(f->model, sizeof f->model, "%s", target->model_id);
    snprintf(f->region, sizeof f->region, "%s",
             target->region ? target->region : "");
    snprintf(f->key, sizeof f->key, "%s", credentials->access_key_id);
    return stream;
}

static void
note(struct fake_wire *f, const char *word)
{
    size_t used = strlen(f->order);
    size_t bytes = strlen(word);
    bool again = used >= bytes + 1 && strcmp(word, "audio") == 0 &&
                 strncmp(f->order + used - bytes - 1, word, bytes) == 0;
    assert_true(used + bytes + 2 < sizeof f->order);
    if (!again)
        snprintf(f->order + used, sizeof f->order - used, "%s ", word);
}

static void
make_room(struct fake_wire *f, size_t samples)
{
    if (f->sample_count + samples <= f->sample_room)
        return;
    f->sample_room = 2 * f->sample_room + samples + 16384;
    f->samples = realloc(f->samples, f->sample_room * sizeof *f->samples);
    assert_non_null(f->samples);
}

static void
note_audio(struct fake_wire *f, const cJSON *body)
{
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItem(body, "content"));
    assert_non_null(text);
    make_room(f, base64_decoded_bytes_max(strlen(text)) / 2 + 1);
    uint8_t *at = (uint8_t *)(f->samples + f->sample_count);
    long bytes = base64_decode(text, strlen(text), at);
    assert_true(bytes > 0 && bytes % 2 == 0);
    f->sample_count += (size_t)bytes / 2;
    note(f, "audio");
}

static void
note_event(struct fake_wire *f, const char *json, const cJSON *event)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(event, "type"));
    const char *role = cJSON_GetStringValue(cJSON_GetObjectItem(event, "role"));
    char word[96];
    snprintf(word, sizeof word, "%s%s%s%s%s", event->string, type ? ":" : "",
             type ? type : "", role ? ":" : "", role ? role : "");
    note(f, word);
    assert_true(f->event_count < FAKE_EVENTS_MAX);
    f->events[f->event_count++] = strdup(json);
}

static void
take(struct fake_wire *f, const char *json, bool control)
{
    starve_pause();
    cJSON *root = cJSON_Parse(json);
    cJSON *event = cJSON_GetObjectItem(root, "event");
    assert_non_null(event);
    assert_int_equal(control, strcmp(event->child->string, "audioInput") != 0);
    if (control)
        note_event(f, json, event->child);
    else
        note_audio(f, event->child);
    cJSON_Delete(root);
    starve_resume();
}

static void
let_leave(struct fake_wire *f)
{
    f->sent_bytes = f->queued_bytes;
    f->left_count = f->sample_count;
}

enum vr_status
bedrock_stream_send(struct bedrock_stream *stream, const char *json,
                    size_t json_bytes, bool control)
{
    struct fake_wire *f = &stream->fake;
    if (!f->open || f->finished)
        return VR_CLOSED;
    if (json_bytes > BEDROCK_EVENT_BYTES_MAX)
        return VR_LIMIT;
    if (!f->connected || f->full) {
        f->refused++;
        return VR_AGAIN;
    }
    assert_int_equal(strlen(json), json_bytes);
    take(f, json, control);
    f->queued_bytes += json_bytes;
    if (!f->choked)
        let_leave(f);
    return VR_OK;
}

uint64_t
bedrock_stream_queued_bytes(const struct bedrock_stream *stream)
{
    return stream->fake.queued_bytes;
}

uint64_t
bedrock_stream_sent_bytes(const struct bedrock_stream *stream)
{
    return stream->fake.sent_bytes;
}

void
bedrock_stream_finish(struct bedrock_stream *stream)
{
    assert_false(stream->fake.finished);
    stream->fake.finished = true;
    note(&stream->fake, "FINISH");
}

void
bedrock_stream_close(struct bedrock_stream **stream)
{
    if (!*stream)
        return;
    assert_true((*stream)->fake.open);
    (*stream)->fake.open = false;
    *stream = NULL;
    fake_endpoint.open_now--;
    fake_endpoint.closed++;
}

/* ---- the endpoint's side ---- */

void
fake_stream_connect(void)
{
    struct fake_wire *f = &fake_stream;
    assert_true(f->open);
    f->connected = true;
    f->ops->on_open(f->arg);
}

void
fake_stream_answer(void)
{
    struct fake_wire *f = &fake_stream;
    if (f->open)
        f->ops->on_response(f->arg, "request-1");
}

void
fake_stream_room(void)
{
    struct fake_wire *f = &fake_stream;
    f->full = f->choked = false;
    if (!f->open)
        return;
    let_leave(f);
    f->ops->on_writable(f->arg);
}

void
fake_stream_say(const char *format, ...)
{
    struct fake_wire *f = &fake_stream;
    va_list args;
    char *json;
    va_start(args, format);
    starve_pause();
    assert_true(vasprintf(&json, format, args) >= 0);
    starve_resume();
    va_end(args);
    if (f->open)
        f->ops->on_event(f->arg, json, strlen(json));
    free(json);
}

void
fake_stream_end(enum bedrock_end_cause cause, bool normal)
{
    struct bedrock_end end = {.cause = cause, .normal = normal};
    snprintf(end.message, sizeof end.message, "the fake ended");
    fake_stream_end_as(&end);
}

void
fake_stream_end_as(const struct bedrock_end *end)
{
    struct fake_wire *f = &fake_stream;
    if (f->open)
        f->ops->on_end(f->arg, end);
}

void
fake_stream_refuse(void)
{
    struct bedrock_end end =
        fake_stream_error("AccessDeniedException", "You shall not");
    fake_stream_end_as(&end);
}

void
fake_stream_except(const struct bedrock_end *end)
{
    struct fake_wire *f = &fake_stream;
    if (f->open)
        f->ops->on_exception(f->arg, end);
}

struct bedrock_end
fake_stream_error(const char *code, const char *message)
{
    struct bedrock_end end = {.cause = BEDROCK_END_exception};
    snprintf(end.code, sizeof end.code, "%s", code);
    snprintf(end.message, sizeof end.message, "%s", message);
    return end;
}

const char *
fake_stream_last(const char *name)
{
    const struct fake_wire *f = &fake_stream;
    char start[96];
    snprintf(start, sizeof start, "{\"event\":{\"%s\"", name);
    for (size_t i = f->event_count; i-- > 0;) {
        if (strncmp(f->events[i], start, strlen(start)) == 0)
            return f->events[i];
    }
    return NULL;
}
