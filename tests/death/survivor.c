#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/death/ink.h"
#include "tests/death/lane.h"
#include "tests/death/stall.h"
#include "tests/death/survivor.h"

#define BLOCK_FRAMES 256
#define WRITE_FRAMES 64
#define WAIT_MS 100

struct reading {
    struct card *card;
    enum vr_ring ring;
    enum vr_role role;
    struct vr_reader *reader;
    uint32_t attach_count;
    struct stall before; /* the wait before this one */
    struct ring_record now;
    uint16_t dye; /* of the write that is dyed, once seen */
    uint64_t dye_seen_at;
    int16_t samples[BLOCK_FRAMES];
};

struct vr_options
survivor_options(void)
{
    return (struct vr_options){.runtime_dir = lane.dir};
}

static void
note(struct card *card, uint64_t stall_ns)
{
    if (stall_ns > atomic_load(&card->worst_ns))
        atomic_store(&card->worst_ns, stall_ns);
}

/* ---- readers ----------------------------------------------------------- */

static void
show(struct reading *g)
{
    struct card *card = g->card;
    uint32_t n = atomic_load(&card->record_count);

    if (n == 0 || card->records[(n - 1) % BOARD_RINGS].epoch != g->now.epoch) {
        card->records[n % BOARD_RINGS] = g->now;
        atomic_store(&card->record_count, n + 1);
    } else {
        card->records[(n - 1) % BOARD_RINGS] = g->now;
    }
    atomic_store(&card->position, g->now.end);
    atomic_store(&card->epoch, g->now.epoch);
}

/* Frames of the write that is dyed: all with the dye, or none. */
static size_t
right_dyed(struct reading *g, uint64_t at, const int16_t *samples, size_t n)
{
    uint64_t dye_at = atomic_load(&lane.board->dye_at);

    if (g->dye_seen_at != dye_at || at == dye_at) {
        g->dye_seen_at = dye_at;
        g->dye = ink_right(samples, at, 1, 0) == 1 ? 0 : INK_DYE;
    }
    return ink_right(samples, at, n, g->dye);
}

static void
check_frames(struct reading *g, uint64_t position, size_t frames)
{
    uint64_t dye_at = atomic_load(&lane.board->dye_at);
    uint64_t dye_end = dye_at + atomic_load(&lane.board->dye_frames);
    size_t done = 0, n;

    while (done < frames) {
        uint64_t at = position + done;
        bool dyed = at >= dye_at && at < dye_end;

        n = frames - done;
        if (dyed && n > dye_end - at)
            n = (size_t)(dye_end - at);
        if (!dyed && at < dye_at && n > dye_at - at)
            n = (size_t)(dye_at - at);
        if ((dyed ? right_dyed(g, at, g->samples + done, n)
                  : ink_right(g->samples + done, at, n, 0)) != n)
            lane_fail("a reader got wrong frames in %llu..%llu (dyed: "
                      "%llu..%llu)",
                      (unsigned long long)at, (unsigned long long)(at + n),
                      (unsigned long long)dye_at, (unsigned long long)dye_end);
        done += n;
    }
}

static void
account(struct reading *g, enum vr_status status, const struct vr_block *b)
{
    if (g->now.epoch != b->epoch) {
        g->now = (struct ring_record){.epoch = b->epoch};
        g->now.first = b->position - b->lost_frames - b->skipped_frames;
        g->now.end = g->now.first;
    }
    if (b->position != g->now.end + b->lost_frames + b->skipped_frames)
        lane_fail("a reader stood at %llu, lost %llu, skipped %llu, and is at "
                  "%llu",
                  (unsigned long long)g->now.end,
                  (unsigned long long)b->lost_frames,
                  (unsigned long long)b->skipped_frames,
                  (unsigned long long)b->position);
    check_frames(g, b->position, (size_t)b->frames);
    g->now.end = b->position + b->frames;
    g->now.read += b->frames;
    g->now.lost += b->lost_frames;
    g->now.skipped += b->skipped_frames;
    g->now.flushes += status == VR_FLUSHED;
}

/* Whether the call was the one that found a new gateway, and then how long that
 * took, however many calls it were. */
static bool
note_attach(struct reading *g)
{
    uint64_t up_ns = atomic_load(&lane.board->up_ns);
    struct vr_reader_stats stats;

    vr_reader_stats(g->reader, &stats, sizeof stats);
    if (stats.attach_count == g->attach_count)
        return false;
    g->attach_count = stats.attach_count;
    if (up_ns != 0)
        note(g->card, stall_since(&g->before, up_ns));
    return true;
}

/* Reads all there is. */
static void
drain(struct reading *g)
{
    for (;;) {
        struct stall s = stall_begin();
        struct vr_block b;
        enum vr_status status =
            vr_read(g->reader, g->samples, BLOCK_FRAMES, &b);

        note(g->card, stall_end(&s, 0));
        note_attach(g);
        if (status == VR_AGAIN)
            return;
        if (status == VR_CLOSED) {
            atomic_store(&g->card->epoch, 0);
            continue;
        }
        if (status != VR_OK && status != VR_LAPPED && status != VR_FLUSHED)
            lane_fail("a reader: %s: %s", vr_status_name(status),
                      vr_reader_error(g->reader));
        account(g, status, &b);
        show(g);
        if (g->role == VR_PLAYER)
            vr_played(g->reader, g->now.end);
    }
}

/* A wait for news counts from the news; one for a gateway, from when the new
 * one was up. */
static void
wait_for_news(struct reading *g)
{
    enum vr_status status;
    uint64_t news_ns;
    struct stall s;

    atomic_store(&g->card->news_ns, 0);
    drain(g);
    atomic_store(&g->card->waiting, 1);
    s = stall_begin();
    status = vr_wait(g->reader, WAIT_MS);
    news_ns = atomic_load(&g->card->news_ns);
    if (!note_attach(g) && status == VR_OK && news_ns != 0)
        note(g->card, stall_end(&s, news_ns));
    g->before = s;
    atomic_store(&g->card->waiting, 0);
}

static void
open_reader(struct reading *g)
{
    struct vr_options options = survivor_options();
    char why[VR_ERROR_BYTES] = "";
    struct vr_reader_stats stats;
    struct stall s = stall_begin();

    options.ring = g->ring;
    options.role = g->role;
    if (vr_reader_open(&g->reader, LANE_SESSION, &options, why, sizeof why) !=
        VR_OK)
        lane_fail("a reader cannot attach: %s", why);
    note(g->card, stall_end(&s, 0));
    vr_reader_stats(g->reader, &stats, sizeof stats);
    g->attach_count = stats.attach_count;
    g->now = (struct ring_record){
        .epoch = stats.epoch, .first = stats.position, .end = stats.position};
    show(g);
}

static bool
through(const struct card *card)
{
    uint64_t until = atomic_load(&card->until);

    return atomic_load(&card->stop) != 0 ||
           (until != 0 && atomic_load(&card->position) >= until);
}

static void
read_on(void *arg)
{
    struct reading *g = arg;

    open_reader(g);
    while (!through(g->card)) {
        drain(g);
        if (!through(g->card))
            wait_for_news(g);
    }
    vr_reader_close(&g->reader);
}

pid_t
survivor_read(struct card *card, enum vr_ring ring, enum vr_role role)
{
    struct reading g = {.card = card, .ring = ring, .role = role};
    pid_t pid;

    memset(card, 0, sizeof *card);
    pid = lane_fork(read_on, &g);
    LANE_AWAIT(atomic_load(&card->epoch) != 0 || (lane_asleep(pid), false),
               "a reader attaches");
    return pid;
}

void
survivor_settle(const struct card *card, pid_t pid, uint64_t position)
{
    LANE_AWAIT(lane_asleep(pid) && atomic_load(&card->position) == position &&
                   atomic_load(&card->waiting) != 0,
               "a reader has read all and sleeps");
}

void
survivor_stop(struct card *card, pid_t pid)
{
    atomic_store(&card->stop, 1);
    LANE_EXPECT(!doom_reap(pid), "a survivor was killed");
}

bool
survivor_record(const struct card *card, uint64_t epoch,
                struct ring_record *record)
{
    uint32_t n = atomic_load(&card->record_count);

    for (uint32_t i = n; i > 0 && i + BOARD_RINGS > n; i--) {
        *record = card->records[(i - 1) % BOARD_RINGS];
        if (record->epoch == epoch)
            return true;
    }
    return false;
}

/* ---- the writer -------------------------------------------------------- */

struct writing {
    struct card *card;
    struct vr_writer *writer;
    uint32_t attach_count;
    struct stall before; /* the wait before this one */
    int16_t samples[2 * WRITE_FRAMES];
};

static void
show_writer(const struct writing *g)
{
    struct vr_writer_stats stats;

    vr_writer_stats(g->writer, &stats, sizeof stats);
    atomic_store(&g->card->lost, stats.lost_frames);
    atomic_store(&g->card->written, stats.written_frames);
    atomic_store(&g->card->epoch, stats.attached ? stats.epoch : 0);
}

/* As note_attach(). */
static bool
note_writer_attach(struct writing *g)
{
    uint64_t up_ns = atomic_load(&lane.board->up_ns);
    struct vr_writer_stats stats;

    vr_writer_stats(g->writer, &stats, sizeof stats);
    show_writer(g);
    if (stats.attach_count == g->attach_count)
        return false;
    if (up_ns != 0 && g->attach_count != 0)
        note(g->card, stall_since(&g->before, up_ns));
    g->attach_count = stats.attach_count;
    return true;
}

/* True when there is room. */
static bool
wait_for_room(struct writing *g)
{
    enum vr_status status;
    uint64_t news_ns;
    struct stall s = stall_begin();
    size_t space;

    atomic_store(&g->card->news_ns, 0);
    space = vr_space(g->writer);
    note_writer_attach(g);
    if (space >= WRITE_FRAMES)
        return true;
    atomic_store(&g->card->waiting, 1);
    s = stall_begin();
    status = vr_wait_space(g->writer, WRITE_FRAMES, WAIT_MS);
    news_ns = atomic_load(&g->card->news_ns);
    if (!note_writer_attach(g) && status == VR_OK && news_ns != 0)
        note(g->card, stall_end(&s, news_ns));
    g->before = s;
    atomic_store(&g->card->waiting, 0);
    if (status != VR_OK && status != VR_TIMEOUT)
        lane_fail("a writer waits: %s: %s", vr_status_name(status),
                  vr_writer_error(g->writer));
    return status == VR_OK;
}

static void
write_on(void *arg)
{
    struct writing *g = arg;
    struct vr_options options = survivor_options();
    char why[VR_ERROR_BYTES] = "";
    uint64_t serial = 0;

    if (vr_writer_open(&g->writer, LANE_SESSION, &options, why, sizeof why) !=
        VR_OK)
        lane_fail("a writer cannot attach: %s", why);
    while (atomic_load(&g->card->stop) == 0) {
        struct stall s;
        enum vr_status status;

        if (!wait_for_room(g))
            continue;
        ink_fill_serial(g->samples, serial, WRITE_FRAMES);
        s = stall_begin();
        status = vr_write(g->writer, g->samples, WRITE_FRAMES, 0);
        note(g->card, stall_end(&s, 0));
        note_writer_attach(g);
        if (status != VR_OK && status != VR_CLOSED)
            lane_fail("a writer: %s: %s", vr_status_name(status),
                      vr_writer_error(g->writer));
        serial += WRITE_FRAMES;
    }
    show_writer(g);
    vr_writer_close(&g->writer);
}

pid_t
survivor_write(struct card *card)
{
    struct writing g = {.card = card};
    pid_t pid;

    memset(card, 0, sizeof *card);
    pid = lane_fork(write_on, &g);
    LANE_AWAIT(atomic_load(&card->epoch) != 0 || (lane_asleep(pid), false),
               "a writer attaches");
    return pid;
}
