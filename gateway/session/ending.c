#include "gateway/session/ending.h"

#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/boundary.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"

/* After the last words; and when there are none yet. */
#define AFTER_WORDS_NS (300 * CLOCK_NS_PER_MS)
#define WITHOUT_WORDS_NS (3 * CLOCK_NS_PER_S)

static void
say_why(struct ending *e, const char *reason)
{
    static const char what[] = "a tool has ended the conversation";
    size_t most = sizeof e->why - sizeof what - 2;
    if (reason)
        snprintf(e->why, sizeof e->why, "%s: %.*s", what,
                 (int)history_cut(reason, strlen(reason), most), reason);
    else
        snprintf(e->why, sizeof e->why, "%s", what);
}

void
ending_begin(struct session *s, uint32_t within_ms, bool withdrawable,
             const char *reason)
{
    struct ending *e = &s->ending;
    uint64_t deadline_ns = clock_mono_ns() + within_ms * CLOCK_NS_PER_MS;
    bool held = e->active && !e->withdrawable;
    if (e->active && e->deadline_ns <= deadline_ns) {
        e->withdrawable = e->withdrawable && withdrawable;
        return;
    }
    *e = (struct ending){.active = true,
                         .withdrawable = withdrawable && !held,
                         .deadline_ns = deadline_ns,
                         .turn_id = dialogue_last_turn_id(s->dialogue),
                         .audio_events = s->counters.audio_events};
    say_why(e, reason);
    log_info(session, s->context,
             "%s: when the robot has said its last words, at most %u ms from "
             "now",
             e->why, within_ms);
}

static bool
user_goes_on(const struct session *s)
{
    const struct turn *turn = dialogue_user_turn(s->dialogue);
    return turn && turn->id > s->ending.turn_id && turn->user_text.bytes > 0;
}

static uint64_t
patience_ns(const struct session *s)
{
    bool spoke = s->counters.audio_events > s->ending.audio_events;
    return spoke ? AFTER_WORDS_NS : WITHOUT_WORDS_NS;
}

static void
end(struct session *s)
{
    s->ending.active = false;
    if (s->settings->mode == CONFIG_MODE_ALWAYS || s->by_control)
        session_move(s, SESSION_ON_close, s->ending.why);
    else
        rest_sleep(s, s->ending.why);
}

static bool
is_over(const struct session *s)
{
    return s->state == SESSION_closing || s->state == SESSION_closed ||
           s->state == SESSION_failed || s->state == SESSION_asleep;
}

/* What the robot says while it waits for a tool are not its last words; and
 * without a stream none are to be had. */
static void
listen_for_the_end(struct session *s, uint64_t now_ns)
{
    struct ending *e = &s->ending;
    if (calls_open(s->calls))
        e->audio_events = s->counters.audio_events;
    if (s->state != SESSION_streaming || !boundary_reached(s, false, now_ns))
        e->quiet_ns = 0;
    else if (!e->quiet_ns)
        e->quiet_ns = now_ns;
}

void
ending_tick(struct session *s, uint64_t now_ns)
{
    struct ending *e = &s->ending;
    if (!e->active)
        return;
    if (is_over(s)) {
        e->active = false;
        return;
    }
    if (e->withdrawable && user_goes_on(s)) {
        e->active = false;
        log_info(session, s->context,
                 "the conversation goes on: the user has said more");
        return;
    }
    listen_for_the_end(s, now_ns);
    if (now_ns >= e->deadline_ns ||
        (e->quiet_ns && now_ns >= e->quiet_ns + patience_ns(s)))
        end(s);
}

uint64_t
ending_deadline_ns(const struct session *s)
{
    const struct ending *e = &s->ending;
    uint64_t quiet_ns = e->quiet_ns ? e->quiet_ns + patience_ns(s) : UINT64_MAX;
    if (!e->active)
        return UINT64_MAX;
    return quiet_ns < e->deadline_ns ? quiet_ns : e->deadline_ns;
}
