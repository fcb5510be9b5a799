/* The planned change to a next stream: opened and begun beside the current
 * one, and put in its place at a turn boundary, so that nobody talking to the
 * robot can tell. One at a time in a session; a next stream that is refused or
 * dies does not touch the current one. */
#ifndef GATEWAY_SESSION_HANDOVER_H
#define GATEWAY_SESSION_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/session/leg.h"

struct bedrock_end;
struct session;

/* Why a next stream is wanted; the first that holds is told. */
enum handover_reason {
    HANDOVER_RESET,       /* session.reset */
    HANDOVER_ASKED,       /* session.rotate */
    HANDOVER_CHANGE,      /* session.update */
    HANDOVER_TOOLS,       /* a tool came or went */
    HANDOVER_HISTORY,     /* history.append or history.replace */
    HANDOVER_CREDENTIALS, /* they run out */
    HANDOVER_AGE,         /* rotate_after_s */
    HANDOVER_HOME,        /* from a fallback to the configured target */
    HANDOVER_REASON_COUNT
};

enum handover_phase {
    HANDOVER_NONE,
    HANDOVER_QUEUED,  /* waits for a slot */
    HANDOVER_OPENING, /* connecting, or begun and not answered yet */
    HANDOVER_READY    /* answered; waits for the boundary */
};

struct handover {
    enum handover_phase phase;
    struct leg next;
    uint64_t queued_ns;            /* since when it waits for a slot */
    uint64_t begun_ns;             /* when `next` was begun; 0: not yet */
    uint32_t wanted;               /* bits of enum handover_reason */
    uint64_t wanted_ns, change_ns; /* the first of these, the last change */
    uint64_t due_ns, deadline_ns;  /* for its age or credentials; 0: never */
    bool by_credentials;           /* they set due_ns */
    uint64_t not_before_ns;        /* after a change-over, or a failure */
    unsigned failures;             /* since the last change-over */
};

/* A current stream was answered: when to replace it. [loop] */
void handover_arm(struct session *session, uint64_t now_ns);

/* A next stream is wanted. [loop] */
void handover_want(struct session *session, enum handover_reason reason);

/* That reason is gone; the next stream with it, if it was the only one.
 * [loop] */
void handover_unwant(struct session *session, enum handover_reason reason);

/* Nothing is wanted any more and the next stream is dropped: the current one
 * is gone, and its place is taken another way. [loop] */
void handover_forget(struct session *session, const char *why);

/* Goes on where it can, and when it must be called again. [loop] */
void handover_tick(struct session *session, uint64_t now_ns);
uint64_t handover_deadline_ns(const struct session *session, uint64_t now_ns);

/* The current stream is to be left at once: nothing more is asked on it.
 * [loop] */
bool handover_resets(const struct session *session);

/* What happened to the next stream. [loop] */
void handover_connected(struct session *session);
void handover_answered(struct session *session);
void handover_lost(struct session *session, const struct bedrock_end *end);

/* The current stream is lost, and the next one is ready: it takes over at
 * once. False if there is none. [loop] */
bool handover_rescue(struct session *session, const char *reason);

/* "none", "queued", "opening", "ready". Static storage. [any] */
const char *handover_phase_name(enum handover_phase phase);

#endif
