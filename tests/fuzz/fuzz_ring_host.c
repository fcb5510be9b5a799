/* The gateway's side of a ring against a process that does anything to it
 * (words, size, name, modes, locks, doorbell), while an honest producer or
 * player is attached. The input is a program of such acts and of the gateway's
 * own calls. At its end the gateway makes the ring anew, and all must be well.
 *
 * fuzz-module: ipc tests/fuzz/ring_enemy.c tests/fuzz/ring_clock.c
 * fuzz-module: tests/fuzz/ring_ground.c tests/fuzz/input.c tests/fuzz/audio.c
 */
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ring_host.h"
#include "ipc/ring_layout.h"
#include "tests/fuzz/audio.h"
#include "tests/fuzz/ring_clock.h"
#include "tests/fuzz/ring_enemy.h"

#define STEPS 120
#define MOST_FRAMES (2 * GROUND_CAPACITY)
#define FAR (UINT64_C(1) << 62)
#define CONSTANT_BYTES offsetof(struct ring_layout, recreated)

struct run {
    struct input in;
    struct enemy enemy;
    const char *dir;
    enum vr_ring ring;
    struct ring_host *host;
    struct vr_writer *writer;
    struct vr_reader *reader;
    bool dirty;       /* somebody was hostile to this object */
    bool hammered;    /* and may be so at this very moment */
    bool peer_honest; /* the peer saw nothing but an honest ring at first */
    uint64_t head, written, played, flush_to, captured;
    unsigned opens;
    int eye; /* the gateway's object, whatever its name leads to */
    unsigned char constants[CONSTANT_BYTES];
};

static int16_t samples[MOST_FRAMES];

/* ---- what holds at any time -------------------------------------------- */

static uint64_t
fault_count(struct run *r)
{
    struct ring_host_faults faults;
    uint64_t sum = 0;

    ring_host_faults(r->host, &faults);
    for (int i = 0; i < RING_FAULT_COUNT; i++)
        sum += faults.count[i];
    return sum;
}

static void
check_in(struct run *r)
{
    uint64_t head = ring_host_head(r->host);
    uint64_t position = ring_host_position(r->host), readable;

    must(head >= r->head && head <= FAR);
    r->head = head;
    must(position <= head);
    readable = ring_host_readable(r->host);
    r->head = ring_host_head(r->host);
    must(readable >= head - position && readable <= r->head - position);
}

static void
check_out(struct run *r)
{
    uint64_t head = ring_host_head(r->host);
    uint64_t played = ring_host_played(r->host);

    must(head == r->written);
    must(ring_host_flush_to(r->host) == r->flush_to);
    must(played >= r->played && played <= head);
    r->played = played;
    must(ring_host_lap_frames(r->host, played) <= GROUND_CAPACITY);
    must(ring_host_lap_frames(r->host, 0) <= GROUND_CAPACITY);
}

static void
check_run(struct run *r)
{
    struct vr_format format = ring_host_format(r->host);

    must(ring_host_capacity_frames(r->host) == GROUND_CAPACITY);
    must(format.rate_hz == GROUND_RATE_HZ && format.channels == 1);
    if (r->ring == VR_RING_IN)
        check_in(r);
    else
        check_out(r);
    must(r->dirty || (fault_count(r) == 0 && !ring_host_damaged(r->host)));
    r->enemy.head = ring_host_head(r->host);
}

/* ---- the honest peer --------------------------------------------------- */

static void
close_peer(struct run *r)
{
    vr_writer_close(&r->writer);
    vr_reader_close(&r->reader);
    r->peer_honest = false;
}

static void
open_peer(struct run *r)
{
    struct vr_options options = {.runtime_dir = r->dir};
    char why[VR_ERROR_BYTES] = "";
    enum vr_status status;

    if (r->writer || r->reader || r->opens++ > 6)
        return;
    if (r->ring == VR_RING_IN) {
        status = vr_writer_open(&r->writer, GROUND_SESSION, &options, why,
                                sizeof why);
    } else {
        options.ring = VR_RING_OUT;
        options.role = VR_PLAYER;
        status = vr_reader_open(&r->reader, GROUND_SESSION, &options, why,
                                sizeof why);
    }
    must(status == VR_OK ? r->dirty || why[0] == '\0' : why[0] != '\0');
    must(r->dirty || status == VR_OK);
    r->peer_honest = status == VR_OK && !r->dirty;
}

static void
peer_writes(struct run *r, size_t frames, bool stamped)
{
    struct vr_writer_stats stats;

    /* It may find another gateway now, and then other positions. */
    vr_space(r->writer);
    vr_writer_stats(r->writer, &stats, sizeof stats);
    audio_fill(samples, stats.position, frames);
    if (vr_write(r->writer, samples, frames, stamped ? vr_now_ns() : 0) !=
        VR_OK)
        must(r->dirty && vr_writer_error(r->writer)[0] != '\0');
}

static void
peer_reads(struct run *r, size_t frames)
{
    struct vr_block block;
    enum vr_status status = vr_read(r->reader, samples, frames, &block);

    must(block.frames <= frames);
    must(block.frames == 0 || status == VR_OK);
    if (status == VR_OK && !r->dirty)
        must(audio_right(samples, block.position, (size_t)block.frames));
    if (status == VR_OK)
        must(vr_played(r->reader, block.position + block.frames / 2) == VR_OK);
}

static void
peer_step(struct run *r)
{
    size_t frames = input_16(&r->in) % MOST_FRAMES;

    if (r->writer)
        peer_writes(r, frames, frames & 1);
    else if (r->reader)
        peer_reads(r, frames);
    else
        open_peer(r);
}

/* ---- the gateway's calls ----------------------------------------------- */

static void
peek(struct run *r)
{
    size_t frames = input_16(&r->in) % MOST_FRAMES, n;
    uint64_t before = ring_host_position(r->host);
    int16_t *own = malloc(frames * sizeof *own + 1);
    struct ring_host_span span;

    must(own != NULL);
    n = ring_host_peek(r->host, own, frames, &span);
    must(n == span.frames && n <= frames && n <= GROUND_CAPACITY);
    must(span.position == before + span.lost_frames);
    must(ring_host_position(r->host) == span.position);
    must(span.position + n <= ring_host_head(r->host));
    if (!r->dirty)
        must(audio_right(own, span.position, n));
    if (input_8(&r->in) & 1)
        ring_host_advance(r->host, n);
    free(own);
}

static void
peek_at(struct run *r)
{
    size_t frames = input_16(&r->in) % MOST_FRAMES, n;
    uint64_t before = ring_host_position(r->host), head, at;
    int16_t *own = malloc(frames * sizeof *own + 1);
    struct ring_host_span span;

    must(own != NULL);
    at = input_8(&r->in) & 1 ? input_64(&r->in)
                             : before + (uint64_t)(int16_t)input_16(&r->in);
    n = ring_host_peek_at(r->host, at, own, frames, &span);
    head = ring_host_head(r->host);
    must(n == span.frames && n <= frames && n <= GROUND_CAPACITY);
    must(span.position == at + span.lost_frames);
    must(n == 0 || span.position + n <= head);
    must(ring_host_position(r->host) == before);
    if (!r->dirty)
        must(audio_right(own, span.position, n));
    free(own);
}

/* All that can be read is read in few steps, whatever the words say. */
static void
drain(struct run *r)
{
    struct ring_host_span span;
    int steps = 0;

    while (ring_host_readable(r->host) > 0 && !ring_host_damaged(r->host)) {
        size_t n = ring_host_peek(r->host, samples, GROUND_CAPACITY, &span);

        if (!r->dirty)
            must(audio_right(samples, span.position, n));
        ring_host_advance(r->host, n);
        must(r->hammered || ring_host_damaged(r->host) || n > 0 ||
             span.lost_frames > 0);
        if (++steps == 16) {
            must(r->hammered);
            break;
        }
    }
}

static void
ask_times(struct run *r)
{
    uint64_t now_ns = vr_now_ns(), position = 0, at_ns = 0, commit_ns;
    struct ring_peer peer;

    if (ring_host_captured(r->host, now_ns, &position, &at_ns)) {
        must(at_ns > 0 && at_ns <= now_ns);
        must(now_ns - at_ns <= 60000 * GROUND_NS_PER_MS);
        must(position <= ring_host_head(r->host));
    }
    commit_ns = ring_host_last_commit_ns(r->host, now_ns);
    must(commit_ns <= now_ns);
    ring_host_producer(r->host, &peer);
    must(peer.state == RING_PEER_NONE || peer.name[0] != '\0');
    ring_host_player(r->host, &peer);
    must(memchr(peer.name, '\0', sizeof peer.name) != NULL);
    for (const char *c = peer.name; *c != '\0'; c++)
        must(*c >= ' ' && *c <= '~');
    must(ring_host_reader_count(r->host) <= RING_SLOTS);
}

static void
step_in(struct run *r)
{
    uint64_t position, to;

    switch (input_8(&r->in) % 8) {
    case 0:
        peek(r);
        break;
    case 1:
        peek_at(r);
        break;
    case 2:
        drain(r);
        break;
    case 3:
        ask_times(r);
        break;
    case 4:
        position = ring_host_position(r->host);
        to = position + (uint64_t)(int16_t)input_16(&r->in);
        to = ring_host_seek(r->host, to);
        must(to == ring_host_position(r->host));
        break;
    case 5:
        position = ring_host_position(r->host);
        ring_host_advance(r->host, input_16(&r->in));
        must(ring_host_position(r->host) >= position);
        break;
    case 6:
        if (!ring_host_arm(r->host, input_8(&r->in) * 8u))
            ring_host_drain(r->host);
        break;
    default:
        ring_host_disarm(r->host);
        break;
    }
}

static void
step_out(struct run *r)
{
    size_t frames;
    uint64_t to;

    switch (input_8(&r->in) % 4) {
    case 0:
    case 1:
        frames = input_16(&r->in) % MOST_FRAMES;
        audio_fill(samples, r->written, frames);
        must(ring_host_write(r->host, samples, frames) == r->written);
        r->written += frames;
        break;
    case 2:
        to = r->written + (uint64_t)(int16_t)input_16(&r->in);
        if (to > r->written)
            to = input_8(&r->in) ? r->written : to;
        if (ring_host_flush(r->host, to, input_8(&r->in)))
            r->flush_to = to < r->written ? to : r->written;
        break;
    default:
        ask_times(r);
        break;
    }
}

static bool
open_host(struct run *r)
{
    struct ring_host_config config = {.runtime_dir = r->dir,
                                      .session = GROUND_SESSION,
                                      .ring = r->ring,
                                      .format = {GROUND_RATE_HZ, 1},
                                      .min_frames = GROUND_CAPACITY};

    char why[VR_ERROR_BYTES] = "";

    if (ring_host_open(&r->host, &config, why, sizeof why) == VR_OK)
        return true;
    must(r->dirty && why[0] != '\0' && r->host == NULL);
    return false;
}

/* Another gateway of the same folder starts: what is alive stays. */
static void
sweep(struct run *r)
{
    unsigned removed = ring_host_sweep(r->dir, ground_instance(), NULL, NULL);

    must(removed <= 2);
    if (!r->dirty)
        must(removed == 0 && !ring_host_check(r->host));
}

/* The enemy and the eye turn to the gateway's newest object. */
static void
look_at(struct run *r)
{
    enemy_end(&r->enemy);
    enemy_begin(&r->enemy, r->ring);
    r->enemy.first = r->enemy.head = ring_host_head(r->host);
    if (r->eye >= 0)
        close(r->eye);
    r->eye = open(r->enemy.object, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    must(r->eye >= 0 || r->hammered);
    if (pread(r->eye, r->constants, CONSTANT_BYTES, 0) < 0)
        must(r->hammered);
}

static bool
constants_changed(const struct run *r)
{
    unsigned char now[CONSTANT_BYTES];

    return pread(r->eye, now, sizeof now, 0) != (ssize_t)sizeof now ||
           memcmp(now, r->constants, sizeof now) != 0;
}

/* The gateway ends and starts; what is in its way and cannot be removed, a
 * person removes. */
static void
restart(struct run *r)
{
    ring_host_close(&r->host);
    if (!open_host(r)) {
        enemy_hammer_stop();
        enemy_end(&r->enemy);
        enemy_clear_folders(&r->enemy);
        must(open_host(r));
    }
    r->head = r->written = r->played = r->flush_to = 0;
    look_at(r);
}

/* The gateway looks after the ring, as its timer does. */
static void
look_after(struct run *r)
{
    bool changed = !r->hammered && constants_changed(r);
    bool damaged = ring_host_check(r->host);
    char why[VR_ERROR_BYTES] = "";

    must(damaged || !changed);
    if (!damaged && input_8(&r->in) % 8 != 0)
        return;
    if (ring_host_recreate(r->host, why, sizeof why) != VR_OK) {
        must(r->dirty && why[0] != '\0' && ring_host_damaged(r->host));
        return;
    }
    must(r->hammered || !ring_host_damaged(r->host));
    look_at(r);
}

static void
step(struct run *r)
{
    uint8_t what = input_8(&r->in);

    if (what < 100) {
        r->dirty = true;
        enemy_act(&r->enemy, &r->in);
    } else if (what < 150) {
        peer_step(r);
    } else if (what < 230) {
        if (r->ring == VR_RING_IN)
            step_in(r);
        else
            step_out(r);
    } else if (what < 240) {
        ring_clock_pass((uint64_t)input_16(&r->in) * GROUND_NS_PER_MS / 64);
    } else if (what < 249) {
        look_after(r);
    } else if (what < 251) {
        close_peer(r);
    } else if (what < 252) {
        sweep(r);
    } else if (what < 254) {
        restart(r);
    } else {
        r->dirty = r->hammered = true;
        enemy_hammer_start(&r->enemy, &r->in);
    }
    check_run(r);
}

/* ---- and in the end ---------------------------------------------------- */

static void
make_whole(struct run *r)
{
    char why[VR_ERROR_BYTES] = "";
    struct ring_host_span span;

    enemy_hammer_stop();
    r->hammered = false;
    enemy_end(&r->enemy);
    enemy_clear_folders(&r->enemy);
    must(ring_host_recreate(r->host, why, sizeof why) == VR_OK);
    must(!ring_host_check(r->host) && !ring_host_damaged(r->host));
    check_run(r);
    if (r->ring != VR_RING_IN)
        return;
    /* What died with the old one is passed over, or told once. */
    ring_host_advance(r->host, input_8(&r->in));
    must(!ring_host_check(r->host));
    ring_host_peek(r->host, samples, 1, &span);
    must(span.frames == 0);
    must(ring_host_readable(r->host) == 0);
}

/* A peer that knew the ring when it was whole finds the new one by itself. */
static void
find_again(struct run *r)
{
    struct vr_writer_stats w = {0};
    struct vr_reader_stats s = {0};
    struct vr_block block;

    for (int i = 0; i < 8; i++) {
        ring_clock_pass(100 * GROUND_NS_PER_MS);
        if (r->writer)
            vr_space(r->writer);
        else if (r->reader)
            while (vr_read(r->reader, samples, 1, &block) == VR_OK)
                continue;
    }
    if (r->writer)
        vr_writer_stats(r->writer, &w, sizeof w);
    if (r->reader)
        vr_reader_stats(r->reader, &s, sizeof s);
    if (r->peer_honest)
        must(r->writer ? w.attached && w.epoch == ring_host_epoch(r->host)
                       : s.attached && s.epoch == ring_host_epoch(r->host));
    if (!r->peer_honest) {
        close_peer(r);
        r->dirty = false;
        r->opens = 0;
        open_peer(r);
        r->dirty = true;
    }
}

static void
flow_in(struct run *r)
{
    uint64_t faults = fault_count(r), at = ring_host_head(r->host);
    struct pollfd bell = {.fd = ring_host_bell_fd(r->host), .events = POLLIN};
    struct ring_host_span span;

    ring_host_drain(r->host);
    for (int i = 0; i < 12; i++) {
        must(!ring_host_arm(r->host, 200));
        must(vr_space(r->writer) == GROUND_CAPACITY);
        audio_fill(samples, at, 200);
        must(vr_write(r->writer, samples, 200, vr_now_ns()) == VR_OK);
        must(poll(&bell, 1, 0) == 1);
        ring_host_drain(r->host);
        must(ring_host_peek(r->host, samples, 300, &span) == 200);
        must(span.position == at && span.lost_frames == 0);
        must(audio_right(samples, at, 200));
        ring_host_advance(r->host, 200);
        at += 200;
    }
    must(!ring_host_check(r->host) && fault_count(r) == faults);
}

static void
flow_out(struct run *r)
{
    uint64_t faults = fault_count(r), at = ring_host_head(r->host);
    struct vr_block block;

    for (int i = 0; i < 12; i++) {
        audio_fill(samples, at, 200);
        must(ring_host_write(r->host, samples, 200) == at);
        must(vr_wait(r->reader, 0) == VR_OK);
        must(vr_read(r->reader, samples, 300, &block) == VR_OK);
        must(block.position == at && block.frames == 200);
        must(audio_right(samples, at, 200));
        must(vr_played(r->reader, at + 200) == VR_OK);
        at += 200;
        must(ring_host_played(r->host) == at);
    }
    r->written = at;
    must(ring_host_flush(r->host, at, 7));
    must(vr_read(r->reader, samples, 300, &block) == VR_FLUSHED);
    must(block.flush_to == at && block.flush_turn == 7);
    must(!ring_host_check(r->host) && fault_count(r) == faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {
        .in = input_begin(data, size), .dir = ground_up(), .eye = -1};

    r.enemy.fd = r.enemy.bell_fd = -1;
    r.ring = input_8(&r.in) & 1 ? VR_RING_IN : VR_RING_OUT;
    must(open_host(&r));
    look_at(&r);
    open_peer(&r);
    for (int i = 0; i < STEPS && input_more(&r.in); i++)
        step(&r);
    make_whole(&r);
    find_again(&r);
    if (r.ring == VR_RING_IN)
        flow_in(&r);
    else
        flow_out(&r);
    close_peer(&r);
    ring_host_close(&r.host);
    close(r.eye);
    return 0;
}
