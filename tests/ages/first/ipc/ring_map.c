#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_lock.h"
#include "ipc/ring_map.h"
#include "ipc/ring_why.h"

bool
ring_map_format_ok(const struct vr_format *format)
{
    switch (format->rate_hz) {
    case 8000:
    case 16000:
    case 24000:
    case 48000:
        return format->channels == 1 || format->channels == 2;
    default:
        return false;
    }
}

static enum vr_status
open_object(struct ring_map *map, const char *object, char *why,
            size_t why_bytes)
{
    int fd;

    memset(map, 0, sizeof *map);
    ring_fork_begin();
    fd = shm_open(object, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    map->fork.fd[RING_MAP_OBJECT_FD] = fd;
    map->fork.fd[RING_MAP_BELL_FD] = -1;
    if (fd >= 0)
        ring_fork_add(&map->fork);
    ring_fork_end();
    if (fd >= 0)
        return VR_OK;
    if (errno == ENOENT)
        return ring_why(why, why_bytes, VR_NOT_FOUND,
                        "There is no ring %s: is voxringd running, with this "
                        "session, and is this its runtime folder?",
                        object);
    return ring_why(why, why_bytes,
                    errno == EACCES || errno == ELOOP ? VR_DENIED : VR_SYSTEM,
                    "Cannot open the ring %s: %s; run as the gateway's user, "
                    "or in the group that its config names",
                    object, strerror(errno));
}

static bool
trusted(uid_t owner, const char *runtime_dir)
{
    struct stat st;

    if (owner == geteuid() || owner == 0)
        return true;
    return stat(runtime_dir, &st) == 0 && st.st_uid == owner;
}

static enum vr_status
check_object(struct ring_map *map, const char *object, const char *runtime_dir,
             size_t *bytes, char *why, size_t why_bytes)
{
    struct stat st;
    int fd = map->fork.fd[RING_MAP_OBJECT_FD];

    if (fstat(fd, &st) != 0)
        return ring_why(why, why_bytes, VR_SYSTEM, "Cannot look at %s: %s",
                        object, strerror(errno));
    if (!S_ISREG(st.st_mode) || !trusted(st.st_uid, runtime_dir))
        return ring_why(why, why_bytes, VR_DENIED,
                        "The ring %s belongs to user %lu, not to the gateway "
                        "of %s; remove it if it is not yours",
                        object, (unsigned long)st.st_uid, runtime_dir);
    if (!ring_lock_held(fd, RING_LOCK_GATEWAY))
        return ring_why(why, why_bytes, VR_CLOSED,
                        "The gateway that made the ring %s is gone; start "
                        "voxringd again",
                        object);
    if (st.st_size < (off_t)RING_HEADER_BYTES)
        return ring_why(why, why_bytes, VR_AGAIN,
                        "The ring %s is being made; try again", object);
    if ((uint64_t)st.st_size > RING_HEADER_BYTES + RING_MAX_FRAMES * 4)
        return ring_why(why, why_bytes, VR_CORRUPT,
                        "The object %s is too large for a ring; restart "
                        "voxringd",
                        object);
    *bytes = (size_t)st.st_size;
    map->device = st.st_dev;
    map->inode = st.st_ino;
    map->owner = st.st_uid;
    return VR_OK;
}

enum vr_status
ring_map_pages(struct ring_map *map, size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                       map->fork.fd[RING_MAP_OBJECT_FD], 0);

    if (pages == MAP_FAILED)
        return errno == ENOMEM ? VR_NO_MEMORY : VR_SYSTEM;
    madvise(pages, bytes, MADV_DONTFORK);
    map->layout = pages;
    map->frames = (unsigned char *)pages + RING_HEADER_BYTES;
    map->bytes = bytes;
    return VR_OK;
}

/* Copies the geometry and judges the copy. */
static enum vr_status
read_geometry(struct ring_map *map, const char *object, enum vr_ring ring,
              char *why, size_t why_bytes)
{
    const volatile struct ring_layout *l = map->layout;
    uint32_t abi = l->abi, header_bytes = l->header_bytes;
    uint32_t direction = l->direction, slot_count = l->slot_count;

    map->capacity_frames = l->capacity_frames;
    map->first_position = l->first_position;
    map->epoch = l->epoch;
    map->format.rate_hz = l->rate_hz;
    map->format.channels = l->channels;
    map->frame_bytes = l->frame_bytes;
    if (abi != RING_ABI)
        return ring_why(why, why_bytes, VR_VERSION,
                        "The ring %s has layout version %u, this program "
                        "knows %u; use the libvoxring of that gateway",
                        object, (unsigned)abi, (unsigned)RING_ABI);
    if (header_bytes != RING_HEADER_BYTES || slot_count != RING_SLOTS ||
        direction != (uint32_t)ring || !ring_map_format_ok(&map->format) ||
        map->frame_bytes != 2 * map->format.channels ||
        map->capacity_frames < RING_MIN_FRAMES ||
        map->capacity_frames > RING_MAX_FRAMES ||
        (map->capacity_frames & (map->capacity_frames - 1)) != 0 ||
        map->first_position > RING_MAX_POSITION ||
        map->bytes !=
            RING_HEADER_BYTES + map->capacity_frames * map->frame_bytes)
        return ring_why(why, why_bytes, VR_CORRUPT,
                        "The header of the ring %s is damaged; restart "
                        "voxringd",
                        object);
    return VR_OK;
}

static enum vr_status
map_object(struct ring_map *map, const char *object, enum vr_ring ring,
           size_t bytes, char *why, size_t why_bytes)
{
    enum vr_status status = ring_map_pages(map, bytes);
    uint64_t magic;

    if (status != VR_OK)
        return ring_why(why, why_bytes, status, "Cannot map the ring %s: %s",
                        object, strerror(errno));
    /* Acquire, with the release in ring_host: the header was complete. */
    magic = atomic_load_explicit(&map->layout->magic, memory_order_acquire);
    if (magic == 0)
        return ring_why(why, why_bytes, VR_AGAIN,
                        "The ring %s is being made; try again", object);
    if (magic != RING_MAGIC)
        return ring_why(why, why_bytes, VR_CORRUPT,
                        "The object %s is not a ring; remove it and restart "
                        "voxringd",
                        object);
    return read_geometry(map, object, ring, why, why_bytes);
}

enum vr_status
ring_map_attach(struct ring_map *map, const char *object, enum vr_ring ring,
                const char *runtime_dir, char *why, size_t why_bytes)
{
    enum vr_status status = open_object(map, object, why, why_bytes);
    size_t bytes = 0;

    if (status != VR_OK)
        return status;
    status = check_object(map, object, runtime_dir, &bytes, why, why_bytes);
    if (status == VR_OK)
        status = map_object(map, object, ring, bytes, why, why_bytes);
    if (status != VR_OK)
        ring_map_detach(map);
    return status;
}

void
ring_map_detach(struct ring_map *map)
{
    if (!map->fork.open)
        return;
    /* In a child the mapping is not there, and something else may be; the
     * locks are the parent's. */
    if (!ring_fork_is_child(&map->fork)) {
        if (map->layout != NULL)
            munmap(map->layout, map->bytes);
        ring_lock_free(map->fork.fd[RING_MAP_OBJECT_FD]);
    }
    ring_fork_remove(&map->fork);
    memset(map, 0, sizeof *map);
}

bool
ring_map_is_named(const struct ring_map *map, const char *object)
{
    struct stat st;
    bool same;
    int fd =
        shm_open(object, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0)
        return errno != ENOENT && errno != ELOOP;
    same = fstat(fd, &st) == 0 && st.st_dev == map->device &&
           st.st_ino == map->inode;
    close(fd);
    return same;
}

bool
ring_map_open_bell(struct ring_map *map, const char *path)
{
    struct stat st;
    int fd;

    ring_fork_begin();
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode) ||
                    st.st_uid != map->owner)) {
        close(fd);
        fd = -1;
        errno = EPERM;
    }
    map->fork.fd[RING_MAP_BELL_FD] = fd;
    ring_fork_end();
    return fd >= 0;
}
