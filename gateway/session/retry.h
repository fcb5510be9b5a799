/* When a stream that has died is tried again: backing off with full jitter, a
 * budget of attempts in a window of time, and slowly for ever once that is
 * spent. One per session and target. Sans-IO: no clock, no timer; the same
 * seed gives the same delays. */
#ifndef GATEWAY_SESSION_RETRY_H
#define GATEWAY_SESSION_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest budget; a larger one counts as this. */
#define RETRY_BUDGET_MAX 64

/* The longest that a server's Retry-After is believed. */
#define RETRY_AT_LEAST_MAX_NS (UINT64_C(900) * 1000 * 1000 * 1000)

struct retry_config {
    uint32_t base_ms;          /* the most that the first attempt waits */
    uint32_t cap_ms;           /* doubled with each attempt up to this */
    uint32_t budget;           /* attempts in a window; 0: slowly at once */
    uint32_t window_ms;        /* 0: the budget is never spent */
    uint32_t slow_ms;          /* between attempts once it is spent, +-20 % */
    uint32_t healthy_after_ms; /* a life this long, with an event, is good */
};

/* Members are retry.c's. */
struct retry {
    struct retry_config config;
    uint64_t random;
    unsigned attempt; /* since the last good stream, or the reset */
    bool spent;
    size_t next; /* in tried_ns, a ring of the last config.budget attempts */
    size_t tried;
    uint64_t tried_ns[RETRY_BUDGET_MAX];
};

struct retry_verdict {
    uint64_t delay_ns; /* from now until the next attempt */
    bool spent;        /* the budget is: now slowly, or elsewhere */
    unsigned attempt;  /* from 1, since the last good stream or the reset */
};

/* Copies the settings. Sessions begun together need different seeds, or they
 * come back together. [loop] */
void retry_init(struct retry *retry, const struct retry_config *config,
                uint64_t seed);

/* A stream ended, or could not be had, and is to be tried again; now_ns is of
 * any clock that does not go back (one that does is borne). lived_ns: from its
 * opening to its end; had_event: the model said something on it. Only both
 * together, a life of healthy_after_ms and an event, make the attempts before
 * it forgotten: neither the time that passes nor quick deaths do.
 *
 * at_once: what ended it says that the next may be had now; the first attempt
 * then waits for nothing, later ones back off all the same. at_least_ns: the
 * server's Retry-After, 0 if none; the delay is that and some jitter, so that
 * those who were told the same do not come together.
 *
 * `spent` holds from the attempt that goes beyond the budget until a stream
 * was good or retry_reset(). [loop] */
struct retry_verdict retry_after_death(struct retry *retry, uint64_t now_ns,
                                       uint64_t lived_ns, bool had_event,
                                       bool at_once, uint64_t at_least_ns);

/* Forgets all attempts: there is a new target, or new credentials, or somebody
 * asked for it. The jitter goes on where it was. [loop] */
void retry_reset(struct retry *retry);

#endif
