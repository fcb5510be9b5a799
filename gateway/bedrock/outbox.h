/* The bytes a stream has signed and not yet framed: one linear buffer, so that
 * an event is encoded straight into it and a frame is cut straight out of it.
 *
 * Its memory is address space until it is used, and it restarts at its bottom
 * whenever it runs empty: room for the largest event costs a quiet stream
 * nothing. */
#ifndef GATEWAY_BEDROCK_OUTBOX_H
#define GATEWAY_BEDROCK_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/status.h"

struct outbox {
    uint8_t *bytes;
    size_t capacity_bytes;
    size_t head;     /* first byte still here */
    size_t tail;     /* first free byte */
    uint64_t popped; /* ever taken out */
};

/* VR_NO_MEMORY where the address space is out. [loop] */
enum vr_status outbox_init(struct outbox *outbox,
                           size_t capacity_bytes) VR_NODISCARD;

/* Accepts an outbox that is all zero. [loop] */
void outbox_fini(struct outbox *outbox);

/* A place for `room_bytes` behind what is queued, NULL if there is none. Valid
 * until the next call on the outbox. [rt] */
uint8_t *outbox_room(struct outbox *outbox, size_t room_bytes);

/* Keeps the first `count` bytes of the place given last. [rt] */
void outbox_push(struct outbox *outbox, size_t count);

/* The bytes queued, oldest first; at most until the next call on the outbox
 * that is not outbox_bytes(). [rt] */
const uint8_t *outbox_front(const struct outbox *outbox);

/* How many bytes are queued. [rt] */
size_t outbox_bytes(const struct outbox *outbox);

/* Drops the `count` oldest bytes. [rt] */
void outbox_pop(struct outbox *outbox, size_t count);

#endif
