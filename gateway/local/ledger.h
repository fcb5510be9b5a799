/* What became of each stream of this endpoint, for tests to ask. Keeps the
 * last LEDGER_STREAMS_MAX. */
#ifndef GATEWAY_LOCAL_LEDGER_H
#define GATEWAY_LOCAL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "gateway/local/verify.h"

#define LEDGER_STREAMS_MAX 1024
#define LEDGER_ENDED_BYTES 96

struct ledger_stream {
    unsigned number; /* the how many-th request, from 1 */
    char model[VERIFY_MODEL_BYTES];
    uint64_t opened_ms, ended_ms;
    uint64_t audio_bytes; /* received, decoded */
    unsigned faults;
    bool counted; /* among the open ones */
    bool ended;
    char how[LEDGER_ENDED_BYTES];
};

struct ledger {
    struct ledger_stream *streams; /* a ring by number */
    unsigned requests;             /* streams asked for */
    unsigned opened;               /* of these, answered with 200 */
    unsigned open;
    unsigned highest; /* most at once */
};

/* False without memory. ledger_fini() is due in any case. [loop] */
bool ledger_init(struct ledger *ledger);
void ledger_fini(struct ledger *ledger);

/* A request came: its number. [loop] */
unsigned ledger_request(struct ledger *ledger, uint64_t now_ms);

/* It is for that model and well signed: from now on it is open. [loop] */
void ledger_open(struct ledger *ledger, unsigned number, const char *model);

/* It got its 200. [loop] */
void ledger_answer(struct ledger *ledger);

/* The stream's entry; NULL when it is too old to be kept. [loop] */
struct ledger_stream *ledger_find(struct ledger *ledger, unsigned number);

/* It ended like that; only the first end counts. [loop] */
void ledger_end(struct ledger *ledger, unsigned number, uint64_t now_ms,
                const char *how);

/* Everything, as JSON; NULL without memory. The caller deletes it. [loop] */
cJSON *ledger_describe(const struct ledger *ledger, uint64_t now_ms);

#endif
