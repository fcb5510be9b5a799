#include "ipc/ring_cursor.h"
#include "ipc/ring_order.h"

uint64_t
ring_cursor_head(const struct ring_map *map)
{
    /* Acquire, with the release in ring_pen: frames and their intent before
     * head. */
    uint64_t head =
        atomic_load_explicit(&map->layout->head, memory_order_acquire);

    return head <= atomic_load_explicit(&map->layout->intent,
                                        memory_order_relaxed)
               ? head
               : UINT64_MAX;
}

/* The first position not below the ring's first that is `margin` frames away
 * from being overwritten; at most head. */
static uint64_t
safe_position(const struct ring_map *map, uint64_t head, uint64_t margin)
{
    /* Relaxed: what this is used for is checked again after the copy. */
    uint64_t intent =
        atomic_load_explicit(&map->layout->intent, memory_order_relaxed);
    uint64_t position = map->header.first_position;

    if (intent > map->header.capacity_frames &&
        intent - map->header.capacity_frames >= position)
        position = intent - map->header.capacity_frames + margin;
    return position < head ? position : head;
}

uint64_t
ring_cursor_oldest(const struct ring_map *map, uint64_t head)
{
    return safe_position(map, head, 0);
}

uint64_t
ring_cursor_after_lap(const struct ring_map *map, uint64_t head)
{
    uint64_t margin = map->header.format.rate_hz / 10;

    if (margin > map->header.capacity_frames / 16)
        margin = map->header.capacity_frames / 16;
    return safe_position(map, head, margin);
}

static bool
whole(const struct ring_map *map, uint64_t position)
{
    uint64_t intent;

    /* Boehm's acquire fence: if any word copied above came from a newer
     * write, the intent announced before it is seen below. */
    ring_fence_acquire();
    intent = atomic_load_explicit(&map->layout->intent, memory_order_relaxed);
    return intent <= position + map->header.capacity_frames;
}

int64_t
ring_cursor_copy(const struct ring_map *map, uint64_t position, uint64_t head,
                 void *samples, size_t frames)
{
    uint64_t capacity = map->header.capacity_frames;
    size_t to_end = (size_t)(capacity - (position & (capacity - 1)));
    size_t first;

    if (frames > head - position)
        frames = (size_t)(head - position);
    if (frames > capacity)
        frames = (size_t)capacity;
    first = frames < to_end ? frames : to_end;
    ring_load(samples, ring_map_at(map, position),
              first * map->header.frame_bytes);
    if (frames > first)
        ring_load((unsigned char *)samples + first * map->header.frame_bytes,
                  map->frames, (frames - first) * map->header.frame_bytes);
    return whole(map, position) ? (int64_t)frames : -1;
}
