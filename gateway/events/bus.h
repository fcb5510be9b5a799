/* The event bus: the only publisher.
 *
 * Every event is two frames on a ZeroMQ PUB socket: the topic, v1/TYPE/SESSION
 * (v1/TYPE/- for the gateway itself, v1/heartbeat for the heartbeat), and one
 * CloudEvents 1.0 document. `sequence` counts per topic from 1, so that every
 * subscriber sees its own gaps; `epoch` is new with each bus. Publishing never
 * blocks: libzmq drops for a subscriber that lags by more than
 * BUS_HIGH_WATER events, and the gap or the heartbeat tells it.
 *
 * The fields of each type are in gateway/events/event.h. */
#ifndef GATEWAY_EVENTS_BUS_H
#define GATEWAY_EVENTS_BUS_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "ipc/status.h"

/* Events queued for one slow subscriber before it loses some. */
#define BUS_HIGH_WATER 4000

#define BUS_HEARTBEAT_MS 2000

/* What bus_close() waits at most for the last events to leave. */
#define BUS_LINGER_MS 500

/* Sessions whose sequences are remembered; beyond it, the one that published
 * longest ago is forgotten, and starts at 1 if its name comes back. */
#define BUS_SESSIONS_MAX 1024

/* Tools whose last tool.registered a snapshot holds. */
#define BUS_TOOLS_MAX 1024

/* Topics up to which each heartbeat lists all; beyond it, those that published
 * within the last BUS_HEARTBEAT_RECENT heartbeats, and `complete` is false. */
#define BUS_HEARTBEAT_TOPICS 256
#define BUS_HEARTBEAT_RECENT 5

enum event_type {
#define EVENT(symbol, name, keep, what) EVENT_##symbol,
#include "gateway/events/events.tbl.h"
#undef EVENT
    EVENT_TYPE_COUNT
};

struct bus;

struct bus_config {
    void *zmq;             /* context, outlives the bus */
    uv_loop_t *loop;       /* for the heartbeat */
    const char *endpoint;  /* ipc://..., NULL: no socket, snapshots only */
    const char *instance;  /* source is /voxring/<instance> */
    const char *group;     /* shares the socket; NULL: the owner only */
    uint32_t heartbeat_ms; /* 0 = BUS_HEARTBEAT_MS */
};

/* Binds the socket and starts the heartbeat. NULL on failure; `problem` then
 * says what was wrong and what to do. [loop] */
struct bus *bus_open(const struct bus_config *config, char *problem,
                     size_t problem_size);

/* Publishes a last heartbeat and closes; events still queued leave while
 * zmq_ctx_term() runs, BUS_LINGER_MS at most. The loop must turn once more
 * afterwards. Accepts NULL inside. [loop] */
void bus_close(struct bus **bus);

/* Whom an event is about. */
struct event_subject {
    const char *session;      /* NULL: the gateway itself */
    const char *conversation; /* NULL: none */
};

/* Publishes one event; `data` is an object and is taken (NULL: memory was
 * out, the event is dropped and counted). `subject` may be NULL. Returns its
 * sequence, 0 if it was dropped. Prefer the typed functions of
 * gateway/events/event.h. [loop] */
uint64_t bus_publish(struct bus *bus, enum event_type type,
                     const struct event_subject *subject, cJSON *data);

/* {epoch, sequences: {topic: "n"}, states: [events]}: where every topic
 * stands, and the last session.state and error of each session and
 * tool.registered of each tool. A reader subscribes first, then asks, then drops what it gets
 * with a sequence not above the one here. Caller frees. [loop] */
cJSON *bus_snapshot(const struct bus *bus);

/* This run's id. Lives as long as the bus. [loop] */
const char *bus_epoch(const struct bus *bus);

/* Events handed to ZeroMQ, and those that could not be built or sent. [loop] */
uint64_t bus_published(const struct bus *bus);
uint64_t bus_dropped(const struct bus *bus);

/* "session.state", ...: static storage. [any] */
const char *bus_type_name(enum event_type type);

#endif
