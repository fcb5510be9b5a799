#include "ipc/worker_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/worker_offer.h"
#include "ipc/worker_outbox.h"
#include "ipc/worker_wire.h"

#define PARAMS_INVALID (-32602)
#define NOT_BEGUN (-32002)
#define PROGRESS_INTERVAL_NS UINT64_C(100000000)
#define TEXT_MAX_BYTES 1000

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static char *
copy_text(const cJSON *item)
{
    return strdup(cJSON_IsString(item) ? item->valuestring : "");
}

/* ---- the table, under the lock ------------------------------------------- */

static struct worker_task *
open_task(struct vr_worker *w, uint64_t token)
{
    struct worker_task *task = &w->tasks[token % VR_WORKER_CALLS_MAX];

    return token != 0 && task->token == token && !task->completed ? task : NULL;
}

static void
free_task(struct worker_task *task)
{
    free(task->id);
    free(task->progress_token);
    free(task->tool);
    free(task->arguments);
    free(task->session);
    free(task->conversation);
    free(task->turn);
    memset(task, 0, sizeof *task);
}

/* Its answer is out, or unwanted. The slot stays while its function runs,
 * which reads the texts. */
static void
close_task(struct vr_worker *w, struct worker_task *task)
{
    task->completed = true;
    if (!task->entered || task->returned)
        free_task(task);
    pthread_cond_broadcast(&w->work);
    /* a serial tool's next call may begin */
    worker_outbox_wake(w);
}

static void
answer_task(struct vr_worker *w, struct worker_task *task, const char *text,
            bool is_error)
{
    char *message = worker_wire_call(task->id, text, is_error);
    char sentence[128];

    if (message && strlen(message) > VR_WORKER_MESSAGE_BYTES) {
        free(message);
        snprintf(sentence, sizeof sentence,
                 "The tool's answer has %zu bytes, more than a message may",
                 strlen(text));
        message = worker_wire_call(task->id, sentence, true);
    }
    worker_outbox_put(w, message);
    close_task(w, task);
}

static struct worker_task *
find_id(struct vr_worker *w, const char *id)
{
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++) {
        struct worker_task *task = &w->tasks[i];
        if (task->token != 0 && !task->completed && strcmp(task->id, id) == 0)
            return task;
    }
    return NULL;
}

/* ---- coming in ------------------------------------------------------------- */

static uint64_t
deadline_of(const cJSON *meta)
{
    const cJSON *item = member(meta, "voxring/timeout_ms");

    if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
        item->valuedouble > 1e12)
        return UINT64_MAX;
    return vr_now_ns() + (uint64_t)(item->valuedouble * 1e6);
}

static char *
print(const cJSON *item)
{
    return item ? cJSON_PrintUnformatted(item) : NULL;
}

/* Fills a free slot. False when memory is out. */
static bool
fill(struct vr_worker *w, struct worker_task *task, const char *id,
     const cJSON *params)
{
    const cJSON *meta = member(params, "_meta");
    const cJSON *arguments = member(params, "arguments");
    const struct worker_offer *offer;

    task->id = strdup(id);
    task->progress_token = print(member(meta, "progressToken"));
    if (!task->progress_token)
        task->progress_token = strdup(id);
    task->tool = copy_text(member(params, "name"));
    task->arguments =
        cJSON_IsObject(arguments) ? print(arguments) : strdup("{}");
    task->session = copy_text(member(meta, "voxring/session"));
    task->conversation = copy_text(member(meta, "voxring/conversation"));
    task->turn = copy_text(member(meta, "voxring/turn"));
    task->deadline_ns = deadline_of(meta);
    if (!task->id || !task->progress_token || !task->tool || !task->arguments ||
        !task->session || !task->conversation || !task->turn)
        return false;
    offer = worker_offer_find(w, task->tool);
    task->call = offer ? offer->call : w->catch_all;
    task->arg = offer ? offer->arg : w->catch_all_arg;
    task->serial = offer && offer->serial;
    return true;
}

void
worker_task_add(struct vr_worker *w, const char *id, const cJSON *params)
{
    struct worker_task *task = NULL;
    const cJSON *name = member(params, "name");
    const char *tool = cJSON_IsString(name) ? name->valuestring : "";

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX && !task; i++) {
        if (w->tasks[i].token == 0)
            task = &w->tasks[i];
    }
    if (!*tool || (!worker_offer_find(w, tool) && !w->catch_all)) {
        worker_outbox_put(
            w, worker_wire_error(id, PARAMS_INVALID,
                                 "This worker has no tool of that name"));
    } else if (!task) {
        worker_outbox_put(
            w, worker_wire_call(id, "The worker has too many calls", true));
    } else if (!fill(w, task, id, params)) {
        free_task(task);
        worker_outbox_put(
            w, worker_wire_call(id, "The worker has no memory left", true));
    } else {
        task->token =
            ++w->task_count * VR_WORKER_CALLS_MAX + (uint64_t)(task - w->tasks);
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
}

void
worker_task_cancel(struct vr_worker *w, const char *id)
{
    struct worker_task *task;

    pthread_mutex_lock(&w->lock);
    task = find_id(w, id);
    if (task) {
        task->cancelled = true;
        if (!task->entered)
            answer_task(w, task, "{\"error\":\"cancelled\"}", true);
    }
    pthread_mutex_unlock(&w->lock);
}

void
worker_task_drain(struct vr_worker *w)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++) {
        struct worker_task *task = &w->tasks[i];
        if (task->token == 0 || task->entered || task->completed)
            continue;
        worker_outbox_put(w,
                          worker_wire_error(task->id, NOT_BEGUN, "Not begun"));
        close_task(w, task);
    }
    pthread_mutex_unlock(&w->lock);
}

void
worker_task_orphan_all(struct vr_worker *w)
{
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++) {
        struct worker_task *task = &w->tasks[i];
        if (task->token == 0 || task->completed)
            continue;
        task->cancelled = true;
        close_task(w, task);
    }
}

/* ---- running ---------------------------------------------------------------- */

static bool
is_busy(const struct vr_worker *w, const char *tool)
{
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++) {
        const struct worker_task *task = &w->tasks[i];
        if (task->token != 0 && task->entered && strcmp(task->tool, tool) == 0)
            return true;
    }
    return false;
}

/* The oldest that may begin; tokens grow. Under the lock. */
static struct worker_task *
next_task(struct vr_worker *w)
{
    struct worker_task *best = NULL;

    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++) {
        struct worker_task *task = &w->tasks[i];
        if (task->token == 0 || task->entered || task->completed ||
            (best && best->token < task->token))
            continue;
        if (!task->serial || !is_busy(w, task->tool))
            best = task;
    }
    return best;
}

/* Without the lock while the function runs. */
static void
run(struct vr_worker *w, struct worker_task *task)
{
    struct vr_worker_call call = {
        .token = task->token,
        .tool = task->tool,
        .arguments_json = task->arguments,
        .session = task->session,
        .conversation = task->conversation,
        .turn = task->turn,
        .deadline_ns = task->deadline_ns,
    };
    vr_worker_call_fn *function = task->call;
    void *arg = task->arg;

    task->entered = true;
    pthread_mutex_unlock(&w->lock);
    function(w, &call, arg);
    pthread_mutex_lock(&w->lock);
    task->returned = true;
    if (task->completed)
        close_task(w, task);
}

bool
worker_task_run(struct vr_worker *w)
{
    struct worker_task *task;

    pthread_mutex_lock(&w->lock);
    task = next_task(w);
    if (task)
        run(w, task);
    pthread_mutex_unlock(&w->lock);
    return task != NULL;
}

void *
worker_task_main(void *arg)
{
    struct vr_worker *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        struct worker_task *task = next_task(w);
        if (task)
            run(w, task);
        else
            pthread_cond_wait(&w->work, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- what a tool says -------------------------------------------------------- */

enum vr_status
vr_worker_complete(struct vr_worker *w, uint64_t token, int ok,
                   const char *json)
{
    struct worker_task *task;

    if (w->pid != getpid())
        return VR_STATE;
    pthread_mutex_lock(&w->lock);
    task = open_task(w, token);
    if (task)
        answer_task(w, task, json ? json : "{}", !ok);
    pthread_mutex_unlock(&w->lock);
    return task ? VR_OK : VR_NOT_FOUND;
}

int
vr_worker_is_cancelled(struct vr_worker *w, uint64_t token)
{
    struct worker_task *task;
    bool over;

    if (w->pid != getpid())
        return 1;
    pthread_mutex_lock(&w->lock);
    task = open_task(w, token);
    over = !task || task->cancelled || vr_now_ns() >= task->deadline_ns;
    pthread_mutex_unlock(&w->lock);
    return over;
}

/* Cut to TEXT_MAX_BYTES, not in the middle of a character. */
static const char *
cut(const char *text, char room[TEXT_MAX_BYTES + 1])
{
    size_t count = strnlen(text, TEXT_MAX_BYTES + 1);

    if (count <= TEXT_MAX_BYTES)
        return text;
    count = TEXT_MAX_BYTES;
    while (count > 0 && ((unsigned char)text[count] & 0xc0) == 0x80)
        count--;
    memcpy(room, text, count);
    room[count] = '\0';
    return room;
}

void
vr_worker_progress(struct vr_worker *w, uint64_t token, double done,
                   double total, const char *message)
{
    char room[TEXT_MAX_BYTES + 1];
    struct worker_task *task;
    uint64_t now_ns = vr_now_ns();

    if (w->pid != getpid())
        return;
    pthread_mutex_lock(&w->lock);
    task = open_task(w, token);
    if (task && now_ns - task->progress_ns >= PROGRESS_INTERVAL_NS) {
        task->progress_ns = now_ns;
        worker_outbox_try(
            w, worker_wire_progress(task->progress_token, done, total,
                                    message ? cut(message, room) : NULL));
    }
    pthread_mutex_unlock(&w->lock);
}

void
vr_worker_log(struct vr_worker *w, const char *level, const char *message)
{
    char room[TEXT_MAX_BYTES + 1];
    cJSON *params;

    if (w->pid != getpid())
        return;
    params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "level", level);
    cJSON_AddStringToObject(params, "data", cut(message, room));
    pthread_mutex_lock(&w->lock);
    worker_outbox_try(w,
                      worker_wire_request("", "notifications/message", params));
    pthread_mutex_unlock(&w->lock);
}

char *
worker_task_name(struct vr_worker *w, uint64_t token)
{
    struct worker_task *task;
    char *name;

    if (w->pid != getpid())
        return NULL;
    pthread_mutex_lock(&w->lock);
    task = open_task(w, token);
    name = task ? strdup(task->progress_token) : NULL;
    pthread_mutex_unlock(&w->lock);
    return name;
}

void
worker_task_fini(struct vr_worker *w)
{
    for (size_t i = 0; i < VR_WORKER_CALLS_MAX; i++)
        free_task(&w->tasks[i]);
}
