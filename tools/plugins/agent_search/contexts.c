#include "tools/plugins/agent_search/contexts.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct entry {
    char key[CONTEXTS_KEY_BYTES]; /* "": free */
    unsigned agent;
    uint64_t used; /* when, by the count of uses */
    struct context context;
};

static struct {
    pthread_mutex_t lock;
    uint64_t uses;
    struct entry entries[CONTEXTS_MAX];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. NULL if it is not there. */
static struct entry *
find(const char *key, unsigned agent)
{
    for (unsigned i = 0; i < CONTEXTS_MAX; i++) {
        struct entry *entry = &table.entries[i];
        if (entry->key[0] && entry->agent == agent &&
            strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

/* A free one has never been used, so it counts as the oldest. */
static struct entry *
oldest(void)
{
    struct entry *best = &table.entries[0];

    for (unsigned i = 1; i < CONTEXTS_MAX; i++) {
        if (table.entries[i].used < best->used)
            best = &table.entries[i];
    }
    return best;
}

static bool
is_key(const char *key)
{
    return key[0] && strlen(key) < CONTEXTS_KEY_BYTES;
}

void
contexts_take(const char *key, unsigned agent, struct context *context)
{
    struct entry *entry;

    memset(context, 0, sizeof *context);
    if (!is_key(key))
        return;
    pthread_mutex_lock(&table.lock);
    entry = find(key, agent);
    if (entry) {
        *context = entry->context;
        entry->context.task_id[0] = '\0';
        entry->used = ++table.uses;
    }
    pthread_mutex_unlock(&table.lock);
}

void
contexts_put(const char *key, unsigned agent, const struct context *context)
{
    struct entry *entry;

    if (!is_key(key))
        return;
    pthread_mutex_lock(&table.lock);
    entry = find(key, agent);
    if (!entry)
        entry = oldest();
    snprintf(entry->key, sizeof entry->key, "%s", key);
    entry->agent = agent;
    entry->used = ++table.uses;
    entry->context = *context;
    pthread_mutex_unlock(&table.lock);
}

void
contexts_clear(void)
{
    pthread_mutex_lock(&table.lock);
    memset(table.entries, 0, sizeof table.entries);
    table.uses = 0;
    pthread_mutex_unlock(&table.lock);
}
