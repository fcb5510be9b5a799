/* The inside of a dialogue, for dialogue*.c. */
#ifndef GATEWAY_SESSION_DIALOGUE_STATE_H
#define GATEWAY_SESSION_DIALOGUE_STATE_H

#include <stdint.h>

#include "gateway/session/dialogue.h"

/* Power of two; late events reach back at most this far. */
#define DIALOGUE_REMEMBERED 8u

struct dialogue {
    const struct dialogue_ops *ops;
    void *arg;
    struct response responses[DIALOGUE_REMEMBERED];
    struct turn turns[DIALOGUE_REMEMBERED];
    uint64_t last_response_id, last_turn_id;
    uint64_t current_id;  /* response being generated, 0: none */
    uint64_t text_end_ns; /* a text END_TURN waits for audio since then */
};

/* A turn begins; the one that is forgotten for it is published. [loop] */
struct turn *dialogue_new_turn(struct dialogue *d, uint64_t now_ns);

/* The user's open turn, a fresh one if the model has begun to answer. [loop] */
struct turn *dialogue_open_turn(struct dialogue *d, uint64_t now_ns);

/* Publishes the response's turn if nothing of it is still to come. [loop] */
void dialogue_publish_if_over(struct dialogue *d, const struct response *r);

/* The response that new content of the assistant belongs to. [loop] */
struct response *dialogue_open_response(struct dialogue *d, uint64_t now_ns);

/* Its one end; nothing happens to one that has ended. `reason`: static storage
 * or NULL. [loop] */
void dialogue_end_response(struct dialogue *d, struct response *r,
                           enum response_status status, const char *reason,
                           uint64_t now_ns);

/* Completes one that was generated and has its FINAL texts, or has waited for
 * them long enough. [loop] */
void dialogue_settle(struct dialogue *d, struct response *r, uint64_t now_ns);

#endif
