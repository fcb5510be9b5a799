/* How many streams the daemon may have open, and who gets the next one. A slot
 * is room for one stream; the one that a rotation opens beside the current one
 * needs a slot too, and one of few hand-over tokens. Sans-IO, one per daemon.
 *
 * Who has no stream goes before who wants a second one, first come first
 * served among each; but a hand-over that could go is overtaken at most
 * SLOTS_OVERTAKEN_MAX times, so that nobody waits for ever while others come
 * and go. A hand-over may have to wait until somebody closes, as when every
 * slot holds a current stream: who cannot wait that long cancels it, and puts
 * the next stream in its current one's slot once that has ended. */
#ifndef GATEWAY_SESSION_SLOTS_H
#define GATEWAY_SESSION_SLOTS_H

#include <stdbool.h>
#include <stddef.h>

#define SLOTS_OVERTAKEN_MAX 8

struct slots;
struct slot_ticket;

enum slot_kind {
    SLOT_STREAM, /* a session's only stream: its first, or after a loss */
    SLOT_NEXT    /* one beside the current one, for a hand-over */
};

enum slots_answer { SLOTS_GRANTED, SLOTS_QUEUED };

/* The slot is the ticket's now. It may do anything with its own ticket, and
 * ask, cancel and release others. [loop] */
typedef void slots_granted_fn(void *arg, struct slot_ticket *ticket);

/* In its owner, zeroed before its first use; must not move or go away while it
 * waits or holds a slot. A ticket is for the slot, not for one stream: who
 * replaces a dead stream at once may keep it. Members are slots.c's. */
struct slot_ticket {
    struct slot_ticket *before, *after; /* while waiting */
    enum { SLOT_IDLE, SLOT_WAITING, SLOT_HELD } state;
    enum slot_kind kind;
    bool token; /* a hand-over token comes back with this slot */
    slots_granted_fn *on_granted;
    void *arg;
};

/* NULL without memory. Limits below 1 count as 1. [loop] */
struct slots *slots_new(size_t max_streams, size_t max_handovers);

/* No ticket may wait or hold a slot any more. [loop] */
void slots_free(struct slots **slots);

/* Asks for a slot with an idle ticket. SLOTS_QUEUED: on_granted is called once,
 * from a later slots_release() or slots_promote(), unless the ticket is
 * cancelled; SLOTS_GRANTED: it is not called. [loop] */
enum slots_answer slots_ask(struct slots *slots, struct slot_ticket *ticket,
                            enum slot_kind kind, slots_granted_fn *on_granted,
                            void *arg);

/* Waits no more. False if it did not wait: it was granted meanwhile, or never
 * asked. [loop] */
bool slots_cancel(struct slots *slots, struct slot_ticket *ticket);

/* The stream is gone, or is not wanted: the ticket is idle afterwards, whether
 * it held a slot, waited or neither. Grants what that makes room for. [loop] */
void slots_release(struct slots *slots, struct slot_ticket *ticket);

/* The hand-over is made: `next`, held as SLOT_NEXT, is the current stream from
 * here on. The token comes back when `old`, the stream before it, is released;
 * at once if that holds no slot or is NULL. [loop] */
void slots_promote(struct slots *slots, struct slot_ticket *next,
                   struct slot_ticket *old);

/* True while this ticket has a slot. [loop] */
bool slots_held(const struct slot_ticket *ticket);

/* Tickets that wait: of one kind, or of both. [loop] */
size_t slots_waiting_for(const struct slots *slots, enum slot_kind kind);
size_t slots_waiting(const struct slots *slots); /* [loop] */

/* How many of its kind wait before this waiting one. [loop] */
size_t slots_ahead(const struct slot_ticket *ticket);

/* Slots held, and hand-over tokens out; each at most its limit. [loop] */
size_t slots_open(const struct slots *slots);
size_t slots_handovers(const struct slots *slots); /* [loop] */
size_t slots_limit(const struct slots *slots);     /* max_streams. [loop] */

#endif
