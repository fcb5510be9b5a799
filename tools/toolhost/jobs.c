#include "tools/toolhost/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/toolhost/answer.h"
#include "tools/toolhost/outbox.h"

#define SLOTS 64u
#define PROGRESS_INTERVAL_NS 100000000u

struct job {
    uint64_t token; /* 0: the slot is free */
    uint64_t order;
    struct jobs_request request;
    uint64_t deadline_ns;
    uint64_t progress_ns;
    bool entered;   /* the plugin's function was called */
    bool returned;  /* and has returned */
    bool completed; /* an answer is out */
    bool cancelled;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct job slots[SLOTS];
    uint64_t generation;
    uint64_t spare_completions;
    enum jobs_state state;
    bool stopping;
    const struct library *library;
    const struct voxring_host *host;
    const char *config_json;
    size_t result_max_bytes;
    char refusal[512];
} jobs = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .change = PTHREAD_COND_INITIALIZER};

uint64_t
jobs_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
free_request(struct jobs_request *r)
{
    free(r->id);
    free(r->progress_token);
    free(r->input);
    free(r->session);
    free(r->conversation);
    free(r->turn);
    memset(r, 0, sizeof *r);
}

/* The job of a token that is still to be completed. Under the lock. */
static struct job *
open_job(uint64_t token)
{
    struct job *job = &jobs.slots[token % SLOTS];

    return token != 0 && job->token == token && !job->completed ? job : NULL;
}

/* Under the lock. */
static void
free_if_over(struct job *job)
{
    if (!job->completed || (job->entered && !job->returned))
        return;
    free_request(&job->request);
    memset(job, 0, sizeof *job);
}

/* An answer is out; the slot is free if the call's function is not running.
 * Under the lock. */
static void
close_job(struct job *job)
{
    job->completed = true;
    pthread_cond_broadcast(&jobs.change);
    free_if_over(job);
}

/* Under the lock. */
static void
answer_job(struct job *job, const char *text, bool is_error)
{
    outbox_put(
        answer_call(job->request.id, text, is_error, jobs.result_max_bytes));
    close_job(job);
}

void
jobs_complete(uint64_t token, int status, const char *json)
{
    struct job *job;

    pthread_mutex_lock(&jobs.lock);
    job = open_job(token);
    if (job) {
        answer_job(job, json ? json : "{}", status != VOXRING_OK);
    } else {
        jobs.spare_completions++;
        /* the first, and then ever fewer */
        if ((jobs.spare_completions & (jobs.spare_completions - 1)) == 0)
            outbox_try(answer_log(VOXRING_LOG_WARN,
                                  "completed a call twice, or one that never "
                                  "was; the second completion is dropped"));
    }
    pthread_mutex_unlock(&jobs.lock);
}

int
jobs_is_cancelled(uint64_t token)
{
    struct job *job;
    int cancelled;

    pthread_mutex_lock(&jobs.lock);
    job = open_job(token);
    cancelled = !job || job->cancelled || jobs_now_ns() >= job->deadline_ns;
    pthread_mutex_unlock(&jobs.lock);
    return cancelled;
}

void
jobs_progress(uint64_t token, double done, double total, const char *message)
{
    uint64_t now_ns = jobs_now_ns();
    struct job *job;

    pthread_mutex_lock(&jobs.lock);
    job = open_job(token);
    if (job && job->request.progress_token && !job->cancelled &&
        (job->progress_ns == 0 ||
         now_ns - job->progress_ns >= PROGRESS_INTERVAL_NS)) {
        job->progress_ns = now_ns;
        outbox_try(
            answer_progress(job->request.progress_token, done, total, message));
    }
    pthread_mutex_unlock(&jobs.lock);
}

/* ---- the worker thread ------------------------------------------------------ */

/* Whether a call of this tool has begun and is not over. Under the lock. */
static bool
is_busy(const struct voxring_tool *tool)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct job *job = &jobs.slots[i];
        if (job->token != 0 && job->entered && job->request.tool == tool)
            return true;
    }
    return false;
}

/* The oldest call that may begin, or NULL. Under the lock. */
static struct job *
next_job(void)
{
    struct job *best = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = &jobs.slots[i];
        if (job->token == 0 || job->entered || job->completed)
            continue;
        if (best && best->order < job->order)
            continue;
        if (job->request.tool->threading == VOXRING_SERIAL &&
            is_busy(job->request.tool))
            continue;
        best = job;
    }
    return best;
}

static const char *
text_or_empty(const char *text)
{
    return text ? text : "";
}

/* Calls the plugin, without the lock. The job's texts stay: its slot is not
 * freed before `returned`. */
static void
run_job(struct job *job)
{
    struct voxring_call call = {
        .struct_size = sizeof call,
        .token = job->token,
        .tool = job->request.tool->name,
        .input_json = job->request.input,
        .session = text_or_empty(job->request.session),
        .conversation = text_or_empty(job->request.conversation),
        .turn = text_or_empty(job->request.turn),
        .deadline_ns = job->deadline_ns,
    };

    job->entered = true;
    pthread_mutex_unlock(&jobs.lock);
    job->request.tool->call(&call);
    pthread_mutex_lock(&jobs.lock);
    job->returned = true;
    free_if_over(job);
}

static bool
run_init(void)
{
    const struct voxring_plugin *plugin = &jobs.library->plugin;
    char why[400] = "";

    if (!plugin->init ||
        plugin->init(jobs.host, jobs.config_json, why, sizeof why) == 0)
        return true;
    why[sizeof why - 1] = '\0';
    snprintf(jobs.refusal, sizeof jobs.refusal, "its init refused: %s",
             why[0] ? why : "it gave no reason; see its documentation");
    return false;
}

static void
set_state(enum jobs_state state)
{
    pthread_mutex_lock(&jobs.lock);
    jobs.state = state;
    pthread_mutex_unlock(&jobs.lock);
    outbox_wake();
}

static bool
all_free(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (jobs.slots[i].token != 0)
            return false;
    }
    return true;
}

static void *
worker_main(void *arg)
{
    bool quiet;

    (void)arg;
    if (!run_init()) {
        set_state(JOBS_REFUSED);
        return NULL;
    }
    set_state(JOBS_READY);
    pthread_mutex_lock(&jobs.lock);
    while (!jobs.stopping) {
        struct job *job = next_job();
        if (job)
            run_job(job);
        else
            pthread_cond_wait(&jobs.change, &jobs.lock);
    }
    quiet = all_free();
    pthread_mutex_unlock(&jobs.lock);
    if (quiet && jobs.library->plugin.fini)
        jobs.library->plugin.fini();
    set_state(JOBS_ENDED);
    return NULL;
}

bool
jobs_start(const struct library *library, const struct voxring_host *host,
           const char *config_json, size_t result_max_bytes)
{
    pthread_t thread;

    jobs.library = library;
    jobs.host = host;
    jobs.config_json = config_json;
    jobs.result_max_bytes = result_max_bytes;
    if (pthread_create(&thread, NULL, worker_main, NULL) != 0)
        return false;
    pthread_detach(thread);
    return true;
}

enum jobs_state
jobs_state(void)
{
    enum jobs_state state;

    pthread_mutex_lock(&jobs.lock);
    state = jobs.state;
    pthread_mutex_unlock(&jobs.lock);
    return state;
}

const char *
jobs_refusal(void)
{
    return jobs.refusal;
}

bool
jobs_add(struct jobs_request *request)
{
    struct job *job = NULL;

    pthread_mutex_lock(&jobs.lock);
    for (size_t i = 0; i < SLOTS && !job; i++) {
        if (jobs.slots[i].token == 0)
            job = &jobs.slots[i];
    }
    if (job) {
        job->order = ++jobs.generation;
        job->token = jobs.generation * SLOTS + (uint64_t)(job - jobs.slots);
        job->request = *request;
        job->deadline_ns =
            jobs_now_ns() + (uint64_t)request->timeout_ms * 1000000u;
        memset(request, 0, sizeof *request);
        pthread_cond_broadcast(&jobs.change);
    } else {
        outbox_put(answer_call(request->id, "The tool has too many calls", true,
                               jobs.result_max_bytes));
        free_request(request);
    }
    pthread_mutex_unlock(&jobs.lock);
    return job != NULL;
}

void
jobs_cancel(const char *id)
{
    pthread_mutex_lock(&jobs.lock);
    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = &jobs.slots[i];
        if (job->token == 0 || job->completed ||
            strcmp(job->request.id, id) != 0)
            continue;
        job->cancelled = true;
        if (!job->entered)
            answer_job(job, "{\"error\":\"cancelled\"}", true);
    }
    pthread_mutex_unlock(&jobs.lock);
}

void
jobs_drain(int code)
{
    pthread_mutex_lock(&jobs.lock);
    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = &jobs.slots[i];
        if (job->token == 0 || job->entered || job->completed)
            continue;
        outbox_put(answer_error(job->request.id, code, "Not begun"));
        close_job(job);
    }
    pthread_mutex_unlock(&jobs.lock);
}

void
jobs_stop(void)
{
    pthread_mutex_lock(&jobs.lock);
    jobs.stopping = true;
    for (size_t i = 0; i < SLOTS; i++)
        jobs.slots[i].cancelled = true;
    pthread_cond_broadcast(&jobs.change);
    pthread_mutex_unlock(&jobs.lock);
}
