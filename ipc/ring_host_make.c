/* Making a ring's object and doorbell, and taking them away. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ipc/ring_host_state.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_why.h"

/* Each turn somebody else's start or end came in between. */
#define MAKE_TRIES 8

static int
object_fd(const struct ring_map *map)
{
    return map->fork.fd[RING_MAP_OBJECT_FD];
}

/* Opens the object by name into a fresh map; errno otherwise. */
static bool
open_named(struct ring_map *map, const char *object, int flags)
{
    struct stat st;
    int fd;

    memset(map, 0, sizeof *map);
    ring_fork_begin();
    fd = shm_open(object, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags,
                  0600);
    map->fork.fd[RING_MAP_OBJECT_FD] = fd;
    map->fork.fd[RING_MAP_BELL_FD] = -1;
    if (fd >= 0)
        ring_fork_add(&map->fork);
    ring_fork_end();
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0) {
        map->device = st.st_dev;
        map->inode = st.st_ino;
        map->owner = st.st_uid;
    }
    return true;
}

/* Takes away what stands under our name, if its maker is dead. VR_OK: try
 * again, the name may be free now. */
static enum vr_status
take_over(const char *object, char *why, size_t why_bytes)
{
    enum vr_status status = VR_OK;
    struct ring_map old;

    if (!open_named(&old, object, 0)) {
        if (errno == ENOENT)
            return VR_OK;
        return ring_why(why, why_bytes, VR_DENIED,
                        "The name of the ring %s is taken by something that "
                        "cannot be opened: %s; remove /dev/shm%s",
                        object, strerror(errno), object);
    }
    if (!ring_lock_take(object_fd(&old), RING_LOCK_GATEWAY))
        status = ring_why(why, why_bytes, VR_BUSY,
                          "Another voxringd holds the ring %s; end it, or "
                          "give this one a runtime folder of its own",
                          object);
    else if (ring_map_is_named(&old, object) && shm_unlink(object) != 0 &&
             errno != ENOENT)
        status = ring_why(why, why_bytes, VR_DENIED,
                          "Cannot remove what a dead gateway left as %s: %s; "
                          "remove /dev/shm%s",
                          object, strerror(errno), object);
    ring_map_detach(&old);
    return status;
}

/* An object of our own, empty, locked, and certainly the one of that name. */
static enum vr_status
create_object(struct ring_map *map, const char *object, char *why,
              size_t why_bytes)
{
    enum vr_status status;

    for (int i = 0; i < MAKE_TRIES; i++) {
        if (open_named(map, object, O_CREAT | O_EXCL)) {
            if (ring_lock_take(object_fd(map), RING_LOCK_GATEWAY) &&
                ring_map_is_named(map, object))
                return VR_OK;
            ring_map_detach(map);
            continue;
        }
        if (errno != EEXIST)
            return ring_why(
                why, why_bytes, errno == EACCES ? VR_DENIED : VR_SYSTEM,
                "Cannot make the ring %s: %s", object, strerror(errno));
        status = take_over(object, why, why_bytes);
        if (status != VR_OK)
            return status;
    }
    return ring_why(why, why_bytes, VR_BUSY,
                    "Another voxringd is starting with the ring %s; give this "
                    "one a runtime folder of its own",
                    object);
}

static bool
share(const struct ring_host *r, int fd)
{
    if (!r->shared_with_group)
        return fchmod(fd, 0600) == 0;
    return fchown(fd, (uid_t)-1, r->group) == 0 && fchmod(fd, 0660) == 0;
}

static enum vr_status
reserve(struct ring_host *r, size_t bytes, char *why, size_t why_bytes)
{
    int fd = object_fd(&r->map);
    struct statvfs vfs;
    int error;

    do
        error = posix_fallocate(fd, 0, (off_t)bytes);
    while (error == EINTR);
    if (error == 0)
        return VR_OK;
    if (error != ENOSPC && error != EFBIG)
        return ring_why(why, why_bytes, VR_SYSTEM,
                        "Cannot reserve %zu bytes for the ring %s: %s", bytes,
                        r->object, strerror(error));
    if (fstatvfs(fd, &vfs) != 0)
        vfs.f_bavail = 0, vfs.f_frsize = 0;
    return ring_why(why, why_bytes, VR_NO_SPACE,
                    "No space for the ring %s: it needs %zu bytes of shared "
                    "memory (/dev/shm has %llu free%s); enlarge it (in a "
                    "container: --shm-size), or shorten the session's "
                    "outage_buffer",
                    r->object, bytes,
                    (unsigned long long)vfs.f_bavail * vfs.f_frsize,
                    error == EFBIG ? "; ulimit -f is smaller" : "");
}

static uint64_t
new_epoch(void)
{
    uint64_t epoch = 0;

    if (getrandom(&epoch, sizeof epoch, GRND_NONBLOCK) != sizeof epoch)
        epoch = vr_now_ns() ^ ((uint64_t)getpid() << 32);
    return epoch;
}

static void
take_geometry(struct ring_host *r, uint64_t first_position)
{
    struct ring_map *map = &r->map;

    map->capacity_frames = r->capacity_frames;
    map->first_position = first_position;
    map->epoch = new_epoch();
    map->format = r->format;
    map->frame_bytes = 2 * r->format.channels;
}

static void
write_header(const struct ring_host *r)
{
    struct ring_layout *l = r->map.layout;
    uint64_t first = r->map.first_position;

    l->abi = RING_ABI;
    l->header_bytes = RING_HEADER_BYTES;
    l->first_position = first;
    l->epoch = r->map.epoch;
    l->capacity_frames = r->map.capacity_frames;
    l->rate_hz = r->map.format.rate_hz;
    l->channels = r->map.format.channels;
    l->frame_bytes = r->map.frame_bytes;
    l->direction = (uint32_t)r->ring;
    l->gateway_pid = (uint32_t)getpid();
    l->slot_count = RING_SLOTS;
    atomic_init(&l->intent, first);
    atomic_init(&l->head, first);
    atomic_init(&l->stamp_head, RING_NO_STAMP);
    atomic_init(&l->space_at, RING_NEVER);
    atomic_init(&l->bell_at, RING_NEVER);
    atomic_init(&l->read_position, first);
    atomic_init(&l->played, r->played);
    atomic_init(&l->flush_seq, r->flush_seq);
    atomic_init(&l->flush_to, r->flush_to);
    atomic_init(&l->flush_turn, r->flush_turn);
    /* Release, with the acquire in ring_map: all of the above before it. */
    atomic_store_explicit(&l->magic, RING_MAGIC, memory_order_release);
}

static enum vr_status
make_bell(struct ring_host *r, char *why, size_t why_bytes)
{
    unlink(r->bell);
    if (mkfifo(r->bell, 0600) == 0) {
        if (ring_map_open_bell(&r->map, r->bell) &&
            share(r, r->map.fork.fd[RING_MAP_BELL_FD]))
            return VR_OK;
        unlink(r->bell);
    }
    return ring_why(why, why_bytes, errno == EACCES ? VR_DENIED : VR_SYSTEM,
                    "Cannot make the doorbell %s: %s; the runtime folder must "
                    "be a folder of the gateway's own",
                    r->bell, strerror(errno));
}

static enum vr_status
fill_object(struct ring_host *r, uint64_t first_position, char *why,
            size_t why_bytes)
{
    struct ring_map *map = &r->map;
    size_t bytes;
    enum vr_status status;

    take_geometry(r, first_position);
    bytes =
        (size_t)(RING_HEADER_BYTES + map->capacity_frames * map->frame_bytes);
    if (!share(r, object_fd(map)))
        return ring_why(why, why_bytes, VR_DENIED,
                        "Cannot give the ring %s to group %lu: %s", r->object,
                        (unsigned long)r->group, strerror(errno));
    status = reserve(r, bytes, why, why_bytes);
    if (status != VR_OK)
        return status;
    status = ring_map_pages(map, bytes);
    if (status != VR_OK)
        return ring_why(why, why_bytes, status, "Cannot map the ring %s: %s",
                        r->object, strerror(errno));
    if (!ring_guard_add(map->layout, bytes, &r->bus_error))
        return ring_why(why, why_bytes, VR_LIMIT,
                        "Too many rings in one process");
    status = VR_OK;
    if (r->ring == VR_RING_IN)
        status = make_bell(r, why, why_bytes);
    if (status == VR_OK)
        write_header(r);
    return status;
}

enum vr_status
ring_host_make(struct ring_host *r, uint64_t first_position, char *why,
               size_t why_bytes)
{
    enum vr_status status;

    status = create_object(&r->map, r->object, why, why_bytes);
    if (status != VR_OK)
        return status;
    atomic_store_explicit(&r->bus_error, false, memory_order_relaxed);
    status = fill_object(r, first_position, why, why_bytes);
    if (status != VR_OK)
        ring_host_unmake(r);
    return status;
}

static bool
bell_is_named(const struct ring_host *r)
{
    struct stat have, named;

    return fstat(r->map.fork.fd[RING_MAP_BELL_FD], &have) == 0 &&
           lstat(r->bell, &named) == 0 && have.st_dev == named.st_dev &&
           have.st_ino == named.st_ino;
}

void
ring_host_unmake(struct ring_host *r)
{
    struct ring_map *map = &r->map;

    if (!map->fork.open)
        return;
    if (!ring_fork_is_child(&map->fork)) {
        if (map->fork.fd[RING_MAP_BELL_FD] >= 0 && bell_is_named(r))
            unlink(r->bell);
        if (ring_map_is_named(map, r->object))
            shm_unlink(r->object);
    }
    if (map->layout != NULL)
        ring_guard_drop(map->layout);
    ring_map_detach(map);
}

bool
ring_host_check(struct ring_host *r)
{
    struct stat st;

    if (!ring_host_usable(r))
        return true;
    if (fstat(object_fd(&r->map), &st) != 0 ||
        (uint64_t)st.st_size != r->map.bytes)
        ring_host_fault(r, RING_FAULT_TRUNCATE, true,
                        "somebody changed its size");
    else if (!ring_map_is_named(&r->map, r->object))
        ring_host_fault(r, RING_FAULT_NAME, true, "somebody removed its name");
    else if (r->ring == VR_RING_IN && !bell_is_named(r))
        ring_host_fault(r, RING_FAULT_BELL, true,
                        "somebody removed its doorbell");
    return ring_host_damaged(r);
}
