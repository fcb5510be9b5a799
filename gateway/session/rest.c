#include "gateway/session/rest.h"

#include "gateway/clock.h"
#include "gateway/session/boundary.h"
#include "gateway/session/self.h"

#define LOOK_NS CLOCK_NS_PER_S

bool
rest_begins_awake(const struct session *s)
{
    return s->settings->mode == CONFIG_MODE_ALWAYS;
}

bool
rest_sleep(struct session *s, const char *why)
{
    s->sleep_why = why;
    s->abandoned = false;
    return session_move(s, SESSION_ON_sleep, why);
}

void
rest_wake(struct session *s, const char *why)
{
    s->activity_ns = clock_mono_ns();
    s->attached_ns = s->activity_ns;
    if (s->state == SESSION_asleep)
        streams_want(s, why);
}

/* ---- who is there ---- */

static bool
somebody_is_there(const struct session *s)
{
    return ring_host_has_producer(s->in_ring) ||
           ring_host_has_player(s->out_ring) ||
           ring_host_reader_count(s->out_ring) > 0;
}

/* Looked at each second, because it costs system calls. */
static void
look_around(struct session *s, uint64_t now_ns)
{
    if (now_ns < s->next_look_ns)
        return;
    s->next_look_ns = now_ns + LOOK_NS;
    bool there = somebody_is_there(s);
    if (there)
        s->attached_ns = now_ns;
    if (there && s->state == SESSION_asleep && s->abandoned) {
        s->abandoned = false;
        if (rest_begins_awake(s))
            streams_want(s, "somebody attached");
    }
}

/* ---- falling asleep ---- */

static bool
has_stream(const struct session *s)
{
    return s->state == SESSION_streaming || s->state == SESSION_starting ||
           s->state == SESSION_waiting || s->state == SESSION_queued;
}

static bool
is_idle(struct session *s, uint64_t now_ns)
{
    double after_s = s->settings->idle_close_s;
    if (s->settings->mode == CONFIG_MODE_ALWAYS || after_s <= 0)
        return false;
    if (!boundary_reached(s, false, now_ns))
        s->activity_ns = now_ns;
    return now_ns >= s->activity_ns + clock_ns_of_s(after_s);
}

static bool
is_abandoned(struct session *s, uint64_t now_ns)
{
    double after_s = s->settings->abandoned_s;
    if (!s->by_control || after_s <= 0 ||
        now_ns < s->attached_ns + clock_ns_of_s(after_s) ||
        now_ns < s->activity_ns + clock_ns_of_s(after_s))
        return false;
    if (!somebody_is_there(s))
        return true;
    s->attached_ns = now_ns;
    return false;
}

static bool
is_overdue(const struct session *s, uint64_t now_ns)
{
    double after_s = s->settings->max_session_s;
    return s->by_control && after_s > 0 &&
           now_ns >= s->created_ns + clock_ns_of_s(after_s);
}

static void
maybe_sleep(struct session *s, uint64_t now_ns)
{
    if (s->state == SESSION_streaming && is_idle(s, now_ns)) {
        rest_sleep(s, "idle_close_s passed without a word");
    } else if (is_abandoned(s, now_ns)) {
        s->abandoned = rest_sleep(s, "nobody was attached for abandoned_s");
    }
}

void
rest_tick(struct session *s, uint64_t now_ns)
{
    look_around(s, now_ns);
    if (is_overdue(s, now_ns) && s->state != SESSION_closing &&
        s->state != SESSION_closed)
        session_move(s, SESSION_ON_close, "max_session_s have passed");
    else if (has_stream(s))
        maybe_sleep(s, now_ns);
    else if (s->state == SESSION_asleep && capture_sentry(s->capture, now_ns) &&
             s->settings->mode == CONFIG_MODE_ON_AUDIO)
        rest_wake(s, "speech began");
}

uint64_t
rest_deadline_ns(const struct session *s, uint64_t now_ns)
{
    uint64_t due_ns = s->next_look_ns;
    uint64_t idle_ns =
        s->activity_ns + clock_ns_of_s(s->settings->idle_close_s);
    if (s->settings->mode != CONFIG_MODE_ALWAYS &&
        s->state == SESSION_streaming && idle_ns > now_ns && idle_ns < due_ns)
        due_ns = idle_ns;
    return due_ns;
}
