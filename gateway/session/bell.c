#include "gateway/session/bell.h"

#include <stdlib.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"

/* The handle outlives the session by one turn of the loop. */
struct bell {
    uv_poll_t poll;
    struct session *session; /* NULL once nobody listens */
};

static void
free_data(uv_handle_t *handle)
{
    free(handle->data);
}

static void
stop(struct session *s)
{
    struct bell *bell = s->doorbell.bell;
    if (!bell)
        return;
    s->doorbell.bell = NULL;
    bell->session = NULL;
    uv_close((uv_handle_t *)&bell->poll, free_data);
}

static void
mute(struct session *s, uint64_t now_ns)
{
    struct doorbell *d = &s->doorbell;
    uint64_t due_ns = backoff_due_ns(&d->backoff, now_ns);
    stop(s);
    d->muted_until_ns =
        due_ns < now_ns + BACKOFF_AGAIN_NS ? now_ns + BACKOFF_AGAIN_NS : due_ns;
    capture_by_clock(s->capture, true);
    ring_host_report(s->in_ring, RING_FAULT_RINGING,
                     "its doorbell is rung without audio");
}

static void
count_useless(struct session *s)
{
    struct doorbell *d = &s->doorbell;
    uint64_t now_ns = clock_mono_ns();
    if (now_ns - d->second_ns >= CLOCK_NS_PER_S) {
        d->second_ns = now_ns;
        d->useless = 0;
    }
    if (++d->useless > BELL_USELESS_MOST)
        mute(s, now_ns);
}

static void
on_bell(uv_poll_t *poll, int status, int events)
{
    struct bell *bell = poll->data;
    struct session *s = bell->session;
    (void)status;
    (void)events;
    if (!s)
        return;
    ring_host_drain(s->in_ring);
    if (!capture_rung(s->capture))
        count_useless(s);
    session_turn(s);
}

static struct bell *
listen_to(struct session *s)
{
    int fd = ring_host_bell_fd(s->in_ring);
    struct bell *bell = fd < 0 ? NULL : calloc(1, sizeof *bell);
    if (!bell || uv_poll_init(s->services->loop, &bell->poll, fd) != 0) {
        free(bell);
        return NULL;
    }
    bell->session = s;
    bell->poll.data = bell;
    uv_poll_start(&bell->poll, UV_READABLE, on_bell);
    return bell;
}

void
bell_watch(struct session *s)
{
    struct doorbell *d = &s->doorbell;
    if (d->muted_until_ns || d->bell)
        return;
    d->bell = listen_to(s);
    d->useless = 0;
    capture_by_clock(s->capture, !d->bell);
    if (!d->bell)
        log_error(ring, s->context,
                  "the bell of %s cannot be watched; the ring is looked at "
                  "by the clock",
                  ring_host_name(s->in_ring));
}

void
bell_unwatch(struct session *s)
{
    stop(s);
}

void
bell_tick(struct session *s, uint64_t now_ns)
{
    struct doorbell *d = &s->doorbell;
    if (!d->muted_until_ns || now_ns < d->muted_until_ns)
        return;
    d->muted_until_ns = 0;
    backoff_did(&d->backoff, now_ns);
    if (!ring_host_damaged(s->in_ring))
        bell_watch(s);
}

uint64_t
bell_deadline_ns(const struct session *s)
{
    return s->doorbell.muted_until_ns ? s->doorbell.muted_until_ns : UINT64_MAX;
}
