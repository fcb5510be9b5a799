#include "gateway/bedrock/stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/bedrock/classify.h"
#include "gateway/bedrock/end.h"
#include "gateway/bedrock/eventstream.h"
#include "gateway/bedrock/h2.h"
#include "gateway/bedrock/liveness.h"
#include "gateway/bedrock/outbox.h"
#include "gateway/bedrock/patience.h"
#include "gateway/bedrock/request.h"
#include "gateway/bedrock/response.h"
#include "gateway/bedrock/signer.h"
#include "gateway/bedrock/wire.h"
#include "gateway/clock.h"
#include "gateway/log.h"

#define AUDIO_UNSENT_BYTES (72u * 1024)

/* A refusal's body comes with its headers or not at all. */
#define REFUSAL_WAIT_MS 1000u

/* One stream may not keep the others of the loop waiting. */
#define READ_BYTES_PER_TURN (256u * 1024)

/* Farther than this no clock is off: from 1970 to the end of 9999. */
#define CLOCK_OFFSET_MAX_MS INT64_C(253402300799999)

enum stream_state {
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_ENDING, /* the end is known, on_end is due */
    STREAM_ENDED
};

struct bedrock_stream {
    struct wire *wire; /* NULL once ended */
    const struct bedrock_stream_ops *ops;
    void *arg;
    char *context;
    enum stream_state state;
    bool finishing;   /* bedrock_stream_finish() was called */
    bool dispatching; /* an event of the wire is being handled */
    bool receiving;   /* nghttp2 is on the stack: it must not be pulled */
    bool closed;      /* to be freed when the dispatch is over */
    bool wire_dead;   /* nothing can be sent any more */
    bool crowded;     /* on_writable is owed */

    struct signer *signer;
    int64_t clock_offset_ms;
    struct request request;
    struct response *response;
    int64_t answered_ms; /* the wall clock when its headers came */
    unsigned stays;      /* exceptions it has outlived */
    struct h2 *h2;

    size_t audio_unsent_bytes;
    struct outbox outbox;
    uint64_t queued;
    uint64_t sent;
    size_t frames_head, frames_tail;
    uint8_t frames[2 * H2_FRAME_BYTES];

    struct liveness liveness;
    struct patience patience;
    uint64_t refusal_ns; /* when a refusal's body is awaited no more, 0: none */
    uint64_t timer_ns;   /* what the wire's timer is set to */

    struct bedrock_end end;
};

/* ---- ending ---- */

static void
timer_need(struct bedrock_stream *s, uint64_t deadline_ns)
{
    if (deadline_ns >= s->timer_ns)
        return;
    s->timer_ns = deadline_ns;
    s->wire->ops->set_timer(s->wire, deadline_ns);
}

/* While a PING is unanswered it is not known whether the peer is there; its
 * answer, or liveness' own deadline, brings us back. */
static void
patience_need(struct bedrock_stream *s)
{
    if (!liveness_asking(&s->liveness))
        timer_need(s, patience_deadline_ns(&s->patience));
}

/* How far the endpoint's clock was ahead of ours, as far as it told. */
static void
note_clock(const struct bedrock_stream *s, struct bedrock_end *end)
{
    if (end->server_date_ms)
        end->server_ahead_ms = end->server_date_ms - s->answered_ms;
}

/* Notes the end; on_end follows when the dispatch is over, or from the timer
 * where there is none. s->end holds cause and message already; what the
 * endpoint itself said about it is worth more. */
static void
stream_end(struct bedrock_stream *s)
{
    size_t used = strlen(s->end.message);
    bool midway = response_midway(s->response);

    assert(s->state < STREAM_ENDING);
    s->state = STREAM_ENDING;
    if (midway)
        snprintf(s->end.message + used, sizeof(s->end.message) - used,
                 ", in the middle of a message");
    if (!response_end(s->response, &s->end))
        s->end.normal = s->finishing && !midway && end_is_orderly(&s->end);
    note_clock(s, &s->end);
    if (!s->dispatching)
        timer_need(s, 0);
}

static void
wire_lost(struct bedrock_stream *s, enum vr_status status)
{
    const char *message = "";

    if (s->state >= STREAM_ENDING)
        return;
    s->wire_dead = true;
    if (h2_going_away(s->h2, &s->end.h2_error))
        end_by_goaway(&s->end, s->finishing);
    else if (status == VR_CLOSED)
        end_by_fin(&s->end, s->finishing);
    else {
        enum bedrock_end_cause cause = s->wire->ops->failure(s->wire, &message);
        end_set(&s->end, cause, "%s", message);
    }
    stream_end(s);
}

/* The endpoint may have said why it hung up, and that is still to be read: the
 * end waits until there is no more. */
static void
send_failed(struct bedrock_stream *s)
{
    const char *message = "";

    if (s->state >= STREAM_ENDING)
        return;
    s->wire_dead = true;
    enum bedrock_end_cause cause = s->wire->ops->failure(s->wire, &message);
    end_set(&s->end, cause, "%s", message);
    if (!s->dispatching)
        timer_need(s, 0);
}

static void
peer_broke(struct bedrock_stream *s)
{
    if (s->state >= STREAM_ENDING)
        return;
    end_set(&s->end, BEDROCK_END_protocol, "HTTP/2: %s", h2_problem(s->h2));
    stream_end(s);
}

/* ---- outbound ---- */

/* The time to sign with. */
static int64_t
signing_ms(struct bedrock_stream *s)
{
    return s->wire->ops->wall_ms(s->wire) + s->clock_offset_ms;
}

static size_t
unsent(const struct bedrock_stream *s)
{
    return (size_t)(s->queued - s->sent);
}

/* Refills the staged frames; false when there is nothing to send. */
static bool
frames_fill(struct bedrock_stream *s)
{
    s->frames_head = 0;
    if (h2_pull(s->h2, s->frames, sizeof(s->frames), &s->frames_tail) !=
        VR_OK) {
        peer_broke(s);
        s->frames_tail = 0;
    }
    return s->frames_tail > 0;
}

/* Hands everything to TLS that it takes now. */
static void
push_out(struct bedrock_stream *s)
{
    for (;;) {
        size_t count = 0;
        if (s->frames_head == s->frames_tail && !frames_fill(s))
            break;
        enum vr_status status =
            s->wire->ops->send(s->wire, s->frames + s->frames_head,
                               s->frames_tail - s->frames_head, &count);
        if (status == VR_AGAIN) {
            s->wire->ops->watch_writable(s->wire, true);
            return;
        }
        if (status != VR_OK) {
            send_failed(s);
            break;
        }
        s->frames_head += count;
        if (s->frames_head == s->frames_tail)
            s->sent = s->outbox.popped;
    }
    s->wire->ops->watch_writable(s->wire, false);
}

/* Notes whether what is unsent moves. */
static void
flow_watch(struct bedrock_stream *s)
{
    if (!unsent(s)) {
        patience_drained(&s->patience);
        return;
    }
    patience_waits(&s->patience, s->sent, s->wire->ops->now_ns(s->wire));
    patience_need(s);
}

static void
flush(struct bedrock_stream *s)
{
    if (s->state != STREAM_OPEN || s->receiving || s->closed || s->wire_dead)
        return;
    push_out(s);
    if (s->state == STREAM_OPEN)
        flow_watch(s);
    if (s->crowded && !s->dispatching && unsent(s) < s->audio_unsent_bytes)
        timer_need(s, 0);
}

/* Tells the peer that we go, as far as it takes that at once. */
static void
farewell(struct bedrock_stream *s, uint32_t error)
{
    if (s->wire_dead || s->state == STREAM_CONNECTING || !s->wire)
        return;
    s->state = STREAM_ENDING;
    h2_terminate(s->h2, error);
    push_out(s);
}

/* ---- inbound ---- */

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
        stream_end(s);
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
    note_clock(s, &told);
    if (!s->closed && s->state == STREAM_OPEN && s->ops->on_exception)
        s->ops->on_exception(s->arg, &told);
    return true;
}

static const struct response_ops response_ops = {
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
    timer_need(s, s->refusal_ns);
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
    stream_end(s);
}

static const struct h2_ops h2_ops = {
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_data = on_data,
    .on_close = on_close,
};

static void
take(struct bedrock_stream *s, const uint8_t *bytes, size_t count)
{
    if (liveness_heard(&s->liveness, s->wire->ops->now_ns(s->wire))) {
        timer_need(s, liveness_deadline_ns(&s->liveness));
        patience_need(s);
    }
    s->receiving = true;
    enum vr_status status = h2_receive(s->h2, bytes, count);
    s->receiving = false;
    if (status != VR_OK)
        peer_broke(s);
    else
        flush(s); /* what callbacks answered does not wait for more input */
}

/* False if more may be there than one turn may take. */
static bool
read_in(struct bedrock_stream *s)
{
    uint8_t bytes[16384];
    size_t total = 0;

    while (s->state == STREAM_OPEN && !s->closed) {
        size_t count = 0;
        if (total >= READ_BYTES_PER_TURN) {
            timer_need(s, 0);
            return false;
        }
        enum vr_status status =
            s->wire->ops->recv(s->wire, bytes, sizeof(bytes), &count);
        if (status == VR_AGAIN)
            break;
        if (status != VR_OK) {
            wire_lost(s, status);
            break;
        }
        total += count;
        take(s, bytes, count);
    }
    return true;
}

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

    farewell(s, bad ? H2_ERROR_PROTOCOL : H2_ERROR_CANCEL);
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
    flush(s);
    if (s->wire_dead && s->state == STREAM_OPEN && read_in(s) &&
        s->state == STREAM_OPEN && !s->closed)
        stream_end(s);
    if (!s->closed && s->state == STREAM_OPEN && s->crowded &&
        unsent(s) < s->audio_unsent_bytes) {
        s->crowded = false;
        s->ops->on_writable(s->arg);
    }
    if (!s->closed && s->state == STREAM_ENDING)
        deliver_end(s);
    s->dispatching = false;
    if (!s->closed)
        return;
    farewell(s, H2_ERROR_CANCEL);
    stream_free(s);
}

static void
queued_add(struct bedrock_stream *s, size_t bytes)
{
    s->queued += bytes;
    if (s->patience.answered || s->patience.spoke_ns)
        return;
    patience_spoke(&s->patience, s->wire->ops->now_ns(s->wire));
    patience_need(s);
}

static void
finish_queue(struct bedrock_stream *s)
{
    uint8_t *at = outbox_room(&s->outbox, EVENTSTREAM_END_BYTES);

    assert(at);
    size_t bytes = eventstream_encode_end(s->signer, signing_ms(s), at,
                                          EVENTSTREAM_END_BYTES);
    outbox_push(&s->outbox, bytes);
    queued_add(s, bytes);
    h2_finish(s->h2);
}

static void
request_start(struct bedrock_stream *s)
{
    enum vr_status status = request_sign(&s->request, s->signer, signing_ms(s));
    if (status == VR_OK)
        status = h2_request(s->h2, &s->request);
    if (status == VR_OK)
        return;
    end_set(&s->end, BEDROCK_END_network, "The request could not be made: %s",
            vr_status_text(status));
    stream_end(s);
}

static void
wire_connected(void *arg)
{
    struct bedrock_stream *s = arg;

    enter(s);
    s->state = STREAM_OPEN;
    liveness_heard(&s->liveness, s->wire->ops->now_ns(s->wire));
    timer_need(s, liveness_deadline_ns(&s->liveness));
    log_info(bedrock, s->context, "connected to %s",
             s->request.endpoint.authority);
    request_start(s);
    if (s->state == STREAM_OPEN && s->finishing)
        finish_queue(s);
    flush(s);
    if (s->state == STREAM_OPEN && !s->finishing)
        s->ops->on_open(s->arg);
    (void)read_in(s);
    leave(s);
}

static void
wire_failed(void *arg, enum bedrock_end_cause cause, const char *message)
{
    struct bedrock_stream *s = arg;

    enter(s);
    s->wire_dead = true;
    end_set(&s->end, cause, "%s", message);
    stream_end(s);
    leave(s);
}

static void
wire_ready(void *arg)
{
    struct bedrock_stream *s = arg;

    enter(s);
    (void)read_in(s);
    leave(s);
}

static void
liveness_act(struct bedrock_stream *s)
{
    uint64_t now_ns = s->wire->ops->now_ns(s->wire);

    switch (liveness_check(&s->liveness, now_ns)) {
    case LIVENESS_FINE:
        break;
    case LIVENESS_PING:
        h2_ping(s->h2);
        break;
    case LIVENESS_DEAD:
        end_by_silence(&s->end, now_ns - s->liveness.heard_ns,
                       now_ns - s->liveness.ping_ns);
        stream_end(s);
        return;
    }
    timer_need(s, liveness_deadline_ns(&s->liveness));
}

static void
patience_act(struct bedrock_stream *s)
{
    uint64_t now_ns = s->wire->ops->now_ns(s->wire);
    enum patience_verdict verdict = patience_check(&s->patience, now_ns);

    if (verdict == PATIENCE_FINE || liveness_asking(&s->liveness)) {
        patience_need(s);
        return;
    }
    if (verdict == PATIENCE_STALLED)
        end_by_stall(&s->end, now_ns - s->patience.stuck_ns, unsent(s));
    else
        end_by_no_answer(&s->end, now_ns - s->patience.spoke_ns);
    stream_end(s);
}

static void
refusal_check(struct bedrock_stream *s)
{
    if (!s->refusal_ns)
        return;
    if (s->wire->ops->now_ns(s->wire) >= s->refusal_ns)
        stream_end(s); /* the response says the rest */
    else
        timer_need(s, s->refusal_ns);
}

static bool
is_alive(const struct bedrock_stream *s)
{
    return s->state == STREAM_OPEN && !s->closed && !s->wire_dead;
}

static void
wire_timer(void *arg)
{
    struct bedrock_stream *s = arg;

    enter(s);
    s->timer_ns = UINT64_MAX;
    /* Reading first: after a pause of this process the answer to the PING may
     * have been waiting for us. */
    (void)read_in(s);
    flush(s);
    if (is_alive(s))
        liveness_act(s);
    if (is_alive(s))
        refusal_check(s);
    if (is_alive(s))
        patience_act(s);
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
    s->response = response_new(&response_ops, s);
    s->h2 = h2_new(&h2_ops, s, &s->outbox);
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
    if (control || unsent(s) < s->audio_unsent_bytes)
        at = outbox_room(&s->outbox, room + EVENTSTREAM_END_BYTES);
    if (!at) {
        s->crowded = true;
        return VR_AGAIN;
    }
    size_t bytes = eventstream_encode_event(s->signer, signing_ms(s), json,
                                            json_bytes, at, room);
    assert(bytes);
    outbox_push(&s->outbox, bytes);
    queued_add(s, bytes);
    if (unsent(s) >= s->audio_unsent_bytes)
        s->crowded = true;
    h2_resume(s->h2);
    flush(s);
    return VR_OK;
}

size_t
bedrock_stream_unsent_bytes(const struct bedrock_stream *s)
{
    return unsent(s);
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
    finish_queue(s);
    flush(s);
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
    farewell(s, H2_ERROR_CANCEL);
    stream_free(s);
}
