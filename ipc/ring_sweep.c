#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_futex.h"
#include "ipc/ring_host.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_map.h"
#include "ipc/ring_name.h"
#include "ipc/ring_step.h"
#include "ipc/ring_sweep.h"
#include "ipc/ring_why.h"

struct sweep {
    const char *runtime_dir, *instance;
    ring_host_sweep_fn *told;
    void *arg;
    unsigned removed;
};

/* A symbolic link or a socket can be no gateway's ring. */
static bool
remove_link(const char *object, int error)
{
    return (error == ELOOP || error == ENXIO) && shm_unlink(object) == 0;
}

static void
wake_word(int fd, unsigned char *page, size_t at)
{
    uint32_t word;

    if (pread(fd, &word, sizeof word, (off_t)at) != sizeof word)
        return;
    word++;
    if (pwrite(fd, &word, sizeof word, (off_t)at) == sizeof word)
        ring_futex_notify((_Atomic uint32_t *)(void *)(page + at));
}

/* Those who still sleep on a dead gateway's ring shall look for the next one:
 * that is the likely reason of a sweep. Its page is only named to the kernel,
 * not touched, as the object may become shorter. */
static void
wake_clients(int fd)
{
    struct ring_header header;
    struct stat st;
    void *page;

    if (fstat(fd, &st) != 0 ||
        ring_header_read(&header, fd, "", (uint64_t)st.st_size, NULL, 0) !=
            VR_OK)
        return;
    ring_lock_free(fd);
    page = mmap(NULL, RING_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                0);
    if (page == MAP_FAILED)
        return;
    wake_word(fd, page, offsetof(struct ring_layout, wake_word));
    wake_word(fd, page, offsetof(struct ring_layout, space_word));
    munmap(page, RING_HEADER_BYTES);
}

/* The gateway's byte is barred, not held: clients look at it, and what is swept
 * must not look alive to them. */
bool
ring_sweep_take(int fd)
{
    return ring_lock_take(fd, RING_LOCK_SWEEP) &&
           ring_lock_bar(fd, RING_LOCK_GATEWAY);
}

static enum vr_status
take_dead(int fd, const char *object, char *why, size_t why_bytes)
{
    bool taken = ring_sweep_take(fd);

    RING_STEP("sweep: locked");
    if (taken)
        return VR_OK;
    if (ring_lock_held(fd, RING_LOCK_GATEWAY))
        return ring_why(why, why_bytes, VR_BUSY,
                        "Another voxringd holds the ring %s; end it, or give "
                        "this one a runtime folder of its own",
                        object);
    return ring_why(why, why_bytes, VR_AGAIN,
                    "The remains %s are being removed by another process; try "
                    "again",
                    object);
}

enum vr_status
ring_sweep_object(const char *object, char *why, size_t why_bytes)
{
    enum vr_status status;
    struct ring_map old;

    if (!ring_map_open(&old, object, 0)) {
        if (errno == ENOENT || remove_link(object, errno))
            return VR_OK;
        return ring_why(why, why_bytes, VR_DENIED,
                        "The name of the ring %s is taken by something that "
                        "cannot be opened: %s; remove " RING_SHM_DIR "%s",
                        object, strerror(errno), object);
    }
    status = take_dead(old.fork.fd[RING_MAP_OBJECT_FD], object, why, why_bytes);
    if (status == VR_OK && ring_map_is_named(&old, object) &&
        shm_unlink(object) != 0 && errno != ENOENT)
        status = ring_why(why, why_bytes, VR_DENIED,
                          "Cannot remove what a dead gateway left as %s: %s; "
                          "remove " RING_SHM_DIR "%s",
                          object, strerror(errno), object);
    RING_STEP("sweep: removed");
    if (status == VR_OK)
        wake_clients(old.fork.fd[RING_MAP_OBJECT_FD]);
    ring_map_detach(&old);
    return status;
}

bool
ring_sweep_force(const char *object)
{
    char path[RING_FILE_BYTES];

    ring_name_file(path, object);
    return unlink(path) == 0 || rmdir(path) == 0 || errno == ENOENT;
}

bool
ring_sweep_is_bell(const char *path, uid_t owner)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISFIFO(st.st_mode) &&
           (st.st_uid == geteuid() || st.st_uid == owner);
}

bool
ring_sweep_bell(const char *runtime_dir, const char *session, uid_t owner)
{
    char path[RING_PATH_BYTES];

    return ring_name_bell(path, runtime_dir, session) == VR_OK &&
           ring_sweep_is_bell(path, owner) && unlink(path) == 0;
}

/* ---- at a gateway's start ---------------------------------------------- */

static void
tell(struct sweep *s, const char *what, const char *name)
{
    char sentence[VR_ERROR_BYTES];

    if (s->told == NULL)
        return;
    snprintf(sentence, sizeof sentence, "%s%s", what, name);
    s->told(s->arg, sentence);
}

static void
sweep_object(struct sweep *s, const char *file)
{
    char object[RING_OBJECT_BYTES], why[VR_ERROR_BYTES] = "";

    if (snprintf(object, sizeof object, "/%s", file) >= (int)sizeof object)
        return;
    if (ring_sweep_object(object, why, sizeof why) != VR_OK) {
        tell(s, "", why);
        return;
    }
    s->removed++;
    tell(s, "removed the ring of a dead gateway: ", object);
}

static void
sweep_objects(struct sweep *s)
{
    DIR *folder = opendir(RING_SHM_DIR);
    char prefix[RING_OBJECT_BYTES];
    struct dirent *entry;
    int n = snprintf(prefix, sizeof prefix, "voxring-%s.", s->instance);

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (strncmp(entry->d_name, prefix, (size_t)n) == 0)
            sweep_object(s, entry->d_name);
    if (folder != NULL)
        closedir(folder);
}

/* Whether a gateway holds the session's in ring. */
static bool
is_held(const struct sweep *s, const char *session)
{
    char object[RING_OBJECT_BYTES];
    struct ring_map map;
    bool held;

    ring_name_object(object, s->instance, session, VR_RING_IN);
    if (!ring_map_open(&map, object, 0))
        return errno != ENOENT;
    held = ring_lock_held(map.fork.fd[RING_MAP_OBJECT_FD], RING_LOCK_GATEWAY);
    ring_map_detach(&map);
    return held;
}

static void
sweep_bell(struct sweep *s, const char *file)
{
    char session[VR_SESSION_MAX + 1];

    if (!ring_name_of_bell(session, file) || is_held(s, session) ||
        !ring_sweep_bell(s->runtime_dir, session, geteuid()))
        return;
    RING_STEP("sweep: bell");
    s->removed++;
    tell(s, "removed the doorbell of a dead gateway: ", file);
}

static void
sweep_folder(struct sweep *s)
{
    DIR *folder = opendir(s->runtime_dir);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        sweep_bell(s, entry->d_name);
    if (folder != NULL)
        closedir(folder);
}

unsigned
ring_host_sweep(const char *runtime_dir, const char *instance,
                ring_host_sweep_fn *told, void *arg)
{
    struct sweep s = {.runtime_dir = runtime_dir,
                      .instance = instance,
                      .told = told,
                      .arg = arg};

    sweep_objects(&s);
    sweep_folder(&s);
    return s.removed;
}
