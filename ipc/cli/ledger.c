#include "ipc/cli/ledger.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char topic[LEDGER_TOPIC_BYTES]; /* "" is free */
    uint64_t sequence;
};

struct ledger {
    char epoch[LEDGER_EPOCH_BYTES];
    bool settled; /* a whole heartbeat came: an unknown topic begins at 1 */
    size_t count;
    /* open addressing; never more than half full */
    struct entry entries[LEDGER_TOPICS_MAX * 2];
};

struct ledger *
ledger_new(void)
{
    return calloc(1, sizeof(struct ledger));
}

void
ledger_free(struct ledger **ledger)
{
    free(*ledger);
    *ledger = NULL;
}

bool
ledger_epoch(struct ledger *ledger, const char *epoch)
{
    bool before = ledger->epoch[0] != '\0';
    if (strncmp(ledger->epoch, epoch, sizeof ledger->epoch - 1) == 0)
        return false;
    memset(ledger, 0, sizeof *ledger);
    strncpy(ledger->epoch, epoch, sizeof ledger->epoch - 1);
    return before;
}

static size_t
hash(const char *topic)
{
    uint32_t h = 2166136261u;
    for (; *topic; topic++)
        h = (h ^ (unsigned char)*topic) * 16777619u;
    return h % (LEDGER_TOPICS_MAX * 2);
}

/* The topic's entry, or a free one; NULL if the topic cannot be kept. */
static struct entry *
find(struct ledger *l, const char *topic)
{
    size_t at = hash(topic);
    if (strlen(topic) >= LEDGER_TOPIC_BYTES)
        return NULL;
    while (l->entries[at].topic[0] && strcmp(l->entries[at].topic, topic) != 0)
        at = (at + 1) % (LEDGER_TOPICS_MAX * 2);
    if (!l->entries[at].topic[0] && l->count >= LEDGER_TOPICS_MAX)
        return NULL;
    return &l->entries[at];
}

static void
enter(struct ledger *l, struct entry *entry, const char *topic,
      uint64_t sequence)
{
    if (!entry->topic[0]) {
        memcpy(entry->topic, topic, strlen(topic) + 1);
        l->count++;
    }
    entry->sequence = sequence;
}

uint64_t
ledger_event(struct ledger *ledger, const char *topic, uint64_t sequence)
{
    struct entry *entry = find(ledger, topic);
    uint64_t lost = 0;
    if (!entry)
        return 0;
    bool known = entry->topic[0] != '\0';
    uint64_t last = known ? entry->sequence : 0;
    if ((known || ledger->settled) && sequence > last)
        lost = sequence - last - 1;
    if (!known || sequence > last)
        enter(ledger, entry, topic, sequence);
    return lost;
}

uint64_t
ledger_heartbeat(struct ledger *ledger, const char *topic, uint64_t sequence)
{
    struct entry *entry = find(ledger, topic);
    if (!entry)
        return 0;
    bool known = entry->topic[0] != '\0';
    uint64_t last = known ? entry->sequence : 0;
    if (known && sequence <= last)
        return 0;
    enter(ledger, entry, topic, sequence);
    return known || ledger->settled ? sequence - last : 0;
}

void
ledger_heartbeat_done(struct ledger *ledger, bool complete)
{
    ledger->settled |= complete;
}
