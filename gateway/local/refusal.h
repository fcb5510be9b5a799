/* A request that is refused before its stream begins: which error, in words. */
#ifndef GATEWAY_LOCAL_REFUSAL_H
#define GATEWAY_LOCAL_REFUSAL_H

#include <stdbool.h>

enum refusal_code {
#define REFUSAL(code, status, errortype) REFUSAL_##code,
#include "gateway/local/refusal.tbl.h"
#undef REFUSAL
    REFUSAL_COUNT
};

struct refusal {
    enum refusal_code code;
    char message[8192];
};

/* Fills in the refusal, cut where too long; always false, so that a check can
 * end with it. [any] */
bool refusal_set(struct refusal *refusal, enum refusal_code code,
                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The HTTP status, such as 403. [any] */
int refusal_status(enum refusal_code code);

/* The value of x-amzn-errortype. [any] */
const char *refusal_errortype(enum refusal_code code);

#endif
