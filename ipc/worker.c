#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/worker_ask.h"
#include "ipc/worker_link.h"
#include "ipc/worker_offer.h"
#include "ipc/worker_outbox.h"
#include "ipc/worker_task.h"

struct sentence {
    char *text;
    size_t bytes;
};

static enum vr_status
say(const struct sentence *why, enum vr_status status, const char *what,
    const char *detail)
{
    if (why->text && why->bytes > 0)
        snprintf(why->text, why->bytes, "%s%s%s", what, *detail ? ": " : "",
                 detail);
    return status;
}

static enum vr_status
check(const struct vr_worker_config *c, const struct sentence *why)
{
    char text[VR_ERROR_BYTES], *token = NULL;
    enum vr_status status = VR_OK;

    if (!worker_offer_is_name(c->name))
        return say(why, VR_INVALID,
                   "a worker's name is 1 to 64 of A-Z a-z 0-9 _ -",
                   c->name ? c->name : "");
    if (c->threads > VR_WORKER_THREADS_MAX)
        return say(why, VR_INVALID, "threads is more than 32", "");
    if (c->token_file)
        status =
            worker_link_read_token(c->token_file, &token, text, sizeof text);
    free(token);
    return status == VR_OK ? status : say(why, status, text, "");
}

static char *
make_endpoint(const struct vr_worker_config *c)
{
    char folder[PATH_MAX], *made = NULL;

    if (c->endpoint)
        return strdup(c->endpoint);
    if (!c->runtime_dir && vr_runtime_dir(folder, sizeof folder) != VR_OK)
        return NULL;
    if (asprintf(&made, "ipc://%s/tools.sock",
                 c->runtime_dir ? c->runtime_dir : folder) < 0)
        return NULL;
    return made;
}

static char *
make_instance(const char *given)
{
    char *made = NULL;

    if (given)
        return strdup(given);
    return asprintf(&made, "pid %d", (int)getpid()) < 0 ? NULL : made;
}

static bool
copy_config(struct vr_worker *w, const struct vr_worker_config *c)
{
    w->pid = getpid();
    w->poll_fd = w->wake_fd = w->timer_fd = -1;
    w->last = &w->first;
    snprintf(w->name, sizeof w->name, "%s", c->name);
    w->catch_all = c->catch_all;
    w->catch_all_arg = c->catch_all_arg;
    w->log = c->log;
    w->log_arg = c->log_arg;
    w->endpoint = make_endpoint(c);
    w->instance = make_instance(c->instance);
    w->token_file = c->token_file ? strdup(c->token_file) : NULL;
    w->threads = calloc(VR_WORKER_THREADS_MAX, sizeof *w->threads);
    return w->endpoint && w->instance && w->threads &&
           (w->token_file || !c->token_file);
}

static bool
init_locks(struct vr_worker *w)
{
    pthread_condattr_t monotonic;

    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    bool good = pthread_mutex_init(&w->lock, NULL) == 0 &&
                pthread_cond_init(&w->work, NULL) == 0 &&
                pthread_cond_init(&w->answer, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    return good;
}

/* A signal of the process goes to a thread of the process' own. */
static enum vr_status
start_threads(struct vr_worker *w, uint32_t count, const struct sentence *why)
{
    sigset_t all, before;
    int error = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (w->thread_count < count && error == 0) {
        error = pthread_create(&w->threads[w->thread_count], NULL,
                               worker_task_main, w);
        w->thread_count += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? VR_OK
                      : say(why, VR_SYSTEM, "no thread can be started",
                            strerror(error));
}

static enum vr_status
connect_worker(struct vr_worker *w, const struct sentence *why)
{
    enum vr_status status = worker_link_open(w);

    if (status == VR_INVALID)
        return say(why, status,
                   "no endpoint, such as ipc:///run/voxring/tools.sock",
                   w->endpoint);
    if (status != VR_OK)
        return say(why, status, "no socket", strerror(errno));
    return VR_OK;
}

enum vr_status
vr_worker_open(struct vr_worker **worker, const struct vr_worker_config *config,
               char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    enum vr_status status;
    struct vr_worker *w;

    *worker = NULL;
    status = check(config, &why);
    if (status != VR_OK)
        return status;
    w = calloc(1, sizeof *w);
    if (!w || !init_locks(w)) {
        free(w);
        return say(&why, VR_NO_MEMORY, "there is no memory", "");
    }
    status = copy_config(w, config)
                 ? connect_worker(w, &why)
                 : say(&why, VR_NO_MEMORY, "there is no memory", "");
    if (status == VR_OK)
        status = start_threads(w, config->threads, &why);
    if (status != VR_OK)
        vr_worker_close(&w);
    *worker = w;
    return status;
}

/* A child has none of the threads. */
static void
end_threads(struct vr_worker *w)
{
    if (w->pid != getpid())
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++)
        w->tasks[i].cancelled = true;
    pthread_cond_broadcast(&w->work);
    worker_ask_fail_all(w);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
}

void
vr_worker_close(struct vr_worker **worker)
{
    struct vr_worker *w = *worker;

    if (!w)
        return;
    end_threads(w);
    worker_link_close(w);
    worker_task_fini(w);
    worker_offer_fini(w);
    worker_outbox_clear(w);
    if (w->pid == getpid()) {
        pthread_cond_destroy(&w->answer);
        pthread_cond_destroy(&w->work);
        pthread_mutex_destroy(&w->lock);
    }
    free(w->endpoint);
    free(w->instance);
    free(w->token_file);
    free(w->threads);
    free(w);
    *worker = NULL;
}

static enum vr_status
state_of(const struct vr_worker *w)
{
    if (w->pid != getpid())
        return VR_STATE;
    if (w->link == WORKER_LINK_REFUSED)
        return VR_DENIED;
    return w->stopped ? VR_CANCELLED : VR_OK;
}

/* Calls run here if there are no threads for them. A flood of calls starves
 * nothing: after some the caller's loop has its turn. */
static void
run_calls(struct vr_worker *w)
{
    int left = VR_WORKER_CALLS_MAX;

    while (w->thread_count == 0 && left > 0 && worker_task_run(w)) {
        (void)!worker_link_turn(w, 0);
        left--;
    }
    if (left == 0)
        worker_outbox_wake(w);
}

enum vr_status
vr_worker_step(struct vr_worker *w, int timeout_ms)
{
    uint64_t until_ns = UINT64_MAX;
    enum vr_status status = state_of(w);

    if (status != VR_OK)
        return status;
    if (!w->stepping) {
        w->stepper = pthread_self();
        w->stepping = true;
    }
    if (timeout_ms >= 0)
        until_ns =
            timeout_ms ? vr_now_ns() + (uint64_t)timeout_ms * 1000000 : 0;
    status = worker_link_turn(w, until_ns);
    if (status != VR_OK)
        return status;
    run_calls(w);
    return state_of(w);
}

enum vr_status
vr_worker_run(struct vr_worker *w)
{
    enum vr_status status;

    do {
        status = vr_worker_step(w, -1);
    } while (status == VR_OK || status == VR_AGAIN);
    return status;
}

void
vr_worker_stop(struct vr_worker *w)
{
    w->stopped = true;
    worker_outbox_wake(w);
}

int
vr_worker_fd(const struct vr_worker *w)
{
    return w->poll_fd;
}

int
vr_worker_is_ready(struct vr_worker *w)
{
    return w->ready;
}

const char *
vr_worker_error(const struct vr_worker *w)
{
    return w->refusal;
}
