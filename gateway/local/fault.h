/* Faults: what is to go wrong, when, and how often. Sans-IO: a fault is read
 * from JSON, and each stream asks whether one is due; what it then does is the
 * business of call.c, h2.c and connection.c. */
#ifndef GATEWAY_LOCAL_FAULT_H
#define GATEWAY_LOCAL_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#define FAULTS_MAX 128
#define FAULT_MODEL_BYTES 256
#define FAULT_PROBLEM_BYTES 512

enum fault_kind {
#define FAULT(kind, where, count, needs, may, what) FAULT_##kind,
#include "gateway/local/fault.tbl.h"
#undef FAULT
    FAULT_KIND_COUNT
};

enum fault_phase {
#define FAULT_PHASE(name, what) PHASE_##name,
#include "gateway/local/phase.tbl.h"
#undef FAULT_PHASE
    PHASE_COUNT
};

struct fault {
    unsigned id; /* from 1; given by faults_add() */
    enum fault_kind kind;
    enum fault_phase phase;
    double after_ms; /* since the phase began, before the time scale */
    unsigned stream; /* 0: any */
    unsigned count;  /* 0: always */
    unsigned probability_percent;
    unsigned struck;
    char model[FAULT_MODEL_BYTES]; /* "": any */
    /* Members of some kinds. */
#define FAULT_NUMBER(member, key, standard, least, most) int64_t member;
#define FAULT_TEXT(member, key, bytes) char member[bytes];
#include "gateway/local/member.tbl.h"
#undef FAULT_NUMBER
#undef FAULT_TEXT
};

/* How many faults one stream remembers to have been struck by. */
#define FAULT_STRUCK_MAX 64

/* Where a stream is. */
struct fault_site {
    unsigned stream; /* the how many-th of this endpoint, from 1 */
    const char *model_id;
    bool answered;                  /* the 200 is out */
    unsigned open_count;            /* other streams that are open */
    unsigned entries;               /* into phases, so far */
    uint64_t since_ms[PHASE_COUNT]; /* UINT64_MAX: not in it */
    unsigned entry[PHASE_COUNT];
    unsigned struck_ids[FAULT_STRUCK_MAX]; /* the last ones, a ring */
    unsigned struck_count;
};

/* All there are, and the endpoint's wrong clock. */
struct faults {
    struct fault list[FAULTS_MAX];
    size_t count;
    unsigned last_id;
    unsigned struck;
    double time_scale;
    int64_t wall_offset_ms; /* added to the wall clock of every new stream */
    /* Closes the port for so long; NULL: cannot. */
    void (*refuse_connections)(void *arg, uint64_t ms);
    void *arg;
};

/* Reads one fault. False: `problem` names the member and what would be right.
 * [any] */
bool fault_parse(struct fault *fault, const cJSON *object,
                 char problem[FAULT_PROBLEM_BYTES]);

/* The fault as JSON, with its id and how often it struck; NULL without memory.
 * The caller deletes it. [any] */
cJSON *fault_describe(const struct fault *fault);

const char *fault_kind_name(enum fault_kind kind);
const char *fault_phase_name(enum fault_phase phase);

/* Adds a copy; its id, or 0 when FAULTS_MAX are there. [loop] */
unsigned faults_add(struct faults *faults, const struct fault *fault);

/* Takes one out; false: no such id. [loop] */
bool faults_remove(struct faults *faults, unsigned id);
void faults_clear(struct faults *faults);

/* The stream is in no phase. [any] */
void fault_site_init(struct fault_site *site, unsigned stream,
                     const char *model_id);

/* Enters or leaves a phase; entering one it is in changes nothing. [any] */
void fault_site_set(struct fault_site *site, enum fault_phase phase, bool in,
                    uint64_t now_ms);

/* Copies the next fault that strikes the stream now to `fault` and counts it;
 * false: none. A stream is struck once by a fault. [loop] */
bool faults_strike(struct faults *faults, struct fault_site *site,
                   uint64_t now_ms, struct fault *fault);

/* The same for clock_skew alone, which is due before the request is verified
 * and is never given by faults_strike(). [loop] */
bool faults_strike_clock(struct faults *faults, struct fault_site *site,
                         struct fault *fault);

/* Whether one that ends or refuses the stream waits for its time in that
 * phase. [loop] */
bool faults_wait(const struct faults *faults, const struct fault_site *site,
                 enum fault_phase phase);

/* When faults_strike() may have one, if the phases stay as they are;
 * UINT64_MAX: never. [loop] */
uint64_t faults_deadline_ms(const struct faults *faults,
                            const struct fault_site *site);

#endif
