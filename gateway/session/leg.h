/* One stream of a session and what is known of it. A session has the current
 * one, the next one during a hand-over, and those that are parting. */
#ifndef GATEWAY_SESSION_LEG_H
#define GATEWAY_SESSION_LEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/session/link.h"
#include "gateway/session/slots.h"
#include "gateway/sonic/family.h"

struct session;

struct leg {
    struct link *link;   /* NULL: there is none */
    uint32_t generation; /* counts from 1 in each session */
    size_t target;       /* 0: the configured one, else bedrock.fallback's */
    bool begun;          /* the set-up was sent: it has to be ended */
    bool answered;       /* maybe before the set-up was sent */
    bool had_event;      /* the model said something on it */
    uint64_t opened_ns, answered_ns;
    uint64_t last_sign_ns; /* that the model hears; 0: none yet */
    uint64_t chunks;       /* of audio given to it */
    const struct sonic_family *family;
    uint64_t serial;            /* of the settings it was begun with */
    uint64_t tools_mark;        /* of the tools it was begun with */
    int64_t expires_ms;         /* its credentials, wall clock; 0: not known */
    struct slot_ticket *ticket; /* its place among all streams */
    char request_id[64];
    char model[128]; /* that it was opened for, for people: maybe cut */
};

/* The model and the place a leg goes to. Strings are the configuration's. */
struct leg_target {
    const char *region, *model, *endpoint, *ca_file;
};

/* How many targets a session has: its own and the fallbacks. [any] */
size_t leg_target_count(const struct session *session);

/* `index` below leg_target_count(). [any] */
struct leg_target leg_target(const struct session *session, size_t index);

enum leg_problem { LEG_OK, LEG_NO_CREDENTIALS, LEG_BAD_TARGET };

/* Starts a stream to `target` with the credentials found now; keeps the ticket
 * and zeroes the rest of *leg. A failure is reported, or only logged if
 * `quietly`, because another stream goes on. [loop] */
enum leg_problem leg_open(struct session *session, struct leg *leg,
                          size_t target, bool quietly);

/* Drops the stream at once and gives its slot back. `phase` and `reason` are
 * published, unless `reason` is NULL. [loop] */
void leg_drop(struct session *session, struct leg *leg, const char *phase,
              const char *reason);

/* The leg that a link belongs to, NULL if the session has forgotten it.
 * [loop] */
struct leg *leg_of(struct session *session, const struct link *link);

#endif
