#include "tools/toolhost/crew.h"

#include <pthread.h>
#include <stdio.h>

#include "tools/toolhost/fence.h"
#include "tools/toolhost/jobs.h"
#include "tools/toolhost/limit.h"
#include "tools/toolhost/outbox.h"

static struct {
    pthread_mutex_t lock;
    enum crew_state state;
    const struct library *library;
    const struct voxring_host *host;
    const char *config_json;
    unsigned threads;
    unsigned threads_max;
    char refusal[512];
} crew = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
set_state(enum crew_state state)
{
    pthread_mutex_lock(&crew.lock);
    crew.state = state;
    pthread_mutex_unlock(&crew.lock);
    outbox_wake();
}

static bool
run_init(void)
{
    const struct voxring_plugin *plugin = &crew.library->plugin;
    char why[400] = "";
    int refused = 0;

    if (plugin->init)
        refused = plugin->init(crew.host, crew.config_json, why, sizeof why);
    fence_end_copy();
    fence_check();
    why[sizeof why - 1] = '\0';
    if (refused)
        snprintf(crew.refusal, sizeof crew.refusal, "its init refused: %s",
                 why[0] ? why : "it gave no reason; see its documentation");
    return !refused;
}

static void *
worker_main(void *arg)
{
    struct job *job;

    (void)arg;
    if (!run_init()) {
        set_state(CREW_REFUSED);
        return NULL;
    }
    set_state(CREW_READY);
    while ((job = jobs_take(VOXRING_SERIAL)))
        jobs_run(job);
    jobs_await_quiet();
    if (crew.library->plugin.fini)
        crew.library->plugin.fini();
    fence_end_copy();
    set_state(CREW_ENDED);
    return NULL;
}

static void *
pool_main(void *arg)
{
    struct job *job;

    (void)arg;
    while ((job = jobs_take(VOXRING_PARALLEL)))
        jobs_run(job);
    return NULL;
}

static bool
start_thread(void *(*main_fn)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, limit_stack_bytes());
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attributes, main_fn, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

bool
crew_start(const struct library *library, const struct voxring_host *host,
           const char *config_json, unsigned threads_max)
{
    crew.library = library;
    crew.host = host;
    crew.config_json = config_json;
    crew.threads_max = threads_max;
    return start_thread(worker_main);
}

enum crew_state
crew_state(void)
{
    enum crew_state state;

    pthread_mutex_lock(&crew.lock);
    state = crew.state;
    pthread_mutex_unlock(&crew.lock);
    return state;
}

const char *
crew_refusal(void)
{
    return crew.refusal;
}

unsigned
crew_threads(void)
{
    return crew.threads;
}

void
crew_grow(void)
{
    unsigned wanted = crew_state() == CREW_READY ? jobs_parallel() : 0;

    while (crew.threads < wanted && crew.threads < crew.threads_max) {
        if (!start_thread(pool_main)) {
            /* with other threads the calls only wait longer */
            if (crew.threads == 0)
                jobs_refuse_parallel(
                    "No thread can be started for the tool's call");
            return;
        }
        crew.threads++;
    }
}

void
crew_stop(void)
{
    jobs_stop();
}
