#include "gateway/capture/flow.h"

#include "gateway/capture/capture.h"
#include "gateway/clock.h"

#define BURST_NS (CAPTURE_FLOW_BURST_MS * CLOCK_NS_PER_MS / CAPTURE_FLOW)

bool
flow_allows(struct flow *f, uint64_t now_ns)
{
    bool allowed = f->full_ns <= now_ns + BURST_NS;
    f->due_ns = allowed ? 0 : f->full_ns - BURST_NS;
    return allowed;
}

void
flow_charge(struct flow *f, uint64_t audio_ns, uint64_t now_ns)
{
    if (f->full_ns < now_ns)
        f->full_ns = now_ns;
    f->full_ns += audio_ns / CAPTURE_FLOW;
}

uint64_t
flow_due_ns(const struct flow *f)
{
    return f->due_ns;
}
