/* The timers that run: a bounded table, and one thread that sleeps until the
 * next of them is due.
 *
 * A timer belongs to the session that set it and outlives the call that did:
 * when nobody waits for that call any more (the conversation ended, say) it
 * rings all the same. Only alarms_take() ends it early. */
#ifndef TOOLS_PLUGINS_TIMER_ALARMS_H
#define TOOLS_PLUGINS_TIMER_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/voxring_tool.h"

#define ALARMS_MAX 32
#define ALARMS_LABEL_BYTES 64

struct alarm {
    unsigned id;                    /* from 1 on; never used again */
    char label[ALARMS_LABEL_BYTES]; /* "" if none */
    char session[128];              /* whose it is */
    double set_for_s;
    uint64_t due_ns; /* of host->now_ns() */
    uint64_t token;  /* the call to complete when it ends; 0: none is open */
};

/* Called when a timer is due, on the thread of this module, which has taken it
 * from the table; other timers wait meanwhile. [worker] */
typedef void alarms_ring_fn(const struct alarm *alarm);

/* Starts the thread. At most `held_max` calls are kept open at a time. False:
 * there can be no thread. [worker] */
bool alarms_start(const struct voxring_host *host, unsigned held_max,
                  alarms_ring_fn *on_ring);

/* Ends the thread and forgets all timers. May be called without a start.
 * [worker] */
void alarms_stop(void);

/* Begins a timer from `alarm`'s label, session, set_for_s and token, and fills
 * in the rest; its token becomes 0 if too many calls are held open already,
 * and the caller then completes the call at once. False: there are
 * ALARMS_MAX. [any] */
bool alarms_add(struct alarm *alarm);

/* Copies the session's timers, the next due first; returns how many. [any] */
size_t alarms_list(const char *session, struct alarm out[ALARMS_MAX]);

/* Takes one of the session's timers from the table, so that it does not ring;
 * who gets it completes its call. False: it is not there any more. [any] */
bool alarms_take(const char *session, unsigned id, struct alarm *out);

#endif
