#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "gateway/bedrock/eventstream.h"
#include "tests/bedrock/fake_wire.h"
#include "tests/shared/starve.h"

const struct credentials test_credentials = {
    .access_key_id = "AKIDEXAMPLE",
    .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    .session_token = "a-session-token",
    .source = "test",
};

const struct bedrock_target test_target = {
    .region = "us-east-1",
    .model_id = "amazon.nova-2-sonic-v1:0",
    .context = "test",
};

/* ---- the wire ---- */

static struct fake_wire *
of(struct wire *wire)
{
    struct fake_wire *w = (struct fake_wire *)wire;
    assert_false(w->closed);
    return w;
}

static void
do_connect(struct wire *wire)
{
    of(wire)->connecting = true;
}

static enum vr_status
do_send(struct wire *wire, const uint8_t *bytes, size_t count, size_t *sent)
{
    struct fake_wire *w = of(wire);

    assert_true(count >= w->retry_bytes && count > 0);
    w->retry_bytes = 0;
    w->sends++;
    if (w->send_fails)
        return VR_NETWORK;
    if (!w->send_room) {
        w->retry_bytes = count;
        return VR_AGAIN;
    }
    if (count > w->send_room)
        count = w->send_room;
    w->send_room -= count;
    *sent = count;
    if (!w->swallows)
        fake_h2_take(w->h2, bytes, count);
    return VR_OK;
}

static enum vr_status
do_recv(struct wire *wire, uint8_t *bytes, size_t capacity, size_t *received)
{
    struct fake_wire *w = of(wire);
    size_t count = w->to_client.count;

    if (!count)
        return w->recv_fails    ? VR_NETWORK
               : w->peer_closed ? VR_CLOSED
                                : VR_AGAIN;
    if (w->step && count > w->step)
        count = w->step;
    if (count > capacity)
        count = capacity;
    memcpy(bytes, w->to_client.at, count);
    fake_bytes_drop(&w->to_client, count);
    *received = count;
    return VR_OK;
}

static enum bedrock_end_cause
do_failure(struct wire *wire, const char **message)
{
    (void)of(wire);
    *message = "the wire broke";
    return BEDROCK_END_network;
}

static void
do_watch(struct wire *wire, bool wanted)
{
    of(wire)->watching = wanted;
}

static void
do_timer(struct wire *wire, uint64_t deadline_ns)
{
    of(wire)->timer_ns = deadline_ns;
}

static uint64_t
do_now(struct wire *wire)
{
    return of(wire)->now_ns;
}

static int64_t
do_wall(struct wire *wire)
{
    return of(wire)->wall_ms;
}

static void
do_close(struct wire *wire)
{
    of(wire)->closed = true;
}

static const struct wire_ops fake_ops = {
    .connect = do_connect,
    .send = do_send,
    .recv = do_recv,
    .failure = do_failure,
    .watch_writable = do_watch,
    .set_timer = do_timer,
    .now_ns = do_now,
    .wall_ms = do_wall,
    .close = do_close,
};

void
fake_wire_init(struct fake_wire *wire, const struct fake_h2_options *options)
{
    const struct fake_h2_options plain = {0};

    *wire = (struct fake_wire){
        .wire.ops = &fake_ops,
        .h2 = fake_h2_new(options ? options : &plain),
        .send_room = SIZE_MAX,
        .now_ns = 1000000000,
        .timer_ns = UINT64_MAX,
        .wall_ms = 1767225600000,
    };
}

void
fake_wire_fini(struct fake_wire *wire)
{
    assert_true(wire->closed);
    fake_h2_free(&wire->h2);
    fake_bytes_free(&wire->to_client);
}

void
fake_wire_connected(struct fake_wire *wire)
{
    assert_true(wire->connecting);
    wire->wire.events->on_connected(wire->wire.arg);
}

static void
move(struct fake_wire *wire)
{
    fake_bytes_add(&wire->to_client, wire->h2->out.at, wire->h2->out.count);
    wire->h2->out.count = 0;
}

void
fake_wire_deliver(struct fake_wire *wire)
{
    do {
        move(wire);
        if (wire->closed)
            return;
        wire->wire.events->on_ready(wire->wire.arg);
    } while (wire->h2->out.count);
}

void
fake_wire_pass(struct fake_wire *wire, uint64_t ms)
{
    uint64_t until_ns = wire->now_ns + ms * 1000000;

    while (!wire->closed && wire->timer_ns <= until_ns) {
        if (wire->now_ns < wire->timer_ns)
            wire->now_ns = wire->timer_ns;
        wire->timer_ns = UINT64_MAX;
        move(wire);
        wire->wire.events->on_timer(wire->wire.arg);
    }
    wire->now_ns = until_ns;
}

/* ---- the record ---- */

static void
recorded_open(void *arg)
{
    struct record *r = arg;

    r->opened++;
    if (r->close_on_open)
        bedrock_stream_close(&r->stream);
    else if (r->finish_on_open)
        bedrock_stream_finish(r->stream);
}

static void
recorded_response(void *arg, const char *request_id)
{
    struct record *r = arg;

    r->responses++;
    snprintf(r->request_id, sizeof(r->request_id), "%s", request_id);
}

static void
recorded_event(void *arg, const char *json, size_t json_bytes)
{
    struct record *r = arg;

    r->events++;
    fake_bytes_add(&r->json, json, json_bytes);
    fake_bytes_add(&r->json, "\n", 1);
    if (r->send_on_event)
        assert_int_equal(
            bedrock_stream_send(r->stream, "{\"answer\":1}", 12, true), VR_OK);
    if (r->close_on_event)
        bedrock_stream_close(&r->stream);
}

static void
recorded_writable(void *arg)
{
    ((struct record *)arg)->writables++;
}

static void
recorded_end(void *arg, const struct bedrock_end *end)
{
    struct record *r = arg;

    r->ends++;
    r->end = *end;
    if (r->close_on_end)
        bedrock_stream_close(&r->stream);
}

static void
recorded_exception(void *arg, const struct bedrock_end *end)
{
    struct record *r = arg;

    r->exceptions++;
    r->exception = *end;
    if (r->close_on_exception)
        bedrock_stream_close(&r->stream);
}

const struct bedrock_stream_ops record_ops = {
    .on_open = recorded_open,
    .on_response = recorded_response,
    .on_event = recorded_event,
    .on_writable = recorded_writable,
    .on_end = recorded_end,
    .on_exception = recorded_exception,
};

void
record_fini(struct record *record)
{
    bedrock_stream_close(&record->stream);
    fake_bytes_free(&record->json);
}

/* ---- frames ---- */

static struct eventstream_header
string_header(const char *name, const char *value)
{
    return (struct eventstream_header){
        .name = name,
        .name_bytes = (uint8_t)strlen(name),
        .type = EVENTSTREAM_STRING,
        .value_bytes = (uint16_t)strlen(value),
        .value = (const uint8_t *)value,
    };
}

size_t
frame_make(const char *message_type, const char *type_header, const char *type,
           const char *payload, uint8_t *out, size_t capacity)
{
    struct eventstream_header headers[3] = {
        string_header(":message-type", message_type),
        string_header(type_header, type),
        string_header(":content-type", "application/json"),
    };
    return eventstream_encode(headers, 3, (const uint8_t *)payload,
                              strlen(payload), out, capacity);
}

size_t
frame_event(const char *json, uint8_t *out, size_t capacity)
{
    size_t bytes = strlen(json);
    char *payload = starve_spare(NULL, bytes * 2 + 64);
    int used = snprintf(payload, bytes * 2 + 64, "{\"bytes\":\"");
    used += EVP_EncodeBlock((uint8_t *)payload + used, (const uint8_t *)json,
                            (int)bytes);
    snprintf(payload + used, 16, "\",\"p\":\"abc\"}");
    size_t made =
        frame_make("event", ":event-type", "chunk", payload, out, capacity);
    free(payload);
    return made;
}

static void
inner_message(void *arg, const struct eventstream_message *message)
{
    struct fake_bytes *events = arg;
    uint8_t *json = malloc(message->payload_bytes + 1);

    assert_non_null(json);
    long bytes = eventstream_payload_decode(message->payload,
                                            message->payload_bytes, json);
    assert_true(bytes >= 0);
    fake_bytes_add(events, json, (size_t)bytes);
    free(json);
}

static void
outer_message(void *arg, const struct eventstream_message *message)
{
    struct fake_bytes *events = arg;

    assert_non_null(eventstream_find(message, ":date"));
    assert_non_null(eventstream_find(message, ":chunk-signature"));
    if (message->payload_bytes) {
        struct eventstream_decoder *inner = eventstream_decoder_new(2000000);
        assert_int_equal(eventstream_decode(inner, message->payload,
                                            message->payload_bytes,
                                            inner_message, events),
                         VR_OK);
        eventstream_decoder_free(&inner);
    }
    fake_bytes_add(events, "\n", 1);
}

struct fake_bytes
body_events(const struct fake_bytes *body)
{
    struct fake_bytes events = {0};
    struct eventstream_decoder *outer = eventstream_decoder_new(2000000);

    assert_int_equal(eventstream_decode(outer, body->at, body->count,
                                        outer_message, &events),
                     VR_OK);
    assert_false(eventstream_decoder_midway(outer));
    eventstream_decoder_free(&outer);
    fake_bytes_add(&events, "", 1);
    return events;
}
