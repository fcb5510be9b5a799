/* The inside of a session's tool calls, for calls*.c. */
#ifndef GATEWAY_SESSION_CALLS_STATE_H
#define GATEWAY_SESSION_CALLS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls that have not ended, those included that the model does not wait for
 * any more; and those whose ids and outcomes are remembered, ended or not. */
#define CALLS_RUNNING_MAX 64u
#define CALLS_REMEMBERED 96u

struct call {
    uint64_t number; /* the gateway's id, counts from 1 in each session */
    uint64_t broker_id;
    uint64_t turn_id, response_id;
    uint32_t generation;
    uint64_t started_ns;
    const char *outcome; /* NULL while it is open; static storage */
    bool async;          /* nobody waits for it in silence */
    bool cancellable;    /* by the user's barge-in */
    bool orphan;         /* its stream is gone */
    bool placeheld;      /* a placeholder was its toolResult */
    uint64_t mark;       /* of its arguments */
    uint64_t source;     /* the call whose result it gets; 0: its own */
    char *kept;          /* a late result, until it is asked for */
    char *kept_reason;   /* why that is none, or NULL */
    uint64_t ended_ns;
    const char *cancel_why; /* static storage; NULL: not cancelled by us */
    char tool[65];
    char tool_use_id[80];
};

/* How a call ends; texts live during the function it is given to. */
struct call_end {
    const char *outcome;  /* static storage */
    const char *content;  /* an object's text */
    const char *reason;   /* NULL: it has a result */
    const char *provider; /* who was to do it, or NULL */
    const char *failure;  /* how its provider failed, or NULL */
    const char *next;     /* what becomes of its provider, or NULL */
    const char *delivery; /* of a late result; static storage, or NULL */
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

/* No toolResult is owed for it any more. [any] */
bool calls_is_detached(const struct call *call);

/* Ends an open call and tells of it: if its stream waits for it, the content
 * goes there, which is what it returns. Nothing happens to a call that has
 * ended. [loop] */
bool calls_answer(struct calls *calls, struct call *call,
                  const struct call_end *end);

/* The same with {"error": reason}. [loop] */
void calls_answer_error(struct calls *calls, struct call *call,
                        const char *outcome, const char *reason);

/* Its toolResult is that it runs; what comes of it is kept for the model to
 * ask again. [loop] */
void calls_hold_place(struct calls *calls, struct call *call);

/* It asks for one that runs: its toolResult is that it does. [loop] */
void calls_still_running(struct calls *calls, struct call *call);

/* The stream of an open call is gone: whatever comes of it is late. [loop] */
void calls_make_orphan(struct calls *calls, struct call *call);

/* Answers all calls that wait for the result of this one; how many of them the
 * model got. [loop] */
size_t calls_serve(struct calls *calls, const struct call *source,
                   const struct call_end *end);

/* What a late result is good for: another call's answer, a text, or kept. The
 * name of it, static storage. [loop] */
const char *calls_pass_on(struct calls *calls, struct call *late,
                          const struct call_end *end);

/* Frees results that were kept for as long as they are. [loop] */
void calls_forget_kept(struct calls *calls, uint64_t now_ns);

/* The call, running or with its result kept, that this one asks for again;
 * NULL if there is none. [loop] */
struct call *calls_source(struct calls *calls, const struct call *wanted);

/* It gets the result of `source`: at once, when that ends, or, from a model
 * that would be silent meanwhile, when it asks once more. [loop] */
void calls_join(struct calls *calls, struct call *call, struct call *source);

/* A number that is the same for the same arguments: the order of members and
 * white space do not count, nor that they came as JSON in a string. Nothing,
 * null and {} are the same. [any] */
uint64_t calls_mark(const char *arguments_json);

#endif
