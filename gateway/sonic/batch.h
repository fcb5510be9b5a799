/* JSON events that go out one after the other with nothing in between.
 *
 * Each event is one chunk on the wire. A TEXT or TOOL block is several events
 * that must be contiguous (PROTOCOL 2.5), so the encoders append whole units
 * here and the session sends a batch from its first event to its last before
 * anything else. An append that fails leaves the batch as it was. */
#ifndef GATEWAY_SONIC_BATCH_H
#define GATEWAY_SONIC_BATCH_H

#include <stddef.h>

#include "ipc/status.h"

/* Zeroed is empty. The members belong to batch.c. */
struct sonic_batch {
    char *text; /* every event, NUL-terminated, back to back */
    size_t text_bytes;
    size_t text_capacity;
    size_t *starts; /* offset of each event in `text` */
    size_t count;
    size_t capacity;
};

/* Makes an empty batch; allocates nothing. [any] */
void sonic_batch_init(struct sonic_batch *batch);

/* Frees what the batch holds; it is empty afterwards. [any] */
void sonic_batch_fini(struct sonic_batch *batch);

/* Empties the batch and keeps its memory. [any] */
void sonic_batch_clear(struct sonic_batch *batch);

/* How many events it holds. [any] */
size_t sonic_batch_count(const struct sonic_batch *batch);

/* Event `index`, which must be below the count: JSON text, NUL-terminated,
 * owned by the batch until it changes; `bytes` (may be NULL) gets the length
 * without the NUL. [any] */
const char *sonic_batch_event(const struct sonic_batch *batch, size_t index,
                              size_t *bytes);

/* Appends one event; `json` is copied, and what is not UTF-8 in it becomes
 * U+FFFD. VR_NO_MEMORY. [loop] */
enum vr_status sonic_batch_append(struct sonic_batch *batch, const char *json,
                                  size_t bytes) VR_NODISCARD;

/* Drops the events from `count` on. [any] */
void sonic_batch_truncate(struct sonic_batch *batch, size_t count);

#endif
