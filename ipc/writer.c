/* The producer's side of the `in` ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ring_client.h"
#include "ipc/ring_cursor.h"
#include "ipc/ring_futex.h"
#include "ipc/ring_holder.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_order.h"
#include "ipc/ring_pen.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"

struct vr_writer {
    struct ring_client client; /* first: the lease is taken through it */
    struct ring_pen pen;
    uint64_t attach_position; /* head when the ring became ours */
    uint64_t read_seen;       /* read_position at the last look */
    size_t reserved_frames;
    size_t unchecked_frames; /* since somebody looked at the clock */
    uint64_t stamp_ns;       /* the caller's stamp then */
    uint64_t written_frames;
    uint64_t lost_frames;
};

#define fail(writer, status, ...)                                          \
    ring_why((writer)->client.error, sizeof(writer)->client.error, status, \
             __VA_ARGS__)

static enum vr_status
say_holder(struct ring_client *c)
{
    struct ring_holder *holder = &c->map.layout->holder;
    struct ring_holder_card card;

    ring_holder_read(&card, &holder->pid, holder->name);
    return ring_why(c->error, sizeof c->error, VR_BUSY,
                    "The ring of session \"%s\" already has a producer: "
                    "\"%s\", pid %lu%s; %s it first",
                    c->session, card.name, (unsigned long)card.pid,
                    card.stopped ? ", which is stopped and keeps the ring" : "",
                    card.stopped ? "continue (SIGCONT) or end" : "end");
}

static void
show_lost(struct vr_writer *w)
{
    /* Relaxed: for display. */
    atomic_store_explicit(&w->client.map.layout->holder.lost_frames,
                          w->lost_frames, memory_order_relaxed);
}

/* Goes on where the last producer stopped, even in the middle of a write. */
static void
pick_up_pen(struct vr_writer *w)
{
    struct ring_map *map = &w->client.map;
    /* Relaxed: the lease went from hand to hand through the kernel. */
    uint64_t intent =
        atomic_load_explicit(&map->layout->intent, memory_order_relaxed);

    w->pen.head = ring_cursor_head(map);
    if (w->pen.head > RING_MAX_POSITION ||
        w->pen.head < map->header.first_position)
        w->pen.head = map->header.first_position;
    if (intent < w->pen.head)
        intent = w->pen.head;
    if (intent > w->pen.head + map->header.capacity_frames)
        intent = w->pen.head + map->header.capacity_frames;
    w->pen.intent = intent;
    w->attach_position = w->pen.head;
    w->read_seen = w->pen.head;
}

static void
ring_bell(struct vr_writer *w)
{
    /* A full pipe is rung already; nothing else can fail here. */
    while (write(w->client.map.fork.fd[RING_MAP_BELL_FD], "", 1) < 0 &&
           errno == EINTR)
        continue;
}

static enum vr_status
take_lease(struct ring_client *c)
{
    struct vr_writer *w = (struct vr_writer *)c;
    struct ring_layout *l = c->map.layout;
    char bell[RING_PATH_BYTES];

    if (!ring_lock_take(c->map.fork.fd[RING_MAP_OBJECT_FD], RING_LOCK_WRITER))
        return say_holder(c);
    RING_STEP("lease: locked");
    if (ring_name_bell(bell, c->runtime_dir, c->session) != VR_OK)
        return fail(w, VR_INVALID, "The runtime folder's path is too long");
    if (!ring_map_open_bell(&c->map, bell))
        return fail(w, errno == ENOENT ? VR_NOT_FOUND : VR_DENIED,
                    "Cannot open the gateway's doorbell %s: %s; name the "
                    "gateway's runtime folder in VOXRING_RUNTIME_DIR",
                    bell, strerror(errno));
    RING_STEP("lease: bell");
    ring_holder_sign(&l->holder.pid, l->holder.name,
                     c->name[0] != '\0' ? c->name : NULL);
    /* Relaxed: for display. */
    atomic_fetch_add_explicit(&l->holder.lease_count, 1, memory_order_relaxed);
    RING_STEP("lease: signed");
    /* Relaxed: a dead producer's mark would only cost a wake-up. */
    atomic_store_explicit(&l->space_at, RING_NEVER, memory_order_relaxed);
    show_lost(w);
    pick_up_pen(w);
    RING_STEP("lease: pen");
    w->reserved_frames = 0;
    /* The last producer may have died before it rang. */
    ring_bell(w);
    RING_STEP("lease: rung");
    return VR_OK;
}

enum vr_status
vr_writer_open(struct vr_writer **writer, const char *session,
               const struct vr_options *options, char *why, size_t why_bytes)
{
    struct vr_writer *w = calloc(1, sizeof *w);
    enum vr_status status;

    *writer = NULL;
    if (w == NULL)
        return ring_why(why, why_bytes, VR_NO_MEMORY, "Out of memory");
    status =
        ring_client_open(&w->client, session, VR_RING_IN, options, take_lease);
    if (status == VR_OK) {
        *writer = w;
        return VR_OK;
    }
    ring_why(why, why_bytes, status, "%s", w->client.error);
    free(w);
    return status;
}

void
vr_writer_close(struct vr_writer **writer)
{
    if (*writer == NULL)
        return;
    ring_map_detach(&(*writer)->client.map);
    free(*writer);
    *writer = NULL;
}

/* Where the gateway says that it has read up to; at most head. */
static uint64_t
told_position(const struct vr_writer *w)
{
    /* Acquire, with the release in ring_host: it has copied what is before. */
    uint64_t read = atomic_load_explicit(&w->client.map.layout->read_position,
                                         memory_order_acquire);

    return read < w->pen.head ? read : w->pen.head;
}

/* The same, as far as the frames from there on are still in the ring. */
static uint64_t
read_position(const struct vr_writer *w)
{
    uint64_t read = told_position(w);
    uint64_t capacity = w->client.map.header.capacity_frames;

    return w->pen.head - read > capacity ? w->pen.head - capacity : read;
}

/* What the gateway has not read dies with it, also what was overwritten before
 * it could say so. Of a ring that was cut short it
 * is known only as it was at the last look. */
static void
count_unread(struct vr_writer *w)
{
    uint64_t read = told_position(w), unread;

    if (ring_map_lost(&w->client.map))
        read = w->read_seen;
    unread = w->pen.head - read;
    if (unread > w->pen.head - w->attach_position)
        unread = w->pen.head - w->attach_position;
    w->lost_frames += unread;
}

/* The status for a caller when there is no ring. */
static enum vr_status
away(const struct vr_writer *w)
{
    enum vr_status why = w->client.away;

    return why == VR_NOT_FOUND || why == VR_AGAIN ? VR_CLOSED : why;
}

static enum vr_status
check_gateway(struct vr_writer *w, uint64_t now_ns)
{
    struct ring_client *c = &w->client;
    uint64_t lost_before = w->lost_frames;
    bool cut = c->map.layout != NULL && ring_map_lost(&c->map);

    if (c->map.layout != NULL) {
        if (!ring_client_gateway_gone(c, now_ns)) {
            w->read_seen = told_position(w);
            return VR_OK;
        }
        count_unread(w);
        ring_client_detach(c);
        ring_client_log(c, "%s: %llu frames were written and never read",
                        c->object,
                        (unsigned long long)(w->lost_frames - lost_before));
    }
    /* What is cut short stays so for a while: a ring without memory must not
     * be mapped anew in every call. */
    if (cut)
        return away(w);
    if (ring_client_attach(c, take_lease) == VR_OK)
        ring_client_log(c, "%s: %llu frames were lost so far", c->object,
                        (unsigned long long)w->lost_frames);
    return away(w);
}

/* Whether it is too early to look at the clock: with a caller's stamp it is
 * read once in 75 ms by the stamps, or in 250 ms of audio, not in each call. */
static bool
early(struct vr_writer *w, size_t frames, uint64_t captured_ns)
{
    w->unchecked_frames += frames;
    if (w->client.map.layout == NULL || ring_map_lost(&w->client.map) ||
        captured_ns == 0 || captured_ns - w->stamp_ns >= RING_SLICE_NS ||
        w->unchecked_frames >= w->client.wanted.rate_hz / 4)
        return false;
    return true;
}

/* Looks for the gateway when it is time to. *now_ns is 0, which is then the
 * time if it was read. */
static enum vr_status
ready(struct vr_writer *w, size_t frames, uint64_t captured_ns,
      uint64_t *now_ns)
{
    struct ring_client *c = &w->client;

    if (ring_fork_is_child(&c->map.fork))
        return fail(w, VR_STATE,
                    "This process is a fork of the one that opened the ring "
                    "%s; open it anew",
                    c->object);
    /* The caller has a part of the ring in its hands. */
    if (w->reserved_frames > 0 || early(w, frames, captured_ns))
        return VR_OK;
    w->unchecked_frames = 0;
    w->stamp_ns = captured_ns;
    *now_ns = vr_now_ns();
    if (ring_client_due(c, *now_ns) ||
        (c->map.layout != NULL && ring_map_lost(&c->map)))
        return check_gateway(w, *now_ns);
    return away(w);
}

static void
ring_if_asked(struct vr_writer *w, uint64_t old_head)
{
    /* Relaxed: behind the full barrier of ring_pen_end(). Only the write that
     * crosses the mark rings; if the mark was set later, the gateway sees the
     * new head itself. */
    uint64_t bell_at = atomic_load_explicit(&w->client.map.layout->bell_at,
                                            memory_order_relaxed);

    if (__builtin_expect(old_head < bell_at && bell_at <= w->pen.head, 0))
        ring_bell(w);
}

static void
write_all(struct vr_writer *w, const unsigned char *samples, size_t frames,
          uint64_t commit_ns, uint64_t captured_ns)
{
    const struct ring_map *map = &w->client.map;
    size_t most = ring_pen_most(map);

    while (frames > 0) {
        size_t n = frames < most ? frames : most;
        uint64_t old_head = w->pen.head;

        ring_pen_write(&w->pen, map, samples, n, commit_ns, captured_ns);
        RING_STEP("write: published");
        ring_if_asked(w, old_head);
        RING_STEP("write: rung");
        samples += n * map->header.frame_bytes;
        frames -= n;
    }
}

enum vr_status
vr_write(struct vr_writer *w, const void *samples, size_t frames,
         uint64_t captured_ns)
{
    uint64_t now_ns = 0;
    enum vr_status status;

    if (w->reserved_frames > 0)
        return fail(w, VR_STATE,
                    "vr_write() between vr_reserve() and vr_commit()");
    status = ready(w, frames, captured_ns, &now_ns);
    if (status == VR_STATE)
        return status;
    w->written_frames += frames;
    if (__builtin_expect(status != VR_OK, 0)) {
        w->lost_frames += frames;
        return status;
    }
    write_all(w, samples, frames, captured_ns != 0 ? captured_ns : now_ns,
              captured_ns);
    return VR_OK;
}

size_t
vr_reserve(struct vr_writer *w, size_t frames, void **samples)
{
    const struct ring_map *map = &w->client.map;
    uint64_t now_ns = 0;
    size_t to_end;

    *samples = NULL;
    if (w->reserved_frames > 0 || ready(w, frames, 0, &now_ns) != VR_OK)
        return 0;
    to_end = (size_t)(map->header.capacity_frames -
                      (w->pen.head & (map->header.capacity_frames - 1)));
    if (frames > ring_pen_most(map))
        frames = ring_pen_most(map);
    if (frames > to_end)
        frames = to_end;
    if (frames == 0)
        return 0;
    ring_pen_begin(&w->pen, map, frames);
    RING_STEP("reserve: announced");
    *samples = ring_map_at(map, w->pen.head);
    w->reserved_frames = frames;
    return frames;
}

enum vr_status
vr_commit(struct vr_writer *w, size_t frames, uint64_t captured_ns)
{
    uint64_t old_head = w->pen.head;

    if (ring_fork_is_child(&w->client.map.fork))
        return VR_STATE;
    if (frames > w->reserved_frames)
        return fail(w, VR_INVALID, "%zu frames committed, %zu reserved", frames,
                    w->reserved_frames);
    w->reserved_frames = 0;
    if (frames == 0)
        return VR_OK;
    w->written_frames += frames;
    ring_pen_end(&w->pen, &w->client.map, frames,
                 captured_ns != 0 ? captured_ns : vr_now_ns(), captured_ns);
    RING_STEP("commit: published");
    ring_if_asked(w, old_head);
    return VR_OK;
}

static size_t
space(const struct vr_writer *w)
{
    return (size_t)(w->client.map.header.capacity_frames -
                    (w->pen.head - read_position(w)));
}

size_t
vr_space(struct vr_writer *w)
{
    uint64_t now_ns = 0;

    return ready(w, 0, 0, &now_ns) == VR_OK ? space(w) : 0;
}

/* One sleep until the gateway has read up to where `frames` fit. */
static enum vr_status
sleep_for_space(struct vr_writer *w, size_t frames, uint64_t slice_ns)
{
    const struct ring_map *map = &w->client.map;
    struct ring_layout *l = map->layout;
    /* Acquire: the word before the mark, or a wake between them is missed. */
    uint32_t seen = atomic_load_explicit(&l->space_word, memory_order_acquire);
    enum vr_status status = VR_OK;

    atomic_store_explicit(&l->space_at,
                          w->pen.head + frames - map->header.capacity_frames,
                          memory_order_relaxed);
    RING_STEP("wait_space: marked");
    /* Dekker, with ring_host_advance(): the mark, then the position again. The
     * mark is a position, because the caller saw less room than `frames`. */
    ring_fence_full();
    if (space(w) < frames) {
        RING_STEP("wait_space: asleep");
        status = ring_futex_wait(&l->space_word, seen, slice_ns);
    }
    /* Relaxed: what is seen of it too late costs a wake-up. */
    atomic_store_explicit(&l->space_at, RING_NEVER, memory_order_relaxed);
    return status;
}

enum vr_status
vr_wait_space(struct vr_writer *w, size_t frames, int timeout_ms)
{
    uint64_t deadline_ns = ring_futex_deadline_ns(timeout_ms);
    unsigned false_wakes = 0;
    enum vr_status status;

    if (w->reserved_frames > 0)
        return fail(w, VR_STATE,
                    "vr_wait_space() between vr_reserve() and vr_commit()");
    for (;;) {
        uint64_t now_ns = 0, slice_ns;

        status = ready(w, 0, 0, &now_ns);
        if (status == VR_STATE)
            return status;
        if (status == VR_OK && frames > w->client.map.header.capacity_frames)
            return fail(
                w, VR_INVALID,
                "Waiting for room for %zu frames in a ring of %llu", frames,
                (unsigned long long)w->client.map.header.capacity_frames);
        if (status == VR_OK && space(w) >= frames)
            return VR_OK;
        slice_ns = ring_client_sleep_ns(&w->client, deadline_ns);
        if (slice_ns == 0)
            return VR_TIMEOUT;
        status = status == VR_OK ? sleep_for_space(w, frames, slice_ns)
                                 : ring_futex_sleep(slice_ns);
        if (status == VR_AGAIN)
            return status;
        if (status == VR_OK && w->client.map.layout != NULL &&
            space(w) < frames)
            ring_client_false_wake(&w->client, &false_wakes);
    }
}

void
vr_writer_stats(const struct vr_writer *w, struct vr_writer_stats *stats,
                size_t stats_bytes)
{
    const struct ring_map *map = &w->client.map;
    struct vr_writer_stats s = {.format = w->client.wanted,
                                .capacity_frames = map->header.capacity_frames,
                                .epoch = map->header.epoch,
                                .position = w->pen.head,
                                .written_frames = w->written_frames,
                                .lost_frames = w->lost_frames,
                                .attach_count = w->client.attach_count};

    if (map->layout != NULL && !ring_fork_is_child(&map->fork)) {
        s.attached = 1;
        s.read_position = read_position(w);
    }
    ring_client_copy_stats(stats, stats_bytes, &s, sizeof s);
}

const char *
vr_writer_error(const struct vr_writer *w)
{
    return w->client.error;
}
