/* How much audio is taken from a ring at all, so that a producer which writes
 * without end, or only says so, costs a bounded part of the loop's time:
 * CAPTURE_FLOW times real time after a burst. Counted in the time that the
 * audio takes; a producer that writes as a microphone does never meets it. */
#ifndef GATEWAY_CAPTURE_FLOW_H
#define GATEWAY_CAPTURE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed, the burst is there. The members belong to flow.c. */
struct flow {
    uint64_t full_ns; /* when the burst will be there again */
    uint64_t due_ns;  /* until when nothing is taken, 0: now */
};

/* Whether audio may be taken now. [rt] */
bool flow_allows(struct flow *flow, uint64_t now_ns);

/* Audio of that length was taken, or as much work was done. [rt] */
void flow_charge(struct flow *flow, uint64_t audio_ns, uint64_t now_ns);

/* When flow_allows() should be asked again after it said no; else 0. [rt] */
uint64_t flow_due_ns(const struct flow *flow);

#endif
