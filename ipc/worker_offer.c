#include "ipc/worker_offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/worker_outbox.h"
#include "ipc/worker_wire.h"

#define NAME_LETTERS \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
/* All entries have room in one message, with what is around them. */
#define LIST_BYTES (VR_WORKER_MESSAGE_BYTES - 4096)

bool
worker_offer_is_name(const char *name)
{
    size_t bytes = name ? strlen(name) : 0;

    return bytes > 0 && bytes < WORKER_NAME_BYTES &&
           strspn(name, NAME_LETTERS) == bytes;
}

struct worker_offer *
worker_offer_find(struct vr_worker *w, const char *name)
{
    for (size_t i = 0; i < VR_WORKER_TOOLS_MAX; i++) {
        if (w->offers[i].name[0] && strcmp(w->offers[i].name, name) == 0)
            return &w->offers[i];
    }
    return NULL;
}

static enum vr_status
say(char *why, size_t why_bytes, enum vr_status status, const char *name,
    const char *sentence)
{
    if (why)
        snprintf(why, why_bytes, "the tool \"%.80s\" %s", name ? name : "",
                 sentence);
    return status;
}

static bool
is_schema(const char *text)
{
    cJSON *root = text ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(root, "type");
    bool good =
        cJSON_IsString(type) && strcmp(type->valuestring, "object") == 0;

    cJSON_Delete(root);
    return good || !text;
}

static enum vr_status
check(const struct vr_worker_tool *tool, char *why, size_t why_bytes)
{
    const char *what = NULL;

    if (!worker_offer_is_name(tool->name))
        what = "has no name of 1 to 64 of A-Z a-z 0-9 _ -";
    else if (!tool->description || !tool->description[0])
        what = "has no description; the model decides by it when to use it";
    else if (!tool->call)
        what = "has no call function";
    else if (tool->mode != VR_WORKER_SYNC && tool->mode != VR_WORKER_ASYNC)
        what = "has an unknown mode";
    else if (!is_schema(tool->input_schema))
        what = "has an input_schema that is no JSON Schema with "
               "\"type\":\"object\"";
    return what ? say(why, why_bytes, VR_INVALID, tool->name, what) : VR_OK;
}

/* Under the lock. */
static enum vr_status
add(struct vr_worker *w, const struct vr_worker_tool *tool, char *json,
    char *why, size_t why_bytes)
{
    struct worker_offer *place = NULL;
    size_t bytes = strlen(json);

    if (worker_offer_find(w, tool->name))
        return say(why, why_bytes, VR_BUSY, tool->name,
                   "is offered already; withdraw it first");
    for (size_t i = 0; i < VR_WORKER_TOOLS_MAX; i++) {
        if (w->offers[i].name[0])
            bytes += strlen(w->offers[i].json) + 1;
        else if (!place)
            place = &w->offers[i];
    }
    if (!place || bytes > LIST_BYTES)
        return say(why, why_bytes, VR_LIMIT, tool->name,
                   place ? "and the others have longer texts than 1 MiB"
                         : "is one more than the 64 that a worker may offer");
    snprintf(place->name, sizeof place->name, "%s", tool->name);
    place->json = json;
    place->serial = tool->serial != 0;
    place->call = tool->call;
    place->arg = tool->arg;
    worker_outbox_try(
        w, worker_wire_request("", "notifications/tools/list_changed", NULL));
    return VR_OK;
}

enum vr_status
vr_worker_offer(struct vr_worker *w, const struct vr_worker_tool *tool,
                char *why, size_t why_bytes)
{
    enum vr_status status = w->pid == getpid()
                                ? check(tool, why, why_bytes)
                                : say(why, why_bytes, VR_STATE, tool->name,
                                      "is offered in a forked child");
    char *json = status == VR_OK ? worker_wire_tool(tool) : NULL;

    if (status != VR_OK)
        return status;
    if (!json)
        return say(why, why_bytes, VR_NO_MEMORY, tool->name, "finds no memory");
    pthread_mutex_lock(&w->lock);
    status = add(w, tool, json, why, why_bytes);
    pthread_mutex_unlock(&w->lock);
    if (status != VR_OK)
        free(json);
    return status;
}

enum vr_status
vr_worker_withdraw(struct vr_worker *w, const char *name)
{
    struct worker_offer *offer;

    if (w->pid != getpid())
        return VR_STATE;
    pthread_mutex_lock(&w->lock);
    offer = name && *name ? worker_offer_find(w, name) : NULL;
    if (offer) {
        free(offer->json);
        memset(offer, 0, sizeof *offer);
        worker_outbox_try(w, worker_wire_request(
                                 "", "notifications/tools/list_changed", NULL));
    }
    pthread_mutex_unlock(&w->lock);
    return offer ? VR_OK : VR_NOT_FOUND;
}

char *
worker_offer_list(struct vr_worker *w)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *tools = cJSON_AddArrayToObject(root, "tools");

    for (size_t i = 0; i < VR_WORKER_TOOLS_MAX; i++) {
        if (w->offers[i].name[0])
            cJSON_AddItemToArray(tools, cJSON_CreateRaw(w->offers[i].json));
    }
    return worker_wire_print(root);
}

void
worker_offer_fini(struct vr_worker *w)
{
    for (size_t i = 0; i < VR_WORKER_TOOLS_MAX; i++)
        free(w->offers[i].json);
    memset(w->offers, 0, sizeof w->offers);
}
