/* The calls that have not ended: who waits for what until when, and the one
 * place from which results go out.
 *
 * A call's id is its slot and a generation, never a pointer, so an id that
 * comes back late or forged finds nothing. A call ends exactly once, by
 * toolcall_end(); its result is delivered later, from the loop. */
#ifndef GATEWAY_TOOLBROKER_TOOLCALL_H
#define GATEWAY_TOOLBROKER_TOOLCALL_H

#include "gateway/toolbroker/broker.h"

#define TOOLCALL_MAX 1024u

struct provider;
struct worker;

/* One call. */
struct toolcall {
    uint64_t id;
    uint64_t begin_ns;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint32_t timeout_ms;
    char *tool;
    char *provider;  /* NULL: no such tool */
    char *arguments; /* an object's text */
    char *session;
    char *conversation;
    char *turn;
    bool serial;
    broker_result_fn *on_result;
    void *arg;
    /* where it is: in a plugin's queue, or sent to a worker */
    struct provider *owner;
    struct worker *worker;
    struct toolcall *next; /* in the plugin's queue or the ended list */
    /* its end */
    enum tool_outcome outcome;
    uint64_t end_ns;
    char *content_json;
    char *reason;
    char *failure; /* how its provider failed; NULL if it did not */
    char *next_step;
};

struct toolcall_table {
    struct toolcall *slots[TOOLCALL_MAX];
    uint64_t generation;
    uint32_t count;
    uint32_t count_max;
    uint32_t search; /* where to look for a free slot */
    struct toolcall *ended;
    struct toolcall **ended_tail;
};

/* An empty table that holds at most `count_max` (capped) calls. [loop] */
void toolcall_table_init(struct toolcall_table *table, uint32_t count_max);

/* Frees every call without delivering anything. [loop] */
void toolcall_table_fini(struct toolcall_table *table);

/* A new call of `tool` with its begin and id set, the rest of it zero; copies
 * the texts. With a full table the call has an id but no slot
 * (toolcall_find() does not find it): end it at once. NULL when memory is
 * out. [loop] */
struct toolcall *toolcall_new(struct toolcall_table *table, const char *tool,
                              const struct broker_caller *caller);

/* Whether the table gave this call a slot. [loop] */
bool toolcall_has_slot(const struct toolcall_table *table,
                       const struct toolcall *call);

/* The call of that id if it has not ended, else NULL. [loop] */
struct toolcall *toolcall_find(const struct toolcall_table *table, uint64_t id);

/* The call after `after` (NULL: the first) that has not ended, in no
 * particular order, or NULL. Ending calls on the way is allowed. [loop] */
struct toolcall *toolcall_next(const struct toolcall_table *table,
                               const struct toolcall *after);

/* Ends a call: takes it out of its slot and queues it for delivery. The caller
 * has taken it out of the plugin's queue. Takes `content_json` (malloc'ed;
 * NULL: made from the reason, or {}). [loop] */
void toolcall_end(struct toolcall_table *table, struct toolcall *call,
                  enum tool_outcome outcome, char *content_json,
                  const char *reason);

/* Notes how the call's provider failed and what happens next to it, before
 * the call is ended for it; NULL or "" if nothing is to be told. [loop] */
void toolcall_blame(struct toolcall *call, const char *failure,
                    const char *next_step);

/* Takes all ended calls, linked by `next`, the first to end first; NULL if
 * there are none. [loop] */
struct toolcall *toolcall_take_ended(struct toolcall_table *table);

/* Calls on_result and frees the call. [loop] */
void toolcall_deliver(struct toolcall *call);

/* What the caller was, for messages; valid as long as the call. [loop] */
struct broker_caller toolcall_caller(const struct toolcall *call);

#endif
