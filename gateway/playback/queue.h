/* Audio that waits because the ring has no room for it: first in, first out,
 * in blocks that are allocated when they are needed. */
#ifndef GATEWAY_PLAYBACK_QUEUE_H
#define GATEWAY_PLAYBACK_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue_block;

/* Zeroed is empty and takes nothing. The members belong to queue.c. */
struct queue {
    struct queue_block *first, *last;
    uint64_t frames;
    uint64_t limit_frames;
};

/* Empty, with a limit. [any] */
void queue_init(struct queue *queue, uint64_t limit_frames);

/* Frees everything. [any] */
void queue_fini(struct queue *queue);

/* Appends mono frames of `owner`; returns how many found room, the first
 * ones, which is less than `count` at the limit or when memory is out. [loop] */
size_t queue_push(struct queue *queue, unsigned owner, const int16_t *frames,
                  size_t count);

/* The oldest frames, at most `most`, all of one owner: valid until the next
 * change. 0 if the queue is empty. [rt] */
size_t queue_front(const struct queue *queue, size_t most,
                   const int16_t **frames, unsigned *owner);

/* Drops `count` frames, as many as queue_front() gave at most. [rt] */
void queue_pop(struct queue *queue, size_t count);

/* Drops all frames of `owner`; returns how many. [loop] */
uint64_t queue_remove(struct queue *queue, unsigned owner);

#endif
