#include "gateway/config_table.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config_entry.h"
#include "gateway/config_env.h"
#include "gateway/config_list.h"
#include "gateway/jsonx.h"

/* The words of the bits set in `bits`; a text if only one may be set. */
static cJSON *
show_choices(const char *choices, uint32_t bits, bool list)
{
    cJSON *array = list ? cJSON_CreateArray() : NULL;
    for (unsigned i = 0; *choices; i++) {
        char word[64];
        size_t n = strcspn(choices, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, choices);
        if (bits & (1u << i)) {
            cJSON *text = cJSON_CreateString(word);
            if (!list)
                return text;
            jsonx_put(array, NULL, text);
        }
        choices += n + (choices[n] == '|');
    }
    return array;
}

/* An address without what may be a secret: its query. */
static cJSON *
show_address(const char *text)
{
    const char *query = strchr(text, '?');
    if (!query || !query[1])
        return cJSON_CreateString(text);
    char shown[2112];
    snprintf(shown, sizeof shown, "%.*s?%.*s", (int)(query - text), text,
             (int)strnlen(query + 1, 3), "...");
    return cJSON_CreateString(shown);
}

static cJSON *
show_text(const struct config_row *row, const char *text)
{
    if (!text)
        return NULL;
    return row->check == config_check_url ? show_address(text)
                                          : cJSON_CreateString(text);
}

static bool
sounds_secret(const char *name)
{
    static const char *const words[] = {"key", "token", "secret", "password",
                                        "authorization"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (name && strcasestr(name, words[i]))
            return true;
    }
    return false;
}

/* An address may have a secret in its query, and a user's name in front of the
 * host. */
static bool
looks_secret(const char *text)
{
    const char *host = strstr(text, "://");
    return host && (strchr(host, '?') || strchr(host, '@'));
}

/* Puts CONFIG_HIDDEN in the place of every text whose name sounds like a
 * secret's or that may hold one. Depth is bounded by the parsers. */
static void
hide_secrets(cJSON *json)
{
    cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        if (cJSON_IsString(item) &&
            (sounds_secret(item->string) || looks_secret(item->valuestring)))
            cJSON_SetValuestring(item, CONFIG_HIDDEN);
        hide_secrets(item);
    }
}

static cJSON *
show_object(const struct config_row *row, const cJSON *object)
{
    cJSON *shown = object ? cJSON_Duplicate(object, true) : NULL;
    if (row->kind == CONFIG_OBJECTS)
        hide_secrets(shown);
    return shown;
}

cJSON *
config_value_to_json(const struct config_row *row, const void *base)
{
    const void *member = (const char *)base + row->offset;
    switch (row->kind) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return show_text(row, *(char *const *)member);
    case CONFIG_PATHS:
    case CONFIG_NAMES:
    case CONFIG_TEXTS:
        return config_strings_to_json(member);
    case CONFIG_UINT:
        return cJSON_CreateNumber(*(const uint32_t *)member);
    case CONFIG_NUMBER:
        return cJSON_CreateNumber(*(const double *)member);
    case CONFIG_CHOICE:
        return *(const int *)member
                   ? show_choices(row->choices,
                                  1u << (*(const int *)member - 1), false)
                   : NULL;
    case CONFIG_CHOICES:
        return show_choices(row->choices, *(const uint32_t *)member, true);
    case CONFIG_HISTORY:
        return config_history_to_json(member);
    case CONFIG_TARGETS:
        return config_targets_to_json(member);
    case CONFIG_OBJECT:
    case CONFIG_OBJECTS:
        return show_object(row, *(cJSON *const *)member);
    case CONFIG_FLAG:
        return cJSON_CreateBool(*(const bool *)member);
    case CONFIG_MAYBE_FLAG:
        return *(const int *)member < 0
                   ? NULL
                   : cJSON_CreateBool(*(const int *)member);
    case CONFIG_MAYBE_NUMBER:
        return *(const double *)member < 0
                   ? NULL
                   : cJSON_CreateNumber(*(const double *)member);
    case CONFIG_ENV:
        return config_env_to_json(member);
    case CONFIG_PLUGINS:
    case CONFIG_MCP:
    case CONFIG_WORKERS:
    case CONFIG_TOOLS:
        return config_entries_to_json(row, member);
    }
    return NULL;
}
