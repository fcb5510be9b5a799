/* The reading eye of a ring: copy first, then ask whether it was whole.
 *
 * The head passed in is the caller's bounded copy. Nothing here leaves the
 * mapping, whatever shared memory says. */
#ifndef IPC_RING_CURSOR_H
#define IPC_RING_CURSOR_H

#include "ipc/ring_map.h"

/* The oldest position whose frame is whole now; at most `head`, at least the
 * ring's first position. [rt] */
uint64_t ring_cursor_oldest(const struct ring_map *map, uint64_t head);

/* Copies up to `frames` frames at `position` to `samples`; returns how many,
 * or -1 if any of them was overwritten meanwhile. `position` <= `head`. [rt] */
int64_t ring_cursor_copy(const struct ring_map *map, uint64_t position,
                         uint64_t head, void *samples, size_t frames);

/* Where to go on after a lap: past the oldest, by a little, lest the writer
 * laps again at once. At most `head`. [rt] */
uint64_t ring_cursor_after_lap(const struct ring_map *map, uint64_t head);

/* head as it stands, unbounded; UINT64_MAX, which no position can be, if it is
 * beyond what its writer announced: then somebody else wrote it, and reading up
 * to it might never end. [rt] */
uint64_t ring_cursor_head(const struct ring_map *map);

#endif
