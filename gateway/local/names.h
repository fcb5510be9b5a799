/* A set of names that were used and may not be used again. Keeps digests, so
 * a name of any length costs the same few bytes. */
#ifndef GATEWAY_LOCAL_NAMES_H
#define GATEWAY_LOCAL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX 65536

struct names {
    uint64_t *digests;
    size_t count;
    size_t room;
};

/* Adds the name. False when it was there already, when NAMES_MAX names are
 * in, or without memory. A zeroed struct is an empty set. [any] */
bool names_add(struct names *names, const char *name);
bool names_has(const struct names *names, const char *name);
/* Takes the name out; false when it was not in. [any] */
bool names_remove(struct names *names, const char *name);
void names_fini(struct names *names);

#endif
