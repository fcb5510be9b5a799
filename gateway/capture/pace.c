#include "gateway/capture/capture.h"
#include "gateway/capture/pace.h"
#include "gateway/clock.h"

#define BURST_NS (CAPTURE_BURST_MS * CLOCK_NS_PER_MS)

void
pace_begin(struct pace *p, uint64_t now_ns)
{
    *p = (struct pace){.on = true, .credit_ns = BURST_NS, .filled_ns = now_ns};
}

void
pace_end(struct pace *p)
{
    *p = (struct pace){0};
}

/* The credit never grows beyond the burst: time in which nobody asked is not
 * made up for at once. */
static void
refill(struct pace *p, uint64_t now_ns)
{
    uint64_t ns = now_ns > p->filled_ns ? now_ns - p->filled_ns : 0;
    if (ns > BURST_NS)
        ns = BURST_NS;
    p->credit_ns += ns * CAPTURE_CATCH_UP;
    if (p->credit_ns > BURST_NS)
        p->credit_ns = BURST_NS;
    p->filled_ns = now_ns;
}

bool
pace_allows(struct pace *p, uint64_t audio_ns, uint64_t now_ns)
{
    if (!p->on)
        return true;
    refill(p, now_ns);
    if (p->credit_ns >= audio_ns) {
        p->credit_ns -= audio_ns;
        p->due_ns = 0;
        return true;
    }
    uint64_t missing_ns = audio_ns - p->credit_ns;
    p->due_ns = now_ns + missing_ns / CAPTURE_CATCH_UP + 1;
    return false;
}

uint64_t
pace_due_ns(const struct pace *p)
{
    return p->due_ns;
}
