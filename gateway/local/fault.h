/* One fault: what is to go wrong, when, and how often; read from JSON. What it
 * then does is the business of call_strike.c, h2.c and connection.c. */
#ifndef GATEWAY_LOCAL_FAULT_H
#define GATEWAY_LOCAL_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

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

/* Reads one fault. False: `problem` names the member and what would be right.
 * [any] */
bool fault_parse(struct fault *fault, const cJSON *object,
                 char problem[FAULT_PROBLEM_BYTES]);

/* The fault as JSON, with its id and how often it struck; NULL without memory.
 * The caller deletes it. [any] */
cJSON *fault_describe(const struct fault *fault);

/* As in JSON. [any] */
const char *fault_kind_name(enum fault_kind kind);
const char *fault_phase_name(enum fault_phase phase);

/* Whether its kind can strike a stream that was, or was not, answered with 200.
 * [any] */
bool fault_fits(const struct fault *fault, bool answered);

#endif
