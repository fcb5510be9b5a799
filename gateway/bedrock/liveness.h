/* Whether the peer is still there. Its silence is normal, so after a while it
 * is asked by a PING, and only silence after that means a dead path. Sans-IO:
 * the caller gives the time. */
#ifndef GATEWAY_BEDROCK_LIVENESS_H
#define GATEWAY_BEDROCK_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#define LIVENESS_AFTER_MS 5000u
#define LIVENESS_TIMEOUT_MS 5000u

struct liveness {
    uint64_t after_ns;   /* silence that is not asked about */
    uint64_t timeout_ns; /* how long an answer may take */
    uint64_t heard_ns;   /* when the last byte came */
    uint64_t ping_ns;    /* when the unanswered PING went out, 0: none */
};

enum liveness_verdict { LIVENESS_FINE, LIVENESS_PING, LIVENESS_DEAD };

/* 0 ms are the defaults above. Time starts with liveness_heard(). [any] */
void liveness_init(struct liveness *liveness, uint32_t after_ms,
                   uint32_t timeout_ms);

/* Bytes came; they answer the PING too. Returns whether one was out, which
 * means that the deadline came nearer. [rt] */
bool liveness_heard(struct liveness *liveness, uint64_t now_ns);

/* What to do now; LIVENESS_PING is said once, and the PING then counts as
 * sent. [rt] */
enum liveness_verdict liveness_check(struct liveness *liveness,
                                     uint64_t now_ns);

/* Whether a PING is out and unanswered. [rt] */
bool liveness_asking(const struct liveness *liveness);

/* When to check next. [rt] */
uint64_t liveness_deadline_ns(const struct liveness *liveness);

#endif
