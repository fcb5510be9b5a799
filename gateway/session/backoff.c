#include "gateway/session/backoff.h"

static void
put_off(struct backoff *b)
{
    b->delay_ns = b->delay_ns ? 2 * b->delay_ns : BACKOFF_AGAIN_NS;
    if (b->delay_ns > BACKOFF_MOST_NS)
        b->delay_ns = BACKOFF_MOST_NS;
}

uint64_t
backoff_due_ns(struct backoff *b, uint64_t now_ns)
{
    uint64_t since_ns = now_ns - b->done_ns;
    if (!b->done || since_ns >= BACKOFF_QUIET_NS)
        *b = (struct backoff){0};
    else if (since_ns < BACKOFF_AGAIN_NS || b->count > BACKOFF_OFTEN)
        put_off(b);
    return now_ns + b->delay_ns;
}

void
backoff_did(struct backoff *b, uint64_t now_ns)
{
    b->done = true;
    b->done_ns = now_ns;
    b->count++;
}
