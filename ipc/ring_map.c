#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_guard.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_map.h"
#include "ipc/ring_name.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"

bool
ring_map_open(struct ring_map *map, const char *object, int flags)
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

static enum vr_status
open_object(struct ring_map *map, const char *object, char *why,
            size_t why_bytes)
{
    if (ring_map_open(map, object, 0))
        return VR_OK;
    if (errno == ENOENT)
        return ring_why(why, why_bytes, VR_NOT_FOUND,
                        "There is no ring %s: is voxringd running, with this "
                        "session, and is this its runtime folder?",
                        object);
    if (errno == EACCES)
        return ring_why(why, why_bytes, VR_DENIED,
                        "Cannot open the ring %s: %s; run as the gateway's "
                        "user, or in the group that its config names",
                        object, strerror(errno));
    return ring_why(why, why_bytes, errno == ELOOP ? VR_DENIED : VR_SYSTEM,
                    "Cannot open the ring %s: %s; if something else took its "
                    "name, voxringd makes it anew within seconds, or remove it "
                    "and restart voxringd",
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
             uint64_t *bytes, char *why, size_t why_bytes)
{
    struct stat st;
    int fd = map->fork.fd[RING_MAP_OBJECT_FD];

    if (fstat(fd, &st) != 0)
        return ring_why(why, why_bytes, VR_SYSTEM, "Cannot look at %s: %s",
                        object, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ring_why(why, why_bytes, VR_DENIED,
                        "What is called %s is no ring; voxringd makes it anew "
                        "within seconds, or remove it and restart voxringd",
                        object);
    if (!trusted(st.st_uid, runtime_dir))
        return ring_why(why, why_bytes, VR_DENIED,
                        "The ring %s belongs to user %lu, not to the gateway "
                        "of %s; remove it if it is not yours",
                        object, (unsigned long)st.st_uid, runtime_dir);
    if (!ring_lock_held(fd, RING_LOCK_GATEWAY))
        return ring_why(why, why_bytes, VR_CLOSED,
                        "The gateway that made the ring %s is gone; start "
                        "voxringd again",
                        object);
    *bytes = (uint64_t)st.st_size;
    return VR_OK;
}

enum vr_status
ring_map_pages(struct ring_map *map)
{
    size_t bytes = (size_t)ring_header_object_bytes(&map->header);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                       map->fork.fd[RING_MAP_OBJECT_FD], 0);

    if (pages == MAP_FAILED)
        return errno == ENOMEM ? VR_NO_MEMORY : VR_SYSTEM;
    madvise(pages, bytes, MADV_DONTFORK);
    if (!ring_guard_add(pages, bytes, &map->bus_error)) {
        munmap(pages, bytes);
        errno = EMFILE;
        return VR_LIMIT;
    }
    map->layout = pages;
    map->frames = (unsigned char *)pages + map->header.header_bytes;
    map->bytes = bytes;
    return VR_OK;
}

/* Whether the object was still being made when it had `bytes`. */
static bool
grew(const struct ring_map *map, uint64_t bytes)
{
    struct stat st;

    return fstat(map->fork.fd[RING_MAP_OBJECT_FD], &st) == 0 &&
           (uint64_t)st.st_size > bytes;
}

static enum vr_status
map_object(struct ring_map *map, const char *object, enum vr_ring ring,
           uint64_t bytes, char *why, size_t why_bytes)
{
    enum vr_status status;

    RING_STEP("attach: looked");
    status = ring_header_read(&map->header, map->fork.fd[RING_MAP_OBJECT_FD],
                              object, bytes, why, why_bytes);
    if (status == VR_CORRUPT && grew(map, bytes))
        return ring_why(why, why_bytes, VR_AGAIN,
                        "The ring %s is being made; try again", object);
    if (status != VR_OK)
        return status;
    if (map->header.ring != ring)
        return ring_why(why, why_bytes, VR_CORRUPT,
                        "The ring %s is one of the other direction; restart "
                        "voxringd",
                        object);
    RING_STEP("attach: judged");
    status = ring_map_pages(map);
    if (status != VR_OK)
        return ring_why(why, why_bytes, status, "Cannot map the ring %s: %s",
                        object, strerror(errno));
    RING_STEP("attach: mapped");
    return VR_OK;
}

enum vr_status
ring_map_attach(struct ring_map *map, const char *object, enum vr_ring ring,
                const char *runtime_dir, char *why, size_t why_bytes)
{
    enum vr_status status = open_object(map, object, why, why_bytes);
    uint64_t bytes = 0;

    if (status != VR_OK)
        return status;
    RING_STEP("attach: opened");
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
        RING_STEP("detach: begin");
        if (map->layout != NULL) {
            ring_guard_drop(map->layout);
            munmap(map->layout, map->bytes);
        }
        RING_STEP("detach: unmapped");
        ring_lock_free(map->fork.fd[RING_MAP_OBJECT_FD]);
        RING_STEP("detach: unlocked");
    }
    ring_fork_remove(&map->fork);
    memset(map, 0, sizeof *map);
}

bool
ring_map_is_named(const struct ring_map *map, const char *object)
{
    char path[RING_FILE_BYTES];
    struct stat st;

    /* Not opened: what somebody else put there may not let itself. */
    ring_name_file(path, object);
    return lstat(path, &st) == 0 && st.st_dev == map->device &&
           st.st_ino == map->inode;
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
