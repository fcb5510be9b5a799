#include <stdatomic.h>
#include <string.h>

#include "tests/death/ink.h"
#include "tests/death/lane.h"
#include "tests/death/reign.h"
#include "tests/death/stall.h"
#include "tests/death/survivor.h"

#define BLOCK_FRAMES 64
#define LEAD_FRAMES (LANE_FRAMES / 2)
#define ROUND_FRAMES (LANE_FRAMES + 3 * BLOCK_FRAMES)
#define MARGIN_FRAMES (LANE_FRAMES / 16)

pid_t reign_survivors[REIGN_SURVIVORS];

#define CARD(i) (&lane.board->card[i])

/* ---- beginning --------------------------------------------------------- */

static struct ring_host *
open_ring(enum vr_ring ring, uint32_t rate_hz, uint32_t channels)
{
    struct ring_host_config config = {.runtime_dir = lane.dir,
                                      .session = LANE_SESSION,
                                      .ring = ring,
                                      .format = {rate_hz, channels},
                                      .min_frames = LANE_FRAMES};
    char why[VR_ERROR_BYTES] = "";
    struct ring_host *host;

    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        lane_fail("a gateway cannot make its ring: %s", why);
    return host;
}

static void
publish(const struct reign *reign)
{
    struct ring_host *const rings[] = {reign->in, reign->out};
    char why[VR_ERROR_BYTES] = "";

    if (ring_host_publish_index(lane.dir, rings, 2, why, sizeof why) != VR_OK)
        lane_fail("%s", why);
}

/* Of a dead gateway only its index may stay until there is a new one. */
static void
expect_swept(void)
{
    LANE_EXPECT(strstr(lane_left(), LANE_SESSION) == NULL,
                "left by the sweep: %s", lane_left());
}

void
reign_start(struct reign *reign)
{
    memset(reign, 0, sizeof *reign);
    ring_host_sweep(lane.dir, lane.instance, NULL, NULL);
    expect_swept();
    reign->in = open_ring(VR_RING_IN, 16000, 2);
    reign->out = open_ring(VR_RING_OUT, 24000, 1);
    publish(reign);
    reign->may_jump = true;
}

void
reign_up(struct reign *reign)
{
    struct board *b = lane.board;

    atomic_store(&b->out_epoch, ring_host_epoch(reign->out));
    atomic_store(&b->out_first, ring_host_head(reign->out));
    atomic_store(&b->out_head, ring_host_head(reign->out));
    atomic_store(&b->out_flushes, 0);
    atomic_store(&b->out_writing, 0);
    atomic_store(&b->out_flushing, 0);
    atomic_store(&b->out_rushed, 0);
    atomic_store(&b->up_ns, vr_now_ns());
}

static struct reign_past
look_back(void)
{
    struct board *b = lane.board;

    return (struct reign_past){.epoch = atomic_load(&b->out_epoch),
                               .first = atomic_load(&b->out_first),
                               .head = atomic_load(&b->out_head),
                               .writing = atomic_load(&b->out_writing),
                               .flushes = atomic_load(&b->out_flushes),
                               .flushing = atomic_load(&b->out_flushing),
                               .rushed = atomic_load(&b->out_rushed) != 0};
}

void
reign_begin(struct reign *reign)
{
    struct reign_past past = look_back();
    struct stall s = stall_begin();

    reign_start(reign);
    lane_note_stall(stall_end(&s, 0));
    reign->past = past;
    reign_up(reign);
}

/* ---- operations -------------------------------------------------------- */

void
reign_arm(struct reign *reign)
{
    ring_host_arm(reign->in, ring_host_readable(reign->in) + BLOCK_FRAMES);
}

/* The producer's frames follow one another; what is missing was lost. */
static void
check_serials(struct reign *reign, const int16_t *samples, size_t frames)
{
    struct board *b = lane.board;
    uint64_t next = atomic_load(&b->in_next);
    uint64_t first = ink_serial(samples, next);

    LANE_EXPECT(first != UINT64_MAX && (first == next || reign->may_jump),
                "the gateway got frame %lld of the producer, not %llu",
                (long long)first, (unsigned long long)next);
    for (size_t i = 0; i < frames; i++)
        LANE_EXPECT(ink_serial(samples + 2 * i, first + i) == first + i,
                    "the gateway got a wrong frame behind %llu",
                    (unsigned long long)(first + i));
    atomic_fetch_add(&b->in_gaps, first - next);
    atomic_store(&b->in_next, first);
    reign->may_jump = false;
}

/* A producer that waits is not lapped; only behind a re-creation there is loss:
 * what the old object held, which the producer counts, and if the new one was
 * full before the first look, the margin that the gateway keeps from it. */
static void
note_loss(struct reign *reign, const struct ring_host_span *span)
{
    uint64_t passed;

    if (span->lost_frames == 0)
        return;
    LANE_EXPECT(reign->may_jump && reign->in_began > 0,
                "the gateway lost %llu frames of a producer that waits",
                (unsigned long long)span->lost_frames);
    passed = span->position - reign->in_began;
    LANE_EXPECT(passed <= MARGIN_FRAMES && span->lost_frames >= passed,
                "the gateway passed over %llu frames of a new ring",
                (unsigned long long)passed);
    atomic_fetch_add(&lane.board->in_passed, passed);
}

size_t
reign_read(struct reign *reign)
{
    struct board *b = lane.board;
    int16_t samples[2 * BLOCK_FRAMES];
    struct ring_host_span span;
    size_t n = ring_host_peek(reign->in, samples, BLOCK_FRAMES, &span);

    note_loss(reign, &span);
    if (n == 0)
        return 0;
    check_serials(reign, samples, n);
    lane_news();
    atomic_store(&b->in_reading, n);
    ring_host_advance(reign->in, n);
    atomic_fetch_add(&b->in_next, n);
    atomic_store(&b->in_reading, 0);
    reign->in_frames += n;
    return n;
}

void
reign_write(struct reign *reign)
{
    struct board *b = lane.board;
    int16_t samples[BLOCK_FRAMES];

    ink_fill(samples, ring_host_head(reign->out), BLOCK_FRAMES, 0);
    lane_news();
    atomic_store(&b->out_writing, BLOCK_FRAMES);
    ring_host_write(reign->out, samples, BLOCK_FRAMES);
    atomic_fetch_add(&b->out_head, BLOCK_FRAMES);
    atomic_store(&b->out_writing, 0);
}

void
reign_flush(struct reign *reign)
{
    struct board *b = lane.board;
    uint64_t head = ring_host_head(reign->out);

    if (ring_host_flush_to(reign->out) == head)
        return;
    lane_news();
    atomic_store(&b->out_flushing, 1);
    LANE_EXPECT(ring_host_flush(reign->out, head, head), "no flush");
    atomic_fetch_add(&b->out_flushes, 1);
    atomic_store(&b->out_flushing, 0);
}

void
reign_recreate(struct reign *reign)
{
    char why[VR_ERROR_BYTES] = "";

    atomic_store(&lane.board->up_ns, 0);
    lane_news();
    reign->may_jump = true;
    reign->in_began = ring_host_head(reign->in);
    if (ring_host_recreate(reign->in, why, sizeof why) != VR_OK ||
        ring_host_recreate(reign->out, why, sizeof why) != VR_OK)
        lane_fail("%s", why);
    publish(reign);
}

void
reign_close(struct reign *reign)
{
    atomic_store(&lane.board->up_ns, 0);
    lane_news();
    ring_host_remove_index(lane.dir);
    ring_host_close(&reign->in);
    ring_host_close(&reign->out);
}

/* ---- the proof --------------------------------------------------------- */

static bool
readers_keep_up(const struct reign *reign)
{
    uint64_t epoch = ring_host_epoch(reign->out);
    uint64_t head = ring_host_head(reign->out);
    bool good = true;

    for (int i = 0; i < REIGN_WRITER; i++)
        good &= atomic_load(&CARD(i)->epoch) == epoch &&
                atomic_load(&CARD(i)->position) + LEAD_FRAMES >= head;
    return good;
}

/* A reader that comes late to its first ring finds it empty, and shows itself
 * only with its first frame: so that one is written for nobody. */
static void
play_round(struct reign *reign)
{
    uint64_t in_end = reign->in_frames + ROUND_FRAMES;
    uint64_t out_begin = ring_host_head(reign->out);
    uint64_t end_ns = vr_now_ns() + LANE_LIMIT_NS;

    reign_write(reign);
    while (reign->in_frames < in_end ||
           ring_host_head(reign->out) < out_begin + ROUND_FRAMES) {
        bool idle = reign_read(reign) == 0;

        if (ring_host_head(reign->out) < out_begin + ROUND_FRAMES &&
            readers_keep_up(reign)) {
            reign_write(reign);
            idle = false;
        }
        if (idle)
            lane_pause();
        LANE_EXPECT(vr_now_ns() < end_ns,
                    "a round stopped at %llu of %llu in, %llu of %llu out",
                    (unsigned long long)reign->in_frames,
                    (unsigned long long)in_end,
                    (unsigned long long)ring_host_head(reign->out),
                    (unsigned long long)out_begin + ROUND_FRAMES);
    }
}

/* A reader that was not waited for may be lapped, and is told of the newest of
 * several flushes. */
static bool
flushes_right(const struct reign_past *past, const struct ring_record *r)
{
    uint64_t most = past->flushes + past->flushing;

    if (past->rushed)
        return r->flushes >= 1 && r->flushes <= most;
    return r->lost == 0 && (r->flushes == past->flushes || r->flushes == most);
}

/* Whether a reader's word on a ring of a gateway is what it must be. */
static bool
record_right(const struct reign_past *past, const struct ring_record *r)
{
    return r->first == past->first &&
           r->first + r->read + r->lost + r->skipped == r->end &&
           (r->end == past->head || r->end == past->head + past->writing) &&
           flushes_right(past, r);
}

/* The readers got each frame of that ring up to its last, and each flush. */
static void
expect_records(const struct reign_past *past)
{
    for (int i = 0; past->epoch != 0 && i < REIGN_WRITER; i++) {
        uint64_t end_ns = vr_now_ns() + LANE_LIMIT_NS / 10;
        struct ring_record r = {0};

        while (!survivor_record(CARD(i), past->epoch, &r) ||
               !record_right(past, &r)) {
            LANE_EXPECT(
                vr_now_ns() < end_ns,
                "reader %d read %llu, lost %llu, skipped %llu, was told %llu "
                "flushes and stands at %llu, from %llu; head is %llu (%llu "
                "on their way), flushes %llu (%llu), from %llu",
                i, (unsigned long long)r.read, (unsigned long long)r.lost,
                (unsigned long long)r.skipped, (unsigned long long)r.flushes,
                (unsigned long long)r.end, (unsigned long long)r.first,
                (unsigned long long)past->head,
                (unsigned long long)past->writing,
                (unsigned long long)past->flushes,
                (unsigned long long)past->flushing,
                (unsigned long long)past->first);
            lane_pause();
        }
    }
}

/* What no gateway has read, the producer counted as lost, or else the gateway
 * did. */
static void
expect_loss(void)
{
    struct board *b = lane.board;
    uint64_t gaps = atomic_load(&b->in_gaps) - atomic_load(&b->in_passed);
    uint64_t unsure = atomic_exchange(&b->in_unsure, 0), lost;
    uint64_t end_ns = vr_now_ns() + LANE_LIMIT_NS / 10;

    for (;;) {
        lost = atomic_load(&CARD(REIGN_WRITER)->lost);
        if (lost <= gaps && lost + unsure >= gaps)
            break;
        LANE_EXPECT(vr_now_ns() < end_ns,
                    "the producer counts %llu lost frames; %llu were never "
                    "read, or %llu less",
                    (unsigned long long)lost, (unsigned long long)gaps,
                    (unsigned long long)unsure);
        lane_pause();
    }
    atomic_store(&b->in_passed, 0);
    atomic_store(&b->in_gaps, lost);
}

static void
expect_left(void)
{
    const char *left = lane_left();

    LANE_EXPECT(strcmp(left,
                       LANE_SESSION ".in " LANE_SESSION ".out " LANE_SESSION
                                    ".in.bell rings.json") == 0,
                "there is now: %s", left);
}

static void
prove_once(struct reign *reign)
{
    struct reign_past now;

    play_round(reign);
    reign_flush(reign);
    now = look_back();
    expect_records(&now);
    expect_loss();
    expect_left();
    LANE_EXPECT(!ring_host_check(reign->in) && !ring_host_check(reign->out),
                "a ring is damaged");
    LANE_EXPECT(ring_host_played(reign->out) <= ring_host_head(reign->out),
                "more was played than written");
}

void
reign_prove(struct reign *reign)
{
    prove_once(reign);
    expect_records(&reign->past);
    if (lane_random(4) != 0)
        return;
    reign_recreate(reign);
    reign_up(reign);
    /* The last flush is told again to readers of the new object. */
    atomic_store(&lane.board->out_flushes, 1);
    prove_once(reign);
}

void
reign_settle(struct reign *reign)
{
    reign_write(reign);
    for (int i = 0; i < REIGN_WRITER; i++)
        survivor_settle(CARD(i), reign_survivors[i],
                        ring_host_head(reign->out));
    LANE_AWAIT(ring_host_readable(reign->in) > LANE_FRAMES - BLOCK_FRAMES &&
                   atomic_load(&CARD(REIGN_WRITER)->waiting) != 0 &&
                   lane_asleep(reign_survivors[REIGN_WRITER]),
               "the producer waits for room");
}
