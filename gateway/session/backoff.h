/* How soon something is done again that a stranger can make necessary as often
 * as he likes: at once as a rule, later and later if it is needed again as soon
 * as it is done. Sans-IO. */
#ifndef GATEWAY_SESSION_BACKOFF_H
#define GATEWAY_SESSION_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/clock.h"

/* Needed again so soon, it is put off; the longest that it is put off; what has
 * been quiet so long is done at once again. */
#define BACKOFF_AGAIN_NS CLOCK_NS_PER_S
#define BACKOFF_MOST_NS (30 * CLOCK_NS_PER_S)
#define BACKOFF_QUIET_NS (60 * CLOCK_NS_PER_S)
/* Needed so often without a quiet minute, it is put off too. */
#define BACKOFF_OFTEN 5

/* Zeroed, it was never done. */
struct backoff {
    bool done;
    uint64_t done_ns, delay_ns;
    unsigned count; /* since the last quiet minute */
};

/* It is needed, since now_ns: when to do it, which may be now. Once for each
 * time that it is done. [any] */
uint64_t backoff_due_ns(struct backoff *backoff, uint64_t now_ns);

/* It was done, or tried. [any] */
void backoff_did(struct backoff *backoff, uint64_t now_ns);

#endif
