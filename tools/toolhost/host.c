#include "tools/toolhost/host.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tools/toolhost/answer.h"
#include "tools/toolhost/conversation.h"
#include "tools/toolhost/fence.h"
#include "tools/toolhost/jobs.h"
#include "tools/toolhost/outbox.h"

/* Lines of log in each second; the rest is counted. */
#define LINES_PER_SECOND 50
#define SECOND_NS 1000000000u

static struct {
    pthread_mutex_t lock;
    uint64_t second_ns; /* its begin */
    unsigned lines;
    unsigned long dropped;
} limit = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *own_config = "{}";

/* Whether a line may go out; *dropped gets how many could not before it. */
static int
may_log(unsigned long *dropped)
{
    uint64_t now_ns = jobs_now_ns();
    int yes;

    pthread_mutex_lock(&limit.lock);
    *dropped = 0;
    if (now_ns - limit.second_ns >= SECOND_NS) {
        limit.second_ns = now_ns;
        limit.lines = 0;
        *dropped = limit.dropped;
        limit.dropped = 0;
    }
    yes = limit.lines < LINES_PER_SECOND;
    if (yes)
        limit.lines++;
    else
        limit.dropped++;
    pthread_mutex_unlock(&limit.lock);
    return yes;
}

static void
host_log(int level, const char *message)
{
    unsigned long dropped;
    char text[64];

    if (!message || fence_is_copy() || !may_log(&dropped))
        return;
    if (dropped > 0) {
        snprintf(text, sizeof text, "%lu lines were too many", dropped);
        outbox_try(answer_log(VOXRING_LOG_WARN, text));
    }
    outbox_try(answer_log(level, message));
}

static void
host_complete(uint64_t token, int status, const char *json)
{
    if (!fence_is_copy())
        jobs_complete(token, status, json);
}

static int
host_is_cancelled(uint64_t token)
{
    return fence_is_copy() || jobs_is_cancelled(token);
}

static void
host_progress(uint64_t token, double done, double total, const char *message)
{
    if (!fence_is_copy())
        jobs_progress(token, done, total, message);
}

static const void *
host_get_service(const char *id)
{
    return id && strcmp(id, "voxring.conversation/1") == 0
               ? conversation_table()
               : NULL;
}

static const char *
host_config(void)
{
    return own_config;
}

const struct voxring_host *
host_table(const char *config_json)
{
    static const struct voxring_host table = {
        .struct_size = sizeof table,
        .abi_major = VOXRING_TOOL_ABI_MAJOR,
        .abi_minor = VOXRING_TOOL_ABI_MINOR,
        .complete = host_complete,
        .is_cancelled = host_is_cancelled,
        .progress = host_progress,
        .log = host_log,
        .now_ns = jobs_now_ns,
        .get_service = host_get_service,
        .config = host_config,
        .publish = conversation_publish,
    };

    own_config = config_json;
    return &table;
}
