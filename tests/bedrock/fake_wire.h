/* A wire without network and time, with a fake server at its other end, and a
 * record of what a stream told its owner. */
#ifndef TESTS_BEDROCK_FAKE_WIRE_H
#define TESTS_BEDROCK_FAKE_WIRE_H

#include "gateway/bedrock/wire.h"
#include "tests/bedrock/fake_h2.h"

struct fake_wire {
    struct wire wire;
    struct fake_h2 *h2;
    struct fake_bytes to_client; /* what recv gives */
    size_t step;                 /* bytes per recv, 0: all */
    size_t send_room;            /* bytes that send still takes */
    bool peer_closed;            /* recv: VR_CLOSED once drained */
    bool send_fails, recv_fails;
    bool swallows; /* what is sent goes nowhere */
    bool watching, connecting, closed, inside;
    uint64_t now_ns, timer_ns;
    int64_t wall_ms;
    unsigned sends;
    size_t retry_bytes; /* what a refused send had offered */
};

/* Time starts at one second. */
void fake_wire_init(struct fake_wire *wire,
                    const struct fake_h2_options *options);
void fake_wire_fini(struct fake_wire *wire);

/* Connects the stream. */
void fake_wire_connected(struct fake_wire *wire);
/* Moves the server's bytes to the client and lets it read them. */
void fake_wire_deliver(struct fake_wire *wire);
/* Passes time, firing the timer when it is due. */
void fake_wire_pass(struct fake_wire *wire, uint64_t ms);

/* What callbacks left behind. */
struct record {
    struct bedrock_stream *stream;
    unsigned opened, responses, events, writables, ends, exceptions;
    char request_id[64];
    struct fake_bytes json; /* of all events, a newline behind each */
    struct bedrock_end end;
    struct bedrock_end exception; /* the last that the stream outlived */
    bool close_on_exception;
    bool close_on_open, close_on_event, close_on_end;
    bool send_on_event; /* answers each event with one of ours */
    bool finish_on_open;
};

extern const struct bedrock_stream_ops record_ops;
void record_fini(struct record *record);

extern const struct credentials test_credentials;
/* us-east-1, amazon.nova-2-sonic-v1:0. */
extern const struct bedrock_target test_target;

/* A response frame that carries one event, as the endpoint sends it. */
size_t frame_event(const char *json, uint8_t *out, size_t capacity);
/* A response frame with three headers. */
size_t frame_make(const char *message_type, const char *type_header,
                  const char *type, const char *payload, uint8_t *out,
                  size_t capacity);

/* The JSON events in a body that the client sent, each behind the other with a
 * newline; an empty line stands for the final empty frame. */
struct fake_bytes body_events(const struct fake_bytes *body);

#endif
