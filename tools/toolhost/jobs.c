#include "tools/toolhost/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/toolhost/answer.h"
#include "tools/toolhost/fence.h"
#include "tools/toolhost/outbox.h"

/* More than the gateway has in one process at a time, as a call that nobody
 * waits for keeps its slot until it returns. */
#define SLOTS 128u
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
    /* by enum voxring_threading: the worker waits for the first, also for
     * calls to be over; the pool's threads wait for the other */
    pthread_cond_t change[2];
    struct job slots[SLOTS];
    uint64_t generation;
    uint64_t spare_completions;
    unsigned open;
    bool stopping;
    size_t result_max_bytes;
} jobs = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .change = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER}};

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
    jobs.open--;
}

/* An answer is out; the slot is free if the call's function is not running.
 * Under the lock. */
static void
close_job(struct job *job)
{
    job->completed = true;
    pthread_cond_signal(&jobs.change[VOXRING_SERIAL]);
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

char *
jobs_name_of(uint64_t token)
{
    struct job *job;
    char *name = NULL;

    pthread_mutex_lock(&jobs.lock);
    job = open_job(token);
    if (job && job->request.progress_token)
        name = strdup(job->request.progress_token);
    pthread_mutex_unlock(&jobs.lock);
    return name;
}

/* ---- for the threads that run them ------------------------------------------- */

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

static bool
is_waiting(const struct job *job, enum voxring_threading threading)
{
    return job->token != 0 && !job->entered && !job->completed &&
           job->request.tool->threading == (uint32_t)threading;
}

/* The oldest call that may begin, or NULL. Under the lock. */
static struct job *
next_job(enum voxring_threading threading)
{
    struct job *best = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = &jobs.slots[i];
        if (!is_waiting(job, threading) || (best && best->order < job->order))
            continue;
        if (threading == VOXRING_SERIAL && is_busy(job->request.tool))
            continue;
        best = job;
    }
    return best;
}

struct job *
jobs_take(enum voxring_threading threading)
{
    struct job *job = NULL;

    pthread_mutex_lock(&jobs.lock);
    while (!jobs.stopping && !(job = next_job(threading)))
        pthread_cond_wait(&jobs.change[threading], &jobs.lock);
    if (job)
        job->entered = true;
    pthread_mutex_unlock(&jobs.lock);
    return job;
}

unsigned
jobs_parallel(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&jobs.lock);
    for (size_t i = 0; jobs.open > 0 && i < SLOTS; i++) {
        const struct job *job = &jobs.slots[i];
        if (job->token != 0 && job->entered)
            count += !job->returned &&
                     job->request.tool->threading == VOXRING_PARALLEL;
        else
            count += is_waiting(job, VOXRING_PARALLEL);
    }
    pthread_mutex_unlock(&jobs.lock);
    return count;
}

void
jobs_refuse_parallel(const char *sentence)
{
    pthread_mutex_lock(&jobs.lock);
    for (size_t i = 0; i < SLOTS; i++) {
        if (is_waiting(&jobs.slots[i], VOXRING_PARALLEL))
            answer_job(&jobs.slots[i], sentence, true);
    }
    pthread_mutex_unlock(&jobs.lock);
}

static const char *
text_or_empty(const char *text)
{
    return text ? text : "";
}

/* Without the lock: the texts stay, as the slot is not freed before
 * `returned`, and nobody writes to them. */
void
jobs_run(struct job *job)
{
    const struct voxring_call call = {
        .struct_size = sizeof call,
        .token = job->token,
        .tool = job->request.tool->name,
        .input_json = job->request.input,
        .session = text_or_empty(job->request.session),
        .conversation = text_or_empty(job->request.conversation),
        .turn = text_or_empty(job->request.turn),
        .deadline_ns = job->deadline_ns,
    };

    job->request.tool->call(&call);
    fence_end_copy();
    fence_check();
    pthread_mutex_lock(&jobs.lock);
    job->returned = true;
    pthread_cond_signal(&jobs.change[VOXRING_SERIAL]);
    free_if_over(job);
    pthread_mutex_unlock(&jobs.lock);
}

void
jobs_init(size_t result_max_bytes)
{
    jobs.result_max_bytes = result_max_bytes;
}

unsigned
jobs_open(void)
{
    unsigned open;

    pthread_mutex_lock(&jobs.lock);
    open = jobs.open;
    pthread_mutex_unlock(&jobs.lock);
    return open;
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
            request->timeout_ms > 0
                ? jobs_now_ns() + (uint64_t)request->timeout_ms * 1000000u
                : UINT64_MAX;
        jobs.open++;
        pthread_cond_signal(&jobs.change[request->tool->threading]);
        memset(request, 0, sizeof *request);
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
    for (size_t i = 0; i < SLOTS; i++) {
        struct job *job = &jobs.slots[i];
        job->cancelled = true;
        if (job->token != 0 && !job->entered && !job->completed)
            answer_job(job, "The plugin is being stopped", true);
    }
    pthread_cond_broadcast(&jobs.change[VOXRING_SERIAL]);
    pthread_cond_broadcast(&jobs.change[VOXRING_PARALLEL]);
    pthread_mutex_unlock(&jobs.lock);
}

void
jobs_await_quiet(void)
{
    pthread_mutex_lock(&jobs.lock);
    while (jobs.open > 0)
        pthread_cond_wait(&jobs.change[VOXRING_SERIAL], &jobs.lock);
    pthread_mutex_unlock(&jobs.lock);
}
