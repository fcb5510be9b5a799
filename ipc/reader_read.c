/* Reading and waiting. */
#include <string.h>

#include "ipc/reader.h"
#include "ipc/ring_cursor.h"
#include "ipc/ring_futex.h"
#include "ipc/ring_order.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"

#define FLUSH_TRIES 16

uint64_t
reader_head(struct vr_reader *r)
{
    uint64_t head = ring_cursor_head(&r->client.map);

    if (head > RING_MAX_POSITION || ring_map_lost(&r->client.map))
        return r->position;
    if (head > r->end)
        head = r->end;
    if (ring_map_gap(r->position, head) < 0)
        r->position = head;
    return head;
}

bool
reader_flush_is_new(const struct vr_reader *r)
{
    /* Acquire, with the release in ring_host_flush(): the head that a flush
     * was cut to, before the flush. */
    return atomic_load_explicit(&r->client.map.layout->flush_count,
                                memory_order_acquire) != r->flush_count;
}

bool
reader_read_flush(const struct vr_reader *r, struct reader_flush *flush)
{
    struct ring_layout *l = r->client.map.layout;

    for (int i = 0; i < FLUSH_TRIES; i++) {
        struct ring_flush *shared;

        /* Acquire, with the release in ring_host_flush(): the words of that
         * count. Relaxed for them: the count judges. */
        flush->count =
            atomic_load_explicit(&l->flush_count, memory_order_acquire);
        shared = &l->flushes[flush->count & 1];
        flush->to = atomic_load_explicit(&shared->to, memory_order_relaxed);
        flush->turn = atomic_load_explicit(&shared->turn, memory_order_relaxed);
        /* Boehm's acquire fence: if either came from the next flush but one,
         * the count of the next is seen below. */
        ring_fence_acquire();
        if (flush->count ==
            atomic_load_explicit(&l->flush_count, memory_order_relaxed))
            return true;
    }
    return false;
}

/* ---- reading ----------------------------------------------------------- */

static void
fill_block(const struct vr_reader *r, struct vr_block *block)
{
    block->position = r->position;
    block->epoch = r->client.map.header.epoch;
}

/* VR_FLUSHED, VR_OK if there is nothing to tell, VR_AGAIN if the next flush is
 * on its way. */
static enum vr_status
tell_flush(struct vr_reader *r, struct vr_block *block)
{
    struct reader_flush flush;

    if (!reader_read_flush(r, &flush))
        return VR_AGAIN;
    r->flush_count = flush.count;
    /* A flush beyond head or backwards is no flush of the gateway's. */
    if (flush.to <= r->flush_to || flush.to > reader_head(r))
        return VR_OK;
    r->flush_to = flush.to;
    if (!r->marks_only && r->position < flush.to) {
        block->skipped_frames = flush.to - r->position;
        r->skipped_frames += block->skipped_frames;
        r->position = flush.to;
        RING_STEP("read: flushed");
        reader_publish_position(r);
    }
    block->flush_to = flush.to;
    block->flush_turn = flush.turn;
    fill_block(r, block);
    return VR_FLUSHED;
}

static enum vr_status
tell_lap(struct vr_reader *r, struct vr_block *block)
{
    uint64_t head = reader_head(r);
    uint64_t next = ring_cursor_after_lap(&r->client.map, head);

    if (next > r->position) {
        block->lost_frames = next - r->position;
        r->lost_frames += block->lost_frames;
        r->position = next;
        RING_STEP("read: lapped");
    }
    reader_publish_position(r);
    /* Relaxed: for display. */
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
    enum vr_status status;
    uint64_t head;
    int64_t n;

    if (reader_flush_is_new(r) && (status = tell_flush(r, block)) != VR_OK)
        return status;
    head = reader_head(r);
    if (r->position < ring_cursor_oldest(map, head))
        return tell_lap(r, block);
    if (head == r->position || frames == 0)
        return VR_AGAIN;
    n = ring_cursor_copy(map, r->position, head, samples, frames);
    RING_STEP("read: copied");
    if (n < 0)
        return tell_lap(r, block);
    /* A flush that came during the copy may be about these frames. */
    if (reader_flush_is_new(r) && (status = tell_flush(r, block)) != VR_OK)
        return status;
    RING_STEP("read: validated");
    if (ring_map_lost(map))
        return VR_AGAIN;
    fill_block(r, block);
    block->frames = (uint64_t)n;
    r->position += (uint64_t)n;
    r->read_frames += (uint64_t)n;
    r->unchecked_frames += (uint64_t)n;
    reader_publish_position(r);
    RING_STEP("read: position");
    return VR_OK;
}

/* With no ring: looks for one now and then. VR_OK: there is one. */
static enum vr_status
look_for_ring(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    enum vr_status away;

    if (ring_client_due(c, vr_now_ns()) &&
        ring_client_attach(c, reader_take_lease) == VR_OK)
        return VR_OK;
    away = ring_client_away(c);
    if (away == r->told)
        return VR_AGAIN;
    r->told = away;
    return away;
}

/* Looks now and then whether there is still a gateway. What it wrote before it
 * went is read to its end, and no further, whatever the words say then. */
static bool
gateway_gone(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    uint64_t now_ns;

    if (r->end != UINT64_MAX)
        return true;
    r->unchecked_frames = 0;
    now_ns = vr_now_ns();
    if (!ring_client_due(c, now_ns) || !ring_client_gateway_gone(c, now_ns))
        return false;
    r->end = reader_head(r);
    return true;
}

static enum vr_status
leave_ring(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    bool cut = ring_map_lost(&c->map);

    r->slot = NULL;
    ring_client_detach(c);
    r->told = VR_CLOSED;
    /* Its successor may be there already: the next call shall see. What is cut
     * short stays so for a while, and is not worth a look at each call. */
    c->checked_ns = cut ? vr_now_ns() : 0;
    return VR_CLOSED;
}

/* Reads, with a look at the gateway if there is nothing, or at times. */
static enum vr_status
read_on(struct vr_reader *r, void *samples, size_t frames,
        struct vr_block *block)
{
    uint64_t look_frames = r->client.map.header.format.rate_hz / 4;
    enum vr_status status;

    if (r->unchecked_frames >= look_frames)
        gateway_gone(r);
    status = read_ring(r, samples, frames, block);
    if (status != VR_AGAIN)
        return status;
    fill_block(r, block);
    if (!gateway_gone(r))
        return VR_AGAIN;
    /* It may have written between the two. */
    status = read_ring(r, samples, frames, block);
    return status != VR_AGAIN ? status : leave_ring(r);
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
        return reader_fail(
            r, VR_STATE,
            "This process is a fork of the one that opened the ring "
            "%s; open it anew",
            r->client.object);
    if (r->client.map.layout == NULL) {
        status = look_for_ring(r);
        if (status != VR_OK)
            return status;
    }
    status = read_on(r, samples, frames, block);
    /* What was copied since SIGBUS are zeros. */
    if (r->client.map.layout != NULL && ring_map_lost(&r->client.map))
        return leave_ring(r);
    return status;
}

/* ---- waiting ----------------------------------------------------------- */

static bool
has_news(struct vr_reader *r)
{
    uint64_t head = reader_head(r);

    return reader_flush_is_new(r) || head != r->position;
}

/* True if vr_read() would have news of the gateway itself. */
static bool
gateway_changed(struct vr_reader *r)
{
    struct ring_client *c = &r->client;
    uint64_t now_ns = vr_now_ns();

    if (c->map.layout != NULL &&
        (r->end != UINT64_MAX || ring_map_lost(&c->map)))
        return true;
    if (!ring_client_due(c, now_ns))
        return false;
    if (c->map.layout == NULL)
        return ring_client_attach(c, reader_take_lease) == VR_OK ||
               ring_client_away(c) != r->told;
    if (!ring_client_gateway_gone(c, now_ns))
        return false;
    /* vr_read() shall look again, see the same, and tell. */
    c->checked_ns = c->proved_ns = 0;
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
    RING_STEP("wait: word");
    /* Sequentially consistent, like the writer's exchange: whoever sets it
     * behind that exchange sees, behind the fence, the head before it. */
    atomic_store_explicit(&l->sleepers, 1, memory_order_seq_cst);
    RING_STEP("wait: flag");
    /* Dekker, with ring_pen_end(): the flag, then head again. */
    ring_fence_full();
    if (has_news(r))
        return VR_OK;
    RING_STEP("wait: asleep");
    return ring_futex_wait(&l->wake_word, seen, slice_ns);
}

enum vr_status
vr_wait(struct vr_reader *r, int timeout_ms)
{
    uint64_t deadline_ns = ring_futex_deadline_ns(timeout_ms);
    unsigned false_wakes = 0;
    enum vr_status status;

    for (;;) {
        uint64_t slice_ns;

        if (ring_fork_is_child(&r->client.map.fork))
            return VR_STATE;
        if (r->client.map.layout != NULL && has_news(r))
            return VR_OK;
        if (gateway_changed(r))
            return VR_OK;
        slice_ns = ring_client_sleep_ns(&r->client, deadline_ns);
        if (slice_ns == 0)
            return VR_TIMEOUT;
        status = sleep_for_news(r, slice_ns);
        if (status == VR_AGAIN)
            return status;
        if (status == VR_OK && r->client.map.layout != NULL && !has_news(r))
            ring_client_false_wake(&r->client, &false_wakes);
    }
}
