/* The parts of a SigV4 Authorization header. */
#ifndef GATEWAY_LOCAL_AUTHORIZATION_H
#define GATEWAY_LOCAL_AUTHORIZATION_H

#include <stdbool.h>

#include "gateway/local/refusal.h"

#define AUTHORIZATION_SIGNED_BYTES 1024

struct authorization {
    char access_key_id[132];
    char day[16]; /* as given, YYYYMMDD if right */
    char region[64];
    char service[32];
    char terminator[32];
    char signed_headers[AUTHORIZATION_SIGNED_BYTES];
    char signature[80];
};

/* Splits the header's value. A refusal says which part is missing. [any] */
bool authorization_parse(const char *value, struct authorization *out,
                         struct refusal *refusal);

/* Whether `name` is in the list of signed headers. [any] */
bool authorization_signs(const struct authorization *authorization,
                         const char *name);

/* Whether the list of signed headers is lower case, sorted and without
 * repeats, as canonical requests have it. [any] */
bool authorization_list_ok(const struct authorization *authorization);

#endif
