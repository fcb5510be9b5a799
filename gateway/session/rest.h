/* Streams cost money while they are open: when a session goes without one, and
 * what wakes it. */
#ifndef GATEWAY_SESSION_REST_H
#define GATEWAY_SESSION_REST_H

#include <stdbool.h>
#include <stdint.h>

struct session;

/* Whether a session of this mode begins with a stream. [loop] */
bool rest_begins_awake(const struct session *session);

/* Goes to sleep, wakes or ends, if it is time. [loop] */
void rest_tick(struct session *session, uint64_t now_ns);
uint64_t rest_deadline_ns(const struct session *session, uint64_t now_ns);

/* Ends the stream and keeps the session. False if there is none to end.
 * `why` has static storage. [loop] */
bool rest_sleep(struct session *session, const char *why);

/* A text came for a session that is asleep. [loop] */
void rest_wake(struct session *session, const char *why);

#endif
