#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "ipc/ring_layout.h"
#include "tests/ipc/scene.h"

#define ROUND_FRAMES 160
#define ROUNDS 4u
#define LIMIT_NS UINT64_C(20000000000)

/* More than any number of reads with which a reader gets through a ring whose
 * words stand still. */
#define READS 200

static int16_t samples[2 * HARNESS_FRAMES];

/* ---- life -------------------------------------------------------------- */

static void
note_fault(void *arg, enum ring_fault fault, const char *sentence)
{
    struct scene *s = arg;

    assert_non_null(strstr(sentence, "/voxring-"));
    for (const char *c = sentence; *c != '\0'; c++)
        assert_in_range(*c, ' ', '~');
    s->faults[fault]++;
}

static struct ring_host *
open_ring(struct scene *s, const char *session, enum vr_ring ring)
{
    struct ring_host_config config = {.runtime_dir = harness_dir,
                                      .session = session,
                                      .ring = ring,
                                      .format = {16000, 1},
                                      .min_frames = HARNESS_FRAMES,
                                      .on_fault = note_fault,
                                      .fault_arg = s};
    char why[VR_ERROR_BYTES] = "";
    struct ring_host *host;

    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        fail_msg("%s", why);
    return host;
}

void
scene_guard(void)
{
    signal(SIGBUS, SIG_DFL);
    assert_int_equal(vr_guard_install(), VR_OK);
}

void
scene_open(struct scene *s, const char *session)
{
    memset(s, 0, sizeof *s);
    s->in = open_ring(s, session, VR_RING_IN);
    s->out = open_ring(s, session, VR_RING_OUT);
    s->mic = harness_writer(session);
    s->ear = harness_reader(session, VR_RING_IN, VR_OTHER, VR_START_NOW);
    s->voice = harness_reader(session, VR_RING_OUT, VR_PLAYER, VR_START_NOW);
}

void
scene_close(struct scene *s)
{
    vr_writer_close(&s->mic);
    vr_reader_close(&s->ear);
    vr_reader_close(&s->voice);
    ring_host_close(&s->in);
    ring_host_close(&s->out);
}

struct ring_host *
scene_ring(struct scene *s, enum vr_ring ring)
{
    return ring == VR_RING_IN ? s->in : s->out;
}

unsigned
scene_repair(struct scene *s)
{
    char why[VR_ERROR_BYTES] = "";
    unsigned count = 0;

    for (int i = 0; i < 2; i++) {
        struct ring_host *host = scene_ring(s, (enum vr_ring)i);

        if (!ring_host_check(host))
            continue;
        count++;
        if (ring_host_recreate(host, why, sizeof why) != VR_OK)
            fail_msg("%s", why);
    }
    return count;
}

/* ---- every call -------------------------------------------------------- */

static void
use_writer(struct vr_writer *w)
{
    struct vr_writer_stats stats;
    void *room;
    size_t n;

    vr_write(w, samples, 100, 0);
    vr_write(w, samples, 10, vr_now_ns());
    n = vr_reserve(w, 50, &room);
    assert_in_range(n, 0, 50);
    if (n > 0) {
        memcpy(room, samples, 2 * n);
        vr_commit(w, n, 0);
    }
    assert_in_range(vr_space(w), 0, HARNESS_FRAMES);
    assert_int_not_equal(vr_wait_space(w, HARNESS_FRAMES, 0), VR_STATE);
    vr_writer_stats(w, &stats, sizeof stats);
    assert_in_range(stats.position - stats.read_position, 0,
                    stats.attached ? HARNESS_FRAMES : UINT64_MAX);
}

static void
use_reader(struct vr_reader *r, enum vr_role role, const char *about)
{
    struct vr_reader_stats stats;
    struct vr_block block;
    int reads = 0;

    while (vr_wait(r, 0) == VR_OK && ++reads <= READS) {
        enum vr_status status = vr_read(r, samples, sizeof samples / 2, &block);

        assert_int_not_equal(status, VR_STATE);
        assert_in_range(block.frames, 0, HARNESS_FRAMES);
        assert_int_equal(block.frames != 0, status == VR_OK);
        if (role == VR_PLAYER)
            assert_int_equal(vr_played(r, block.position + block.frames),
                             VR_OK);
    }
    if (reads > READS)
        fail_msg("a reader comes to no end: %s", about);
    vr_reader_stats(r, &stats, sizeof stats);
    assert_true(stats.oldest <= stats.head);
    assert_true(stats.position <= stats.head);
}

static void
use_in(struct ring_host *host)
{
    struct ring_host_span span;
    uint64_t at, captured_ns;

    for (int i = 0; i < 3; i++) {
        size_t n = ring_host_peek(host, samples, HARNESS_FRAMES, &span);

        assert_in_range(n, 0, HARNESS_FRAMES);
        assert_int_equal(span.position, ring_host_position(host));
        ring_host_advance(host, n / 2);
        ring_host_peek_at(host, span.position / 2, samples, 100, &span);
        assert_in_range(span.frames, 0, 100);
    }
    ring_host_last_commit_ns(host, vr_now_ns());
    if (ring_host_captured(host, vr_now_ns(), &at, &captured_ns)) {
        assert_true(captured_ns <= vr_now_ns());
        assert_true(at <= ring_host_head(host));
    }
    ring_host_arm(host, 100);
    ring_host_drain(host);
    ring_host_seek(host, ring_host_position(host) / 2);
    assert_true(ring_host_position(host) <= ring_host_head(host));
    ring_host_disarm(host);
}

static void
use_out(struct ring_host *host)
{
    uint64_t head = ring_host_head(host);

    assert_int_equal(ring_host_write(host, samples, 300), head);
    assert_int_equal(ring_host_head(host), head + 300);
    ring_host_flush(host, head + 100, head);
    assert_true(ring_host_flush_to(host) <= head + 300);
    assert_true(ring_host_played(host) <= head + 300);
    assert_in_range(ring_host_lap_frames(host, ring_host_played(host)), 0,
                    HARNESS_FRAMES);
}

void
scene_use_gateway(struct scene *s)
{
    struct ring_peer peer;

    use_in(s->in);
    use_out(s->out);
    ring_host_producer(s->in, &peer);
    ring_host_player(s->out, &peer);
    for (const char *c = peer.name; *c != '\0'; c++)
        assert_in_range(*c, ' ', '~');
    assert_in_range(ring_host_reader_count(s->in), 0, RING_SLOTS);
}

void
scene_use(struct scene *s, const char *about)
{
    /* The readers first: they meet the words as the peer left them. */
    use_reader(s->ear, VR_OTHER, about);
    use_reader(s->voice, VR_PLAYER, about);
    use_in(s->in);
    use_writer(s->mic);
    scene_use_gateway(s);
    use_reader(s->ear, VR_OTHER, about);
    use_reader(s->voice, VR_PLAYER, about);
}

/* ---- new clients ------------------------------------------------------- */

/* The sentence is for a person: which ring, and what to do. */
static void
check_refusal(enum vr_status status, const char *session, const char *why)
{
    if (status == VR_OK)
        return;
    assert_in_set(
        status,
        ((unsigned long[]){VR_CORRUPT, VR_VERSION, VR_DENIED, VR_CLOSED,
                           VR_NOT_FOUND, VR_BUSY, VR_SYSTEM}),
        7);
    if (strstr(why, session) == NULL)
        fail_msg("which ring? \"%s\"", why);
    if (strpbrk(why, ";?") == NULL)
        fail_msg("what is to be done? \"%s\"", why);
}

void
scene_knock(const char *session)
{
    struct vr_options options = harness_options();
    char why[VR_ERROR_BYTES] = "";
    struct vr_writer *w;
    struct vr_reader *r;

    check_refusal(vr_writer_open(&w, session, &options, why, sizeof why),
                  session, why);
    vr_writer_close(&w);
    options.ring = VR_RING_IN;
    options.start = VR_START_OLDEST;
    check_refusal(vr_reader_open(&r, session, &options, why, sizeof why),
                  session, why);
    vr_reader_close(&r);
    options.ring = VR_RING_OUT;
    options.role = VR_PLAYER;
    check_refusal(vr_reader_open(&r, session, &options, why, sizeof why),
                  session, why);
    vr_reader_close(&r);
}

/* ---- known audio ------------------------------------------------------- */

/* Reads up to where the audio ends; true if the last frames were all right
 * and were the ones from `position` on. */
static bool
hears(struct vr_reader *r, uint64_t position)
{
    uint64_t right = 0;

    for (int i = 0; i < READS; i++) {
        struct vr_block block;
        enum vr_status status = vr_read(r, samples, sizeof samples / 2, &block);

        if (status == VR_AGAIN)
            break;
        right = 0;
        if (status == VR_OK && block.position == position &&
            block.frames == ROUND_FRAMES)
            right = harness_right(samples, position, ROUND_FRAMES, 1);
    }
    return right == ROUND_FRAMES;
}

static bool
take(struct ring_host *host, uint64_t position)
{
    struct ring_host_span span;
    bool right = false;
    size_t n;

    while ((n = ring_host_peek(host, samples, HARNESS_FRAMES, &span)) > 0) {
        right = span.position == position && n == ROUND_FRAMES &&
                harness_right(samples, position, n, 1) == n;
        ring_host_advance(host, n);
    }
    return right;
}

static bool
microphone_flows(struct scene *s)
{
    struct vr_writer_stats stats;
    bool taken, heard;

    /* Attaches, if it must: then the position is another. */
    vr_space(s->mic);
    vr_writer_stats(s->mic, &stats, sizeof stats);
    harness_fill(samples, stats.position, ROUND_FRAMES, 1);
    if (vr_write(s->mic, samples, ROUND_FRAMES, 0) != VR_OK)
        return false;
    taken = take(s->in, stats.position);
    heard = hears(s->ear, stats.position);
    return taken && heard;
}

static bool
voice_flows(struct scene *s)
{
    uint64_t position = ring_host_head(s->out);

    harness_fill(samples, position, ROUND_FRAMES, 1);
    ring_host_write(s->out, samples, ROUND_FRAMES);
    return hears(s->voice, position);
}

/* One round more than went well on end, or none. */
static unsigned
play_round(struct scene *s, unsigned went_well)
{
    bool in, out;

    scene_repair(s);
    in = microphone_flows(s);
    out = voice_flows(s);
    return in && out ? went_well + 1 : 0;
}

void
scenes_flow(struct scene *scenes, size_t count, const char *about)
{
    uint64_t deadline_ns = vr_now_ns() + LIMIT_NS;
    unsigned went_well[64] = {0};
    size_t flowing = 0;

    assert_in_range(count, 1, 64);
    while (flowing < count) {
        flowing = 0;
        for (size_t i = 0; i < count; i++) {
            if (went_well[i] < ROUNDS)
                went_well[i] = play_round(&scenes[i], went_well[i]);
            if (went_well[i] >= ROUNDS)
                flowing++;
            else if (vr_now_ns() > deadline_ns)
                fail_msg("audio does not flow again: %s (scene %zu; mic: %s; "
                         "ear: %s; voice: %s)",
                         about, i, vr_writer_error(scenes[i].mic),
                         vr_reader_error(scenes[i].ear),
                         vr_reader_error(scenes[i].voice));
        }
        if (flowing < count)
            harness_pause();
    }
}
