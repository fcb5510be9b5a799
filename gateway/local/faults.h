/* The faults there are, and where each stream is, so that it can ask whether
 * one is due. Sans-IO. */
#ifndef GATEWAY_LOCAL_FAULTS_H
#define GATEWAY_LOCAL_FAULTS_H

#include "gateway/local/fault.h"

#define FAULTS_MAX 128

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

/* Adds a copy; its id, or 0 when FAULTS_MAX are there. [loop] */
unsigned faults_add(struct faults *faults, const struct fault *fault);

/* Takes one out; false: no such id. [loop] */
bool faults_remove(struct faults *faults, unsigned id);

/* Takes all out. [loop] */
void faults_clear(struct faults *faults);

/* The stream is in no phase. [any] */
void faults_site_init(struct fault_site *site, unsigned stream,
                      const char *model_id);

/* Enters or leaves a phase; entering one it is in changes nothing. [any] */
void faults_site_set(struct fault_site *site, enum fault_phase phase, bool in,
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
