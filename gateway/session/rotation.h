/* When and why a stream is to be replaced by a next one: its age, what runs out,
 * what has changed, what was asked for. How that is done is handover.h's
 * business. */
#ifndef GATEWAY_SESSION_ROTATION_H
#define GATEWAY_SESSION_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Why a next stream is wanted; the first that holds is told. */
enum rotation_reason {
    ROTATION_RESET,       /* session.reset */
    ROTATION_ASKED,       /* session.rotate */
    ROTATION_CHANGE,      /* session.update */
    ROTATION_TOOLS,       /* a tool came or went */
    ROTATION_HISTORY,     /* history.append or history.replace */
    ROTATION_CREDENTIALS, /* they run out */
    ROTATION_AGE,         /* rotate_after_s */
    ROTATION_HOME,        /* from a fallback to the configured target */
    ROTATION_REASON_COUNT
};

struct rotation {
    uint32_t wanted;               /* bits of enum rotation_reason */
    uint64_t wanted_ns, change_ns; /* the first of these, the last change */
    uint64_t due_ns, deadline_ns;  /* for its age or credentials; 0: never */
    bool by_credentials;           /* they set due_ns */
    uint64_t not_before_ns;        /* after a change-over, or a failure */
    unsigned failures;             /* since the last change-over */
};

/* A current stream was answered: when to replace it. [loop] */
void rotation_arm(struct session *session, uint64_t now_ns);

/* A next stream is wanted. [loop] */
void rotation_want(struct session *session, enum rotation_reason reason);

/* That reason is gone; the next stream with it, if it was the only one.
 * [loop] */
void rotation_unwant(struct session *session, enum rotation_reason reason);

/* Wants one where time alone says so. [loop] */
void rotation_tick(struct session *session, uint64_t now_ns);

/* The first of the reasons, as it is told. Static storage. [loop] */
const char *rotation_reason(const struct session *session);

/* The current stream is to be left at once: nothing more is asked on it.
 * [loop] */
bool rotation_resets(const struct session *session);

/* A next stream is to be begun now. Where the credentials run out and no newer
 * ones are found, that is put off. [loop] */
bool rotation_may_begin(struct session *session, uint64_t now_ns);

/* The change waits for no boundary any more. [loop] */
bool rotation_must_change(struct session *session, uint64_t now_ns);

/* Open tool calls have been waited for long enough. [loop] */
bool rotation_waited_for_tools(const struct session *session, uint64_t now_ns);

/* Where the next stream goes: see leg_target(). [loop] */
size_t rotation_target(const struct session *session, uint64_t now_ns);

/* The next stream failed: another is tried later, and later each time. [loop] */
void rotation_postpone(struct session *session, uint64_t now_ns);

/* So did the way back from a fallback, which is looked for again later; what
 * else was wanted goes on where the session is. [loop] */
void rotation_stay_away(struct session *session, uint64_t now_ns);

/* The next stream is the current one now. [loop] */
void rotation_done(struct session *session, uint64_t now_ns);

/* Nothing is wanted any more. [loop] */
void rotation_forget(struct session *session);

#endif
