#include "ipc/worker_ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/worker_link.h"
#include "ipc/worker_outbox.h"
#include "ipc/worker_task.h"
#include "ipc/worker_wire.h"

#define PATIENCE_NS UINT64_C(5000000000)
#define END_DEFAULT_MS 30000
#define CALL_OVER (-32004)
#define NOT_GRANTED (-32005)

struct sentence {
    char *text;
    size_t bytes;
};

static enum vr_status
say(const struct sentence *why, enum vr_status status, const char *sentence)
{
    if (why->text && why->bytes > 0)
        snprintf(why->text, why->bytes, "%s", sentence);
    return status;
}

static void
finish(struct worker_ask *ask, enum vr_status status, const char *why)
{
    ask->answered = true;
    ask->status = status;
    snprintf(ask->why, sizeof ask->why, "%s", why);
}

void
worker_ask_answered(struct vr_worker *w, uint64_t id, cJSON *result, int code,
                    const char *message)
{
    enum vr_status status = code == CALL_OVER     ? VR_NOT_FOUND
                            : code == NOT_GRANTED ? VR_DENIED
                                                  : VR_INVALID;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < WORKER_ASKS_MAX && id != 0; i++) {
        struct worker_ask *ask = &w->asks[i];
        if (ask->id != id || ask->answered)
            continue;
        ask->result = result;
        finish(ask, result ? VR_OK : status, message);
        result = NULL;
        pthread_cond_broadcast(&w->answer);
    }
    pthread_mutex_unlock(&w->lock);
    cJSON_Delete(result);
}

void
worker_ask_fail_all(struct vr_worker *w)
{
    for (size_t i = 0; i < WORKER_ASKS_MAX; i++) {
        if (w->asks[i].id != 0 && !w->asks[i].answered)
            finish(&w->asks[i], VR_CLOSED, "the gateway went away");
    }
    pthread_cond_broadcast(&w->answer);
}

/* ---- asking ----------------------------------------------------------------- */

/* Under the lock. NULL: too many at once. */
static struct worker_ask *
begin(struct vr_worker *w, const char *method, cJSON *params)
{
    struct worker_ask *ask = NULL;
    char id[32];

    for (size_t i = 0; i < WORKER_ASKS_MAX && !ask; i++) {
        if (w->asks[i].id == 0)
            ask = &w->asks[i];
    }
    if (!ask) {
        cJSON_Delete(params);
        return NULL;
    }
    ask->id = ++w->ask_count;
    snprintf(id, sizeof id, "ask-%" PRIu64, ask->id);
    worker_outbox_put(w, worker_wire_request(id, method, params));
    return ask;
}

/* Waits for the answer under the lock, which others get meanwhile. On the
 * thread that steps nobody else would fetch it. */
static void
await(struct vr_worker *w, struct worker_ask *ask)
{
    uint64_t until_ns = vr_now_ns() + PATIENCE_NS;
    bool stepper = w->stepping && pthread_equal(w->stepper, pthread_self());
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};

    while (!ask->answered && vr_now_ns() < until_ns) {
        if (!stepper) {
            pthread_cond_timedwait(&w->answer, &w->lock, &until);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        worker_link_turn(w, until_ns);
        pthread_mutex_lock(&w->lock);
    }
    if (!ask->answered)
        finish(ask, VR_TIMEOUT, "the gateway does not answer");
}

/* `params` is taken. *result may be NULL; otherwise the caller's. */
static enum vr_status
ask(struct vr_worker *w, const char *method, cJSON *params, cJSON **result,
    const struct sentence *why)
{
    struct worker_ask *place;
    enum vr_status status;

    if (!params)
        return say(why, VR_NO_MEMORY, "there is no memory");
    if (w->pid != getpid() || !w->ready) {
        cJSON_Delete(params);
        return w->pid != getpid() ? say(why, VR_STATE, "this is a forked child")
                                  : say(why, VR_CLOSED, "no gateway is there");
    }
    pthread_mutex_lock(&w->lock);
    place = begin(w, method, params);
    if (!place) {
        pthread_mutex_unlock(&w->lock);
        return say(why, VR_LIMIT, "too many requests wait for an answer");
    }
    await(w, place);
    status = say(why, place->status, place->why);
    if (result) {
        *result = place->result;
        place->result = NULL;
    }
    cJSON_Delete(place->result);
    memset(place, 0, sizeof *place);
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* Params that name the call; NULL if it is over. */
static cJSON *
params_of(struct vr_worker *w, uint64_t token)
{
    char *name = worker_task_name(w, token);
    cJSON *params = name ? cJSON_CreateObject() : NULL;

    if (params)
        cJSON_AddRawToObject(params, "call", name);
    free(name);
    return params;
}

static enum vr_status
over(const struct sentence *why)
{
    return say(why, VR_NOT_FOUND, "the call is over");
}

/* False, and *params deleted, if the text is no JSON. */
static bool
add_json(cJSON **params, const char *name, const char *json)
{
    cJSON *value = cJSON_ParseWithOpts(json, NULL, 1);

    if (value && cJSON_AddItemToObject(*params, name, value))
        return true;
    cJSON_Delete(value);
    cJSON_Delete(*params);
    *params = NULL;
    return false;
}

enum vr_status
vr_worker_publish(struct vr_worker *w, uint64_t token, const char *name,
                  const char *data_json, char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    cJSON *params = token ? params_of(w, token) : cJSON_CreateObject();

    if (!params)
        return over(&why);
    cJSON_AddStringToObject(params, "name", name);
    if (data_json && !add_json(&params, "data", data_json))
        return say(&why, VR_INVALID, "data_json is no JSON");
    return ask(w, "voxring/publish", params, NULL, &why);
}

enum vr_status
vr_worker_text(struct vr_worker *w, uint64_t token, const char *text,
               char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    cJSON *params = params_of(w, token);

    if (!params)
        return over(&why);
    cJSON_AddStringToObject(params, "text", text);
    return ask(w, "voxring/text", params, NULL, &why);
}

enum vr_status
vr_worker_update(struct vr_worker *w, uint64_t token, const char *config_json,
                 char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    cJSON *params = params_of(w, token);

    if (!params)
        return over(&why);
    if (!add_json(&params, "config", config_json))
        return say(&why, VR_INVALID, "config_json is no JSON");
    return ask(w, "voxring/update", params, NULL, &why);
}

enum vr_status
vr_worker_history(struct vr_worker *w, uint64_t token, char **json,
                  char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    cJSON *params = params_of(w, token), *result = NULL;
    enum vr_status status =
        params ? ask(w, "voxring/history", params, &result, &why) : over(&why);

    *json = status == VR_OK ? worker_wire_print(result) : NULL;
    if (status == VR_OK && !*json)
        return say(&why, VR_NO_MEMORY, "there is no memory");
    return status;
}

enum vr_status
vr_worker_append(struct vr_worker *w, uint64_t token, const char *role,
                 const char *text, char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    cJSON *params = params_of(w, token), *message;

    if (!params)
        return over(&why);
    message = cJSON_AddObjectToObject(params, "append");
    cJSON_AddStringToObject(message, "role", role);
    cJSON_AddStringToObject(message, "text", text);
    return ask(w, "voxring/history", params, NULL, &why);
}

enum vr_status
vr_worker_end(struct vr_worker *w, uint64_t token, const char *reason,
              uint32_t within_ms, char *why_text, size_t why_bytes)
{
    const struct sentence why = {why_text, why_bytes};
    cJSON *params = params_of(w, token);

    if (!params)
        return over(&why);
    if (reason)
        cJSON_AddStringToObject(params, "reason", reason);
    cJSON_AddNumberToObject(params, "within_ms",
                            within_ms ? within_ms : END_DEFAULT_MS);
    return ask(w, "voxring/end", params, NULL, &why);
}
