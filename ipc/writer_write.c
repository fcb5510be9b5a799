/* Writing, and waiting for room. */
#include "ipc/ring_futex.h"
#include "ipc/ring_order.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"
#include "ipc/writer.h"

/* Whether it is too early to look at the clock: with a caller's stamp it is
 * read once in 75 ms by the stamps, or in 1 s of audio, not in each call. */
static bool
early(struct vr_writer *w, size_t frames, uint64_t captured_ns)
{
    w->unchecked_frames += frames;
    if (w->client.map.layout == NULL || ring_map_lost(&w->client.map) ||
        captured_ns == 0 || captured_ns - w->stamp_ns >= RING_SLICE_NS ||
        w->unchecked_frames >= w->client.wanted.rate_hz)
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
        return writer_fail(
            w, VR_STATE,
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
        return writer_check_gateway(w, *now_ns);
    return ring_client_away(&w->client);
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
        writer_ring_bell(w);
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
        return writer_fail(w, VR_STATE,
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
        return writer_fail(w, VR_INVALID, "%zu frames committed, %zu reserved",
                           frames, w->reserved_frames);
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
                    (w->pen.head - writer_read_position(w)));
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
        return writer_fail(
            w, VR_STATE,
            "vr_wait_space() between vr_reserve() and vr_commit()");
    for (;;) {
        uint64_t now_ns = 0, slice_ns;

        status = ready(w, 0, 0, &now_ns);
        if (status == VR_STATE)
            return status;
        if (status == VR_OK && frames > w->client.map.header.capacity_frames)
            return writer_fail(
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
