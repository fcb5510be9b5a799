#include "gateway/bedrock/stream_self.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/end.h"
#include "gateway/bedrock/eventstream.h"
#include "gateway/log.h"

#define AUDIO_UNSENT_BYTES (72u * 1024)

/* Farther than this no clock is off: from 1970 to the end of 9999. */
#define CLOCK_OFFSET_MAX_MS INT64_C(253402300799999)

/* ---- the wire's events ---- */

static void
stream_free(struct bedrock_stream *s)
{
    if (s->wire)
        s->wire->ops->close(s->wire);
    h2_free(&s->h2);
    response_free(&s->response);
    request_fini(&s->request);
    signer_free(&s->signer);
    outbox_fini(&s->outbox);
    free(s->context);
    free(s);
}

static void
end_log(const struct bedrock_stream *s)
{
    const struct bedrock_end *end = &s->end;

    /* The session tells what it means and what to do; once is enough. */
    log_info(bedrock, s->context, "stream ended (%s%s%s)%s%s",
             bedrock_end_name(end->cause), *end->code ? ", " : "", end->code,
             *end->request_id ? ", request id " : "", end->request_id);
    if (response_ignored(s->response))
        log_debug(bedrock, s->context, "%llu frames of unknown kind ignored",
                  (unsigned long long)response_ignored(s->response));
}

static void
deliver_end(struct bedrock_stream *s)
{
    bool bad = s->end.cause == BEDROCK_END_bad_frame;

    stream_out_farewell(s, bad ? H2_ERROR_PROTOCOL : H2_ERROR_CANCEL);
    s->wire->ops->close(s->wire);
    s->wire = NULL;
    s->state = STREAM_ENDED;
    end_log(s);
    s->ops->on_end(s->arg, &s->end);
}

static void
enter(struct bedrock_stream *s)
{
    assert(!s->dispatching);
    s->dispatching = true;
}

/* What callbacks owe is paid here, with neither nghttp2 nor the wire in the
 * middle of something. */
static void
leave(struct bedrock_stream *s)
{
    stream_out_flush(s);
    if (s->wire_dead && s->state == STREAM_OPEN && stream_in_read(s) &&
        s->state == STREAM_OPEN && !s->closed)
        stream_verdict_give(s);
    if (!s->closed && s->state == STREAM_OPEN && s->crowded &&
        stream_out_unsent(s) < s->audio_unsent_bytes) {
        s->crowded = false;
        s->ops->on_writable(s->arg);
    }
    if (!s->closed && s->state == STREAM_ENDING)
        deliver_end(s);
    s->dispatching = false;
    if (!s->closed)
        return;
    stream_out_farewell(s, H2_ERROR_CANCEL);
    stream_free(s);
}

static void
request_start(struct bedrock_stream *s)
{
    enum vr_status status =
        request_sign(&s->request, s->signer, stream_out_signing_ms(s));
    if (status == VR_OK)
        status = h2_request(s->h2, &s->request);
    if (status == VR_OK)
        return;
    end_set(&s->end, BEDROCK_END_network, "The request could not be made: %s",
            vr_status_text(status));
    stream_verdict_give(s);
}

static void
wire_connected(void *arg)
{
    struct bedrock_stream *s = arg;

    enter(s);
    s->state = STREAM_OPEN;
    liveness_heard(&s->liveness, s->wire->ops->now_ns(s->wire));
    stream_timer_need(s, liveness_deadline_ns(&s->liveness));
    log_info(bedrock, s->context, "connected to %s",
             s->request.endpoint.authority);
    request_start(s);
    if (s->state == STREAM_OPEN && s->finishing)
        stream_out_finish(s);
    stream_out_flush(s);
    if (s->state == STREAM_OPEN && !s->finishing)
        s->ops->on_open(s->arg);
    (void)stream_in_read(s);
    leave(s);
}

static void
wire_failed(void *arg, enum bedrock_end_cause cause, const char *message)
{
    struct bedrock_stream *s = arg;

    enter(s);
    s->wire_dead = true;
    end_set(&s->end, cause, "%s", message);
    stream_verdict_give(s);
    leave(s);
}

static void
wire_ready(void *arg)
{
    struct bedrock_stream *s = arg;

    enter(s);
    (void)stream_in_read(s);
    leave(s);
}

static void
wire_timer(void *arg)
{
    struct bedrock_stream *s = arg;

    enter(s);
    s->timer_ns = UINT64_MAX;
    /* Reading first: after a pause of this process the answer to the PING may
     * have been waiting for us. */
    (void)stream_in_read(s);
    stream_out_flush(s);
    stream_timer_act(s);
    leave(s);
}

static const struct wire_events wire_events = {
    .on_connected = wire_connected,
    .on_failed = wire_failed,
    .on_ready = wire_ready,
    .on_timer = wire_timer,
};

/* ---- opening ---- */

static enum vr_status
parts_make(struct bedrock_stream *s, const struct bedrock_target *target,
           const struct credentials *credentials, char *problem,
           size_t problem_size)
{
    struct endpoint endpoint;
    enum vr_status status = endpoint_parse(
        &endpoint, target->endpoint, target->region, problem, problem_size);

    if (status == VR_OK)
        status = request_init(&s->request, &endpoint, target->model_id,
                              credentials, problem, problem_size);
    if (status != VR_OK)
        return status;
    status = outbox_init(&s->outbox,
                         eventstream_event_bound(BEDROCK_EVENT_BYTES_MAX) +
                             s->audio_unsent_bytes + EVENTSTREAM_END_BYTES);
    s->signer = signer_new(credentials, target->region, "bedrock");
    s->response = response_new(&stream_in_response_ops, s);
    s->h2 = h2_new(&stream_in_h2_ops, s, &s->outbox);
    s->context = target->context ? strdup(target->context) : NULL;
    if (status == VR_OK && s->signer && s->response && s->h2 &&
        (s->context || !target->context))
        return VR_OK;
    return VR_NO_MEMORY;
}

/* Bounded, so that a sum with the wall clock cannot overflow. */
static int64_t
offset_of(const struct bedrock_target *target)
{
    int64_t offset_ms = target->clock_offset_ms;

    return offset_ms > CLOCK_OFFSET_MAX_MS    ? CLOCK_OFFSET_MAX_MS
           : offset_ms < -CLOCK_OFFSET_MAX_MS ? -CLOCK_OFFSET_MAX_MS
                                              : offset_ms;
}

struct bedrock_stream *
bedrock_stream_over(struct wire *wire, const struct bedrock_target *target,
                    const struct credentials *credentials,
                    const struct bedrock_stream_ops *ops, void *arg,
                    char *problem, size_t problem_size)
{
    struct bedrock_stream *s = calloc(1, sizeof(*s));

    snprintf(problem, problem_size, "%s", vr_status_text(VR_NO_MEMORY));
    if (!s) {
        wire->ops->close(wire);
        return NULL;
    }
    s->wire = wire;
    s->ops = ops;
    s->arg = arg;
    s->timer_ns = UINT64_MAX;
    s->clock_offset_ms = offset_of(target);
    liveness_init(&s->liveness, target->ping_after_ms, target->ping_timeout_ms);
    patience_init(&s->patience, target->answer_timeout_ms,
                  target->stall_timeout_ms);
    s->audio_unsent_bytes = target->audio_unsent_bytes
                                ? target->audio_unsent_bytes
                                : AUDIO_UNSENT_BYTES;
    if (parts_make(s, target, credentials, problem, problem_size) != VR_OK) {
        stream_free(s);
        return NULL;
    }
    wire->events = &wire_events;
    wire->arg = s;
    wire->ops->connect(wire);
    return s;
}

/* ---- what callers do ---- */

enum vr_status
bedrock_stream_send(struct bedrock_stream *s, const char *json,
                    size_t json_bytes, bool control)
{
    size_t room = eventstream_event_bound(json_bytes);
    uint8_t *at = NULL;

    if (s->finishing || s->state >= STREAM_ENDING || s->closed)
        return VR_CLOSED;
    if (json_bytes > BEDROCK_EVENT_BYTES_MAX)
        return VR_LIMIT;
    if (s->state == STREAM_CONNECTING)
        return VR_AGAIN;
    if (control || stream_out_unsent(s) < s->audio_unsent_bytes)
        at = outbox_room(&s->outbox, room + EVENTSTREAM_END_BYTES);
    if (!at) {
        s->crowded = true;
        return VR_AGAIN;
    }
    size_t bytes = eventstream_encode_event(s->signer, stream_out_signing_ms(s),
                                            json, json_bytes, at, room);
    assert(bytes);
    outbox_push(&s->outbox, bytes);
    stream_out_queued(s, bytes);
    if (stream_out_unsent(s) >= s->audio_unsent_bytes)
        s->crowded = true;
    h2_resume(s->h2);
    stream_out_flush(s);
    return VR_OK;
}

size_t
bedrock_stream_unsent_bytes(const struct bedrock_stream *s)
{
    return stream_out_unsent(s);
}

uint64_t
bedrock_stream_queued_bytes(const struct bedrock_stream *s)
{
    return s->queued;
}

uint64_t
bedrock_stream_sent_bytes(const struct bedrock_stream *s)
{
    return s->sent;
}

void
bedrock_stream_finish(struct bedrock_stream *s)
{
    if (s->finishing || s->state >= STREAM_ENDING || s->closed)
        return;
    s->finishing = true;
    if (s->state == STREAM_CONNECTING)
        return;
    stream_out_finish(s);
    stream_out_flush(s);
}

void
bedrock_stream_close(struct bedrock_stream **stream)
{
    struct bedrock_stream *s = *stream;

    *stream = NULL;
    if (!s)
        return;
    s->closed = true;
    if (s->dispatching)
        return;
    stream_out_farewell(s, H2_ERROR_CANCEL);
    stream_free(s);
}
