#include "gateway/toolbroker/worker_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/toolbroker/tool_content.h"

static const cJSON *
param(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool
is_text_within(const cJSON *item, size_t most_bytes)
{
    size_t bytes;

    if (!cJSON_IsString(item))
        return false;
    bytes = strlen(item->valuestring);
    return bytes > 0 && bytes <= most_bytes &&
           tool_content_is_utf8(item->valuestring, bytes);
}

/* Whether it is UTF-8 of at most so many bytes when it is written. */
static bool
is_small(const cJSON *item, size_t most_bytes)
{
    char *text = cJSON_PrintUnformatted(item);
    size_t bytes = text ? strlen(text) : most_bytes + 1;
    bool small = bytes <= most_bytes && tool_content_is_utf8(text, bytes);

    cJSON_free(text);
    return small;
}

static bool
check_publish(const cJSON *params, char *why, size_t why_size)
{
    const cJSON *data = param(params, "data");

    if (!is_text_within(param(params, "name"), WORKER_ASK_NAME_MAX_BYTES))
        snprintf(why, why_size, "\"name\" must be a text of 1 to %d bytes",
                 WORKER_ASK_NAME_MAX_BYTES);
    else if (data && !is_small(data, WORKER_ASK_DATA_MAX_BYTES))
        snprintf(why, why_size, "\"data\" must be UTF-8 of at most %d bytes",
                 WORKER_ASK_DATA_MAX_BYTES);
    else
        return true;
    return false;
}

static bool
check_text(const cJSON *params, char *why, size_t why_size)
{
    if (is_text_within(param(params, "text"), WORKER_ASK_TEXT_MAX_BYTES))
        return true;
    snprintf(why, why_size, "\"text\" must be a text of 1 to %d bytes, UTF-8",
             WORKER_ASK_TEXT_MAX_BYTES);
    return false;
}

static bool
check_update(const cJSON *params, char *why, size_t why_size)
{
    const cJSON *config = param(params, "config");

    if (cJSON_IsObject(config) && is_small(config, WORKER_ASK_CONFIG_MAX_BYTES))
        return true;
    snprintf(why, why_size,
             "\"config\" must be an object of at most %d bytes, UTF-8",
             WORKER_ASK_CONFIG_MAX_BYTES);
    return false;
}

static bool
check_history(const cJSON *params, char *why, size_t why_size)
{
    const cJSON *append = param(params, "append");

    if (!append)
        return true;
    if (!cJSON_IsObject(append))
        snprintf(why, why_size, "\"append\" must be an object {role, text}");
    else if (!is_text_within(param(append, "role"), WORKER_ASK_NAME_MAX_BYTES))
        snprintf(why, why_size, "\"append.role\" must be a text");
    else
        return check_text(append, why, why_size);
    return false;
}

static bool
check_end(const cJSON *params, char *why, size_t why_size)
{
    const cJSON *reason = param(params, "reason");
    const cJSON *within = param(params, "within_ms");

    if (reason && !is_text_within(reason, WORKER_ASK_REASON_MAX_BYTES))
        snprintf(why, why_size, "\"reason\" must be a text of 1 to %d bytes",
                 WORKER_ASK_REASON_MAX_BYTES);
    else if (within && !(cJSON_IsNumber(within) && within->valuedouble >= 0 &&
                         within->valuedouble <= WORKER_ASK_WITHIN_MAX_MS))
        snprintf(why, why_size, "\"within_ms\" must be a number from 0 to %d",
                 WORKER_ASK_WITHIN_MAX_MS);
    else
        return true;
    return false;
}

static const struct {
    bool (*check)(const cJSON *params, char *why, size_t why_size);
    uint32_t grant;
    const char *grant_name;
} asks[] = {
    [BROKER_ASK_PUBLISH] = {check_publish, CONFIG_GRANT_PUBLISH, "publish"},
    [BROKER_ASK_TEXT] = {check_text, CONFIG_GRANT_TEXT, "text"},
    [BROKER_ASK_UPDATE] = {check_update, CONFIG_GRANT_UPDATE, "update"},
    [BROKER_ASK_HISTORY] = {check_history, CONFIG_GRANT_HISTORY, "history"},
    [BROKER_ASK_END] = {check_end, CONFIG_GRANT_END, "end"},
};

bool
worker_ask_check(enum broker_ask_kind ask, const cJSON *params, char *why,
                 size_t why_size)
{
    return asks[ask].check(params, why, why_size);
}

uint32_t
worker_ask_grant(enum broker_ask_kind ask)
{
    return asks[ask].grant;
}

const char *
worker_ask_grant_name(enum broker_ask_kind ask)
{
    return asks[ask].grant_name;
}
