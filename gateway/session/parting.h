/* Streams that another has replaced: ended in order, and read for their last
 * events. */
#ifndef GATEWAY_SESSION_PARTING_H
#define GATEWAY_SESSION_PARTING_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/session/leg.h"

/* More would be changes of streams faster than they end. */
#define PARTING_MAX 2

struct session;

struct parting {
    struct leg leg;
    bool talking;         /* its answer is still being generated */
    uint64_t end_by_ns;   /* when it is ended though it talks */
    uint64_t deadline_ns; /* when it is dropped */
};

/* Takes the stream of *leg over, which is empty afterwards. With `talking` its
 * answer may still come, until its end or `talk_ns` have passed; else it is
 * ended at once. [loop] */
void parting_begin(struct session *session, struct leg *leg, uint64_t talk_ns,
                   const char *reason);

/* Whether this link may still tell of its answer. [loop] */
bool parting_talks(const struct session *session, const struct link *link);

/* The answer that was awaited is complete, or not wanted any more. [loop] */
void parting_hush(struct session *session);

/* It ended; false if the link is none of these. [loop] */
bool parting_ended(struct session *session, const struct link *link);

/* Ends and drops whose time has come; returns when the next one's has.
 * [loop] */
uint64_t parting_tick(struct session *session, uint64_t now_ns);

/* Whether there are any. [loop] */
bool parting_any(const struct session *session);

/* Drops all. [loop] */
void parting_drop_all(struct session *session);

#endif
