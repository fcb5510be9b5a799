/* A process of the first age, told what to do as tests/ipc/peer_ring is: its
 * clients attach by that age's own ring_map.c, its gateway makes objects as
 * that age did. More than the meeting is not needed: it ends in a refusal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_lock.h"
#include "ipc/ring_map.h"
#include "ipc/ring_name.h"
#include "ipc/ring_why.h"

#define FRAMES UINT64_C(4096)
#define FRAME_BYTES 2u

static const char *dir;
static char instance[RING_INSTANCE_BYTES];
static struct ring_map client, host;
static char host_object[RING_OBJECT_BYTES], host_bell[RING_PATH_BYTES];

static void
answer(enum vr_status status, const char *why)
{
    printf("%s %s\n", vr_status_name(status), why);
}

static void
attach(const char *session, enum vr_ring ring)
{
    char object[RING_OBJECT_BYTES], why[VR_ERROR_BYTES] = "";
    enum vr_status status;

    ring_map_detach(&client);
    ring_name_object(object, instance, session, ring);
    status = ring_map_attach(&client, object, ring, dir, why, sizeof why);
    answer(status, why);
}

/* Opens the object into `host`; errno otherwise. */
static bool
open_object(int flags)
{
    memset(&host, 0, sizeof host);
    ring_fork_begin();
    host.fork.fd[RING_MAP_OBJECT_FD] =
        shm_open(host_object, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    host.fork.fd[RING_MAP_BELL_FD] = -1;
    if (host.fork.fd[RING_MAP_OBJECT_FD] >= 0)
        ring_fork_add(&host.fork);
    ring_fork_end();
    return host.fork.open;
}

/* Takes away what a dead gateway left, as that age did: by the lock alone. */
static enum vr_status
take_over(char *why, size_t why_bytes)
{
    enum vr_status status = VR_OK;

    if (!open_object(0))
        return VR_OK;
    if (!ring_lock_take(host.fork.fd[RING_MAP_OBJECT_FD], RING_LOCK_GATEWAY))
        status = ring_why(why, why_bytes, VR_BUSY,
                          "Another voxringd holds the ring %s; end it, or "
                          "give this one a runtime folder of its own",
                          host_object);
    else
        shm_unlink(host_object);
    ring_map_detach(&host);
    return status;
}

static void
write_header(enum vr_ring ring)
{
    struct ring_layout *l = host.layout;

    l->abi = RING_ABI;
    l->header_bytes = RING_HEADER_BYTES;
    l->epoch = 1;
    l->capacity_frames = FRAMES;
    l->rate_hz = 16000;
    l->channels = 1;
    l->frame_bytes = FRAME_BYTES;
    l->direction = (uint32_t)ring;
    l->gateway_pid = (uint32_t)getpid();
    l->slot_count = RING_SLOTS;
    atomic_init(&l->stamp_head, RING_NO_STAMP);
    atomic_init(&l->space_at, RING_NEVER);
    atomic_init(&l->bell_at, RING_NEVER);
    /* Release, with the acquire in ring_map: all of the above before it. */
    atomic_store_explicit(&l->magic, RING_MAGIC, memory_order_release);
}

static enum vr_status
make(enum vr_ring ring)
{
    size_t bytes = RING_HEADER_BYTES + FRAMES * FRAME_BYTES;

    if (!open_object(O_CREAT | O_EXCL) ||
        !ring_lock_take(host.fork.fd[RING_MAP_OBJECT_FD], RING_LOCK_GATEWAY) ||
        ftruncate(host.fork.fd[RING_MAP_OBJECT_FD], (off_t)bytes) != 0)
        return VR_SYSTEM;
    unlink(host_bell);
    if (ring_map_pages(&host, bytes) != VR_OK ||
        (ring == VR_RING_IN && mkfifo(host_bell, 0600) != 0))
        return VR_SYSTEM;
    write_header(ring);
    return VR_OK;
}

static void
open_host(const char *session, enum vr_ring ring)
{
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status;

    ring_name_object(host_object, instance, session, ring);
    status = ring_name_bell(host_bell, dir, session);
    if (status == VR_OK)
        status = take_over(why, sizeof why);
    if (status == VR_OK)
        status = make(ring);
    answer(status, status == VR_SYSTEM ? strerror(errno) : why);
}

static void
close_all(void)
{
    ring_map_detach(&client);
    if (host.layout != NULL) {
        unlink(host_bell);
        shm_unlink(host_object);
    }
    ring_map_detach(&host);
}

static void
obey(const char *line)
{
    char session[64] = "";
    unsigned ring = 0;

    if (sscanf(line, "writer %63s", session) == 1)
        attach(session, VR_RING_IN);
    else if (sscanf(line, "reader %63s", session) == 1)
        attach(session, VR_RING_OUT);
    else if (sscanf(line, "host %63s %u", session, &ring) == 2)
        open_host(session, (enum vr_ring)ring);
    else if (strcmp(line, "age") == 0)
        printf("VR_OK %u %u\n", (unsigned)RING_ABI, (unsigned)RING_ABI);
    else if (strcmp(line, "close") == 0) {
        close_all();
        answer(VR_OK, "");
    } else
        printf("what? %s\n", line);
}

int
main(int argc, char **argv)
{
    char line[1024];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 2)
        return 2;
    dir = argv[1];
    if (ring_name_instance(instance, NULL, dir, NULL, 0) != VR_OK)
        return 2;
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0)
            break;
        obey(line);
        fflush(stdout);
    }
    close_all();
    return 0;
}
