/* What the sources of credentials share; only they include this. */
#ifndef GATEWAY_BEDROCK_CREDENTIALS_SOURCE_H
#define GATEWAY_BEDROCK_CREDENTIALS_SOURCE_H

#include <stddef.h>

#include "gateway/bedrock/credentials.h"

/* Sentences about what was tried, collected in the caller's text. */
struct credentials_report {
    char *text;
    size_t used, size;
};

/* Adds to the report; what does not fit is cut. [loop] */
void credentials_report(struct credentials_report *report, const char *format,
                        ...) VR_PRINTF(2, 3);

/* What a source says: WRONG and NO_MEMORY are reported and end the search. */
enum credentials_outcome {
    CREDENTIALS_FOUND,
    CREDENTIALS_ABSENT,
    CREDENTIALS_WRONG,
    CREDENTIALS_NO_MEMORY
};

/* Whether no other source or file is asked after it. [any] */
static inline bool
credentials_ends_search(enum credentials_outcome outcome)
{
    return outcome == CREDENTIALS_WRONG || outcome == CREDENTIALS_NO_MEMORY;
}

enum {
    CREDENTIALS_ACCESS_KEY,
    CREDENTIALS_SECRET_KEY,
    CREDENTIALS_SESSION_TOKEN,
    CREDENTIALS_FIELD_COUNT
};

/* One of the three: what its sources call it, and where it goes. */
struct credentials_field {
    const char *variable;
    const char *key;
    size_t offset, size;
};

extern const struct credentials_field
    credentials_fields[CREDENTIALS_FIELD_COUNT];

/* Where field `i` of the credentials is. [any] */
static inline char *
credentials_field_of(struct credentials *credentials, int i)
{
    return (char *)credentials + credentials_fields[i].offset;
}

/* NULL, or what is wrong with a value, which is not shown. [any] */
const char *credentials_fault_of(const char *value, size_t size);

/* NULL for "", too. [any] */
const char *credentials_set_or_null(const char *value);

/* Takes the time at which credentials expire. What cannot be read leaves it
 * unknown, and is logged with the `place` and `name` it stands at. [loop] */
void credentials_take_expiry(struct credentials *out, const char *place,
                             const char *name, const char *value);

/* Looks in the shared credentials and config files. [loop] */
enum credentials_outcome
credentials_from_profile(const char *profile, struct credentials *out,
                         struct credentials_report *tried);

#endif
