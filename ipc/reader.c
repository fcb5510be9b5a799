/* A reader of either ring: player, recorder, or anything that listens. */
#include <stdlib.h>
#include <string.h>

#include "ipc/ring_client.h"
#include "ipc/ring_cursor.h"
#include "ipc/ring_futex.h"
#include "ipc/ring_holder.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_order.h"
#include "ipc/ring_why.h"

#define SEQLOCK_TRIES 16

struct vr_reader {
    struct ring_client client; /* first: the slot is taken through it */
    struct ring_slot *slot;    /* NULL: all were taken, or no ring */
    uint64_t position;
    uint64_t played;
    uint64_t flush_seq; /* the last one told */
    uint64_t flush_to;
    uint64_t read_frames;
    uint64_t lost_frames;
    uint64_t skipped_frames;
    enum vr_status told; /* the last word on the gateway's absence */
    enum vr_role role;
    enum vr_start start;
    uint64_t past_frames;
    bool marks_only;
};

struct flush {
    uint64_t seq, to, turn;
};

#define fail(reader, status, ...)                                          \
    ring_why((reader)->client.error, sizeof(reader)->client.error, status, \
             __VA_ARGS__)

/* ---- what shared memory says, bounded ---------------------------------- */

/* A head below our position cannot be: we were there. If somebody wrote
 * nonsense and the writer has put it right, we were led astray, and go back. */
static uint64_t
bounded_head(struct vr_reader *r)
{
    uint64_t head = ring_cursor_head(&r->client.map);

    if (head > RING_MAX_POSITION)
        return r->position;
    if (ring_map_gap(r->position, head) < 0)
        r->position = head;
    return head;
}

static bool
flush_is_new(const struct vr_reader *r)
{
    /* Acquire, with the release in ring_host: the head that a flush was cut
     * to, before the flush. */
    uint64_t seq = atomic_load_explicit(&r->client.map.layout->flush_seq,
                                        memory_order_acquire);

    return seq != r->flush_seq && (seq & 1) == 0;
}

/* Reads the newest flush; false if it changes all the time, or never was. */
static bool
read_flush(const struct vr_reader *r, struct flush *flush)
{
    struct ring_layout *l = r->client.map.layout;

    for (int i = 0; i < SEQLOCK_TRIES; i++) {
        flush->seq = atomic_load_explicit(&l->flush_seq, memory_order_acquire);
        flush->to = atomic_load_explicit(&l->flush_to, memory_order_relaxed);
        flush->turn =
            atomic_load_explicit(&l->flush_turn, memory_order_relaxed);
        /* Boehm's seqlock: the words above, then the count again. */
        ring_fence_acquire();
        if ((flush->seq & 1) == 0 &&
            flush->seq ==
                atomic_load_explicit(&l->flush_seq, memory_order_relaxed))
            return true;
    }
    return false;
}

/* ---- attaching --------------------------------------------------------- */

static void
take_slot(struct vr_reader *r, unsigned index)
{
    struct ring_client *c = &r->client;
    struct ring_slot *slot = &c->map.layout->slots[index];

    r->slot = slot;
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
        for (unsigned i = 1; i < RING_SLOTS && r->slot == NULL; i++)
            if (ring_lock_take(fd, RING_LOCK_SLOT + (long)i))
                take_slot(r, i);
        return VR_OK;
    }
    if (ring_lock_take(fd, RING_LOCK_SLOT + RING_SLOT_PLAYER)) {
        take_slot(r, RING_SLOT_PLAYER);
        return VR_OK;
    }
    slot = &c->map.layout->slots[RING_SLOT_PLAYER];
    ring_holder_read(&card, &slot->pid, slot->name);
    return fail(r, VR_BUSY,
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
    struct flush flush;
    uint64_t head;

    r->position = 0;
    r->flush_seq = 0;
    r->flush_to = 0;
    head = bounded_head(r);
    if (r->client.attach_count == 0 && read_flush(r, &flush)) {
        r->flush_seq = flush.seq;
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

static void
publish_position(struct vr_reader *r)
{
    /* Relaxed: for display. */
    if (r->slot != NULL)
        atomic_store_explicit(&r->slot->position, r->position,
                              memory_order_relaxed);
}

static enum vr_status
take_lease(struct ring_client *c)
{
    struct vr_reader *r = (struct vr_reader *)c;
    enum vr_status status = find_slot(r);

    if (status != VR_OK)
        return status;
    find_place(r);
    publish_position(r);
    if (r->role == VR_PLAYER)
        publish_played(r);
    r->told = VR_OK;
    return VR_OK;
}

static enum vr_status
check_options(struct vr_reader *r, enum vr_ring ring)
{
    if ((unsigned)ring > VR_RING_IN)
        return fail(r, VR_INVALID, "vr_options.ring is %d", (int)ring);
    if ((unsigned)r->role > VR_PLAYER)
        return fail(r, VR_INVALID, "vr_options.role is %d", (int)r->role);
    if ((unsigned)r->start > VR_START_OLDEST)
        return fail(r, VR_INVALID, "vr_options.start is %d", (int)r->start);
    if (r->role == VR_PLAYER && ring == VR_RING_IN)
        return fail(r, VR_INVALID,
                    "The in ring has no player; read it as VR_OTHER");
    if (r->role == VR_PLAYER && r->marks_only)
        return fail(r, VR_INVALID,
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
        status =
            ring_client_open(&r->client, session, ring, options, take_lease);
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

/* ---- reading ----------------------------------------------------------- */

static void
fill_block(const struct vr_reader *r, struct vr_block *block)
{
    block->position = r->position;
    block->epoch = r->client.map.epoch;
}

static enum vr_status
tell_flush(struct vr_reader *r, struct vr_block *block)
{
    struct flush flush;

    if (!read_flush(r, &flush))
        return VR_AGAIN;
    r->flush_seq = flush.seq;
    /* A flush beyond head or backwards is no flush of the gateway's. */
    if (flush.to <= r->flush_to ||
        ring_map_gap(flush.to, ring_cursor_head(&r->client.map)) < 0)
        return VR_AGAIN;
    r->flush_to = flush.to;
    if (!r->marks_only && r->position < flush.to) {
        block->skipped_frames = flush.to - r->position;
        r->skipped_frames += block->skipped_frames;
        r->position = flush.to;
        publish_position(r);
    }
    block->flush_to = flush.to;
    block->flush_turn = flush.turn;
    fill_block(r, block);
    return VR_FLUSHED;
}

static enum vr_status
tell_lap(struct vr_reader *r, struct vr_block *block)
{
    uint64_t head = bounded_head(r);
    uint64_t next = ring_cursor_after_lap(&r->client.map, head);

    if (next > r->position) {
        block->lost_frames = next - r->position;
        r->lost_frames += block->lost_frames;
        r->position = next;
    }
    publish_position(r);
    if (r->slot != NULL)
        atomic_store_explicit(&r->slot->lost_frames, r->lost_frames,
                              memory_order_relaxed);
    fill_block(r, block);
    return VR_LAPPED;
}

/* What the ring has for us now. */
static enum vr_status
read_ring(struct vr_reader *r, void *samples, size_t frames,
          struct vr_block *block)
{
    struct ring_map *map = &r->client.map;
    uint64_t head;
    int64_t n;

    if (flush_is_new(r) && tell_flush(r, block) == VR_FLUSHED)
        return VR_FLUSHED;
    head = bounded_head(r);
    if (r->position < ring_cursor_oldest(map, head))
        return tell_lap(r, block);
    if (head == r->position || frames == 0)
        return VR_AGAIN;
    n = ring_cursor_copy(map, r->position, head, samples, frames);
    if (n < 0)
        return tell_lap(r, block);
    /* A flush that came during the copy may be about these frames. */
    if (flush_is_new(r) && tell_flush(r, block) == VR_FLUSHED)
        return VR_FLUSHED;
    fill_block(r, block);
    block->frames = (uint64_t)n;
    r->position += (uint64_t)n;
    r->read_frames += (uint64_t)n;
    publish_position(r);
    return VR_OK;
}

/* With no ring: looks for one now and then. VR_OK: there is one. */
static enum vr_status
look_for_ring(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    enum vr_status away;

    if (ring_client_due(c, vr_now_ns()) &&
        ring_client_attach(c, take_lease) == VR_OK)
        return VR_OK;
    away = c->away == VR_NOT_FOUND || c->away == VR_AGAIN ? VR_CLOSED : c->away;
    if (away == r->told)
        return VR_AGAIN;
    r->told = away;
    return away;
}

/* With nothing to read: is there still a gateway? */
static enum vr_status
look_for_gateway(struct vr_reader *r, void *samples, size_t frames,
                 struct vr_block *block)
{
    struct ring_client *c = &r->client;
    uint64_t now_ns = vr_now_ns();
    enum vr_status status;

    if (!ring_client_due(c, now_ns) || !ring_client_gateway_gone(c, now_ns))
        return VR_AGAIN;
    /* What it wrote before it went. */
    status = read_ring(r, samples, frames, block);
    if (status != VR_AGAIN) {
        c->checked_ns = 0;
        return status;
    }
    r->slot = NULL;
    ring_client_detach(c);
    r->told = VR_CLOSED;
    /* Its successor may be there already: the next call shall see. */
    c->checked_ns = 0;
    return VR_CLOSED;
}

enum vr_status
vr_read(struct vr_reader *r, void *samples, size_t frames,
        struct vr_block *block)
{
    struct vr_block unused;
    enum vr_status status;

    if (block == NULL)
        block = &unused;
    memset(block, 0, sizeof *block);
    block->position = r->position;
    if (ring_fork_is_child(&r->client.map.fork))
        return fail(r, VR_STATE,
                    "This process is a fork of the one that opened the ring "
                    "%s; open it anew",
                    r->client.object);
    if (r->client.map.layout == NULL) {
        status = look_for_ring(r);
        if (status != VR_OK)
            return status;
    }
    status = read_ring(r, samples, frames, block);
    if (status != VR_AGAIN)
        return status;
    fill_block(r, block);
    return look_for_gateway(r, samples, frames, block);
}

/* ---- waiting ----------------------------------------------------------- */

static bool
has_news(struct vr_reader *r)
{
    return flush_is_new(r) || bounded_head(r) != r->position;
}

/* True if vr_read() would have news of the gateway itself. */
static bool
gateway_changed(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    uint64_t now_ns = vr_now_ns();

    if (!ring_client_due(c, now_ns))
        return false;
    if (c->map.layout == NULL)
        return ring_client_attach(c, take_lease) == VR_OK ||
               (c->away != VR_NOT_FOUND && c->away != VR_AGAIN &&
                c->away != r->told);
    if (!ring_client_gateway_gone(c, now_ns))
        return false;
    /* vr_read() shall look again, and tell. */
    c->checked_ns = 0;
    return true;
}

static enum vr_status
sleep_for_news(struct vr_reader *r, uint64_t slice_ns)
{
    struct ring_layout *l = r->client.map.layout;
    uint32_t seen;

    if (l == NULL)
        return ring_futex_sleep(slice_ns);
    /* Acquire: the word before the flag, or a wake between them is missed. */
    seen = atomic_load_explicit(&l->wake_word, memory_order_acquire);
    atomic_store_explicit(&l->sleepers, 1, memory_order_seq_cst);
    /* Dekker, with ring_pen_end(): the flag, then head again. */
    ring_fence_full();
    if (has_news(r))
        return VR_OK;
    return ring_futex_wait(&l->wake_word, seen, slice_ns);
}

enum vr_status
vr_wait(struct vr_reader *r, int timeout_ms)
{
    uint64_t deadline_ns = ring_futex_deadline_ns(timeout_ms);

    for (;;) {
        uint64_t slice_ns;

        if (ring_fork_is_child(&r->client.map.fork))
            return VR_STATE;
        if (r->client.map.layout != NULL && has_news(r))
            return VR_OK;
        if (gateway_changed(r))
            return VR_OK;
        slice_ns = ring_futex_slice_ns(deadline_ns);
        if (slice_ns == 0)
            return VR_TIMEOUT;
        if (sleep_for_news(r, slice_ns) == VR_AGAIN)
            return VR_AGAIN;
    }
}

enum vr_status
vr_played(struct vr_reader *r, uint64_t position)
{
    if (r->role != VR_PLAYER)
        return fail(r, VR_STATE, "vr_played() is for VR_PLAYER");
    if (ring_fork_is_child(&r->client.map.fork))
        return VR_STATE;
    if (position > r->position)
        position = r->position;
    if (r->client.map.layout == NULL || position <= r->played)
        return VR_OK;
    r->played = position;
    publish_played(r);
    return VR_OK;
}

void
vr_reader_stats(const struct vr_reader *r, struct vr_reader_stats *stats,
                size_t stats_bytes)
{
    const struct ring_map *map = &r->client.map;
    struct vr_reader_stats s = {.format = r->client.wanted,
                                .capacity_frames = map->capacity_frames,
                                .epoch = map->epoch,
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
    memcpy(stats, &s, stats_bytes < sizeof s ? stats_bytes : sizeof s);
}

const char *
vr_reader_error(const struct vr_reader *r)
{
    return r->client.error;
}
