/* A ring's object in this process: opened, checked, mapped, and its geometry
 * in private memory. Shared by both sides. */
#ifndef IPC_RING_MAP_H
#define IPC_RING_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/ring_fork.h"
#include "ipc/ring_layout.h"
#include "ipc/status.h"

enum { RING_MAP_OBJECT_FD, RING_MAP_BELL_FD };

struct ring_map {
    struct ring_fork fork;      /* owns the descriptors */
    struct ring_layout *layout; /* NULL: not attached */
    unsigned char *frames;
    size_t bytes; /* of the mapping */
    uint64_t capacity_frames;
    uint64_t first_position;
    uint64_t epoch;
    uint32_t frame_bytes;
    struct vr_format format;
    dev_t device;
    ino_t inode;
    uid_t owner;
};

/* Whether the format is one that rings have. [any] */
bool ring_map_format_ok(const struct vr_format *format);

/* Attaches to the ring called `object` of a living gateway. `runtime_dir` says
 * whose rings to believe in: the folder's owner's, our own, and root's.
 * VR_NOT_FOUND, VR_CLOSED (a dead gateway's), VR_AGAIN (being made), VR_DENIED,
 * VR_VERSION, VR_CORRUPT, VR_SYSTEM, with the reason. [any] */
enum vr_status ring_map_attach(struct ring_map *map, const char *object,
                               enum vr_ring ring, const char *runtime_dir,
                               char *why, size_t why_bytes) VR_NODISCARD;

/* Maps `bytes` of the open object into map->layout, kept out of children.
 * [any] */
enum vr_status ring_map_pages(struct ring_map *map, size_t bytes) VR_NODISCARD;

/* Unmaps, closes, and so gives every lease back. Fine if not attached. In a
 * forked child nothing of the parent's is touched. [any] */
void ring_map_detach(struct ring_map *map);

/* Whether the object's name still leads to it. [any] */
bool ring_map_is_named(const struct ring_map *map, const char *object);

/* Opens the doorbell as both sides do: never blocking, and with a reading end
 * of our own, so that nobody gets SIGPIPE. False, with errno, unless it is a
 * FIFO of the ring's owner. [any] */
bool ring_map_open_bell(struct ring_map *map, const char *path);

/* The place of a position's frame. [rt] */
static inline unsigned char *
ring_map_at(const struct ring_map *map, uint64_t position)
{
    return map->frames +
           (size_t)(position & (map->capacity_frames - 1)) * map->frame_bytes;
}

/* How far b is ahead of a; negative if it is behind. Positions are below
 * RING_MAX_POSITION, so this is never wrong, unlike b - a. [rt] */
static inline int64_t
ring_map_gap(uint64_t a, uint64_t b)
{
    return (int64_t)(b - a);
}

#endif
