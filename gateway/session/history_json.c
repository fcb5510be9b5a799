#include <inttypes.h>
#include <stdio.h>

#include "gateway/jsonx.h"
#include "gateway/session/history.h"
#include "gateway/session/history_time.h"

static bool
put_number(cJSON *object, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return cJSON_AddStringToObject(object, key, text) != NULL;
}

static bool
put_time(cJSON *object, int64_t time_ms)
{
    char text[CLOCK_UTC_BYTES];
    history_time_text(time_ms, text);
    return cJSON_AddStringToObject(object, "time", text) != NULL;
}

static bool
put_message(cJSON *array, const struct history_message *m)
{
    cJSON *object = cJSON_CreateObject();
    bool whole =
        object && put_number(object, "id", m->id) &&
        (!m->turn || put_number(object, "turn", m->turn)) &&
        (!m->time_ms || put_time(object, m->time_ms)) &&
        cJSON_AddStringToObject(object, "role", history_role_name(m->role)) &&
        cJSON_AddStringToObject(object, "text", m->text) &&
        cJSON_AddBoolToObject(object, "interrupted", m->interrupted) &&
        cJSON_AddBoolToObject(object, "pinned", m->pinned) &&
        (!m->trigger || cJSON_AddTrueToObject(object, "trigger"));
    if (whole)
        return jsonx_put(array, NULL, object);
    cJSON_Delete(object);
    return false;
}

cJSON *
history_to_json(const struct history *h)
{
    cJSON *json = cJSON_CreateObject();
    bool whole = json && put_number(json, "revision", history_revision(h));
    cJSON *array = whole ? cJSON_AddArrayToObject(json, "messages") : NULL;
    whole = array != NULL;
    for (size_t i = 0; whole && i < history_totals(h)->messages; i++)
        whole = put_message(array, history_at(h, i));
    if (whole)
        return json;
    cJSON_Delete(json);
    return NULL;
}
