/* The care of a session's two rings: looked at once a second, made anew when
 * damaged, and who holds them and does not move is told. All of it is work that
 * a stranger can ask for, and bounded. */
#ifndef GATEWAY_SESSION_RINGS_H
#define GATEWAY_SESSION_RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "gateway/session/backoff.h"
#include "ipc/ring_host.h"

struct session;

/* One ring. The members belong to rings.c. */
struct ring_care {
    struct session *session;
    enum vr_ring which;
    bool known; /* to be damaged */
    struct backoff backoff;
    uint64_t due_ns;    /* damaged: when it is made anew */
    bool failing;       /* the last try to make it anew did */
    uint64_t failed_ns; /* when that was told last */
    uint64_t anew_ns;   /* when a making anew was told last; 0: never */
    /* Who holds it. */
    bool stopped, stopped_told;
    uint64_t stopped_ns; /* when that was told last; 0: never */
    uint64_t at;         /* where it was at the last look */
};

struct rings {
    struct ring_care in, out;
    uint64_t next_check_ns;
    bool producer_seen;
};

/* Before the rings are opened. [loop] */
void rings_init(struct session *s);

/* For ring_host_config: `fault_arg` is the care of that ring. [loop] */
void rings_on_fault(void *arg, enum ring_fault fault, const char *sentence);

/* At the begin of each turn, and at its end. [loop] */
void rings_tick(struct session *s, uint64_t now_ns);

/* When it is to be called. [loop] */
uint64_t rings_deadline_ns(const struct session *s);

/* {in: {...}, out: {...}}: faults by kind, and how often it was made anew.
 * Caller frees. [loop] */
cJSON *rings_stats(const struct session *s);

/* All of both rings. [loop] */
uint64_t rings_faults(const struct session *s);
uint64_t rings_recreated(const struct session *s); /* [loop] */

#endif
