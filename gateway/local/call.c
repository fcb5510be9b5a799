#include "gateway/local/call.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/local/call_state.h"
#include "gateway/local/envelope.h"
#include "gateway/local/script.h"

#define EVENT_STREAM_TYPE "application/vnd.amazon.eventstream"

/* How long a verified request may stay without its first event. */
#define FIRST_EVENT_MS 20000

/* How long the client may take to end its side after a normal end. */
#define LINGER_MS 5000

/* No limit is scaled below this: it would punish a busy machine. */
#define SCALED_MS_MIN 250

/* ---- small things ---- */

static void
make_request_id(char text[CALL_REQUEST_ID_BYTES])
{
    uint8_t b[16];
    if (RAND_bytes(b, sizeof(b)) != 1)
        memset(b, 0, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(text, CALL_REQUEST_ID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
}

/* A small generator of its own per stream: sizes vary, and a run can be
 * repeated. */
static uint32_t
roll(struct call *call, uint32_t sides)
{
    call->dice = call->dice * 1664525u + 1013904223u;
    return (call->dice >> 8) % sides;
}

/* Every entry point begins here: it runs on the stream's own clock. */
static void
enter(struct call *call, struct now now)
{
    call->now = now;
    call->now.wall_ms += call->wall_offset_ms;
}

static void
note(struct call *call, const char *kind, const char *text)
{
    jsonlog_note(call->config->log, call->place, kind, "%s", text);
}

/* ---- out ---- */

static void
respond(struct call *call, struct call_response *response)
{
    response->request_id = call->request_id;
    response->wall_ms = call->now.wall_ms;
    call->ops->respond(call->arg, response);
}

void
call_ended(struct call *call, const char *format, ...)
{
    char how[LEDGER_ENDED_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(how, sizeof(how), format, args);
    va_end(args);
    record_close(&call->record, how);
    if (call->config->ledger != NULL)
        ledger_end(call->config->ledger, call->site.stream, call->now.mono_ms,
                   how);
}

static void
cut(struct call *call, bool error, const char *why)
{
    if (call->state == CALL_CUT)
        return;
    call->state = CALL_CUT;
    note(call, "violation", why);
    call_ended(call, "reset: %s", why);
    call->ops->reset(call->arg, error);
}

static uint64_t
scaled_deadline(const struct call *call, double from_now_ms)
{
    double scaled_ms = from_now_ms / call->config->time_scale;
    return call->now.mono_ms +
           (uint64_t)(scaled_ms < SCALED_MS_MIN ? SCALED_MS_MIN : scaled_ms);
}

/* A 200 without an error is owed only once something good came. */
static void
answer(struct call *call)
{
    struct call_response response = {.status = 200,
                                     .content_type = EVENT_STREAM_TYPE};
    call->state = CALL_TALKING;
    if (call->config->ledger != NULL)
        ledger_answer(call->config->ledger);
    respond(call, &response);
}

void
call_refuse(struct call *call, int status, const char *errortype,
            const char *message, long retry_after_s)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "message", message);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    size_t body_bytes = text ? strlen(text) : 0;
    if (!call->head)
        bytes_add(&call->unread, text, body_bytes);
    cJSON_free(text);
    call->state = CALL_FINISHING;
    jsonlog_note(call->config->log, call->place, "refused", "%d %s: %s", status,
                 errortype, message);
    call_ended(call, "refused: %d %s", status, errortype);
    struct call_response response = {.status = status,
                                     .content_type = "application/json",
                                     .errortype = errortype,
                                     .retry_after_s = retry_after_s,
                                     .body_bytes = body_bytes};
    respond(call, &response);
}

static void
refuse(struct call *call, const struct refusal *refusal)
{
    call_refuse(call, refusal_status(refusal->code),
                refusal_errortype(refusal->code), refusal->message, 0);
}

static void
refuse_with(struct call *call, enum refusal_code code, const char *message)
{
    struct refusal refusal;
    refusal_set(&refusal, code, "%s", message);
    refuse(call, &refusal);
}

void
call_except(struct call *call, const char *exception, const char *message)
{
    if (call->state == CALL_VERIFIED)
        answer(call);
    if (call->state != CALL_TALKING)
        return;
    jsonlog_note(call->config->log, call->place, "exception", "%s: %s",
                 exception, message);
    if (call->stalled) {
        call->state = CALL_MUTE;
        return;
    }
    call_ended(call, "%s: %s", exception, message);
    envelope_seal_exception(&call->unread, exception, message);
    if (call->unread.failed) {
        cut(call, true,
            "The client reads too slowly: the exception did not fit");
        return;
    }
    call->state = CALL_FINISHING;
    call->ops->wake(call->arg);
}

static void
violate(struct call *call, const char *message)
{
    if (call->state == CALL_LINGERING) {
        cut(call, false, message);
        return;
    }
    note(call, "violation", message);
    call_except(call, "validationException", message);
}

/* ---- what the conversation says ---- */

/* Drops from `unread` what is given out, so that the limit counts only what
 * waits. */
static void
compact(struct call *call)
{
    bytes_drop(&call->unread, call->read_bytes);
    call->read_bytes = 0;
}

static void
on_emit(void *arg, const char *json, size_t json_bytes)
{
    struct call *call = arg;
    if (call->state != CALL_TALKING || call->stalled)
        return;
    jsonlog_event(call->config->log, call->place, "sent", json, json_bytes);
    if (call->unread.count > CALL_UNREAD_BYTES_MAX / 2)
        compact(call);
    envelope_seal(&call->unread, json, json_bytes,
                  roll(call, ENVELOPE_PADDING_MAX + 1));
    if (call->unread.failed) {
        cut(call, true,
            "The client reads too slowly: more than 16 MiB wait for it");
        return;
    }
    call->ops->wake(call->arg);
}

static void
on_fail(void *arg, const char *exception, const char *message)
{
    call_except(arg, exception, message);
}

static void
on_conversation_end(void *arg)
{
    struct call *call = arg;
    if (call->state != CALL_TALKING)
        return;
    note(call, "stream", "ended");
    call_ended(call, "sessionEnd");
    if (call->stalled) {
        call->state = CALL_MUTE;
        return;
    }
    call->state = CALL_LINGERING;
    call->deadline_ms = scaled_deadline(call, LINGER_MS);
    call->ops->wake(call->arg);
}

static void
on_note(void *arg, const char *kind, const char *text)
{
    note(arg, kind, text);
}

static void
on_hear(void *arg, const struct input *input)
{
    struct call *call = arg;
    struct ledger_stream *entry =
        call->config->ledger == NULL
            ? NULL
            : ledger_find(call->config->ledger, call->site.stream);
    if (entry != NULL && input->kind == INPUT_AUDIO)
        entry->audio_bytes += input->frames * 2;
    if (call->record != NULL && !record_take(call->record, input))
        note(call, "note",
             "the record is not whole: its file cannot be "
             "written");
}

static const struct conversation_ops conversation_ops = {
    .emit = on_emit,
    .fail = on_fail,
    .end = on_conversation_end,
    .note = on_note,
    .hear = on_hear};

static void
start_record(struct call *call)
{
    if (call->config->record_dir == NULL)
        return;
    call->record = record_open(call->config->record_dir, call->site.stream,
                               call->model_id);
    if (call->record == NULL)
        jsonlog_note(call->config->log, call->place, "note",
                     "not recorded: cannot write into %s: %s",
                     call->config->record_dir, strerror(errno));
}

static bool
start_conversation(struct call *call)
{
    struct conversation_config config = {.script = call->config->script,
                                         .model_id = call->model_id,
                                         .ear = call->config->ear,
                                         .time_scale = call->config->time_scale,
                                         .now_ms = call->now.mono_ms};
    call->conversation = conversation_new(&config, &conversation_ops, call);
    if (call->conversation != NULL) {
        start_record(call);
        return true;
    }
    refuse_with(call, REFUSAL_unavailable,
                "The conversation could not be started: no memory, or the "
                "voice is missing");
    return false;
}

/* The conversation cannot be freed by its own callbacks; every entry point
 * ends here. */
static void
settle(struct call *call)
{
    call_strike(call);
    if (call->state > CALL_TALKING)
        conversation_free(&call->conversation);
}

/* ---- in ---- */

struct call *
call_new(const struct call_config *config, const struct call_ops *ops,
         void *arg, struct jsonlog_place place)
{
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return NULL;
    call->config = config;
    call->ops = ops;
    call->arg = arg;
    call->place = place;
    call->dice = (uint32_t)place.stream * 2654435761u;
    make_request_id(call->request_id);
    framing_decoder_init(&call->decoder, ENVELOPE_FRAME_BYTES_MAX);
    bytes_init(&call->json, ENVELOPE_FRAME_BYTES_MAX);
    bytes_init(&call->unread, CALL_UNREAD_BYTES_MAX);
    return call;
}

void
call_free(struct call **call)
{
    struct call *c = *call;
    if (c == NULL)
        return;
    *call = NULL;
    call_ended(c, "closed early");
    c->state = CALL_CUT;
    conversation_free(&c->conversation);
    request_fini(&c->request);
    chain_fini(&c->chain);
    framing_decoder_fini(&c->decoder);
    bytes_fini(&c->json);
    bytes_fini(&c->unread);
    free(c);
}

void
call_on_header(struct call *call, const char *name, size_t name_bytes,
               const char *value, size_t value_bytes)
{
    if (call->state == CALL_HEADERS)
        request_add(&call->request, name, name_bytes, value, value_bytes);
}

/* Whether the script lets the model live. */
static bool
check_life(const struct call *call, struct refusal *refusal)
{
    if (!script_model_ended(call->config->script, call->model_id))
        return true;
    return refusal_set(refusal, REFUSAL_not_found,
                       "This model version has reached the end of its life. "
                       "Please refer to the AWS documentation for more "
                       "details.");
}

void
call_on_request(struct call *call, struct now now)
{
    struct refusal refusal;
    if (call->state != CALL_HEADERS)
        return;
    enter(call, now);
    call_strike_open(call);
    const char *method = request_get(&call->request, ":method");
    call->head = method != NULL && strcmp(method, "HEAD") == 0;
    if (!verify_route(&call->request, call->model_id, &refusal) ||
        !verify_signature(call->config->keys, &call->request, call->now.wall_ms,
                          &call->chain, &refusal) ||
        !verify_model(call->model_id, &refusal) ||
        !check_life(call, &refusal)) {
        refuse(call, &refusal);
    } else {
        call->state = CALL_VERIFIED;
        call->deadline_ms = scaled_deadline(call, FIRST_EVENT_MS);
        jsonlog_note(call->config->log, call->place, "stream",
                     "opened for %s, request %s", call->model_id,
                     call->request_id);
        if (strcmp(call->model_id, "amazon.nova-sonic-v1:0") == 0)
            note(call, "note",
                 "amazon.nova-sonic-v1:0 is past its end of life "
                 "(2026-09-14); Bedrock itself may refuse it");
        call_strike_request(call);
    }
    request_fini(&call->request);
    settle(call);
}

static void
on_end_frame(struct call *call)
{
    call->end_frame_seen = true;
    if (call->state == CALL_VERIFIED)
        refuse_with(call, REFUSAL_validation,
                    "The stream ended before its first event");
    if (call->state != CALL_TALKING)
        return;
    call_ended(call, "ended without sessionEnd");
    conversation_on_end(call->conversation, call->now.mono_ms);
}

static void
on_bad_signature(struct call *call, const char *problem)
{
    if (call->state != CALL_VERIFIED) {
        violate(call, problem);
        return;
    }
    note(call, "violation", problem);
    refuse_with(call, REFUSAL_bad_signature, problem);
}

static void
on_event(struct call *call)
{
    const char *json = (const char *)call->json.data;
    if (call->state == CALL_LINGERING) {
        violate(call, "An event came after the end of the session");
        return;
    }
    if (call->state == CALL_VERIFIED) {
        if (!start_conversation(call))
            return;
        answer(call);
    }
    jsonlog_event(call->config->log, call->place, "received", json,
                  call->json.count);
    conversation_on_event(call->conversation, json, call->json.count,
                          call->now.mono_ms);
    /* Each event may be the beginning of a phase, and the next its end. */
    call_strike(call);
}

static bool
listening(const struct call *call)
{
    return call->state == CALL_VERIFIED || call->state == CALL_TALKING ||
           call->state == CALL_LINGERING;
}

static bool
on_frame(void *arg, const struct framing_frame *frame)
{
    struct call *call = arg;
    char problem[ENVELOPE_PROBLEM_BYTES];
    if (call->end_frame_seen) {
        violate(call, "A frame came after the signed empty frame that ends "
                      "the stream");
        return false;
    }
    switch (envelope_open(&call->chain, frame, call->now.wall_ms, &call->json,
                          problem)) {
    case ENVELOPE_EVENT:
        on_event(call);
        break;
    case ENVELOPE_END:
        on_end_frame(call);
        break;
    case ENVELOPE_BAD_SIGNATURE:
        on_bad_signature(call, problem);
        break;
    case ENVELOPE_BAD:
        violate(call, problem);
        break;
    }
    return listening(call);
}

void
call_on_data(struct call *call, const uint8_t *data, size_t count,
             struct now now)
{
    if (!listening(call))
        return;
    enter(call, now);
    if (!framing_push(&call->decoder, data, count, on_frame, call) &&
        listening(call))
        violate(call, call->decoder.problem);
    settle(call);
}

void
call_on_end(struct call *call, struct now now)
{
    enter(call, now);
    if (call->state == CALL_VERIFIED) {
        note(call, "violation", "The request's body ended before any event");
        refuse_with(call, REFUSAL_validation,
                    "The request's body ended before its first event");
    } else if (listening(call) && framing_midway(&call->decoder)) {
        violate(call, "The stream ended in the middle of a frame");
    } else if (listening(call) && !call->end_frame_seen) {
        violate(call, "The stream ended without the signed empty frame");
    }
    if (call->state == CALL_LINGERING)
        call->state = CALL_FINISHING;
    settle(call);
}

/* ---- reading and time ---- */

/* How much of `count` to give: one time in four a small odd part of it. */
static size_t
awkward_size(struct call *call, size_t count)
{
    if (call->split_bytes > 0)
        return count < call->split_bytes ? count : call->split_bytes;
    if (count > 1 && roll(call, 4) == 0) {
        size_t part = 1 + roll(call, 997);
        return part < count ? part : count;
    }
    return count;
}

size_t
call_read(struct call *call, uint8_t *out, size_t capacity, bool *ended)
{
    size_t left = call->stalled ? 0 : call->unread.count - call->read_bytes;
    size_t count = awkward_size(call, left < capacity ? left : capacity);
    if (count > 0)
        memcpy(out, call->unread.data + call->read_bytes, count);
    call->read_bytes += count;
    if (call->read_bytes == call->unread.count ||
        call->read_bytes > call->unread.count / 2)
        compact(call);
    *ended = count == left &&
             (call->state == CALL_FINISHING || call->state == CALL_LINGERING);
    return count;
}

bool
call_lingers(const struct call *call)
{
    return call->state == CALL_LINGERING;
}

void
call_tick(struct call *call, struct now now)
{
    enter(call, now);
    if (call->state == CALL_VERIFIED && now.mono_ms >= call->deadline_ms)
        refuse_with(call, REFUSAL_validation,
                    "Timed out waiting for input events");
    else if (call->state == CALL_LINGERING && now.mono_ms >= call->deadline_ms)
        cut(call, false, "The client did not end its side of the stream");
    else if (call->state == CALL_TALKING)
        conversation_tick(call->conversation, now.mono_ms);
    settle(call);
}

uint64_t
call_deadline_ms(const struct call *call)
{
    uint64_t strike_ms = call_strike_deadline_ms(call), at_ms = UINT64_MAX;
    if (call->state == CALL_VERIFIED || call->state == CALL_LINGERING)
        at_ms = call->deadline_ms;
    else if (call->state == CALL_TALKING)
        at_ms = conversation_deadline_ms(call->conversation);
    return strike_ms < at_ms ? strike_ms : at_ms;
}
