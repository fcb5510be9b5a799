#include <stdlib.h>
#include <string.h>

#include "gateway/playback/queue.h"

/* A third of a second at 24 kHz. */
#define BLOCK_FRAMES 8192

struct queue_block {
    struct queue_block *next;
    unsigned owner;
    size_t begin, end;
    int16_t frames[BLOCK_FRAMES];
};

void
queue_init(struct queue *queue, uint64_t limit_frames)
{
    memset(queue, 0, sizeof *queue);
    queue->limit_frames = limit_frames;
}

static void
drop_first(struct queue *queue)
{
    struct queue_block *block = queue->first;
    queue->first = block->next;
    if (!queue->first)
        queue->last = NULL;
    free(block);
}

void
queue_fini(struct queue *queue)
{
    while (queue->first)
        drop_first(queue);
    queue->frames = 0;
}

/* The last block if it has room for this owner, else a new one. */
static struct queue_block *
open_block(struct queue *queue, unsigned owner)
{
    struct queue_block *last = queue->last;
    if (last && last->owner == owner && last->end < BLOCK_FRAMES)
        return last;
    struct queue_block *block = malloc(sizeof *block);
    if (!block)
        return NULL;
    block->next = NULL;
    block->owner = owner;
    block->begin = block->end = 0;
    if (last)
        last->next = block;
    else
        queue->first = block;
    queue->last = block;
    return block;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t
queue_push(struct queue *queue, unsigned owner, const int16_t *frames,
           size_t count)
{
    uint64_t room = queue->limit_frames - queue->frames;
    size_t most = room < count ? (size_t)room : count;
    size_t pushed = 0;
    while (pushed < most) {
        struct queue_block *block = open_block(queue, owner);
        if (!block)
            break;
        size_t n = smaller(most - pushed, BLOCK_FRAMES - block->end);
        memcpy(block->frames + block->end, frames + pushed, n * sizeof *frames);
        block->end += n;
        pushed += n;
    }
    queue->frames += pushed;
    return pushed;
}

size_t
queue_front(const struct queue *queue, size_t most, const int16_t **frames,
            unsigned *owner)
{
    const struct queue_block *block = queue->first;
    if (!block)
        return 0;
    *frames = block->frames + block->begin;
    *owner = block->owner;
    return smaller(most, block->end - block->begin);
}

void
queue_pop(struct queue *queue, size_t count)
{
    if (count == 0)
        return;
    queue->first->begin += count;
    queue->frames -= count;
    if (queue->first->begin == queue->first->end)
        drop_first(queue);
}

uint64_t
queue_remove(struct queue *queue, unsigned owner)
{
    uint64_t removed = 0;
    struct queue_block *kept = NULL;
    struct queue_block **link = &queue->first;
    while (*link) {
        struct queue_block *block = *link;
        if (block->owner != owner) {
            kept = block;
            link = &block->next;
            continue;
        }
        removed += block->end - block->begin;
        *link = block->next;
        free(block);
    }
    queue->last = kept;
    queue->frames -= removed;
    return removed;
}
