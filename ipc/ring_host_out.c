/* The gateway as the writer of the model's voice. */
#include "ipc/ring_host_state.h"
#include "ipc/ring_order.h"
#include "ipc/ring_step.h"

uint64_t
ring_host_write(struct ring_host *r, const void *samples, size_t frames)
{
    const unsigned char *from = samples;
    uint64_t first = r->pen.head;

    if (r->map.layout == NULL) {
        r->pen.head += frames;
        return first;
    }
    while (frames > 0) {
        size_t most = ring_pen_most(&r->map);
        size_t n = frames < most ? frames : most;

        ring_pen_write(&r->pen, &r->map, from, n, 0, 0);
        from += n * r->map.header.frame_bytes;
        frames -= n;
    }
    return first;
}

/* Relaxed: flush_count publishes them. */
void
ring_host_put_flush(const struct ring_host *r)
{
    struct ring_flush *flush = &r->map.layout->flushes[r->flush_count & 1];

    atomic_store_explicit(&flush->to, r->flush_to, memory_order_relaxed);
    atomic_store_explicit(&flush->turn, r->flush_turn, memory_order_relaxed);
}

bool
ring_host_flush(struct ring_host *r, uint64_t to, uint64_t turn)
{
    struct ring_layout *l = r->map.layout;

    if (to > r->pen.head)
        to = r->pen.head;
    if (to <= r->flush_to)
        return false;
    r->flush_to = to;
    r->flush_turn = turn;
    r->flush_count++;
    if (l == NULL)
        return true;
    RING_STEP("flush: begin");
    /* Boehm's release fence, with the acquire fence in reader_read_flush():
     * who sees a word of this flush in the place of the last but one sees that
     * there was one in between. */
    ring_fence_release();
    ring_host_put_flush(r);
    RING_STEP("flush: words");
    /* Release, with the acquire in reader_flush_is_new(): the words, and the
     * head that the flush was cut to. */
    atomic_store_explicit(&l->flush_count, r->flush_count,
                          memory_order_release);
    RING_STEP("flush: counted");
    /* Dekker, as after head: the flush, then who sleeps. */
    ring_fence_full();
    ring_pen_wake(&r->map);
    return true;
}

uint64_t
ring_host_flush_to(const struct ring_host *r)
{
    return r->flush_to;
}

uint64_t
ring_host_played(struct ring_host *r)
{
    uint64_t played;

    if (!ring_host_usable(r))
        return r->played;
    /* Acquire, with the release in vr_played(): it has read what it played. */
    played = atomic_load_explicit(&r->map.layout->played, memory_order_acquire);
    if (played > r->pen.head)
        ring_host_fault(r, RING_FAULT_PLAYED, false,
                        "its player says that it played what was not written");
    else if (played > r->played)
        r->played = played;
    return r->played;
}

uint64_t
ring_host_lap_frames(const struct ring_host *r, uint64_t unplayed)
{
    uint64_t pending = unplayed < r->pen.head ? r->pen.head - unplayed : 0;

    return pending < r->capacity_frames ? r->capacity_frames - pending : 0;
}
