#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_header.h"
#include "ipc/ring_why.h"

#define PAGE_BYTES 4096u

/* The constants, as they stand in the object. */
#define CONSTANT_BYTES (offsetof(struct ring_layout, rights) + 4)

bool
ring_header_format_ok(const struct vr_format *format)
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

uint64_t
ring_header_object_bytes(const struct ring_header *h)
{
    return h->header_bytes + h->capacity_frames * h->frame_bytes;
}

static bool
sizes_ok(const struct ring_header *h)
{
    uint64_t slots_end = h->slots_at + (uint64_t)h->slot_bytes * h->slot_count;

    return h->header_bytes >= RING_MIN_HEADER_BYTES &&
           h->header_bytes <= RING_MAX_HEADER_BYTES &&
           h->header_bytes % PAGE_BYTES == 0 &&
           h->slots_at >= RING_MIN_SLOTS_AT &&
           h->slots_at % RING_LINE_BYTES == 0 &&
           h->slot_bytes >= RING_MIN_SLOT_BYTES &&
           h->slot_bytes % RING_LINE_BYTES == 0 && h->slot_count > 0 &&
           h->slot_count <= RING_MAX_SLOTS && slots_end <= h->header_bytes;
}

static bool
geometry_ok(const struct ring_header *h)
{
    return (unsigned)h->ring <= VR_RING_IN &&
           ring_header_format_ok(&h->format) &&
           h->frame_bytes == 2 * h->format.channels &&
           h->capacity_frames >= RING_MIN_FRAMES &&
           h->capacity_frames <= RING_MAX_FRAMES &&
           (h->capacity_frames & (h->capacity_frames - 1)) == 0 &&
           h->first_position <= RING_MAX_POSITION;
}

static void
copy_constants(struct ring_header *h, const struct ring_layout *l)
{
    *h = (struct ring_header){.capacity_frames = l->capacity_frames,
                              .first_position = l->first_position,
                              .epoch = l->epoch,
                              .abi = l->abi,
                              .abi_oldest = l->abi_oldest,
                              .header_bytes = l->header_bytes,
                              .frame_bytes = l->frame_bytes,
                              .slot_count = l->slot_count,
                              .slot_bytes = l->slot_bytes,
                              .slots_at = l->slots_at,
                              .gateway_pid = l->gateway_pid,
                              .recreated = l->recreated,
                              .ring = (enum vr_ring)l->direction,
                              .format = {l->rate_hz, l->channels}};
}

static enum vr_status
judge_version(const struct ring_layout *l, const char *object, char *why,
              size_t why_bytes)
{
    if (l->abi < RING_ABI_OLDEST)
        return ring_why(why, why_bytes, VR_VERSION,
                        "The ring %s has layout version %u, this program "
                        "needs %u or later; update voxringd",
                        object, (unsigned)l->abi, (unsigned)RING_ABI_OLDEST);
    if (l->abi_oldest > RING_ABI)
        return ring_why(why, why_bytes, VR_VERSION,
                        "The ring %s has layout version %u, which takes "
                        "clients of version %u and later, this program knows "
                        "%u; update its libvoxring",
                        object, (unsigned)l->abi, (unsigned)l->abi_oldest,
                        (unsigned)RING_ABI);
    return VR_OK;
}

/* What every version has: one before RING_ABI_OLDEST may have another word in
 * the place of abi_oldest. */
static bool
versions_ok(const struct ring_layout *l)
{
    return l->abi < RING_ABI_OLDEST ||
           (l->abi_oldest > 0 && l->abi_oldest <= l->abi);
}

static enum vr_status
judge(struct ring_header *h, const struct ring_layout *l, const char *object,
      uint64_t bytes, char *why, size_t why_bytes)
{
    enum vr_status status;

    if (versions_ok(l)) {
        status = judge_version(l, object, why, why_bytes);
        if (status != VR_OK)
            return status;
        copy_constants(h, l);
        if (sizes_ok(h) && geometry_ok(h) &&
            bytes == ring_header_object_bytes(h)) {
            if (h->slot_count > RING_SLOTS)
                h->slot_count = RING_SLOTS;
            return VR_OK;
        }
    }
    return ring_why(why, why_bytes, VR_CORRUPT,
                    "The header of the ring %s is damaged; voxringd makes it "
                    "anew within seconds, or restart it",
                    object);
}

/* 1: all of it; 0: the object is shorter; -1 with errno. */
static int
read_all(int fd, void *to, size_t bytes)
{
    ssize_t n;

    do
        n = pread(fd, to, bytes, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : (size_t)n == bytes;
}

enum vr_status
ring_header_read(struct ring_header *h, int fd, const char *object,
                 uint64_t bytes, char *why, size_t why_bytes)
{
    union {
        struct ring_layout layout;
        unsigned char bytes[CONSTANT_BYTES];
    } copy = {.bytes = {0}};
    uint64_t magic = 0;
    int got = read_all(fd, &magic, sizeof magic);

    /* Magic is stored last, with release: acquire, then what it stands for. */
    atomic_thread_fence(memory_order_acquire);
    if (got > 0 && magic != 0)
        got = read_all(fd, copy.bytes, CONSTANT_BYTES);
    if (got < 0)
        return ring_why(why, why_bytes, VR_SYSTEM, "Cannot read %s: %s", object,
                        strerror(errno));
    if (got == 0 || magic == 0)
        return ring_why(why, why_bytes, VR_AGAIN,
                        "The ring %s is being made; try again", object);
    if (magic != RING_MAGIC)
        return ring_why(why, why_bytes, VR_CORRUPT,
                        "The object %s is not a ring; a voxringd that runs "
                        "makes it anew within seconds, else remove it",
                        object);
    return judge(h, &copy.layout, object, bytes, why, why_bytes);
}

bool
ring_header_intact(const struct ring_header *h, int fd)
{
    uint64_t words[4] = {0};
    struct stat st;

    static_assert(offsetof(struct ring_layout, epoch) == 24, "the last word");
    return fstat(fd, &st) == 0 &&
           (uint64_t)st.st_size == ring_header_object_bytes(h) &&
           read_all(fd, words, sizeof words) > 0 && words[0] == RING_MAGIC &&
           words[3] == h->epoch;
}
