/* The gateway as the reader of a producer's audio. */
#include <string.h>
#include <unistd.h>

#include "ipc/ring_cursor.h"
#include "ipc/ring_futex.h"
#include "ipc/ring_host_state.h"
#include "ipc/ring_order.h"
#include "ipc/ring_step.h"

/* More than memory can be written with, and some to begin with: a producer that
 * lies may make us believe that much, and positions last for years then. */
#define MOST_FRAMES_PER_NS 64
#define SPARE_FRAMES (UINT64_C(1) << 32)

#define PEEK_TRIES 4
#define STAMP_MAX_AGE_NS UINT64_C(60000000000)
#define DRAIN_BYTES 4096

static bool
head_ok(const struct ring_host *r, uint64_t head)
{
    if (head < r->head || head > RING_MAX_POSITION)
        return false;
    if (head - r->head <= r->capacity_frames || head <= SPARE_FRAMES)
        return true;
    return (head - SPARE_FRAMES) / MOST_FRAMES_PER_NS <=
           vr_now_ns() - r->opened_ns;
}

/* Looks at the producer's head. */
static uint64_t
refresh(struct ring_host *r)
{
    uint64_t head;

    if (r->ring == VR_RING_OUT)
        return r->pen.head;
    if (!ring_host_usable(r))
        return r->head;
    head = ring_cursor_head(&r->map);
    if (head == r->head || !ring_host_usable(r))
        return r->head;
    if (!head_ok(r, head))
        ring_host_fault(r, RING_FAULT_HEAD, true,
                        "its producer says a position that cannot be");
    else
        r->head = head;
    return r->head;
}

uint64_t
ring_host_head(struct ring_host *r)
{
    return refresh(r);
}

uint64_t
ring_host_position(const struct ring_host *r)
{
    return r->position;
}

uint64_t
ring_host_readable(struct ring_host *r)
{
    return refresh(r) - r->position;
}

/* Moves the position, says so, and wakes a producer that waits for it. */
static void
move_to(struct ring_host *r, uint64_t position)
{
    struct ring_layout *l = r->map.layout;
    uint64_t old = r->position, shown = position, space_at;

    r->position = position;
    if (l == NULL)
        return;
    /* What is unread from before a re-creation is none of this producer's. */
    if (shown < r->map.header.first_position)
        shown = r->map.header.first_position;
    /* Release, with the acquire in vr_space(): what is before was copied. */
    atomic_store_explicit(&l->read_position, shown, memory_order_release);
    RING_STEP("advance: position");
    /* Dekker, with vr_wait_space(): the position, then its mark. */
    ring_fence_full();
    space_at = atomic_load_explicit(&l->space_at, memory_order_relaxed);
    if (old < space_at && space_at <= position)
        ring_futex_wake(&l->space_word);
}

/* An intent that no write can have is as bad as such a head. */
static bool
intent_ok(struct ring_host *r)
{
    /* Acquire, with the full fence that ends the write before (ring_pen_end):
     * the head read below is not older than the one that this intent was
     * announced from. */
    uint64_t intent =
        atomic_load_explicit(&r->map.layout->intent, memory_order_acquire);
    uint64_t head = refresh(r);

    if (intent <= head + r->capacity_frames)
        return true;
    ring_host_fault(r, RING_FAULT_HEAD, true,
                    "its producer says an intent that cannot be");
    return false;
}

/* Passes over what was overwritten. */
static void
skip_lapped(struct ring_host *r, struct ring_host_span *span)
{
    uint64_t next = ring_cursor_after_lap(&r->map, refresh(r));

    if (next <= span->position)
        return;
    span->lost_frames += next - span->position;
    span->position = next;
}

size_t
ring_host_peek_at(struct ring_host *r, uint64_t position, void *samples,
                  size_t frames, struct ring_host_span *span)
{
    int64_t n = 0;

    *span = (struct ring_host_span){.position = position};
    for (int i = 0; i < PEEK_TRIES; i++) {
        uint64_t head = refresh(r);

        if (!ring_host_usable(r) || span->position > head)
            break;
        if (span->position < ring_cursor_oldest(&r->map, head)) {
            if (!intent_ok(r))
                break;
            skip_lapped(r, span);
            head = r->head;
        }
        n = ring_cursor_copy(&r->map, span->position, head, samples, frames);
        RING_STEP("peek: copied");
        if (n >= 0)
            break;
        skip_lapped(r, span);
    }
    /* Zeros that SIGBUS put there are not the producer's. */
    if (!ring_host_usable(r) || n < 0)
        n = 0;
    span->frames = (uint64_t)n;
    return (size_t)n;
}

static void
count_lost(struct ring_host *r, uint64_t frames)
{
    r->lost_frames += frames;
    /* Relaxed: for display. */
    if (r->map.layout != NULL)
        atomic_store_explicit(&r->map.layout->lost_frames, r->lost_frames,
                              memory_order_relaxed);
}

size_t
ring_host_peek(struct ring_host *r, void *samples, size_t frames,
               struct ring_host_span *span)
{
    size_t n = ring_host_peek_at(r, r->position, samples, frames, span);

    if (span->position > r->position) {
        count_lost(r, span->lost_frames);
        move_to(r, span->position);
    }
    return n;
}

void
ring_host_advance(struct ring_host *r, uint64_t frames)
{
    uint64_t readable = r->head - r->position;

    move_to(r, r->position + (frames < readable ? frames : readable));
}

uint64_t
ring_host_seek(struct ring_host *r, uint64_t position)
{
    uint64_t head = refresh(r), oldest;

    if (!ring_host_usable(r))
        return r->position;
    oldest = ring_cursor_oldest(&r->map, head);
    if (position < oldest)
        position = oldest;
    if (position > head)
        position = head;
    move_to(r, position);
    return r->position;
}

/* ---- time -------------------------------------------------------------- */

struct stamp {
    uint64_t head, commit_ns, captured_ns;
};

/* The newest stamps, if they are not being written just now. */
static bool
read_stamp(const struct ring_host *r, struct stamp *stamp)
{
    struct ring_layout *l = r->map.layout;

    /* Acquire, with the release in ring_pen: the stamps of that head. */
    stamp->head = atomic_load_explicit(&l->stamp_head, memory_order_acquire);
    if (stamp->head == RING_NO_STAMP)
        return false;
    /* Relaxed: the count judges them. */
    stamp->commit_ns =
        atomic_load_explicit(&l->commit_ns, memory_order_relaxed);
    stamp->captured_ns =
        atomic_load_explicit(&l->captured_ns, memory_order_relaxed);
    /* Boehm's seqlock, stamp_head being the count. It repeats only where a
     * producer died between its stamp and its head; then the times of two may
     * mix once, which are bounded where they are used. */
    ring_fence_acquire();
    return stamp->head ==
           atomic_load_explicit(&l->stamp_head, memory_order_relaxed);
}

uint64_t
ring_host_last_commit_ns(struct ring_host *r, uint64_t now_ns)
{
    uint64_t head = refresh(r), commit_ns = now_ns;
    struct stamp stamp;

    if (head != r->commit_head) {
        if (ring_host_usable(r) && read_stamp(r, &stamp) &&
            stamp.commit_ns < commit_ns)
            commit_ns = stamp.commit_ns;
        if (commit_ns < r->polled_ns && r->polled_ns <= now_ns)
            commit_ns = r->polled_ns;
        r->commit_head = head;
        r->commit_ns = commit_ns;
    }
    r->polled_ns = now_ns;
    return r->commit_ns;
}

bool
ring_host_captured(struct ring_host *r, uint64_t now_ns, uint64_t *position,
                   uint64_t *captured_ns)
{
    struct stamp stamp;

    if (!ring_host_usable(r) || !read_stamp(r, &stamp) ||
        stamp.captured_ns == 0 || stamp.captured_ns > now_ns ||
        now_ns - stamp.captured_ns > STAMP_MAX_AGE_NS ||
        stamp.head > refresh(r))
        return false;
    *position = stamp.head;
    *captured_ns = stamp.captured_ns;
    return true;
}

/* ---- the doorbell ------------------------------------------------------ */

int
ring_host_bell_fd(const struct ring_host *r)
{
    return r->map.fork.open ? r->map.fork.fd[RING_MAP_BELL_FD] : -1;
}

bool
ring_host_arm(struct ring_host *r, uint64_t frames)
{
    struct ring_layout *l = r->map.layout;
    uint64_t at = r->position + frames;

    if (refresh(r) >= at || l == NULL)
        return l != NULL;
    atomic_store_explicit(&l->bell_at, at, memory_order_relaxed);
    RING_STEP("arm: asked");
    /* Dekker, with ring_pen_end(): the mark, then head again. */
    ring_fence_full();
    if (refresh(r) < at)
        return false;
    ring_host_disarm(r);
    return true;
}

void
ring_host_disarm(struct ring_host *r)
{
    /* Relaxed: what a producer sees of it too late is a ring for nothing. */
    if (r->map.layout != NULL)
        atomic_store_explicit(&r->map.layout->bell_at, RING_NEVER,
                              memory_order_relaxed);
}

void
ring_host_drain(struct ring_host *r)
{
    char bytes[DRAIN_BYTES];

    /* One read: who rings without end must not keep us here. */
    if (ring_host_bell_fd(r) >= 0 &&
        read(ring_host_bell_fd(r), bytes, sizeof bytes) < 0)
        return;
}
