#include "gateway/bedrock/stream_self.h"

#include "gateway/bedrock/classify.h"
#include "gateway/bedrock/end.h"
#include "gateway/clock.h"
#include "gateway/log.h"

/* A refusal's body comes with its headers or not at all. */
#define REFUSAL_WAIT_MS 1000u

/* One stream may not keep the others of the loop waiting. */
#define READ_BYTES_PER_TURN (256u * 1024)

static void
on_accept(void *arg, const char *request_id)
{
    struct bedrock_stream *s = arg;

    log_debug(bedrock, s->context, "the endpoint accepted, request id %s",
              *request_id ? request_id : "(none)");
    if (!s->closed)
        s->ops->on_response(s->arg, request_id);
}

static void
on_event(void *arg, const char *json, size_t json_bytes)
{
    struct bedrock_stream *s = arg;

    if (!s->closed && s->state == STREAM_OPEN)
        s->ops->on_event(s->arg, json, json_bytes);
}

static void
on_verdict(void *arg)
{
    struct bedrock_stream *s = arg;

    if (s->state < STREAM_ENDING)
        stream_verdict_give(s);
}

static bool
on_exception(void *arg, const struct bedrock_end *end)
{
    struct bedrock_stream *s = arg;
    struct bedrock_end told = *end;

    if (classify_error(end->code, 0, end->message)->action !=
            CLASSIFY_ACTION_stay ||
        s->stays >= BEDROCK_STAY_MAX)
        return false;
    s->stays++;
    log_info(bedrock, s->context, "%s: %s; the stream goes on", end->code,
             end->message);
    stream_verdict_clock(s, &told);
    if (!s->closed && s->state == STREAM_OPEN && s->ops->on_exception)
        s->ops->on_exception(s->arg, &told);
    return true;
}

const struct response_ops stream_in_response_ops = {
    .on_accept = on_accept,
    .on_event = on_event,
    .on_verdict = on_verdict,
    .on_exception = on_exception,
};

static void
on_header(void *arg, const char *name, size_t name_bytes, const char *value,
          size_t value_bytes)
{
    struct bedrock_stream *s = arg;
    response_header(s->response, name, name_bytes, value, value_bytes);
}

static void
on_headers_end(void *arg)
{
    struct bedrock_stream *s = arg;

    if (!s->patience.answered)
        s->answered_ms = s->wire->ops->wall_ms(s->wire);
    if (!response_headers_end(s->response))
        return;
    patience_answered(&s->patience);
    if (response_status(s->response) == 200 || s->refusal_ns)
        return;
    s->refusal_ns =
        s->wire->ops->now_ns(s->wire) + REFUSAL_WAIT_MS * CLOCK_NS_PER_MS;
    stream_timer_need(s, s->refusal_ns);
}

static void
on_data(void *arg, const uint8_t *bytes, size_t count)
{
    struct bedrock_stream *s = arg;

    if (!s->closed && s->state == STREAM_OPEN)
        response_body(s->response, bytes, count);
}

static void
on_close(void *arg, enum h2_close how, uint32_t error)
{
    struct bedrock_stream *s = arg;

    if (s->state >= STREAM_ENDING)
        return;
    s->end.h2_error = error;
    end_by_h2(&s->end, how, h2_problem(s->h2), s->finishing);
    stream_verdict_give(s);
}

const struct h2_ops stream_in_h2_ops = {
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_data = on_data,
    .on_close = on_close,
};

static void
take(struct bedrock_stream *s, const uint8_t *bytes, size_t count)
{
    if (liveness_heard(&s->liveness, s->wire->ops->now_ns(s->wire))) {
        stream_timer_need(s, liveness_deadline_ns(&s->liveness));
        stream_timer_patience(s);
    }
    s->receiving = true;
    enum vr_status status = h2_receive(s->h2, bytes, count);
    s->receiving = false;
    if (status != VR_OK)
        stream_verdict_h2_failed(s, status);
    else
        stream_out_flush(
            s); /* what callbacks answered does not wait for more input */
}

bool
stream_in_read(struct bedrock_stream *s)
{
    uint8_t bytes[16384];
    size_t total = 0;

    while (s->state == STREAM_OPEN && !s->closed) {
        size_t count = 0;
        if (total >= READ_BYTES_PER_TURN) {
            stream_timer_need(s, 0);
            return false;
        }
        enum vr_status status =
            s->wire->ops->recv(s->wire, bytes, sizeof(bytes), &count);
        if (status == VR_AGAIN)
            break;
        if (status != VR_OK) {
            stream_verdict_wire_lost(s, status);
            break;
        }
        total += count;
        take(s, bytes, count);
    }
    return true;
}
