/* The inside of a session's tool calls, for calls*.c. */
#ifndef GATEWAY_SESSION_CALLS_STATE_H
#define GATEWAY_SESSION_CALLS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls whose ids and outcomes are remembered after their end. */
#define CALLS_REMEMBERED 64u

struct call {
    uint64_t number; /* the gateway's id, counts from 1 in each session */
    uint64_t broker_id;
    uint64_t turn_id, response_id;
    uint32_t generation;
    uint64_t started_ns;
    const char *outcome; /* NULL while it is open; static storage */
    bool orphan;         /* its stream is gone */
    uint64_t mark;       /* of its arguments */
    uint64_t partner;    /* orphan: the call it answers; else: its orphan */
    char *kept;          /* an orphan's result, until it is asked for */
    uint64_t ended_ns;
    char tool[65];
    char tool_use_id[80];
};

/* What the broker holds: outlives the session if it must. */
struct ticket {
    struct calls *calls; /* NULL once they are gone */
    uint64_t number;
    struct ticket *next;
};

struct calls {
    struct session *session;
    struct call log[CALLS_REMEMBERED]; /* in no order */
    struct ticket *tickets;
    uint64_t last_number;
    size_t open;
};

/* NULL: it is not remembered. [loop] */
struct call *calls_find(struct calls *calls, uint64_t number);

/* Ends an open call and tells of it: its outcome (static storage) and content
 * go to the stream that asked, if it is the current one. `reason` may be NULL.
 * Nothing happens to a call that was answered. [loop] */
void calls_answer(struct calls *calls, struct call *call, const char *outcome,
                  const char *content, const char *reason);

/* The same with {"error": reason}. [loop] */
void calls_answer_error(struct calls *calls, struct call *call,
                        const char *outcome, const char *reason);

/* The stream of an open call is gone: whatever comes of it is late. [loop] */
void calls_make_orphan(struct calls *calls, struct call *call);

/* What a late result is good for: another call's answer, a text, or kept.
 * [loop] */
void calls_pass_on(struct calls *calls, struct call *orphan,
                   const char *content);

/* The model asks on the new stream what it had asked on the old one: the call
 * is answered by that one. False: there is none. [loop] */
bool calls_adopt(struct calls *calls, struct call *call);

#endif
