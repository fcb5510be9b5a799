#include "gateway/bedrock/outbox.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

enum vr_status
outbox_init(struct outbox *outbox, size_t capacity_bytes)
{
    *outbox = (struct outbox){0};
    void *bytes = mmap(NULL, capacity_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return VR_NO_MEMORY;
    outbox->bytes = bytes;
    outbox->capacity_bytes = capacity_bytes;
    return VR_OK;
}

void
outbox_fini(struct outbox *outbox)
{
    if (outbox->bytes)
        munmap(outbox->bytes, outbox->capacity_bytes);
    *outbox = (struct outbox){0};
}

uint8_t *
outbox_room(struct outbox *outbox, size_t room_bytes)
{
    size_t queued = outbox->tail - outbox->head;

    if (room_bytes > outbox->capacity_bytes - queued)
        return NULL;
    /* Moving no more than was popped since the last move keeps the cost of
     * moving below one copy a byte, and a backlog near the bottom. */
    if (outbox->head && (queued <= outbox->head ||
                         room_bytes > outbox->capacity_bytes - outbox->tail)) {
        memmove(outbox->bytes, outbox->bytes + outbox->head, queued);
        outbox->head = 0;
        outbox->tail = queued;
    }
    return outbox->bytes + outbox->tail;
}

void
outbox_push(struct outbox *outbox, size_t count)
{
    assert(count <= outbox->capacity_bytes - outbox->tail);
    outbox->tail += count;
}

const uint8_t *
outbox_front(const struct outbox *outbox)
{
    return outbox->bytes + outbox->head;
}

size_t
outbox_bytes(const struct outbox *outbox)
{
    return outbox->tail - outbox->head;
}

void
outbox_pop(struct outbox *outbox, size_t count)
{
    assert(count <= outbox->tail - outbox->head);
    outbox->head += count;
    outbox->popped += count;
    if (outbox->head == outbox->tail)
        outbox->head = outbox->tail = 0;
}
