/* The change to a next stream: opened and begun beside the current one, and put
 * in its place at a turn boundary, so that nobody talking to the robot can
 * tell. One at a time in a session; a next stream that is refused or dies does
 * not touch the current one. When one is wanted is rotation.h's business. */
#ifndef GATEWAY_SESSION_HANDOVER_H
#define GATEWAY_SESSION_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/session/leg.h"

struct bedrock_end;
struct session;

enum handover_phase {
    HANDOVER_NONE,
    HANDOVER_QUEUED,  /* waits for a slot */
    HANDOVER_OPENING, /* connecting, or begun and not answered yet */
    HANDOVER_READY    /* answered; waits for the boundary */
};

struct handover {
    enum handover_phase phase;
    struct leg next;
    uint64_t queued_ns; /* since when it waits for a slot */
    uint64_t begun_ns;  /* when `next` was begun; 0: not yet */
};

/* The next stream is dropped, if there is one. [loop] */
void handover_drop(struct session *session, const char *why);

/* And nothing is wanted any more: the current one is gone, and its place is
 * taken another way. [loop] */
void handover_forget(struct session *session, const char *why);

/* Goes on where it can, and when it must be called again. [loop] */
void handover_tick(struct session *session, uint64_t now_ns);
uint64_t handover_deadline_ns(const struct session *session, uint64_t now_ns);

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
