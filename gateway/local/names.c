#include "gateway/local/names.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a: a client that forges a collision only breaks its own stream. */
static uint64_t
digest(const char *name)
{
    uint64_t hash = 14695981039346656037u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash;
}

static size_t
find(const struct names *names, uint64_t hash)
{
    size_t i = 0;

    while (i < names->count && names->digests[i] != hash)
        i++;
    return i;
}

bool
names_has(const struct names *names, const char *name)
{
    return find(names, digest(name)) < names->count;
}

static bool
grow(struct names *names)
{
    size_t room = names->room == 0 ? 16 : names->room * 2;
    uint64_t *digests;

    if (names->count < names->room)
        return true;
    digests = realloc(names->digests, room * sizeof(*digests));
    if (digests == NULL)
        return false;
    names->digests = digests;
    names->room = room;
    return true;
}

bool
names_add(struct names *names, const char *name)
{
    uint64_t hash = digest(name);

    if (names->count >= NAMES_MAX || find(names, hash) < names->count ||
        !grow(names))
        return false;
    names->digests[names->count++] = hash;
    return true;
}

bool
names_remove(struct names *names, const char *name)
{
    size_t i = find(names, digest(name));

    if (i == names->count)
        return false;
    names->digests[i] = names->digests[--names->count];
    return true;
}

void
names_fini(struct names *names)
{
    free(names->digests);
    memset(names, 0, sizeof(*names));
}
