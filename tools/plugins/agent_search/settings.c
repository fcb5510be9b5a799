#include "tools/plugins/agent_search/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tools/plugins/agent_search/headers.h"

#define SECTION "plugins.config.agent_search"
#define TIMEOUT_S 300.0
#define TIMEOUT_MAX_S 86400.0
#define ANSWER_BYTES 16384.0
#define ANSWER_MIN_BYTES 256.0
#define ANSWER_MAX_BYTES 131072.0

/* The place that a complaint is about, and where it goes. */
struct place {
    char path[160];
    char *why;
    size_t why_bytes;
};

static bool
wrong(const struct place *place, const char *key, const char *what)
{
    snprintf(place->why, place->why_bytes, "%s%s%s %s", place->path,
             key[0] ? "." : "", key, what);
    return false;
}

static bool
keys_are_known(const struct place *place, const cJSON *object)
{
    static const char *const known[] = {"card_url",     "url",
                                        "headers_file", "ca_file",
                                        "timeout_s",    "answer_bytes"};
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            is_known |= strcmp(item->string, known[i]) == 0;
        if (!is_known) {
            char key[64];
            snprintf(key, sizeof key, "%.60s", item->string);
            return wrong(place, key,
                         "is unknown; there are card_url, url, headers_file, "
                         "ca_file, timeout_s and answer_bytes");
        }
    }
    return true;
}

static bool
take_url(struct agent_settings *agent, const struct place *place,
         const cJSON *object)
{
    const cJSON *card = cJSON_GetObjectItemCaseSensitive(object, "card_url");
    const cJSON *url = cJSON_GetObjectItemCaseSensitive(object, "url");
    const cJSON *given = card ? card : url;
    const char *key = card ? "card_url" : "url";
    char fault[120];

    if (!given || (card && url))
        return wrong(place, "",
                     "needs either card_url, where the agent's card is, or "
                     "url, below which it is in .well-known/agent-card.json");
    if (!cJSON_IsString(given))
        return wrong(place, key, "must be a string");
    if (!address_is_good(given->valuestring, fault, sizeof fault))
        return wrong(place, key, fault);
    snprintf(agent->url, sizeof agent->url, "%s", given->valuestring);
    agent->is_card_url = card != NULL;
    return true;
}

static bool
take_path(char **path, const struct place *place, const cJSON *object,
          const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    if (!item)
        return true;
    if (!cJSON_IsString(item) || item->valuestring[0] != '/')
        return wrong(place, key, "must be an absolute path");
    *path = strdup(item->valuestring);
    return *path || wrong(place, key, "is too much for the memory there is");
}

static bool
take_number(double *number, const struct place *place, const cJSON *object,
            const char *key, double least, double most)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    char what[100];

    if (!item)
        return true;
    *number = item->valuedouble;
    if (cJSON_IsNumber(item) && *number >= least && *number <= most)
        return true;
    snprintf(what, sizeof what, "must be a number from %g to %.0f", least,
             most);
    return wrong(place, key, what);
}

static bool
headers_are_readable(const struct agent_settings *agent,
                     const struct place *place)
{
    struct headers headers;
    char fault[480];

    if (!headers_load(&headers, agent->headers_file, fault, sizeof fault)) {
        snprintf(place->why, place->why_bytes, "%s: %s", place->path, fault);
        return false;
    }
    headers_fini(&headers);
    return true;
}

/* An agent's keys, from the object that has them. */
static bool
take_agent(struct settings *settings, const char *name,
           const struct place *place, const cJSON *object)
{
    struct agent_settings *agent = &settings->agents[settings->count];
    double timeout_s = TIMEOUT_S, answer_bytes = ANSWER_BYTES;

    if (!cJSON_IsObject(object))
        return wrong(place, "", "must be an object");
    if (strlen(name) == 0 || strlen(name) >= sizeof agent->name)
        return wrong(place, "", "needs a name of 1 to 64 bytes");
    settings->count++;
    snprintf(agent->name, sizeof agent->name, "%s", name);
    if (!keys_are_known(place, object) || !take_url(agent, place, object) ||
        !take_path(&agent->headers_file, place, object, "headers_file") ||
        !take_path(&agent->ca_file, place, object, "ca_file") ||
        !take_number(&timeout_s, place, object, "timeout_s", 0.1,
                     TIMEOUT_MAX_S) ||
        !take_number(&answer_bytes, place, object, "answer_bytes",
                     ANSWER_MIN_BYTES, ANSWER_MAX_BYTES))
        return false;
    agent->timeout_ms = (uint64_t)(timeout_s * 1000);
    agent->answer_bytes = (size_t)answer_bytes;
    return headers_are_readable(agent, place);
}

static bool
take_agents(struct settings *settings, const cJSON *agents, char *why,
            size_t why_bytes)
{
    struct place place = {SECTION ".agents", why, why_bytes};
    int count = cJSON_GetArraySize(agents);
    const cJSON *agent;

    if (!cJSON_IsObject(agents) || count < 1 ||
        (unsigned)count > SETTINGS_AGENTS_MAX)
        return wrong(&place, "", "must be an object with 1 to 16 agents");
    cJSON_ArrayForEach(agent, agents)
    {
        snprintf(place.path, sizeof place.path, SECTION ".agents.%.70s",
                 agent->string);
        if (!take_agent(settings, agent->string, &place, agent))
            return false;
    }
    return true;
}

bool
settings_read(struct settings *settings, const char *json, char *why,
              size_t why_bytes)
{
    struct place place = {SECTION, why, why_bytes};
    cJSON *root = cJSON_Parse(json);
    const cJSON *agents = cJSON_GetObjectItemCaseSensitive(root, "agents");
    bool good;

    memset(settings, 0, sizeof *settings);
    if (!cJSON_IsObject(root) || cJSON_GetArraySize(root) == 0)
        good = wrong(&place, "",
                     "is missing: it needs \"agents\", an object "
                     "{NAME: {card_url or url, headers_file, timeout_s}}, or "
                     "one agent's card_url or url");
    else if (agents && cJSON_GetArraySize(root) > 1)
        good = wrong(&place, "agents", "goes with no other key beside it");
    else if (agents)
        good = take_agents(settings, agents, why, why_bytes);
    else
        good = take_agent(settings, "agent", &place, root);
    cJSON_Delete(root);
    if (!good)
        settings_fini(settings);
    return good;
}

void
settings_fini(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->agents[i].headers_file);
        free(settings->agents[i].ca_file);
    }
    memset(settings, 0, sizeof *settings);
}
