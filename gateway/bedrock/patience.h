/* How long a stream waits for a peer that is there, as PINGs show, but does not
 * do its part: answer the request, or read what is sent. Sans-IO: the caller
 * gives the time. */
#ifndef GATEWAY_BEDROCK_PATIENCE_H
#define GATEWAY_BEDROCK_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_ANSWER_MS 15000u
#define PATIENCE_STALL_MS 10000u

struct patience {
    uint64_t answer_timeout_ns;
    uint64_t stall_timeout_ns;
    bool answered;
    uint64_t spoke_ns; /* when the first event was queued, 0: none yet */
    uint64_t
        stuck_ns;  /* since when unsent bytes wait and none leave, 0: none */
    uint64_t sent; /* the total at the last look */
};

enum patience_verdict { PATIENCE_FINE, PATIENCE_NO_ANSWER, PATIENCE_STALLED };

/* 0 ms are the defaults above. [any] */
void patience_init(struct patience *patience, uint32_t answer_ms,
                   uint32_t stall_ms);

/* Something was queued for the peer; the first time counts. [rt] */
void patience_spoke(struct patience *patience, uint64_t now_ns);

/* The response's headers came. [loop] */
void patience_answered(struct patience *patience);

/* Nothing is unsent. [rt] */
void patience_drained(struct patience *patience);

/* Something is; `sent` is the total of bytes that have left. [rt] */
void patience_waits(struct patience *patience, uint64_t sent, uint64_t now_ns);

/* Whether it is over, and why. [rt] */
enum patience_verdict patience_check(const struct patience *patience,
                                     uint64_t now_ns);

/* When it will be, UINT64_MAX if nothing is waited for. [rt] */
uint64_t patience_deadline_ns(const struct patience *patience);

#endif
