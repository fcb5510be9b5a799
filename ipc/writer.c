/* The producer of an `in` ring. Here its life; writer_write.c has what it
 * does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ring_cursor.h"
#include "ipc/ring_holder.h"
#include "ipc/ring_lock.h"
#include "ipc/ring_step.h"
#include "ipc/ring_why.h"
#include "ipc/writer.h"

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

void
writer_ring_bell(const struct vr_writer *w)
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
        return writer_fail(w, VR_INVALID,
                           "The runtime folder's path is too long");
    if (!ring_map_open_bell(&c->map, bell))
        return writer_fail(
            w, errno == ENOENT ? VR_NOT_FOUND : VR_DENIED,
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
    writer_ring_bell(w);
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

uint64_t
writer_read_position(const struct vr_writer *w)
{
    uint64_t read = told_position(w);
    uint64_t capacity = w->client.map.header.capacity_frames;

    return w->pen.head - read > capacity ? w->pen.head - capacity : read;
}

/* What the gateway has not read dies with it, also what was overwritten before
 * it could say so. Of a ring that was cut short it is known only as it was at
 * the last look. */
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

enum vr_status
writer_check_gateway(struct vr_writer *w, uint64_t now_ns)
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
        return ring_client_away(&w->client);
    if (ring_client_attach(c, take_lease) == VR_OK)
        ring_client_log(c, "%s: %llu frames were lost so far", c->object,
                        (unsigned long long)w->lost_frames);
    return ring_client_away(&w->client);
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
        s.read_position = writer_read_position(w);
    }
    ring_client_copy_stats(stats, stats_bytes, &s, sizeof s);
}

const char *
vr_writer_error(const struct vr_writer *w)
{
    return w->client.error;
}
