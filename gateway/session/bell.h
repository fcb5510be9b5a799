/* The producer's doorbell on the loop. It may be rung by anybody, so rings that
 * bring nothing are counted: too many, and nobody listens to it for a while;
 * the ring is looked at by the clock then. */
#ifndef GATEWAY_SESSION_BELL_H
#define GATEWAY_SESSION_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/session/backoff.h"

struct bell;
struct session;

/* More rings for nothing within a second than any delay of an honest producer
 * explains. */
#define BELL_USELESS_MOST 100

/* What a session knows of its bell. The members belong to bell.c. */
struct doorbell {
    struct bell *bell;       /* NULL while nobody listens */
    uint64_t second_ns;      /* when counting began */
    unsigned useless;        /* since then */
    uint64_t muted_until_ns; /* 0: it is not */
    struct backoff backoff;
};

/* Listens; where it cannot, or must not, the clock is looked at. [loop] */
void bell_watch(struct session *s);

/* Before its descriptor is closed. [loop] */
void bell_unwatch(struct session *s);

/* Listens again when it is time. [loop] */
void bell_tick(struct session *s, uint64_t now_ns);

/* When that is; UINT64_MAX: never. [loop] */
uint64_t bell_deadline_ns(const struct session *s);

#endif
