/* The session's timer on the loop, for every deadline. It outlives the session
 * by one turn of the loop. */
#include <stdlib.h>

#include "gateway/clock.h"
#include "gateway/session/self.h"

struct session_handles {
    uv_timer_t timer;
    struct session *session; /* NULL once it is freed */
};

static void
on_timer(uv_timer_t *timer)
{
    struct session_handles *h = timer->data;
    if (h->session)
        session_turn(h->session);
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
handles_free(struct session_handles **handles)
{
    struct session_handles *h = *handles;
    if (!h)
        return;
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
