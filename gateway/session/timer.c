/* The session's handles on the loop: one timer for every deadline, one poll
 * for the producer's bell. They outlive the session by one turn of the loop. */
#include <stdlib.h>

#include "gateway/clock.h"
#include "gateway/log.h"
#include "gateway/session/self.h"

struct bell {
    uv_poll_t poll;
    struct session *session; /* NULL once nobody listens */
};

struct session_handles {
    uv_timer_t timer;
    struct session *session; /* NULL once it is freed */
    struct bell *bell;       /* NULL while the ring has none */
};

static void
on_timer(uv_timer_t *timer)
{
    struct session_handles *h = timer->data;
    if (h->session)
        session_turn(h->session);
}

static void
on_bell(uv_poll_t *poll, int status, int events)
{
    struct bell *bell = poll->data;
    (void)status;
    (void)events;
    if (!bell->session)
        return;
    ring_host_drain(bell->session->in_ring);
    session_turn(bell->session);
}

static void
free_data(uv_handle_t *handle)
{
    free(handle->data);
}

struct session_handles *
handles_new(struct session *s)
{
    struct session_handles *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->session = s;
    uv_timer_init(s->services->loop, &h->timer);
    h->timer.data = h;
    return h;
}

void
handles_unwatch_bell(struct session *s)
{
    struct bell *bell = s->handles->bell;
    if (!bell)
        return;
    s->handles->bell = NULL;
    bell->session = NULL;
    uv_close((uv_handle_t *)&bell->poll, free_data);
}

void
handles_free(struct session_handles **handles)
{
    struct session_handles *h = *handles;
    if (!h)
        return;
    if (h->session)
        handles_unwatch_bell(h->session);
    *handles = NULL;
    h->session = NULL;
    uv_close((uv_handle_t *)&h->timer, free_data);
}

void
handles_schedule(struct session *s, uint64_t now_ns, uint64_t due_ns)
{
    uint64_t wait_ms =
        due_ns <= now_ns
            ? 0
            : (due_ns - now_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    uv_update_time(s->services->loop);
    if (due_ns == UINT64_MAX)
        uv_timer_stop(&s->handles->timer);
    else
        uv_timer_start(&s->handles->timer, on_timer, wait_ms, 0);
}

void
handles_watch_bell(struct session *s)
{
    int fd = ring_host_bell_fd(s->in_ring);
    struct bell *bell = fd < 0 ? NULL : calloc(1, sizeof *bell);
    if (!bell || uv_poll_init(s->services->loop, &bell->poll, fd) != 0) {
        log_error(ring, s->context,
                  "the bell of %s cannot be watched; it is looked at each "
                  "second only",
                  ring_host_name(s->in_ring));
        free(bell);
        return;
    }
    bell->session = s;
    bell->poll.data = bell;
    s->handles->bell = bell;
    uv_poll_start(&bell->poll, UV_READABLE, on_bell);
}
