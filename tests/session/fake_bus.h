/* The bus as a list: what a session publishes, in order, at once. It stands in
 * for gateway/events/bus.c at link time; the events are built by event.c. */
#ifndef TESTS_SESSION_FAKE_BUS_H
#define TESTS_SESSION_FAKE_BUS_H

#include <stddef.h>

#include <cjson/cJSON.h>

#define FAKE_BUS_MAX 4096

struct fake_news {
    const char *type; /* "session_state", as in events.tbl.h */
    cJSON *data;
};

extern struct fake_news fake_news[FAKE_BUS_MAX];
extern size_t fake_news_count;

void fake_bus_reset(void);

/* The last event of a type whose member `key` is `value` (both NULL: any), NULL
 * if there is none. Owned by the bus. */
const cJSON *fake_bus_last(const char *type, const char *key,
                           const char *value);

/* How many there are of it. */
size_t fake_bus_count(const char *type, const char *key, const char *value);

/* One word an event, without metrics, usage, capture and playback:
 * "state:closed turn:1 start:1 end:1:complete ". Valid until the next call. */
const char *fake_bus_story(void);

/* The same with what happens to streams: "opening:2 current:2 ending:1 ". */
const char *fake_bus_streams(void);

#endif
