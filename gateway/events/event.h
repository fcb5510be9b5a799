/* What each event type carries: one struct a type, made from
 * gateway/events/fields.tbl.h, so that the names on the bus stand in one place.
 *
 *   struct event_transcript e;
 *   event_transcript_init(&e);
 *   e.role = "user";
 *   ...
 *   event_transcript_publish(bus, &subject, &e);
 *
 * init() marks every optional number absent (EVENT_NO_U64, EVENT_NO_COUNT,
 * NAN), texts and JSON NULL, flags false. Texts are copied by publish(); JSON
 * values are taken by it. A required text left NULL goes out as "", a required
 * number left absent as 0, a required value left NULL as an empty object or
 * array: a reader never lacks it. */
#ifndef GATEWAY_EVENTS_EVENT_H
#define GATEWAY_EVENTS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/events/bus.h"
#include "gateway/events/fields.tbl.h"

#define EVENT_NO_U64 UINT64_MAX
#define EVENT_NO_COUNT INT64_MIN

#define EVENT_MEMBER_TEXT const char *
#define EVENT_MEMBER_U64 uint64_t
#define EVENT_MEMBER_COUNT int64_t
#define EVENT_MEMBER_SECONDS double
#define EVENT_MEMBER_NUMBER double
#define EVENT_MEMBER_FLAG bool
#define EVENT_MEMBER_JSON cJSON *
#define EVENT_MEMBER_LIST cJSON *
#define EVENT_MEMBER(kind, member, path, need, what) EVENT_MEMBER_##kind member;

/* struct event_session_state, struct event_speech, ... */
#define EVENT(symbol, name, keep, what)     \
    struct event_##symbol {                 \
        EVENT_FIELDS_##symbol(EVENT_MEMBER) \
    };
#include "gateway/events/events.tbl.h"
#undef EVENT
#undef EVENT_MEMBER

enum event_kind {
    EVENT_TEXT,
    EVENT_U64,
    EVENT_COUNT,
    EVENT_SECONDS,
    EVENT_NUMBER,
    EVENT_FLAG,
    EVENT_JSON,
    EVENT_LIST
};

struct event_field {
    enum event_kind kind;
    bool must;
    size_t offset;    /* in the type's struct */
    const char *path; /* in `data`, dots nest */
    const char *what;
};

/* The fields of a type; `*count` gets how many. Static storage. [any] */
const struct event_field *event_fields(enum event_type type, size_t *count);

/* Fills a type's struct with absent values. [any] */
void event_init(enum event_type type, void *event);

/* The `data` object of a type's struct, JSON values taken out of it. Caller
 * frees; NULL when memory is out. [any] */
cJSON *event_data(enum event_type type, void *event);

/* event_TYPE_init(&e) [any] and event_TYPE_publish(bus, subject, &e), which
 * returns what bus_publish() does [loop]. */
#define EVENT(symbol, name, keep, what)                                    \
    static inline void event_##symbol##_init(struct event_##symbol *event) \
    {                                                                      \
        event_init(EVENT_##symbol, event);                                 \
    }                                                                      \
    static inline uint64_t event_##symbol##_publish(                       \
        struct bus *bus, const struct event_subject *subject,              \
        struct event_##symbol *event)                                      \
    {                                                                      \
        return bus_publish(bus, EVENT_##symbol, subject,                   \
                           event_data(EVENT_##symbol, event));             \
    }
#include "gateway/events/events.tbl.h"
#undef EVENT

#endif
