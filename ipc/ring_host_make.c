/* Making a ring's object and doorbell, taking them away, and looking after them
 * in between. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ipc/ring_futex.h"
#include "ipc/ring_host_state.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_step.h"
#include "ipc/ring_sweep.h"
#include "ipc/ring_why.h"

/* Each turn somebody else's start or end came in between. */
#define MAKE_TRIES 8

/* Another sweeper needs some microseconds. */
#define SWEPT_NS UINT64_C(1000000)

static int
object_fd(const struct ring_map *map)
{
    return map->fork.fd[RING_MAP_OBJECT_FD];
}

/* An object of our own, empty, locked, and certainly the one of that name.
 * `ours`: the name was ours before, so what has it now was put there by
 * somebody who took it from us, and may hold whatever can be held. */
static enum vr_status
create_object(struct ring_map *map, const char *object, bool ours, char *why,
              size_t why_bytes)
{
    enum vr_status status;

    for (int i = 0; i < MAKE_TRIES; i++) {
        if (ring_map_open(map, object, O_CREAT | O_EXCL)) {
            RING_STEP("make: created");
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
        status = ring_sweep_object(object, why, why_bytes);
        if (status == VR_AGAIN && i < MAKE_TRIES / 2)
            ring_futex_sleep(SWEPT_NS);
        else if (status != VR_OK && !(ours && ring_sweep_force(object)))
            return status;
    }
    return ring_why(why, why_bytes, VR_BUSY,
                    "Another voxringd is starting with the ring %s; give this "
                    "one a runtime folder of its own",
                    object);
}

static mode_t
rights(const struct ring_host *r)
{
    return r->shared_with_group ? 0660 : 0600;
}

static bool
share(const struct ring_host *r, int fd)
{
    if (r->shared_with_group && fchown(fd, (uid_t)-1, r->group) != 0)
        return false;
    return fchmod(fd, rights(r)) == 0;
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

    map->header =
        (struct ring_header){.capacity_frames = r->capacity_frames,
                             .first_position = first_position,
                             .epoch = new_epoch(),
                             .abi = RING_ABI,
                             .abi_oldest = RING_ABI_OLDEST,
                             .header_bytes = RING_HEADER_BYTES,
                             .frame_bytes = 2 * r->format.channels,
                             .slot_count = RING_SLOTS,
                             .slot_bytes = sizeof(struct ring_slot),
                             .slots_at = offsetof(struct ring_layout, slots),
                             .gateway_pid = (uint32_t)getpid(),
                             .recreated = (uint32_t)r->faults.recreated,
                             .ring = r->ring,
                             .format = r->format};
}

static void
write_constants(const struct ring_host *r)
{
    const struct ring_header *h = &r->map.header;
    struct ring_layout *l = r->map.layout;

    l->abi = h->abi;
    l->abi_oldest = h->abi_oldest;
    l->header_bytes = h->header_bytes;
    l->first_position = h->first_position;
    l->epoch = h->epoch;
    l->capacity_frames = h->capacity_frames;
    l->rate_hz = h->format.rate_hz;
    l->channels = h->format.channels;
    l->frame_bytes = h->frame_bytes;
    l->direction = (uint32_t)h->ring;
    l->gateway_pid = h->gateway_pid;
    l->slot_count = h->slot_count;
    l->slot_bytes = h->slot_bytes;
    l->slots_at = h->slots_at;
    l->recreated = h->recreated;
    l->rights = rights(r);
    if (strlen(r->runtime_dir) < sizeof l->runtime_dir)
        memcpy(l->runtime_dir, r->runtime_dir, strlen(r->runtime_dir));
}

static void
write_header(const struct ring_host *r)
{
    struct ring_layout *l = r->map.layout;
    uint64_t first = r->map.header.first_position;

    write_constants(r);
    atomic_init(&l->intent, first);
    atomic_init(&l->head, first);
    atomic_init(&l->stamp_head, RING_NO_STAMP);
    atomic_init(&l->space_at, RING_NEVER);
    atomic_init(&l->bell_at, RING_NEVER);
    atomic_init(&l->read_position, first);
    atomic_init(&l->lost_frames, r->lost_frames);
    atomic_init(&l->played, r->played);
    atomic_init(&l->flush_count, r->flush_count);
    ring_host_put_flush(r);
    RING_STEP("make: header");
    /* Release, with the acquire in ring_header: all of the above before it. */
    atomic_store_explicit(&l->magic, RING_MAGIC, memory_order_release);
    RING_STEP("make: magic");
}

static enum vr_status
make_bell(struct ring_host *r, char *why, size_t why_bytes)
{
    if (unlink(r->bell) != 0)
        rmdir(r->bell);
    RING_STEP("make: old bell");
    if (mkfifo(r->bell, 0600) == 0) {
        RING_STEP("make: bell");
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
    bytes = (size_t)ring_header_object_bytes(&map->header);
    if (!share(r, object_fd(map)))
        return ring_why(why, why_bytes, VR_DENIED,
                        "Cannot give the ring %s to group %lu: %s", r->object,
                        (unsigned long)r->group, strerror(errno));
    RING_STEP("make: shared");
    status = reserve(r, bytes, why, why_bytes);
    if (status != VR_OK)
        return status;
    RING_STEP("make: reserved");
    status = ring_map_pages(map);
    if (status != VR_OK)
        return ring_why(why, why_bytes, status, "Cannot map the ring %s: %s",
                        r->object, strerror(errno));
    RING_STEP("make: mapped");
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

    status = create_object(&r->map, r->object, r->faults.recreated > 0, why,
                           why_bytes);
    if (status != VR_OK)
        return status;
    RING_STEP("make: locked");
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

/* Those who wait shall look for what comes next. */
static void
say_goodbye(struct ring_map *map)
{
    ring_lock_free(object_fd(map));
    RING_STEP("unmake: unlocked");
    if (map->layout == NULL)
        return;
    ring_futex_wake(&map->layout->wake_word);
    RING_STEP("unmake: woken");
    ring_futex_wake(&map->layout->space_word);
}

void
ring_host_unmake(struct ring_host *r)
{
    struct ring_map *map = &r->map;

    if (!map->fork.open)
        return;
    if (!ring_fork_is_child(&map->fork)) {
        RING_STEP("unmake: begin");
        if (map->fork.fd[RING_MAP_BELL_FD] >= 0 && bell_is_named(r))
            unlink(r->bell);
        RING_STEP("unmake: bell");
        if (ring_map_is_named(map, r->object))
            shm_unlink(r->object);
        RING_STEP("unmake: unlinked");
        say_goodbye(map);
    }
    ring_map_detach(map);
}

/* ---- looking after it -------------------------------------------------- */

static bool
size_right(const struct ring_host *r, const struct stat *st)
{
    return (uint64_t)st->st_size == r->map.bytes;
}

/* Whether the words that only we write are as we wrote them: our own stores,
 * seen by the thread that made them, so no order with others' is asked for. */
static bool
words_right(const struct ring_host *r)
{
    const struct ring_layout *l = r->map.layout;
    const struct ring_flush *flush = &l->flushes[r->flush_count & 1];
    uint64_t first = r->map.header.first_position;
    struct ring_header copy;
    bool right = ring_header_read(&copy, object_fd(&r->map), r->object,
                                  r->map.bytes, NULL, 0) == VR_OK &&
                 memcmp(&copy, &r->map.header, sizeof copy) == 0;

    right &= l->flush_count == r->flush_count && flush->to == r->flush_to &&
             flush->turn == r->flush_turn;
    if (r->ring == VR_RING_OUT)
        right &= l->head == r->pen.head && l->intent == r->pen.intent;
    else
        right &=
            l->read_position == (r->position > first ? r->position : first);
    return right;
}

static void
put_mode_right(struct ring_host *r, const struct stat *st)
{
    if ((st->st_mode & 07777) == rights(r))
        return;
    ring_host_note(r, RING_FAULT_MODE, "somebody changed its permissions",
                   share(r, object_fd(&r->map)) ? "they were put right"
                                                : "they cannot be put right");
}

bool
ring_host_check(struct ring_host *r)
{
    struct stat st;

    if (!ring_host_usable(r))
        return true;
    if (fstat(object_fd(&r->map), &st) != 0 || !size_right(r, &st))
        ring_host_fault(r, RING_FAULT_TRUNCATE, true,
                        "somebody changed its size");
    else if (!ring_map_is_named(&r->map, r->object))
        ring_host_fault(r, RING_FAULT_NAME, true, "somebody removed its name");
    else if (r->ring == VR_RING_IN && !bell_is_named(r))
        ring_host_fault(r, RING_FAULT_BELL, true,
                        "somebody removed its doorbell");
    else if (!words_right(r) && ring_host_usable(r))
        ring_host_fault(r, RING_FAULT_HEADER, true,
                        "somebody wrote into the gateway's own words");
    if (!ring_host_damaged(r))
        put_mode_right(r, &st);
    return ring_host_damaged(r);
}
