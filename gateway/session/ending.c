#include "gateway/session/ending.h"

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/boundary.h"
#include "gateway/session/rest.h"
#include "gateway/session/self.h"

/* After the last words; and when there are none yet. */
#define AFTER_WORDS_NS (300 * CLOCK_NS_PER_MS)
#define WITHOUT_WORDS_NS (3 * CLOCK_NS_PER_S)

void
ending_begin(struct session *s, uint32_t within_ms, bool withdrawable)
{
    struct ending *e = &s->ending;
    uint64_t now_ns = clock_mono_ns();
    uint64_t deadline_ns = now_ns + within_ms * CLOCK_NS_PER_MS;
    if (e->active && e->deadline_ns <= deadline_ns) {
        e->withdrawable = e->withdrawable && withdrawable;
        return;
    }
    *e = (struct ending){.active = true,
                         .withdrawable = withdrawable,
                         .since_ns = now_ns,
                         .deadline_ns = deadline_ns,
                         .turn_id = dialogue_last_turn_id(s->dialogue)};
    log_info(session, s->context,
             "the conversation ends when the robot has said its last words");
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
    const struct response *r = dialogue_latest(s->dialogue);
    bool spoke = r && r->has_audio && r->last_activity_ns >= s->ending.since_ns;
    return spoke ? AFTER_WORDS_NS : WITHOUT_WORDS_NS;
}

static void
end(struct session *s)
{
    static const char why[] = "a tool has ended the conversation";
    s->ending.active = false;
    if (s->settings->mode == CONFIG_MODE_ALWAYS || s->by_control)
        session_move(s, SESSION_ON_close, why);
    else
        rest_sleep(s, why);
}

void
ending_tick(struct session *s, uint64_t now_ns)
{
    struct ending *e = &s->ending;
    if (!e->active)
        return;
    if (s->state == SESSION_closing || s->state == SESSION_closed ||
        s->state == SESSION_failed || s->state == SESSION_asleep) {
        e->active = false;
        return;
    }
    if (e->withdrawable && user_goes_on(s)) {
        e->active = false;
        log_info(session, s->context,
                 "the conversation goes on: the user has said more");
        return;
    }
    if (!boundary_reached(s, false, now_ns))
        e->quiet_ns = 0;
    else if (!e->quiet_ns)
        e->quiet_ns = now_ns;
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
