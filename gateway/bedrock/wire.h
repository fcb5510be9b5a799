/* What a stream needs of the world: bytes to and from its peer, one timer and
 * two clocks. connect.c makes one from libcurl and libuv; tests make their
 * own, so that stream.c runs without network or time.
 *
 * A wire belongs to one stream. Its events are never called from inside one of
 * its ops. */
#ifndef GATEWAY_BEDROCK_WIRE_H
#define GATEWAY_BEDROCK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/bedrock/stream.h"

struct wire;

/* What the wire tells its stream. */
struct wire_events {
    /* Bytes can go both ways, HTTP/2 is agreed. [loop] */
    void (*on_connected)(void *arg);
    /* No connection came about; `message` lives during the call. [loop] */
    void (*on_failed)(void *arg, enum bedrock_end_cause cause,
                      const char *message);
    /* Bytes may be there, or room for more (if it was watched). [loop] */
    void (*on_ready)(void *arg);
    /* The deadline set last has passed, or a little before it. [loop] */
    void (*on_timer)(void *arg);
};

struct wire_ops {
    /* Starts connecting; every outcome comes by an event. [loop] */
    void (*connect)(struct wire *wire);
    /* VR_OK takes at least one byte; VR_AGAIN takes none, and the next call
     * must offer at least the same bytes; VR_NETWORK is final. [loop] */
    enum vr_status (*send)(struct wire *wire, const uint8_t *bytes,
                           size_t count, size_t *sent);
    /* VR_OK brings at least one byte; VR_AGAIN none now, VR_CLOSED an orderly
     * end, VR_NETWORK a failure. [loop] */
    enum vr_status (*recv)(struct wire *wire, uint8_t *bytes, size_t capacity,
                           size_t *received);
    /* After VR_NETWORK: what failed. The text is the wire's. [loop] */
    enum bedrock_end_cause (*failure)(struct wire *wire, const char **message);
    /* Whether on_ready is wanted for room to send too. [loop] */
    void (*watch_writable)(struct wire *wire, bool wanted);
    /* One deadline on the clock of now_ns(); UINT64_MAX is none. [loop] */
    void (*set_timer)(struct wire *wire, uint64_t deadline_ns);
    /* Monotonic. [loop] */
    uint64_t (*now_ns)(struct wire *wire);
    /* Since 1970, for signatures. [loop] */
    int64_t (*wall_ms)(struct wire *wire);
    /* Drops the connection; no event follows and the wire is gone. [loop] */
    void (*close)(struct wire *wire);
};

/* The first member of every wire. */
struct wire {
    const struct wire_ops *ops;
    const struct wire_events *events; /* set by the stream */
    void *arg;                        /* of the events */
};

/* bedrock_stream_open() over a wire that exists, which the stream owns from
 * then on: also when it returns NULL the wire is closed. [loop] */
struct bedrock_stream *
bedrock_stream_over(struct wire *wire, const struct bedrock_target *target,
                    const struct credentials *credentials,
                    const struct bedrock_stream_ops *ops, void *arg,
                    char *problem, size_t problem_size);

#endif
