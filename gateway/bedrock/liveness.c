#include "gateway/bedrock/liveness.h"

#include "gateway/clock.h"

void
liveness_init(struct liveness *liveness, uint32_t after_ms, uint32_t timeout_ms)
{
    *liveness = (struct liveness){
        .after_ns = (after_ms ? after_ms : LIVENESS_AFTER_MS) * CLOCK_NS_PER_MS,
        .timeout_ns =
            (timeout_ms ? timeout_ms : LIVENESS_TIMEOUT_MS) * CLOCK_NS_PER_MS,
    };
}

bool
liveness_heard(struct liveness *liveness, uint64_t now_ns)
{
    bool asked = liveness->ping_ns != 0;

    liveness->heard_ns = now_ns;
    liveness->ping_ns = 0;
    return asked;
}

enum liveness_verdict
liveness_check(struct liveness *liveness, uint64_t now_ns)
{
    if (now_ns < liveness_deadline_ns(liveness))
        return LIVENESS_FINE;
    if (liveness->ping_ns)
        return LIVENESS_DEAD;
    liveness->ping_ns = now_ns;
    return LIVENESS_PING;
}

bool
liveness_asking(const struct liveness *liveness)
{
    return liveness->ping_ns != 0;
}

uint64_t
liveness_deadline_ns(const struct liveness *liveness)
{
    return liveness->ping_ns ? liveness->ping_ns + liveness->timeout_ns
                             : liveness->heard_ns + liveness->after_ns;
}
