#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/ring_lock.h"
#include "ipc/ring_view.h"
#include "ipc/ring_why.h"

/* The gateway may be in the middle of a flush, the producer of a commit. */
#define LOOKS_MAX 4

/* The lines of the writer and of the flush, as they stand in the object. */
#define LIVE_AT offsetof(struct ring_layout, intent)
#define LIVE_BYTES (offsetof(struct ring_layout, read_position) - LIVE_AT)

static bool
read_at(int fd, void *to, size_t bytes, uint64_t at)
{
    ssize_t n;

    do
        n = pread(fd, to, bytes, (off_t)at);
    while (n < 0 && errno == EINTR);
    return n >= 0 && (size_t)n == bytes;
}

/* ---- who is there ------------------------------------------------------ */

static void
look_at_producer(struct ring_view *view)
{
    struct ring_holder *words = &view->words.holder;
    struct ring_view_holder *holder = &view->producer;

    ring_holder_read(&holder->card, &words->pid, words->name);
    holder->held = ring_lock_held(view->fd, RING_LOCK_WRITER);
    holder->known = holder->held || holder->card.pid != 0;
    holder->lost_frames = words->lost_frames;
}

static void
look_at_slot(struct ring_view *view, unsigned index, uint64_t at, size_t bytes)
{
    struct ring_view_holder *holder = &view->slots[index];
    struct ring_slot slot;

    memset(&slot, 0, sizeof slot);
    if (!read_at(view->fd, &slot, bytes, at))
        memset(&slot, 0, sizeof slot);
    ring_holder_read(&holder->card, &slot.pid, slot.name);
    holder->held = ring_lock_held(view->fd, RING_LOCK_SLOT + (long)index);
    holder->known = holder->held || holder->card.pid != 0;
    holder->position = slot.position;
    holder->lost_frames = slot.lost_frames;
    holder->role = slot.role == VR_PLAYER ? VR_PLAYER : VR_OTHER;
}

/* Of a damaged header the slots are looked for where ours are. */
static void
look_at_slots(struct ring_view *view)
{
    const struct ring_header *h = &view->header;
    bool good = view->status == VR_OK;
    uint64_t at = good ? h->slots_at : offsetof(struct ring_layout, slots);
    uint64_t step = good ? h->slot_bytes : sizeof(struct ring_slot);

    view->slot_count = good ? h->slot_count : RING_SLOTS;
    for (unsigned i = 0; i < view->slot_count; i++)
        look_at_slot(view, i, at + i * step,
                     step < sizeof(struct ring_slot)
                         ? (size_t)step
                         : sizeof(struct ring_slot));
}

/* ---- the words --------------------------------------------------------- */

/* The newest flush is whole unless another came during the look. */
static void
take_flush(struct ring_view *view, uint64_t count_again)
{
    uint64_t count = view->words.flush_count;
    struct ring_flush *flush = &view->words.flushes[count & 1];

    view->flushed = count != 0 && count == count_again;
    view->flush_to = flush->to;
    view->flush_turn = flush->turn;
}

/* Positions first, then head, then intent: so that, with honest peers, no
 * position is beyond head, and head not beyond intent; but any time may pass
 * between. */
static bool
look_at_words(struct ring_view *view)
{
    union {
        unsigned char bytes[sizeof(struct ring_layout)];
        struct ring_layout words;
    } again;
    struct ring_layout *words = &view->words;

    if (!read_at(view->fd, words, sizeof *words, 0))
        return false;
    /* Acquire: the copy, then what tells whether it belongs together. The
     * kernel copied on this processor, or has fenced to change it. */
    atomic_thread_fence(memory_order_acquire);
    if (!read_at(view->fd, again.bytes + LIVE_AT, LIVE_BYTES, LIVE_AT))
        return false;
    atomic_thread_fence(memory_order_acquire);
    if (!read_at(view->fd, &view->intent, sizeof view->intent,
                 offsetof(struct ring_layout, intent)))
        return false;
    view->head = again.words.head;
    view->intent_before = again.words.intent;
    view->stamped = words->stamp_head == again.words.stamp_head &&
                    words->stamp_head != RING_NO_STAMP && words->commit_ns != 0;
    take_flush(view, again.words.flush_count);
    return true;
}

static bool
settled(const struct ring_view *view)
{
    return (view->stamped || view->words.stamp_head == RING_NO_STAMP) &&
           (view->flushed || view->words.flush_count == 0);
}

static bool
version_fits(const struct ring_layout *words)
{
    return words->magic == RING_MAGIC && words->abi >= RING_ABI_OLDEST &&
           words->abi_oldest <= RING_ABI;
}

static void
look_at_ring(struct ring_view *view)
{
    bool whole = false;

    look_at_slots(view);
    for (int i = 0; i < LOOKS_MAX; i++) {
        whole = look_at_words(view);
        if (!whole || settled(view))
            break;
    }
    view->has_words = whole && version_fits(&view->words);
    if (!view->has_words)
        return;
    look_at_producer(view);
    view->stopped =
        view->living && ring_holder_is_stopped(view->words.gateway_pid);
}

static const char *
kind_of_file(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a pipe";
    default:
        return "a special file";
    }
}

static void
look(struct ring_view *view, const char *object)
{
    struct stat st;

    if (fstat(view->fd, &st) != 0) {
        view->status =
            ring_why(view->why, sizeof view->why, VR_SYSTEM,
                     "Cannot look at %s: %s", object, strerror(errno));
        return;
    }
    view->bytes = (uint64_t)st.st_size;
    view->mode = st.st_mode;
    view->owner = st.st_uid;
    if (!S_ISREG(st.st_mode)) {
        view->status = ring_why(view->why, sizeof view->why, VR_CORRUPT,
                                "The object %s is no ring but %s; remove it",
                                object, kind_of_file(st.st_mode));
        return;
    }
    view->living = ring_lock_held(view->fd, RING_LOCK_GATEWAY);
    view->status = ring_header_read(&view->header, view->fd, object,
                                    view->bytes, view->why, sizeof view->why);
    if (view->status == VR_AGAIN && !view->living)
        ring_why(view->why, sizeof view->why, VR_AGAIN,
                 "The gateway of the ring %s died before it was made", object);
    look_at_ring(view);
}

void
ring_view_attach(struct ring_view *view, int fd, const char *object,
                 enum vr_ring ring)
{
    memset(view, 0, sizeof *view);
    view->fd = fd;
    view->ring = ring;
    look(view, object);
}

enum vr_status
ring_view_open(struct ring_view *view, const struct ring_view_name *name)
{
    char path[RING_FILE_BYTES];
    int fd;

    ring_name_file(path, name->object);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        ring_view_attach(view, fd, name->object, name->ring);
        return VR_OK;
    }
    memset(view, 0, sizeof *view);
    view->fd = -1;
    view->ring = name->ring;
    view->status = errno == ENOENT                     ? VR_NOT_FOUND
                   : errno == EACCES || errno == ELOOP ? VR_DENIED
                                                       : VR_SYSTEM;
    return ring_why(view->why, sizeof view->why, view->status,
                    "Cannot open the ring %s: %s", name->object,
                    errno == ELOOP ? "it is a symbolic link, which no gateway "
                                     "makes"
                                   : strerror(errno));
}

void
ring_view_close(struct ring_view *view)
{
    if (view->fd >= 0)
        close(view->fd);
    view->fd = -1;
}

/* ---- frames ------------------------------------------------------------ */

/* The oldest position whose frame is whole, given the writer's intent. */
static uint64_t
oldest(const struct ring_view *view, uint64_t intent)
{
    uint64_t capacity = view->header.capacity_frames;

    if (intent <= capacity || intent - capacity < view->header.first_position)
        return view->header.first_position;
    return intent - capacity;
}

static bool
read_piece(const struct ring_view *view, uint64_t position, size_t frames,
           unsigned char *to)
{
    const struct ring_header *h = &view->header;
    uint64_t index = position & (h->capacity_frames - 1);
    size_t to_end = (size_t)(h->capacity_frames - index);
    size_t first = frames < to_end ? frames : to_end;

    return read_at(view->fd, to, first * h->frame_bytes,
                   h->header_bytes + index * h->frame_bytes) &&
           read_at(view->fd, to + first * h->frame_bytes,
                   (frames - first) * h->frame_bytes, h->header_bytes);
}

size_t
ring_view_frames(const struct ring_view *view, int16_t *samples, size_t frames,
                 uint64_t *end)
{
    size_t frame_bytes = view->header.frame_bytes, count, gone;
    uint64_t from, intent, head = view->head;

    *end = head;
    if (view->status != VR_OK || !view->has_words || head > RING_MAX_POSITION)
        return 0;
    from = oldest(view, view->intent);
    if (from >= head)
        return 0;
    /* The writer's word may be too small for the ring. */
    if (frames > view->header.capacity_frames)
        frames = (size_t)view->header.capacity_frames;
    if (head - from > frames)
        from = head - frames;
    count = (size_t)(head - from);
    if (!read_piece(view, from, count, (unsigned char *)samples))
        return 0;
    /* Acquire, with the release fence in ring_pen: whatever of a newer write
     * was copied above, its intent is seen below. */
    atomic_thread_fence(memory_order_acquire);
    if (!read_at(view->fd, &intent, sizeof intent,
                 offsetof(struct ring_layout, intent)))
        return 0;
    gone = oldest(view, intent) <= from ? 0
           : oldest(view, intent) >= head
               ? count
               : (size_t)(oldest(view, intent) - from);
    memmove(samples, (unsigned char *)samples + gone * frame_bytes,
            (count - gone) * frame_bytes);
    return count - gone;
}

/* ---- sums -------------------------------------------------------------- */

bool
ring_view_lag(const struct ring_view *view, int64_t *frames)
{
    const struct ring_layout *words = &view->words;
    uint64_t taken = words->read_position;

    *frames = 0;
    if (!view->has_words)
        return false;
    if (view->ring == VR_RING_OUT) {
        if (!view->slots[RING_SLOT_PLAYER].known)
            return false;
        taken = words->played;
        if (view->flushed && view->flush_to > taken)
            taken = view->flush_to;
    }
    *frames = (int64_t)(view->head - taken);
    return true;
}

static uint64_t
add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t
ring_view_lost(const struct ring_view *view)
{
    uint64_t lost = 0;

    if (!view->has_words)
        return 0;
    if (view->ring == VR_RING_IN)
        lost = add(view->words.lost_frames, view->producer.lost_frames);
    for (unsigned i = 0; i < view->slot_count; i++)
        if (view->slots[i].held)
            lost = add(lost, view->slots[i].lost_frames);
    return lost;
}

unsigned
ring_view_readers(const struct ring_view *view)
{
    unsigned held = 0;

    for (unsigned i = 0; i < view->slot_count; i++)
        held += view->slots[i].held;
    return held;
}
