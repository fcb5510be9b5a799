/* How fast audio that has waited may go out: a burst at first, then a multiple
 * of real time. Counted in the time that the audio takes. */
#ifndef GATEWAY_CAPTURE_PACE_H
#define GATEWAY_CAPTURE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed holds nothing back. The members belong to pace.c. */
struct pace {
    bool on;
    uint64_t credit_ns, filled_ns;
    uint64_t due_ns; /* until when audio is held back, 0: it is not */
};

/* Something has waited. [rt] */
void pace_begin(struct pace *pace, uint64_t now_ns);

/* It has caught up: nothing is held back from now on. [rt] */
void pace_end(struct pace *pace);

/* Whether audio of that length may go out now; if so, it counts as gone. [rt]
 */
bool pace_allows(struct pace *pace, uint64_t audio_ns, uint64_t now_ns);

/* When pace_allows() should be asked again after it said no; else 0. [rt] */
uint64_t pace_due_ns(const struct pace *pace);

#endif
