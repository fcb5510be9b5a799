#include "gateway/session/rotation.h"

#include <stdlib.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/boundary.h"
#include "gateway/session/self.h"

/* Changes so close together are one. */
#define SETTLE_NS (300 * CLOCK_NS_PER_MS)

/* Rotation is spread by so many per cent either way, so that sessions opened
 * together do not rotate together. */
#define JITTER_PERCENT 10

/* However soon credentials run out, a stream lives so long. */
#define LIFE_MIN_NS (10 * CLOCK_NS_PER_S)

static const struct {
    const char *name;
    bool change;    /* of what a stream is begun with */
    bool impatient; /* does not wait for a boundary */
} reasons[] = {
    [ROTATION_RESET] = {"reset", false, true},
    [ROTATION_ASKED] = {"asked for", false, false},
    [ROTATION_CHANGE] = {"the settings changed", true, false},
    [ROTATION_TOOLS] = {"the tools changed", true, false},
    [ROTATION_HISTORY] = {"the history was changed", true, false},
    [ROTATION_CREDENTIALS] = {"the credentials run out", false, false},
    [ROTATION_AGE] = {"its age", false, false},
    [ROTATION_HOME] = {"back to the configured model and region", false, false},
};

/* When a way back from a fallback is looked for. */
static uint64_t
home_ns(const struct session *s)
{
    return s->fallback_ns +
           clock_ns_of_s(s->services->config->bedrock.fallback_retry_s);
}

static uint64_t
jittered(uint64_t ns)
{
    uint64_t part = ns / 100 * JITTER_PERCENT;
    return part ? ns - part + (uint64_t)random() % (2 * part) : ns;
}

/* Credentials that expire sooner, by the endpoint's clock, move the rotation
 * forward. */
static void
heed_credentials(struct session *s, uint64_t now_ns)
{
    struct rotation *r = &s->rotation;
    int64_t server_ms = clock_wall_ms() + *s->services->clock_offset_ms;
    int64_t left_ms = s->leg.expires_ms - server_ms;
    if (!s->leg.expires_ms)
        return;
    uint64_t left_ns = left_ms > 0 ? (uint64_t)left_ms * CLOCK_NS_PER_MS : 0;
    uint64_t margin_ns = clock_ns_of_s(s->settings->credential_margin_s);
    uint64_t due_ns = now_ns + (left_ns > margin_ns ? left_ns - margin_ns : 0);
    if (due_ns < s->leg.opened_ns + LIFE_MIN_NS)
        due_ns = s->leg.opened_ns + LIFE_MIN_NS;
    if (due_ns >= r->due_ns)
        return;
    r->due_ns = due_ns;
    r->by_credentials = true;
    if (now_ns + left_ns < r->deadline_ns)
        r->deadline_ns = now_ns + left_ns;
    if (r->deadline_ns < due_ns)
        r->deadline_ns = due_ns;
}

void
rotation_arm(struct session *s, uint64_t now_ns)
{
    struct rotation *r = &s->rotation;
    bool on = s->settings->continuation == CONFIG_CONTINUATION_ON;
    uint64_t never = UINT64_MAX;
    r->by_credentials = false;
    r->due_ns = on ? s->leg.opened_ns +
                         jittered(clock_ns_of_s(s->settings->rotate_after_s))
                   : never;
    r->deadline_ns =
        on ? s->leg.opened_ns + clock_ns_of_s(s->settings->rotate_deadline_s)
           : never;
    if (on && r->due_ns > r->deadline_ns)
        r->due_ns = r->deadline_ns;
    if (on)
        heed_credentials(s, now_ns);
    if (s->leg.target != 0 && now_ns >= home_ns(s))
        rotation_want(s, ROTATION_HOME);
}

void
rotation_want(struct session *s, enum rotation_reason reason)
{
    struct rotation *r = &s->rotation;
    uint64_t now_ns = clock_mono_ns();
    if (!r->wanted)
        r->wanted_ns = now_ns;
    r->wanted |= 1u << reason;
    if (reasons[reason].change)
        r->change_ns = now_ns;
    if (reasons[reason].impatient)
        r->not_before_ns = 0;
}

void
rotation_tick(struct session *s, uint64_t now_ns)
{
    struct rotation *r = &s->rotation;
    if (r->due_ns && now_ns >= r->due_ns && !r->wanted)
        rotation_want(s,
                      r->by_credentials ? ROTATION_CREDENTIALS : ROTATION_AGE);
    if (s->leg.target != 0 && !r->wanted && now_ns >= home_ns(s))
        rotation_want(s, ROTATION_HOME);
}

const char *
rotation_reason(const struct session *s)
{
    const struct rotation *r = &s->rotation;
    for (int i = 0; i < ROTATION_REASON_COUNT; i++) {
        if (r->wanted & 1u << i)
            return reasons[i].name;
    }
    return reasons[ROTATION_ASKED].name;
}

static bool
is_impatient(const struct rotation *r)
{
    return (r->wanted & 1u << ROTATION_RESET) != 0;
}

bool
rotation_resets(const struct session *s)
{
    return is_impatient(&s->rotation);
}

void
rotation_postpone(struct session *s, uint64_t now_ns)
{
    struct rotation *r = &s->rotation;
    uint64_t gap_ns = clock_ns_of_s(s->settings->rotate_gap_s);
    unsigned doublings = r->failures < 3 ? r->failures : 3;
    r->failures++;
    r->not_before_ns = now_ns + (gap_ns << doublings);
    s->counters.refused_next++;
}

void
rotation_unwant(struct session *s, enum rotation_reason reason)
{
    struct rotation *r = &s->rotation;
    uint32_t before = r->wanted;
    r->wanted &= ~(1u << reason);
    if (before && !r->wanted)
        handover_drop(s, "what it was for is as before");
}

void
rotation_done(struct session *s, uint64_t now_ns)
{
    s->rotation = (struct rotation){
        .not_before_ns = now_ns + clock_ns_of_s(s->settings->rotate_gap_s)};
    rotation_arm(s, now_ns);
    s->counters.rotations++;
}

void
rotation_forget(struct session *s)
{
    s->rotation = (struct rotation){.not_before_ns = s->rotation.not_before_ns};
}

void
rotation_stay_away(struct session *s, uint64_t now_ns)
{
    s->fallback_ns = now_ns;
    s->rotation.wanted &= ~(1u << ROTATION_HOME);
}

size_t
rotation_target(const struct session *s, uint64_t now_ns)
{
    return s->leg.target == 0 || now_ns >= home_ns(s) ? 0 : s->leg.target;
}

/* The credentials found are those that run out: a stream with them would not
 * live longer. */
static bool
still_the_same(struct session *s, uint64_t now_ns)
{
    struct credentials found;
    char tried[512];
    if (s->rotation.wanted != 1u << ROTATION_CREDENTIALS)
        return false;
    bool same = s->services->credentials ||
                credentials_load(s->services->config->bedrock.profile, &found,
                                 tried, sizeof tried) != VR_OK ||
                (credentials_same(&found, &s->credentials) &&
                 found.expires_ms <= s->leg.expires_ms);
    credentials_wipe(&found);
    if (!same)
        return false;
    if (!s->rotation.failures)
        log_warn(bedrock, s->context,
                 "the credentials run out and no newer ones are found; looking "
                 "again until the stream ends");
    rotation_postpone(s, now_ns);
    return true;
}

bool
rotation_waited_for_tools(const struct session *s, uint64_t now_ns)
{
    return now_ns >= s->rotation.wanted_ns +
                         clock_ns_of_s(s->settings->rotate_tool_wait_s);
}

static bool
it_is_time(struct session *s, uint64_t now_ns)
{
    const struct rotation *r = &s->rotation;
    if (!r->wanted || now_ns < r->not_before_ns ||
        (r->change_ns && now_ns < r->change_ns + SETTLE_NS))
        return false;
    bool tools_waited_for = rotation_waited_for_tools(s, now_ns);
    /* Begun too early it would only grow stale. */
    return is_impatient(r) || boundary_near(s, now_ns) ||
           (tools_waited_for && boundary_quiet(s, now_ns)) ||
           (r->deadline_ns &&
            now_ns >= r->deadline_ns - (r->deadline_ns - r->due_ns) / 3);
}

bool
rotation_may_begin(struct session *s, uint64_t now_ns)
{
    return it_is_time(s, now_ns) && !still_the_same(s, now_ns);
}

/* The wall comes: an answer that is being generated gets a little more, the
 * user's speech is said again to the next. */
bool
rotation_must_change(struct session *s, uint64_t now_ns)
{
    const struct rotation *r = &s->rotation;
    const struct response *answer = dialogue_current(s->dialogue);
    if (is_impatient(r))
        return true;
    if (!r->deadline_ns || now_ns < r->deadline_ns)
        return false;
    bool generating = answer && !answer->generated && !answer->tools_pending;
    uint64_t grace_ns = (r->deadline_ns - r->due_ns) / 6;
    return !generating || now_ns >= r->deadline_ns + grace_ns;
}
