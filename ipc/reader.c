/* A reader of either ring: player, recorder, or anything that listens. Here
 * its life; reader_read.c has what it does. */
#include <stdlib.h>
#include <string.h>

#include "ipc/reader.h"
#include "ipc/ring_cursor.h"
#include "ipc/ring_holder.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"

static void
take_slot(struct vr_reader *r, unsigned index)
{
    struct ring_client *c = &r->client;
    struct ring_slot *slot = ring_map_slot(&c->map, index);

    RING_STEP("lease: locked");
    r->slot = slot;
    /* Relaxed: for display; whose slot it is says the kernel's lock. */
    atomic_store_explicit(&slot->role, (uint32_t)r->role, memory_order_relaxed);
    atomic_store_explicit(&slot->lost_frames, 0, memory_order_relaxed);
    ring_holder_sign(&slot->pid, slot->name,
                     c->name[0] != '\0' ? c->name : NULL);
}

static enum vr_status
find_slot(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    int fd = c->map.fork.fd[RING_MAP_OBJECT_FD];
    struct ring_holder_card card;
    struct ring_slot *slot;

    r->slot = NULL;
    if (r->role != VR_PLAYER) {
        for (unsigned i = 1; i < c->map.header.slot_count && r->slot == NULL;
             i++)
            if (ring_lock_take(fd, RING_LOCK_SLOT + (long)i))
                take_slot(r, i);
        return VR_OK;
    }
    if (ring_lock_take(fd, RING_LOCK_SLOT + RING_SLOT_PLAYER)) {
        take_slot(r, RING_SLOT_PLAYER);
        return VR_OK;
    }
    slot = ring_map_slot(&c->map, RING_SLOT_PLAYER);
    ring_holder_read(&card, &slot->pid, slot->name);
    return reader_fail(
        r, VR_BUSY,
        "Session \"%s\" already has a player: \"%s\", pid %lu%s; end "
        "it first, or read as VR_OTHER",
        c->session, card.name, (unsigned long)card.pid,
        card.stopped ? ", which is stopped and keeps its place" : "");
}

static uint64_t
first_position(struct vr_reader *r, uint64_t head)
{
    uint64_t oldest = ring_cursor_oldest(&r->client.map, head);
    enum vr_start start = r->start;

    if (r->client.attach_count > 0)
        start = VR_START_OLDEST;
    switch (start) {
    case VR_START_OLDEST:
        return oldest;
    case VR_START_PAST:
        return head - oldest < r->past_frames ? oldest : head - r->past_frames;
    default:
        return head;
    }
}

/* At the first ring an old flush is no news; at a later one it is. */
static void
find_place(struct vr_reader *r)
{
    struct reader_flush flush;
    bool was_flushed;
    uint64_t head;

    r->position = 0;
    r->end = UINT64_MAX;
    r->unchecked_frames = 0;
    r->flush_count = 0;
    r->flush_to = 0;
    was_flushed = r->client.attach_count == 0 && reader_read_flush(r, &flush);
    RING_STEP("lease: flush");
    /* Behind the flush: a head from before it would make it look like none. */
    head = reader_head(r);
    if (was_flushed) {
        r->flush_count = flush.count;
        r->flush_to = flush.to <= head ? flush.to : 0;
    }
    r->position = first_position(r, head);
    if (!r->marks_only && r->position < r->flush_to)
        r->position = r->flush_to;
    r->played = r->position;
}

static void
publish_played(struct vr_reader *r)
{
    /* Release, with the acquire in ring_host: frames are read before they are
     * played. */
    atomic_store_explicit(&r->client.map.layout->played, r->played,
                          memory_order_release);
}

void
reader_publish_position(struct vr_reader *r)
{
    /* Relaxed: for display. */
    if (r->slot != NULL)
        atomic_store_explicit(&r->slot->position, r->position,
                              memory_order_relaxed);
}

enum vr_status
reader_take_lease(struct ring_client *c)
{
    struct vr_reader *r = (struct vr_reader *)c;
    enum vr_status status = find_slot(r);

    if (status != VR_OK)
        return status;
    RING_STEP("lease: slot");
    find_place(r);
    RING_STEP("lease: place");
    reader_publish_position(r);
    if (r->role == VR_PLAYER)
        publish_played(r);
    r->told = VR_OK;
    return VR_OK;
}

static enum vr_status
check_options(struct vr_reader *r, enum vr_ring ring)
{
    if ((unsigned)ring > VR_RING_IN)
        return reader_fail(r, VR_INVALID, "vr_options.ring is %d", (int)ring);
    if ((unsigned)r->role > VR_PLAYER)
        return reader_fail(r, VR_INVALID, "vr_options.role is %d",
                           (int)r->role);
    if ((unsigned)r->start > VR_START_OLDEST)
        return reader_fail(r, VR_INVALID, "vr_options.start is %d",
                           (int)r->start);
    if (r->role == VR_PLAYER && ring == VR_RING_IN)
        return reader_fail(r, VR_INVALID,
                           "The in ring has no player; read it as VR_OTHER");
    if (r->role == VR_PLAYER && r->marks_only)
        return reader_fail(
            r, VR_INVALID,
            "A player cannot be marks_only: it must not play what was "
            "flushed");
    return VR_OK;
}

/* Members that an old caller's struct lacks read as zero. */
static void
read_options(struct vr_reader *r, const struct vr_options *given,
             enum vr_ring *ring)
{
    struct vr_options o = {0};
    size_t bytes = sizeof o;

    if (given != NULL && given->struct_bytes != 0 &&
        given->struct_bytes < bytes)
        bytes = given->struct_bytes;
    if (given != NULL)
        memcpy(&o, given, bytes);
    *ring = o.ring;
    r->role = o.role;
    r->start = o.start;
    r->marks_only = o.marks_only != 0;
    r->past_frames = o.past_frames;
}

enum vr_status
vr_reader_open(struct vr_reader **reader, const char *session,
               const struct vr_options *options, char *why, size_t why_bytes)
{
    struct vr_reader *r = calloc(1, sizeof *r);
    enum vr_status status;
    enum vr_ring ring;

    *reader = NULL;
    if (r == NULL)
        return ring_why(why, why_bytes, VR_NO_MEMORY, "Out of memory");
    read_options(r, options, &ring);
    status = check_options(r, ring);
    if (status == VR_OK)
        status = ring_client_open(&r->client, session, ring, options,
                                  reader_take_lease);
    if (status == VR_OK) {
        *reader = r;
        return VR_OK;
    }
    ring_why(why, why_bytes, status, "%s", r->client.error);
    free(r);
    return status;
}

void
vr_reader_close(struct vr_reader **reader)
{
    if (*reader == NULL)
        return;
    ring_map_detach(&(*reader)->client.map);
    free(*reader);
    *reader = NULL;
}

enum vr_status
vr_played(struct vr_reader *r, uint64_t position)
{
    if (r->role != VR_PLAYER)
        return reader_fail(r, VR_STATE, "vr_played() is for VR_PLAYER");
    if (ring_fork_is_child(&r->client.map.fork))
        return VR_STATE;
    if (position > r->position)
        position = r->position;
    if (r->client.map.layout == NULL || position <= r->played)
        return VR_OK;
    r->played = position;
    publish_played(r);
    RING_STEP("played: said");
    return VR_OK;
}

void
vr_reader_stats(const struct vr_reader *r, struct vr_reader_stats *stats,
                size_t stats_bytes)
{
    const struct ring_map *map = &r->client.map;
    struct vr_reader_stats s = {.format = r->client.wanted,
                                .capacity_frames = map->header.capacity_frames,
                                .epoch = map->header.epoch,
                                .position = r->position,
                                .head = r->position,
                                .oldest = r->position,
                                .flush_to = r->flush_to,
                                .read_frames = r->read_frames,
                                .lost_frames = r->lost_frames,
                                .skipped_frames = r->skipped_frames,
                                .attach_count = r->client.attach_count};

    if (map->layout != NULL && !ring_fork_is_child(&map->fork)) {
        uint64_t head = ring_cursor_head(map);
        s.attached = 1;
        if (head <= RING_MAX_POSITION && head >= r->position)
            s.head = head;
        s.oldest = ring_cursor_oldest(map, s.head);
    }
    ring_client_copy_stats(stats, stats_bytes, &s, sizeof s);
}

const char *
vr_reader_error(const struct vr_reader *r)
{
    return r->client.error;
}
