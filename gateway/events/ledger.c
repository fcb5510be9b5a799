#include "gateway/events/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jsonx.h"

#define GATEWAY "-"        /* stands for the gateway; no session's name */
#define WHOLE_PROVIDER "*" /* in a tool's place */

enum { KEEP_SESSION = 1, KEEP_TOOL = 2 };

static const int keeps[EVENT_TYPE_COUNT] = {
#define EVENT(symbol, name, keep, what) [EVENT_##symbol] = keep,
#include "gateway/events/events.tbl.h"
#undef EVENT
};

struct topic {
    uint64_t sequence; /* 0: nothing published */
    uint64_t last_ns;
};

struct entry {
    char session[LEDGER_SESSION_BYTES];
    struct topic topics[EVENT_TYPE_COUNT];
    uint64_t last_ns;
    /* The last event of each type that is to be repeated, or NULL. */
    cJSON *kept[EVENT_TYPE_COUNT];
};

struct ledger {
    struct entry **entries; /* by name */
    size_t entry_count;
    size_t entry_room;
    cJSON *tools; /* {tool: its last event to be repeated} */
};

struct ledger *
ledger_new(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (!ledger)
        return NULL;
    ledger->tools = cJSON_CreateObject();
    if (!ledger->tools)
        ledger_free(&ledger);
    return ledger;
}

static void
forget_kept(struct entry *entry)
{
    for (size_t type = 0; type < EVENT_TYPE_COUNT; type++) {
        cJSON_Delete(entry->kept[type]);
        entry->kept[type] = NULL;
    }
}

void
ledger_free(struct ledger **ledger)
{
    if (!*ledger)
        return;
    for (size_t i = 0; i < (*ledger)->entry_count; i++) {
        forget_kept((*ledger)->entries[i]);
        free((*ledger)->entries[i]);
    }
    free((*ledger)->entries);
    cJSON_Delete((*ledger)->tools);
    free(*ledger);
    *ledger = NULL;
}

void
ledger_topic(enum event_type type, const char *session,
             char topic[LEDGER_TOPIC_BYTES])
{
    if (type == EVENT_heartbeat)
        snprintf(topic, LEDGER_TOPIC_BYTES, "v1/%s", bus_type_name(type));
    else
        snprintf(topic, LEDGER_TOPIC_BYTES, "v1/%s/%.*s", bus_type_name(type),
                 LEDGER_SESSION_BYTES - 1, session ? session : GATEWAY);
}

/* ---- entries ---- */

/* The place of a session's entry, or where it belongs; true if it is there. */
static bool
find(const struct ledger *ledger, const char *session, size_t *at)
{
    size_t low = 0;
    size_t high = ledger->entry_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strncmp(ledger->entries[middle]->session, session,
                            LEDGER_SESSION_BYTES - 1);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

static void
forget_oldest(struct ledger *ledger)
{
    size_t oldest = ledger->entry_count;
    for (size_t i = 0; i < ledger->entry_count; i++) {
        const struct entry *e = ledger->entries[i];
        if (strcmp(e->session, GATEWAY) &&
            (oldest == ledger->entry_count ||
             e->last_ns < ledger->entries[oldest]->last_ns))
            oldest = i;
    }
    if (oldest == ledger->entry_count)
        return;
    forget_kept(ledger->entries[oldest]);
    free(ledger->entries[oldest]);
    ledger->entry_count--;
    memmove(ledger->entries + oldest, ledger->entries + oldest + 1,
            (ledger->entry_count - oldest) * sizeof *ledger->entries);
}

static bool
make_room(struct ledger *ledger)
{
    if (ledger->entry_count > BUS_SESSIONS_MAX)
        forget_oldest(ledger);
    if (ledger->entry_count < ledger->entry_room)
        return true;
    size_t room = ledger->entry_room ? 2 * ledger->entry_room : 8;
    struct entry **entries =
        realloc(ledger->entries, room * sizeof *ledger->entries);
    if (!entries)
        return false;
    ledger->entries = entries;
    ledger->entry_room = room;
    return true;
}

static struct entry *
entry_of(struct ledger *ledger, const char *session)
{
    size_t at;
    if (!session)
        session = GATEWAY;
    if (find(ledger, session, &at))
        return ledger->entries[at];
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry || !make_room(ledger)) {
        free(entry);
        return NULL;
    }
    find(ledger, session, &at);
    snprintf(entry->session, sizeof entry->session, "%.*s",
             LEDGER_SESSION_BYTES - 1, session);
    memmove(ledger->entries + at + 1, ledger->entries + at,
            (ledger->entry_count - at) * sizeof *ledger->entries);
    ledger->entries[at] = entry;
    ledger->entry_count++;
    return entry;
}

/* ---- publishing ---- */

uint64_t
ledger_next(struct ledger *ledger, enum event_type type, const char *session,
            uint64_t now_ns)
{
    struct entry *entry = entry_of(ledger, session);
    if (!entry)
        return 0;
    entry->last_ns = now_ns;
    entry->topics[type].last_ns = now_ns;
    return ++entry->topics[type].sequence;
}

static void
forget_tool(struct ledger *ledger, const char *tool, const char *provider)
{
    char key[LEDGER_TOOL_BYTES];
    snprintf(key, sizeof key, "%s/%s", tool, provider);
    cJSON_DeleteItemFromObjectCaseSensitive(ledger->tools, key);
}

/* Of a whole provider, "*", only its refusal is a state that lasts, and only
 * until it offers something. */
static void
keep_tool(struct ledger *ledger, const cJSON *event)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(event, "data");
    const char *tool = jsonx_text(data, "tool", "");
    const char *provider = jsonx_text(data, "provider", "");
    const char *state = jsonx_text(data, "state", "");
    bool refused = !strcmp(state, "refused");
    bool gone = !strcmp(state, "gone");
    char key[LEDGER_TOOL_BYTES];
    forget_tool(ledger, tool, provider);
    if (!refused && !gone)
        forget_tool(ledger, WHOLE_PROVIDER, provider);
    if (gone || (!refused && !strcmp(tool, WHOLE_PROVIDER)))
        return;
    if (cJSON_GetArraySize(ledger->tools) >= BUS_TOOLS_MAX)
        cJSON_Delete(cJSON_DetachItemFromArray(ledger->tools, 0));
    snprintf(key, sizeof key, "%s/%s", tool, provider);
    jsonx_put(ledger->tools, key, cJSON_Duplicate(event, true));
}

void
ledger_keep(struct ledger *ledger, enum event_type type, const char *session,
            const cJSON *event)
{
    size_t at;
    if (keeps[type] == KEEP_TOOL)
        keep_tool(ledger, event);
    if (keeps[type] != KEEP_SESSION ||
        !find(ledger, session ? session : GATEWAY, &at))
        return;
    cJSON_Delete(ledger->entries[at]->kept[type]);
    ledger->entries[at]->kept[type] = cJSON_Duplicate(event, true);
}

/* ---- reports ---- */

size_t
ledger_topics(const struct ledger *ledger)
{
    size_t count = 0;
    for (size_t i = 0; i < ledger->entry_count; i++) {
        for (size_t type = 0; type < EVENT_TYPE_COUNT; type++)
            count += ledger->entries[i]->topics[type].sequence > 0;
    }
    return count;
}

static void
add_topics(const struct entry *entry, uint64_t since_ns, cJSON *sequences)
{
    const char *session =
        strcmp(entry->session, GATEWAY) ? entry->session : NULL;
    for (size_t type = 0; type < EVENT_TYPE_COUNT; type++) {
        char topic[LEDGER_TOPIC_BYTES];
        const struct topic *t = &entry->topics[type];
        if (!t->sequence || t->last_ns < since_ns)
            continue;
        ledger_topic((enum event_type)type, session, topic);
        jsonx_add_u64(sequences, topic, t->sequence);
    }
}

cJSON *
ledger_sequences(const struct ledger *ledger, uint64_t since_ns)
{
    cJSON *sequences = cJSON_CreateObject();
    for (size_t i = 0; i < ledger->entry_count; i++)
        add_topics(ledger->entries[i], since_ns, sequences);
    return sequences;
}

cJSON *
ledger_states(const struct ledger *ledger)
{
    const cJSON *tool;
    cJSON *states = cJSON_CreateArray();
    for (size_t i = 0; i < ledger->entry_count; i++) {
        for (size_t type = 0; type < EVENT_TYPE_COUNT; type++) {
            const cJSON *kept = ledger->entries[i]->kept[type];
            if (kept)
                jsonx_put(states, NULL, cJSON_Duplicate(kept, true));
        }
    }
    cJSON_ArrayForEach(tool, ledger->tools)
        jsonx_put(states, NULL, cJSON_Duplicate(tool, true));
    return states;
}
