#include "gateway/bedrock/patience.h"

#include "gateway/clock.h"

void
patience_init(struct patience *patience, uint32_t answer_ms, uint32_t stall_ms)
{
    *patience = (struct patience){
        .answer_timeout_ns =
            (answer_ms ? answer_ms : PATIENCE_ANSWER_MS) * CLOCK_NS_PER_MS,
        .stall_timeout_ns =
            (stall_ms ? stall_ms : PATIENCE_STALL_MS) * CLOCK_NS_PER_MS,
    };
}

void
patience_spoke(struct patience *patience, uint64_t now_ns)
{
    if (!patience->spoke_ns)
        patience->spoke_ns = now_ns;
}

void
patience_answered(struct patience *patience)
{
    patience->answered = true;
}

void
patience_drained(struct patience *patience)
{
    patience->stuck_ns = 0;
}

void
patience_waits(struct patience *patience, uint64_t sent, uint64_t now_ns)
{
    if (!patience->stuck_ns || patience->sent != sent)
        patience->stuck_ns = now_ns;
    patience->sent = sent;
}

static uint64_t
answer_due_ns(const struct patience *patience)
{
    return patience->spoke_ns && !patience->answered
               ? patience->spoke_ns + patience->answer_timeout_ns
               : UINT64_MAX;
}

static uint64_t
stall_due_ns(const struct patience *patience)
{
    return patience->stuck_ns ? patience->stuck_ns + patience->stall_timeout_ns
                              : UINT64_MAX;
}

enum patience_verdict
patience_check(const struct patience *patience, uint64_t now_ns)
{
    if (now_ns >= stall_due_ns(patience))
        return PATIENCE_STALLED;
    return now_ns >= answer_due_ns(patience) ? PATIENCE_NO_ANSWER
                                             : PATIENCE_FINE;
}

uint64_t
patience_deadline_ns(const struct patience *patience)
{
    uint64_t answer_ns = answer_due_ns(patience);
    uint64_t stall_ns = stall_due_ns(patience);

    return answer_ns < stall_ns ? answer_ns : stall_ns;
}
