/* A producer, a player and a recorder against a process that does anything to
 * their rings, the gateway's own words included, while an honest gateway runs.
 * The input is a program of such acts, of the gateway's calls, and of the
 * clients'. At its end the gateway makes both rings anew, and those clients
 * that began in good times must come back by themselves.
 *
 * fuzz-module: ipc tests/fuzz/ring_enemy.c tests/fuzz/ring_clock.c
 * fuzz-module: tests/fuzz/ring_ground.c tests/fuzz/input.c tests/fuzz/audio.c
 */
#include <stdlib.h>
#include <string.h>

#include "ipc/ring_host.h"
#include "tests/fuzz/audio.h"
#include "tests/fuzz/ring_clock.h"
#include "tests/fuzz/ring_enemy.h"

#define STEPS 120
#define MOST_FRAMES (2 * GROUND_CAPACITY)
#define MOST_OPENS 8
#define FAR (UINT64_C(1) << 62)
#define READERS 3

struct listener {
    struct vr_reader *reader;
    enum vr_ring ring;
    bool honest;  /* it began when nobody had been hostile */
    uint64_t sum; /* frames accounted for so far, on this ring */
    uint64_t from, epoch;
};

struct run {
    struct input in;
    const char *dir;
    struct ring_host *host[2]; /* by enum vr_ring */
    struct enemy enemy[2];
    bool dirty, hammered;
    struct vr_writer *writer;
    bool writer_honest;
    size_t reserved;
    int16_t *room;
    struct listener listener[READERS]; /* player, and one on each ring */
    unsigned opens;
};

static int16_t samples[MOST_FRAMES];

/* ---- how long a call may take ------------------------------------------ */

/* A call that was given timeout_ms may sleep for it, and a little; nothing that
 * stands still in shared memory makes it go round and round. */
static void
must_be_quick(const struct run *r, uint64_t timeout_ms)
{
    struct ring_clock_use used = ring_clock_used();

    must(used.slept_ns <= (timeout_ms + 110) * GROUND_NS_PER_MS);
    must(r->hammered || used.sleeps <= timeout_ms / 10 + 24);
}

/* ---- the gateway ------------------------------------------------------- */

static void
open_host(struct run *r, enum vr_ring ring)
{
    struct ring_host_config config = {.runtime_dir = r->dir,
                                      .session = GROUND_SESSION,
                                      .ring = ring,
                                      .format = {GROUND_RATE_HZ, 1},
                                      .min_frames = GROUND_CAPACITY};
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status =
        ring_host_open(&r->host[ring], &config, why, sizeof why);

    must(status == VR_OK || (r->dirty && why[0] != '\0'));
}

static void
turn_enemy(struct run *r, enum vr_ring ring)
{
    enemy_end(&r->enemy[ring]);
    enemy_begin(&r->enemy[ring], ring);
    if (r->host[ring])
        r->enemy[ring].first = r->enemy[ring].head =
            ring_host_head(r->host[ring]);
}

static void
host_writes(struct run *r)
{
    struct ring_host *host = r->host[VR_RING_OUT];
    size_t frames = input_16(&r->in) % MOST_FRAMES;

    audio_fill(samples, ring_host_head(host), frames);
    ring_host_write(host, samples, frames);
}

static void
host_flushes(struct run *r)
{
    struct ring_host *host = r->host[VR_RING_OUT];

    ring_host_flush(host, ring_host_head(host) - input_8(&r->in) * 4u,
                    input_8(&r->in));
}

static void
host_reads(struct run *r)
{
    struct ring_host *host = r->host[VR_RING_IN];
    struct ring_host_span span;
    size_t n =
        ring_host_peek(host, samples, input_16(&r->in) % MOST_FRAMES, &span);

    if (!r->dirty)
        must(audio_right(samples, span.position, n));
    ring_host_advance(host, n);
    ring_host_arm(host, input_8(&r->in));
}

static void
host_looks(struct run *r, enum vr_ring ring)
{
    if (!ring_host_check(r->host[ring]))
        return;
    must(r->dirty);
    if (ring_host_recreate(r->host[ring], NULL, 0) == VR_OK)
        turn_enemy(r, ring);
}

static void
host_restarts(struct run *r, enum vr_ring ring)
{
    ring_host_close(&r->host[ring]);
    if (input_8(&r->in) & 1)
        open_host(r, ring);
    turn_enemy(r, ring);
}

static void
host_step(struct run *r)
{
    uint8_t what = input_8(&r->in);
    enum vr_ring ring = what & 1 ? VR_RING_IN : VR_RING_OUT;

    if (!r->host[ring])
        open_host(r, ring);
    else if (what >= 250)
        host_restarts(r, ring);
    else if (what >= 225)
        host_looks(r, ring);
    else if (ring == VR_RING_IN)
        host_reads(r);
    else if (what >= 180)
        host_flushes(r);
    else
        host_writes(r);
    if (r->host[ring])
        r->enemy[ring].head = ring_host_head(r->host[ring]);
}

/* ---- the producer ------------------------------------------------------ */

static void
open_writer(struct run *r)
{
    struct vr_options options = {.runtime_dir = r->dir};
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status;

    if (r->writer || r->opens++ > MOST_OPENS)
        return;
    status =
        vr_writer_open(&r->writer, GROUND_SESSION, &options, why, sizeof why);
    must((status == VR_OK) == (why[0] == '\0'));
    must(status == VR_OK || r->dirty || !r->host[VR_RING_IN]);
    r->writer_honest = status == VR_OK && !r->dirty;
}

static void
close_writer(struct run *r)
{
    vr_writer_close(&r->writer);
    r->reserved = 0;
    r->writer_honest = false;
}

static uint64_t
writer_position(struct run *r)
{
    struct vr_writer_stats stats;

    vr_writer_stats(r->writer, &stats, sizeof stats);
    must(stats.lost_frames <= stats.written_frames);
    must(stats.format.rate_hz != 0 && stats.format.channels != 0);
    if (stats.attached) {
        must(stats.read_position <= stats.position);
        must(stats.position - stats.read_position <= stats.capacity_frames);
    }
    return stats.position;
}

static void
writer_writes(struct run *r)
{
    size_t frames = input_16(&r->in) % GROUND_CAPACITY;
    enum vr_status status;

    /* It may find another gateway now, and then other positions. */
    vr_space(r->writer);
    audio_fill(samples, writer_position(r), frames);
    status = vr_write(r->writer, samples, frames, frames & 1 ? vr_now_ns() : 0);
    must(status == VR_OK || vr_writer_error(r->writer)[0] != '\0');
    must(r->reserved == 0 || status == VR_STATE);
}

static void
writer_reserves(struct run *r)
{
    size_t frames = input_16(&r->in) % MOST_FRAMES, n;
    void *room = NULL;

    n = vr_reserve(r->writer, frames, &room);
    must(n <= frames && (n == 0) == (room == NULL));
    must(n == 0 || r->reserved == 0);
    if (n == 0)
        return;
    r->reserved = n;
    r->room = room;
    audio_fill(room, writer_position(r), n);
}

static void
writer_commits(struct run *r)
{
    size_t frames = r->reserved;

    if (frames > 0 && input_8(&r->in) & 1)
        frames = input_16(&r->in) % frames;
    /* The room is ours until now. */
    if (r->reserved > 0)
        audio_fill(r->room, writer_position(r), r->reserved);
    must(vr_commit(r->writer, frames, 0) == VR_OK || r->reserved == 0);
    r->reserved = 0;
}

static void
writer_waits(struct run *r)
{
    int timeout_ms = input_8(&r->in) * 2;
    size_t frames = input_16(&r->in) % MOST_FRAMES;
    enum vr_status status = vr_wait_space(r->writer, frames, timeout_ms);

    must_be_quick(r, (uint64_t)timeout_ms);
    if (status == VR_OK && !r->dirty)
        must(vr_space(r->writer) >= frames);
}

static void
writer_step(struct run *r)
{
    uint8_t what = input_8(&r->in) % 16;

    if (!r->writer)
        open_writer(r);
    else if (what < 6)
        writer_writes(r);
    else if (what < 9)
        writer_reserves(r);
    else if (what < 12)
        writer_commits(r);
    else if (what < 13)
        must(vr_space(r->writer) <= GROUND_CAPACITY || r->dirty);
    else if (what < 15)
        writer_waits(r);
    else
        close_writer(r);
    must_be_quick(r, 510);
}

/* ---- readers ----------------------------------------------------------- */

static void
open_reader(struct run *r, struct listener *l)
{
    struct vr_options options = {.runtime_dir = r->dir};
    uint8_t how = input_8(&r->in);
    char why[VR_ERROR_BYTES] = "";
    struct vr_reader_stats stats;
    enum vr_status status;

    if (r->opens++ > MOST_OPENS)
        return;
    options.ring = l->ring;
    options.role = l == &r->listener[0] ? VR_PLAYER : VR_OTHER;
    options.start = (enum vr_start)(how % 3);
    options.past_frames = how * 8u;
    options.marks_only = options.role == VR_OTHER && how & 64;
    status =
        vr_reader_open(&l->reader, GROUND_SESSION, &options, why, sizeof why);
    must((status == VR_OK) == (why[0] == '\0'));
    must(status == VR_OK || r->dirty || !r->host[l->ring]);
    l->honest = status == VR_OK && !r->dirty;
    if (status != VR_OK)
        return;
    vr_reader_stats(l->reader, &stats, sizeof stats);
    must(stats.position <= FAR);
    l->from = stats.position;
    l->epoch = stats.epoch;
    l->sum = 0;
}

static void
close_reader(struct listener *l)
{
    vr_reader_close(&l->reader);
    l->honest = false;
}

/* Each position is told of once: read, lost or skipped. */
static void
account(struct run *r, struct listener *l, const struct vr_block *block)
{
    struct vr_reader_stats stats;

    vr_reader_stats(l->reader, &stats, sizeof stats);
    must(stats.position <= FAR && stats.flush_to <= FAR);
    must(stats.oldest <= stats.head && stats.position <= stats.head);
    if (stats.epoch != l->epoch) {
        l->epoch = stats.epoch;
        l->from = stats.position;
        l->sum = 0;
        return;
    }
    l->sum += block->frames + block->lost_frames + block->skipped_frames;
    if (!r->dirty && stats.attached)
        must(l->from + l->sum == stats.position);
}

static enum vr_status
read_once(struct run *r, struct listener *l, size_t frames)
{
    int16_t *own = malloc(frames * sizeof *own + 1);
    struct vr_block block;
    enum vr_status status;

    must(own != NULL);
    status = vr_read(l->reader, own, frames, &block);
    must(block.frames <= frames && block.position <= FAR);
    must((status == VR_OK) == (block.frames > 0));
    must(status == VR_LAPPED || block.lost_frames == 0);
    must(status == VR_FLUSHED || block.skipped_frames == 0);
    must(block.lost_frames <= FAR && block.skipped_frames <= FAR);
    must(status != VR_LAPPED || block.lost_frames > 0 || r->hammered);
    if (status == VR_OK && !r->dirty)
        must(
            audio_right(own, block.position,
                        frames < block.frames ? frames : (size_t)block.frames));
    account(r, l, &block);
    free(own);
    return status;
}

/* Nothing that stands still in shared memory is read for ever. */
static void
read_out(struct run *r, struct listener *l)
{
    for (int i = 0;; i++) {
        enum vr_status status = read_once(r, l, GROUND_CAPACITY);

        if (status != VR_OK && status != VR_LAPPED && status != VR_FLUSHED)
            return;
        if (i == 24) {
            must(r->hammered);
            return;
        }
    }
}

/* Nor does it keep a listener awake. */
static void
listen(struct run *r, struct listener *l)
{
    int idle = 0;

    for (int i = 0; i < 12; i++) {
        enum vr_status status = vr_wait(l->reader, 40);

        must(status == VR_OK || status == VR_TIMEOUT);
        if (status != VR_OK)
            continue;
        idle = read_once(r, l, GROUND_CAPACITY) == VR_AGAIN ? idle + 1 : 0;
        must(idle <= 2 || r->hammered);
    }
}

static void
player_plays(struct run *r, struct listener *l)
{
    uint64_t position =
        input_8(&r->in) & 1 ? input_64(&r->in) : l->from + l->sum;
    enum vr_status status = vr_played(l->reader, position);

    must(status == (l == &r->listener[0] ? VR_OK : VR_STATE));
}

static void
reader_step(struct run *r, struct listener *l)
{
    uint8_t what = input_8(&r->in);
    int timeout_ms = input_8(&r->in);

    if (!l->reader)
        open_reader(r, l);
    else if (what < 100)
        read_once(r, l, input_16(&r->in) % MOST_FRAMES);
    else if (what < 130)
        read_out(r, l);
    else if (what < 170)
        listen(r, l);
    else if (what < 200)
        must(vr_wait(l->reader, timeout_ms) != VR_STATE);
    else if (what < 235)
        player_plays(r, l);
    else
        close_reader(l);
    must_be_quick(r, 800);
}

/* ---- and in the end ---------------------------------------------------- */

static void
make_whole(struct run *r, enum vr_ring ring)
{
    char why[VR_ERROR_BYTES] = "";

    enemy_end(&r->enemy[ring]);
    enemy_clear_folders(&r->enemy[ring]);
    if (!r->host[ring])
        open_host(r, ring);
    must(ring_host_recreate(r->host[ring], why, sizeof why) == VR_OK);
    must(!ring_host_check(r->host[ring]));
}

/* What clients do all day, until they have found the new rings. */
static void
let_settle(struct run *r)
{
    struct ring_host_span span;

    if (r->reserved > 0)
        must(vr_commit(r->writer, 0, 0) == VR_OK);
    for (int i = 0; i < 8; i++) {
        ring_clock_pass(100 * GROUND_NS_PER_MS);
        if (r->writer)
            vr_space(r->writer);
        for (int k = 0; k < READERS; k++)
            if (r->listener[k].reader)
                read_out(r, &r->listener[k]);
    }
    ring_host_peek(r->host[VR_RING_IN], samples, 0, &span);
}

static void
flow_in(struct run *r, struct listener *l)
{
    struct ring_host *host = r->host[VR_RING_IN];
    uint64_t at = ring_host_head(host);
    struct ring_host_span span;
    struct vr_block block;

    must(writer_position(r) == at);
    for (int i = 0; i < 12; i++, at += 200) {
        audio_fill(samples, at, 200);
        must(vr_write(r->writer, samples, 200, 0) == VR_OK);
        must(ring_host_peek(host, samples, 300, &span) == 200);
        must(span.position == at && audio_right(samples, at, 200));
        ring_host_advance(host, 200);
        if (!l->honest)
            continue;
        must(vr_read(l->reader, samples, 300, &block) == VR_OK);
        must(block.position == at && block.frames == 200);
        must(audio_right(samples, at, 200));
    }
}

static void
flow_out(struct run *r, struct listener *l)
{
    struct ring_host *host = r->host[VR_RING_OUT];
    uint64_t at = ring_host_head(host);
    struct vr_block block;

    read_out(r, l);
    for (int i = 0; i < 12; i++, at += 200) {
        audio_fill(samples, at, 200);
        ring_host_write(host, samples, 200);
        must(vr_wait(l->reader, 0) == VR_OK);
        must(vr_read(l->reader, samples, 300, &block) == VR_OK);
        must(block.position == at && block.frames == 200);
        must(audio_right(samples, at, 200));
    }
    must(ring_host_flush(host, at, 9));
    must(vr_read(l->reader, samples, 300, &block) == VR_FLUSHED);
    must(block.flush_to == at && block.flush_turn == 9);
}

static void
finish(struct run *r)
{
    enemy_hammer_stop();
    r->hammered = false;
    make_whole(r, VR_RING_IN);
    make_whole(r, VR_RING_OUT);
    let_settle(r);
    if (!r->writer_honest) {
        close_writer(r);
        r->dirty = false;
        r->opens = 0;
        open_writer(r);
        r->dirty = true;
    }
    flow_in(r, &r->listener[2]);
    for (int i = 0; i < 2; i++) {
        if (r->listener[i].honest)
            flow_out(r, &r->listener[i]);
        close_reader(&r->listener[i]);
    }
    close_reader(&r->listener[2]);
    close_writer(r);
    must(!ring_host_check(r->host[0]) && !ring_host_check(r->host[1]));
    ring_host_close(&r->host[0]);
    ring_host_close(&r->host[1]);
}

static void
step(struct run *r)
{
    uint8_t what = input_8(&r->in);

    ring_clock_mark();
    if (what < 80) {
        r->dirty = true;
        enemy_act(&r->enemy[what & 1], &r->in);
    } else if (what < 130) {
        host_step(r);
    } else if (what < 170) {
        writer_step(r);
    } else if (what < 233) {
        reader_step(r, &r->listener[what % READERS]);
    } else if (what < 254) {
        ring_clock_pass((uint64_t)input_16(&r->in) * GROUND_NS_PER_MS / 64);
    } else {
        r->dirty = r->hammered = true;
        enemy_hammer_start(&r->enemy[what & 1], &r->in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {.in = input_begin(data, size), .dir = ground_up()};

    for (int i = 0; i < 2; i++) {
        r.enemy[i].fd = r.enemy[i].bell_fd = -1;
        open_host(&r, (enum vr_ring)i);
        turn_enemy(&r, (enum vr_ring)i);
    }
    for (int i = 0; i < READERS; i++)
        r.listener[i].ring = i == 2 ? VR_RING_IN : VR_RING_OUT;
    open_writer(&r);
    open_reader(&r, &r.listener[0]);
    open_reader(&r, &r.listener[2]);
    for (int i = 0; i < STEPS && input_more(&r.in); i++)
        step(&r);
    finish(&r);
    return 0;
}
