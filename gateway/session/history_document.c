#include "gateway/session/history_document.h"

#include <stdio.h>
#include <string.h>

#include "gateway/clock.h"
#include "gateway/jsonx.h"

static bool
make(cJSON *json, const struct history_state *state)
{
    char now[CLOCK_UTC_BYTES];
    clock_utc_text(now);
    cJSON *shown = history_to_json(state->history);
    bool whole =
        json && shown &&
        cJSON_AddNumberToObject(json, "voxring_history",
                                HISTORY_DOCUMENT_VERSION) &&
        (!state->conversation ||
         cJSON_AddStringToObject(json, "conversation", state->conversation)) &&
        cJSON_AddStringToObject(json, "saved", now) &&
        jsonx_put(json, "revision",
                  cJSON_DetachItemFromObject(shown, "revision")) &&
        jsonx_put(json, "messages",
                  cJSON_DetachItemFromObject(shown, "messages"));
    cJSON_Delete(shown);
    return whole;
}

cJSON *
history_document_make(struct history_state *state)
{
    cJSON *json = cJSON_CreateObject();
    bool whole = make(json, state);
    if (state->extra && whole)
        whole = jsonx_put(json, "extra", state->extra);
    else
        cJSON_Delete(state->extra);
    state->extra = NULL;
    if (whole)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static enum vr_status
check(const cJSON *json, char *why, size_t why_size)
{
    int64_t version = jsonx_int(json, "voxring_history", 0);
    const cJSON *extra = cJSON_GetObjectItemCaseSensitive(json, "extra");
    if (!cJSON_IsObject(json) || version < 1) {
        snprintf(why, why_size, "it is no history that voxring has written");
        return VR_CORRUPT;
    }
    if (version != HISTORY_DOCUMENT_VERSION) {
        snprintf(why, why_size, "it has version %lld; this voxring reads %d",
                 (long long)version, HISTORY_DOCUMENT_VERSION);
        return VR_VERSION;
    }
    if ((extra && !cJSON_IsObject(extra)) ||
        !cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(json, "messages"))) {
        snprintf(why, why_size, "it lacks its messages, or extra is no object");
        return VR_CORRUPT;
    }
    return VR_OK;
}

/* An id is shown in logs and sent to others: nothing but what ids hold. */
static void
read_conversation(const cJSON *json, struct history_loaded *loaded)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *id = jsonx_text(json, "conversation", "");
    size_t bytes = strlen(id);
    if (bytes < sizeof loaded->conversation && strspn(id, allowed) == bytes)
        memcpy(loaded->conversation, id, bytes + 1);
}

static enum vr_status
read_json(cJSON *json, struct history_loaded *loaded, char *why,
          size_t why_size)
{
    enum vr_status status = check(json, why, why_size);
    if (status != VR_OK)
        return status;
    status =
        history_import_read(cJSON_GetObjectItemCaseSensitive(json, "messages"),
                            "messages", &loaded->import, why, why_size);
    if (status != VR_OK)
        return status == VR_NO_MEMORY ? status : VR_CORRUPT;
    loaded->revision = 1;
    (void)jsonx_u64(json, "revision", &loaded->revision);
    read_conversation(json, loaded);
    loaded->extra = cJSON_DetachItemFromObjectCaseSensitive(json, "extra");
    return VR_OK;
}

enum vr_status
history_document_parse(const char *text, size_t text_bytes,
                       struct history_loaded *loaded, char *why,
                       size_t why_size)
{
    const char *flaw = NULL;
    size_t offset = 0;
    memset(loaded, 0, sizeof *loaded);
    if (!text_bytes) {
        snprintf(why, why_size, "it is empty");
        return VR_CORRUPT;
    }
    cJSON *json = jsonx_parse(text, text_bytes, &offset, &flaw);
    if (!json) {
        snprintf(why, why_size, "at byte %zu: %s", offset, flaw);
        return VR_CORRUPT;
    }
    enum vr_status status = read_json(json, loaded, why, why_size);
    cJSON_Delete(json);
    return status;
}

void
history_loaded_fini(struct history_loaded *loaded)
{
    history_import_fini(&loaded->import);
    cJSON_Delete(loaded->extra);
    memset(loaded, 0, sizeof *loaded);
}
