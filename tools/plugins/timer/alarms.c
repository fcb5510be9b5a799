#include "tools/plugins/timer/alarms.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000u
#define LOOK_NS (SECOND_NS / 2)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    pthread_t thread;
    bool started;
    bool stopping;
    const struct voxring_host *host;
    alarms_ring_fn *on_ring;
    unsigned held_max;
    unsigned last_id;
    struct alarm table[ALARMS_MAX]; /* id 0: free */
} alarms = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The next to be due, or NULL. Under the lock. */
static struct alarm *
next_due(void)
{
    struct alarm *next = NULL;

    for (size_t i = 0; i < ALARMS_MAX; i++) {
        struct alarm *at = &alarms.table[i];
        if (at->id != 0 && (!next || at->due_ns < next->due_ns))
            next = at;
    }
    return next;
}

/* Under the lock, which it gives up while the alarm rings. */
static void
ring(struct alarm *alarm)
{
    struct alarm copy = *alarm;

    memset(alarm, 0, sizeof *alarm);
    pthread_mutex_unlock(&alarms.lock);
    alarms.on_ring(&copy);
    pthread_mutex_lock(&alarms.lock);
}

/* How many calls are held open. Those that nobody waits for are let go, their
 * timers run on. Under the lock. */
static unsigned
count_held(void)
{
    unsigned held = 0;

    for (size_t i = 0; i < ALARMS_MAX; i++) {
        struct alarm *at = &alarms.table[i];
        if (at->token != 0 && alarms.host->is_cancelled(at->token)) {
            alarms.host->complete(at->token, VOXRING_ERROR,
                                  "{\"error\":\"Nobody waits for this timer; "
                                  "it runs on\"}");
            at->token = 0;
        }
        held += at->token != 0;
    }
    return held;
}

/* When to look again: at the next alarm, and for calls that were cancelled,
 * which nobody tells of. Under the lock. */
static struct timespec
next_look(uint64_t due_ns)
{
    uint64_t look_ns = alarms.host->now_ns() + LOOK_NS;

    if (count_held() > 0 && look_ns < due_ns)
        due_ns = look_ns;
    return (struct timespec){.tv_sec = (time_t)(due_ns / SECOND_NS),
                             .tv_nsec = (long)(due_ns % SECOND_NS)};
}

static void *
alarms_main(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&alarms.lock);
    while (!alarms.stopping) {
        struct alarm *next = next_due();
        if (!next) {
            pthread_cond_wait(&alarms.change, &alarms.lock);
        } else if (next->due_ns <= alarms.host->now_ns()) {
            ring(next);
        } else {
            struct timespec until = next_look(next->due_ns);
            pthread_cond_timedwait(&alarms.change, &alarms.lock, &until);
        }
    }
    pthread_mutex_unlock(&alarms.lock);
    return NULL;
}

bool
alarms_start(const struct voxring_host *host, unsigned held_max,
             alarms_ring_fn *on_ring)
{
    pthread_condattr_t attr;

    if (alarms.started)
        return true;
    alarms.host = host;
    alarms.on_ring = on_ring;
    alarms.held_max = held_max;
    alarms.stopping = false;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&alarms.change, &attr);
    pthread_condattr_destroy(&attr);
    alarms.started =
        pthread_create(&alarms.thread, NULL, alarms_main, NULL) == 0;
    if (!alarms.started)
        pthread_cond_destroy(&alarms.change);
    return alarms.started;
}

void
alarms_stop(void)
{
    if (!alarms.started)
        return;
    pthread_mutex_lock(&alarms.lock);
    alarms.stopping = true;
    pthread_cond_signal(&alarms.change);
    pthread_mutex_unlock(&alarms.lock);
    pthread_join(alarms.thread, NULL);
    pthread_cond_destroy(&alarms.change);
    memset(alarms.table, 0, sizeof alarms.table);
    alarms.started = false;
}

bool
alarms_add(struct alarm *alarm)
{
    struct alarm *slot = NULL;

    pthread_mutex_lock(&alarms.lock);
    if (count_held() >= alarms.held_max)
        alarm->token = 0;
    for (size_t i = 0; i < ALARMS_MAX && !slot; i++) {
        if (alarms.table[i].id == 0)
            slot = &alarms.table[i];
    }
    if (slot) {
        alarm->id = ++alarms.last_id;
        alarm->due_ns =
            alarms.host->now_ns() + (uint64_t)(alarm->set_for_s * SECOND_NS);
        *slot = *alarm;
        pthread_cond_signal(&alarms.change);
    }
    pthread_mutex_unlock(&alarms.lock);
    return slot != NULL;
}

static int
by_due(const void *a, const void *b)
{
    const struct alarm *x = a;
    const struct alarm *y = b;

    return (x->due_ns > y->due_ns) - (x->due_ns < y->due_ns);
}

size_t
alarms_list(const char *session, struct alarm out[ALARMS_MAX])
{
    size_t count = 0;

    pthread_mutex_lock(&alarms.lock);
    for (size_t i = 0; i < ALARMS_MAX; i++) {
        const struct alarm *at = &alarms.table[i];
        if (at->id != 0 && strcmp(at->session, session) == 0)
            out[count++] = *at;
    }
    pthread_mutex_unlock(&alarms.lock);
    if (count > 1)
        qsort(out, count, sizeof out[0], by_due);
    return count;
}

bool
alarms_take(const char *session, unsigned id, struct alarm *out)
{
    bool found = false;

    pthread_mutex_lock(&alarms.lock);
    for (size_t i = 0; i < ALARMS_MAX && !found; i++) {
        struct alarm *at = &alarms.table[i];
        if (at->id == 0 || at->id != id || strcmp(at->session, session) != 0)
            continue;
        *out = *at;
        memset(at, 0, sizeof *at);
        found = true;
    }
    pthread_mutex_unlock(&alarms.lock);
    return found;
}
