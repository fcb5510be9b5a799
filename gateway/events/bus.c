#include "gateway/events/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "gateway/clock.h"
#include "gateway/events/event.h"
#include "gateway/events/ledger.h"
#include "gateway/jsonx.h"
#include "gateway/log.h"
#include "gateway/runtime.h"
#include "gateway/uuid.h"
#include "gateway/zmqx.h"

#define SUBSCRIPTION_BYTES_MAX 1024 /* of one, from a subscriber */

struct bus {
    void *socket; /* NULL: none */
    char *bound;  /* the endpoint, once it is */
    uv_timer_t heartbeat;
    uint32_t heartbeat_ms;
    struct ledger *ledger;
    char epoch[UUID_TEXT_BYTES];
    char source[96];
    uint64_t begin_ns;
    uint64_t ids; /* given out so far */
    uint64_t published;
    uint64_t dropped;
};

const char *
bus_type_name(enum event_type type)
{
    static const char *const names[EVENT_TYPE_COUNT] = {
#define EVENT(symbol, name, keep, what) [EVENT_##symbol] = name,
#include "gateway/events/events.tbl.h"
#undef EVENT
    };
    return names[type];
}

/* ---- one event ---- */

/* The CloudEvents document around `data`, which is taken. */
static cJSON *
envelope(struct bus *bus, enum event_type type,
         const struct event_subject *subject, uint64_t sequence, cJSON *data)
{
    char text[128];
    cJSON *event = cJSON_CreateObject();
    jsonx_add_text(event, "specversion", "1.0");
    snprintf(text, sizeof text, "%s-%" PRIu64, bus->epoch, ++bus->ids);
    jsonx_add_text(event, "id", text);
    jsonx_add_text(event, "source", bus->source);
    snprintf(text, sizeof text, "voxring.%s.v1", bus_type_name(type));
    jsonx_add_text(event, "type", text);
    jsonx_add_text(event, "subject", subject->session);
    clock_utc_text(text);
    jsonx_add_text(event, "time", text);
    jsonx_add_text(event, "datacontenttype", "application/json");
    jsonx_add_u64(event, "sequence", sequence);
    jsonx_add_text(event, "epoch", bus->epoch);
    jsonx_add_text(event, "conversation", subject->conversation);
    if (jsonx_put(event, "data", data))
        return event;
    cJSON_Delete(event);
    return NULL;
}

static void
free_text(void *text, void *hint)
{
    (void)hint;
    cJSON_free(text);
}

/* libzmq's send looks for new subscriptions once a millisecond at most, so
 * that who subscribed just before a burst of events would miss it all; asking
 * for the socket's events makes it look. */
static void
take_subscriptions(void *socket)
{
    int events;
    size_t bytes = sizeof events;
    zmqx_getsockopt(socket, ZMQ_EVENTS, &events, &bytes);
}

/* Hands both frames over; `text` is taken. PUB drops rather than waits. */
static bool
send_frames(struct bus *bus, const char *topic, char *text)
{
    zmq_msg_t message;
    if (!bus->socket) {
        cJSON_free(text);
        return true;
    }
    take_subscriptions(bus->socket);
    if (zmqx_send(bus->socket, topic, strlen(topic),
                  ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        cJSON_free(text);
        return false;
    }
    if (zmq_msg_init_data(&message, text, strlen(text), free_text, NULL) != 0) {
        cJSON_free(text);
        zmq_msg_init(&message);
    }
    if (zmqx_msg_send(&message, bus->socket, ZMQ_DONTWAIT) >= 0)
        return true;
    zmq_msg_close(&message);
    return false;
}

static bool
send_event(struct bus *bus, enum event_type type, const char *session,
           const cJSON *event)
{
    char topic[LEDGER_TOPIC_BYTES];
    char *text = cJSON_PrintUnformatted(event);
    if (!text)
        return false;
    ledger_topic(type, session, topic);
    log_trace(bus, session, "%s %s", topic, text);
    return send_frames(bus, topic, text);
}

uint64_t
bus_publish(struct bus *bus, enum event_type type,
            const struct event_subject *subject, cJSON *data)
{
    static const struct event_subject nobody;
    cJSON *event = NULL;
    uint64_t sequence = 0;
    if (!subject)
        subject = &nobody;
    if (data) {
        sequence =
            ledger_next(bus->ledger, type, subject->session, clock_mono_ns());
        event = envelope(bus, type, subject, sequence, data);
    }
    bool sent = false;
    if (event && sequence) {
        ledger_keep(bus->ledger, type, subject->session, event);
        sent = send_event(bus, type, subject->session, event);
    }
    cJSON_Delete(event);
    if (!sent) {
        bus->dropped++;
        log_error(bus, subject->session, "a %s event was lost: out of memory",
                  bus_type_name(type));
        return 0;
    }
    bus->published++;
    return sequence;
}

/* ---- heartbeat and snapshot ---- */

static void
beat(struct bus *bus)
{
    struct event_heartbeat e;
    uint64_t now_ns = clock_mono_ns();
    uint64_t recent_ns =
        BUS_HEARTBEAT_RECENT * (uint64_t)bus->heartbeat_ms * CLOCK_NS_PER_MS;
    event_heartbeat_init(&e);
    e.epoch = bus->epoch;
    e.uptime_seconds =
        (double)(now_ns - bus->begin_ns) / (double)CLOCK_NS_PER_S;
    e.interval_ms = bus->heartbeat_ms;
    e.complete = ledger_topics(bus->ledger) <= BUS_HEARTBEAT_TOPICS;
    e.sequences = ledger_sequences(
        bus->ledger, e.complete || now_ns < recent_ns ? 0 : now_ns - recent_ns);
    event_heartbeat_publish(bus, NULL, &e);
}

static void
on_heartbeat(uv_timer_t *timer)
{
    beat(timer->data);
}

cJSON *
bus_snapshot(const struct bus *bus)
{
    cJSON *snapshot = cJSON_CreateObject();
    jsonx_add_text(snapshot, "epoch", bus->epoch);
    jsonx_put(snapshot, "sequences", ledger_sequences(bus->ledger, 0));
    jsonx_put(snapshot, "states", ledger_states(bus->ledger));
    return snapshot;
}

/* ---- open and close ---- */

static bool
set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool
bind_socket(struct bus *bus, const struct bus_config *config, char *problem,
            size_t problem_size)
{
    int64_t largest = SUBSCRIPTION_BYTES_MAX;
    if (runtime_clear(config->endpoint, problem, problem_size) != VR_OK)
        return false;
    bus->socket = zmq_socket(config->zmq, ZMQ_PUB);
    if (!bus->socket || !set_int(bus->socket, ZMQ_SNDHWM, BUS_HIGH_WATER) ||
        !set_int(bus->socket, ZMQ_LINGER, BUS_LINGER_MS) ||
        zmq_setsockopt(bus->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) !=
            0 ||
        zmq_bind(bus->socket, config->endpoint) != 0) {
        snprintf(problem, problem_size, "cannot publish events at %s: %s",
                 config->endpoint, zmq_strerror(zmq_errno()));
        return false;
    }
    bus->bound = strdup(config->endpoint);
    return bus->bound && runtime_share(config->endpoint, config->group, problem,
                                       problem_size) == VR_OK;
}

static void
close_socket(struct bus *bus)
{
    if (bus->bound)
        runtime_remove(bus->bound);
    if (bus->socket)
        zmq_close(bus->socket);
    free(bus->bound);
    bus->bound = NULL;
    bus->socket = NULL;
}

static void
destroy(struct bus *bus)
{
    close_socket(bus);
    ledger_free(&bus->ledger);
    free(bus);
}

struct bus *
bus_open(const struct bus_config *config, char *problem, size_t problem_size)
{
    struct bus *bus = calloc(1, sizeof *bus);
    snprintf(problem, problem_size, "out of memory");
    if (!bus)
        return NULL;
    bus->ledger = ledger_new();
    if (!bus->ledger ||
        (config->endpoint &&
         !bind_socket(bus, config, problem, problem_size)) ||
        uv_timer_init(config->loop, &bus->heartbeat) != 0) {
        destroy(bus);
        return NULL;
    }
    uuid_make(bus->epoch);
    snprintf(bus->source, sizeof bus->source, "/voxring%s%s",
             config->instance ? "/" : "",
             config->instance ? config->instance : "");
    bus->begin_ns = clock_mono_ns();
    bus->heartbeat_ms =
        config->heartbeat_ms ? config->heartbeat_ms : BUS_HEARTBEAT_MS;
    bus->heartbeat.data = bus;
    uv_timer_start(&bus->heartbeat, on_heartbeat, bus->heartbeat_ms,
                   bus->heartbeat_ms);
    problem[0] = '\0';
    return bus;
}

static void
on_closed(uv_handle_t *handle)
{
    destroy(handle->data);
}

void
bus_close(struct bus **bus)
{
    if (!*bus)
        return;
    beat(*bus);
    close_socket(*bus);
    uv_close((uv_handle_t *)&(*bus)->heartbeat, on_closed);
    *bus = NULL;
}

const char *
bus_epoch(const struct bus *bus)
{
    return bus->epoch;
}

uint64_t
bus_published(const struct bus *bus)
{
    return bus->published;
}

uint64_t
bus_dropped(const struct bus *bus)
{
    return bus->dropped;
}
