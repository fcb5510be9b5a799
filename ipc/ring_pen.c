#include "ipc/ring_futex.h"
#include "ipc/ring_order.h"
#include "ipc/ring_pen.h"
#include "ipc/ring_step.h"

void
ring_pen_begin(struct ring_pen *pen, const struct ring_map *map, size_t frames)
{
    struct ring_layout *l = map->layout;

    /* Relaxed, before the release fence below: who sees new stamps behind an
     * acquire fence (ring_host_in) sees that stamp_head has changed. */
    atomic_store_explicit(&l->stamp_head, RING_NO_STAMP, memory_order_relaxed);
    RING_STEP("pen: stamps void");
    if (pen->head + frames > pen->intent)
        pen->intent = pen->head + frames;
    atomic_store_explicit(&l->intent, pen->intent, memory_order_relaxed);
    RING_STEP("pen: intent");
    /* Boehm's release fence: whoever sees a word of the payload stored below,
     * sees, behind its acquire fence (ring_cursor), this intent. */
    ring_fence_release();
}

void
ring_pen_end(struct ring_pen *pen, const struct ring_map *map, size_t frames,
             uint64_t commit_ns, uint64_t captured_ns)
{
    struct ring_layout *l = map->layout;

    RING_STEP("pen: copied");
    pen->head += frames;
    if (commit_ns != 0) {
        atomic_store_explicit(&l->commit_ns, commit_ns, memory_order_relaxed);
        atomic_store_explicit(&l->captured_ns, captured_ns,
                              memory_order_relaxed);
        RING_STEP("pen: stamps");
        /* Release, with the acquire in ring_host: stamps before the position
         * that they belong to. */
        atomic_store_explicit(&l->stamp_head, pen->head, memory_order_release);
        RING_STEP("pen: stamped");
    }
    /* Release, with the acquire of every reader: frames before head. */
    atomic_store_explicit(&l->head, pen->head, memory_order_release);
    RING_STEP("pen: head");
    /* Dekker: head, then look for sleepers and the bell; they announce
     * themselves, have a full barrier too, and then look at head. One of the
     * two sees the other. */
    ring_fence_full();
    ring_pen_wake(map);
}

void
ring_pen_wake(const struct ring_map *map)
{
    struct ring_layout *l = map->layout;

    if (__builtin_expect(
            atomic_load_explicit(&l->sleepers, memory_order_relaxed) == 0, 1))
        return;
    /* Cleared before the wake: who sets it from here on has read wake_word
     * before or after its change, and is woken now or sleeps for the next. */
    atomic_exchange_explicit(&l->sleepers, 0, memory_order_seq_cst);
    RING_STEP("wake: cleared");
    ring_futex_wake(&l->wake_word);
    RING_STEP("wake: done");
}

/* The piece up to the end of the memory, then the rest from its beginning. */
static void
copy(struct ring_pen *pen, const struct ring_map *map,
     const unsigned char *samples, size_t frames)
{
    size_t to_end = (size_t)(map->header.capacity_frames -
                             (pen->head & (map->header.capacity_frames - 1)));
    size_t first = frames < to_end ? frames : to_end;
    size_t first_bytes = first * map->header.frame_bytes;

    ring_store(ring_map_at(map, pen->head), samples, first_bytes);
    if (frames > first)
        ring_store(map->frames, samples + first_bytes,
                   (frames - first) * map->header.frame_bytes);
}

void
ring_pen_write(struct ring_pen *pen, const struct ring_map *map,
               const void *samples, size_t frames, uint64_t commit_ns,
               uint64_t captured_ns)
{
    ring_pen_begin(pen, map, frames);
    copy(pen, map, samples, frames);
    ring_pen_end(pen, map, frames, commit_ns, captured_ns);
}
