#include "gateway/session/retry.h"

#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define SLOW_JITTER 5 /* a fifth of slow_ms to either side */

/* splitmix64: one word of state, any seed is good, 0 too. */
static uint64_t
next_random(struct retry *r)
{
    uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in [0, most]; the limits are hours in nanoseconds, so the bias of
 * the remainder is below 1e-4. */
static uint64_t
uniform(struct retry *r, uint64_t most)
{
    return next_random(r) % (most + 1);
}

static uint64_t
to_ns(uint32_t ms)
{
    return ms * NS_PER_MS;
}

void
retry_init(struct retry *r, const struct retry_config *config, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    r->config = *config;
    if (r->config.budget > RETRY_BUDGET_MAX)
        r->config.budget = RETRY_BUDGET_MAX;
    r->random = seed;
}

void
retry_reset(struct retry *r)
{
    r->attempt = 0;
    r->spent = false;
    r->next = r->tried = 0;
}

/* What lies ahead of a clock that went back happened now: it leaves the window
 * one window from here, not whenever the clock has caught up. */
static void
bear_jump_back(struct retry *r, uint64_t now_ns)
{
    for (size_t i = 0; i < r->tried; i++) {
        if (r->tried_ns[i] > now_ns)
            r->tried_ns[i] = now_ns;
    }
}

/* Notes an attempt; false if that is one more than the window may hold. */
static bool
take_from_budget(struct retry *r, uint64_t now_ns)
{
    size_t budget = r->config.budget;
    if (budget == 0)
        return r->config.window_ms == 0;
    bear_jump_back(r, now_ns);
    bool all = r->tried == budget;
    uint64_t oldest_ns = r->tried_ns[r->next];
    if (all && now_ns - oldest_ns < to_ns(r->config.window_ms))
        return false;
    r->tried_ns[r->next] = now_ns;
    r->next = (r->next + 1) % budget;
    r->tried += !all;
    return true;
}

static uint64_t
backoff_most_ns(const struct retry *r)
{
    uint64_t cap_ns = to_ns(r->config.cap_ms), most = to_ns(r->config.base_ms);
    for (unsigned n = 1; n < r->attempt && most < cap_ns; n++) {
        if (most == 0)
            break;
        most *= 2;
    }
    return most < cap_ns ? most : cap_ns;
}

static uint64_t
slow_ns(struct retry *r)
{
    uint64_t slow = to_ns(r->config.slow_ms), side = slow / SLOW_JITTER;
    return slow - side + uniform(r, 2 * side);
}

struct retry_verdict
retry_after_death(struct retry *r, uint64_t now_ns, uint64_t lived_ns,
                  bool had_event, bool at_once, uint64_t at_least_ns)
{
    if (had_event && lived_ns >= to_ns(r->config.healthy_after_ms))
        retry_reset(r);
    if (at_least_ns > RETRY_AT_LEAST_MAX_NS)
        at_least_ns = RETRY_AT_LEAST_MAX_NS;
    if (r->attempt < UINT32_MAX)
        r->attempt++;
    if (!r->spent)
        r->spent = !take_from_budget(r, now_ns);
    uint64_t delay_ns = r->spent ? slow_ns(r) : uniform(r, backoff_most_ns(r));
    if (!r->spent && at_once && r->attempt == 1 && at_least_ns == 0)
        delay_ns = 0;
    if (!r->spent || delay_ns < at_least_ns)
        delay_ns += at_least_ns;
    return (struct retry_verdict){delay_ns, r->spent, r->attempt};
}
