/* Producers killed at every step of what they do, and in between. The lane is
 * the gateway; a reader of the same ring lives on beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/death/ink.h"
#include "tests/death/lane.h"
#include "tests/death/stall.h"
#include "tests/death/survivor.h"

#define LANES 4
#define SURE_FRAMES 32
#define DYED_FRAMES 48
#define BLOCK_FRAMES 64
#define ROUND_FRAMES (LANE_FRAMES + 3 * BLOCK_FRAMES)
#define BELL_FRAMES 16

enum { OPEN, WRITE, COMMIT, WAIT_SPACE, CLOSE, OPS };
static const char *const op_names[OPS + 1] = {
    "open", "write", "reserve and commit", "wait for space", "close", NULL};

static struct tally *tally;
static struct ring_host *host;
static pid_t reader;
static uint64_t read_frames, lost_frames; /* by the gateway */

#define CARD (&lane.board->card[0])

/* ---- the victim -------------------------------------------------------- */

struct victim {
    unsigned op;
    const struct doom_step *step; /* NULL: its steps are recorded */
};

static void
last_words(void)
{
}

static struct vr_writer *
open_writer(void)
{
    struct vr_options options = survivor_options();
    char why[VR_ERROR_BYTES] = "";
    struct vr_writer *w;

    if (vr_writer_open(&w, LANE_SESSION, &options, why, sizeof why) != VR_OK)
        lane_fail("a producer cannot attach: %s", why);
    return w;
}

static uint64_t
position(const struct vr_writer *w)
{
    struct vr_writer_stats stats;

    vr_writer_stats(w, &stats, sizeof stats);
    return stats.position;
}

static void
write_known(struct vr_writer *w, size_t frames, uint16_t dye)
{
    int16_t samples[LANE_FRAMES];

    ink_fill(samples, position(w), frames, dye);
    lane_news();
    if (vr_write(w, samples, frames, vr_now_ns()) != VR_OK)
        lane_fail("a producer: %s", vr_writer_error(w));
}

static void
commit_known(struct vr_writer *w, size_t frames, uint16_t dye)
{
    while (frames > 0) {
        void *room;
        size_t n = vr_reserve(w, frames, &room);

        LANE_EXPECT(n > 0, "no room: %s", vr_writer_error(w));
        ink_fill(room, position(w), n, dye);
        lane_news();
        if (vr_commit(w, n, 0) != VR_OK)
            lane_fail("a producer: %s", vr_writer_error(w));
        frames -= n;
    }
}

static void
meet_doom(const struct victim *v)
{
    if (v->step != NULL)
        doom_at(v->step, last_words);
    else
        doom_record(&lane.board->steps);
}

/* Says what was published for sure, and where the dyed write begins. */
static void
be_sure(const struct vr_writer *w, bool dyed)
{
    atomic_store(&lane.board->sure, position(w));
    atomic_store(&lane.board->dye_at, position(w));
    atomic_store(&lane.board->dye_frames, dyed ? DYED_FRAMES : 0);
}

static void
victim(void *arg)
{
    const struct victim *v = arg;
    struct vr_writer *w = NULL;

    if (v->op == OPEN)
        meet_doom(v);
    w = open_writer();
    if (v->op == WAIT_SPACE)
        write_known(w, LANE_FRAMES, 0);
    else if (v->op != OPEN)
        write_known(w, SURE_FRAMES, 0);
    be_sure(w, v->op == WRITE || v->op == COMMIT);
    if (v->op == WRITE || v->op == COMMIT) {
        /* The reader shall sleep when the write comes. */
        atomic_store(&lane.board->phase, 1);
        LANE_AWAIT(atomic_load(&lane.board->phase) == 2, "the reader sleeps");
    }
    if (v->op != OPEN)
        meet_doom(v);
    if (v->op == WRITE)
        write_known(w, DYED_FRAMES, INK_DYE);
    else if (v->op == COMMIT)
        commit_known(w, DYED_FRAMES, INK_DYE);
    else if (v->op == WAIT_SPACE)
        vr_wait_space(w, BLOCK_FRAMES, 20);
    else if (v->op == CLOSE)
        vr_writer_close(&w);
    doom_off();
    vr_writer_close(&w);
}

/* A producer without rest or pace. */
static void
restless(void *arg)
{
    (void)arg;
    for (;;) {
        struct vr_writer *w = open_writer();

        for (int i = 0; i < 30; i++)
            if (lane_random(2) == 0)
                write_known(w, 1 + lane_random(100), 0);
            else
                commit_known(w, 1 + lane_random(100), 0);
        vr_wait_space(w, LANE_FRAMES, 0);
        vr_writer_close(&w);
    }
}

/* One write, instruction by instruction. */
static void
stepped(void *arg)
{
    struct vr_writer *w = open_writer();
    int16_t samples[DYED_FRAMES];

    (void)arg;
    write_known(w, SURE_FRAMES, 0);
    be_sure(w, true);
    ink_fill(samples, position(w), DYED_FRAMES, INK_DYE);
    doom_trace_mark();
    if (vr_write(w, samples, DYED_FRAMES, 0) != VR_OK)
        lane_fail("a producer: %s", vr_writer_error(w));
    doom_trace_mark();
}

/* ---- the gateway ------------------------------------------------------- */

static void
check_block(const int16_t *samples, const struct ring_host_span *span)
{
    uint64_t dye_at = atomic_load(&lane.board->dye_at);
    uint64_t dye_end = dye_at + atomic_load(&lane.board->dye_frames);

    for (size_t i = 0; i < span->frames; i++) {
        uint64_t at = span->position + i;
        uint16_t dye = at >= dye_at && at < dye_end ? INK_DYE : 0;

        LANE_EXPECT(ink_right(samples + i, at, 1, dye) == 1,
                    "the gateway got a wrong frame at %llu (%llu..%llu are "
                    "dyed)",
                    (unsigned long long)at, (unsigned long long)dye_at,
                    (unsigned long long)dye_end);
    }
}

/* Reads a block, which must be whole; the account is kept. */
static size_t
gateway_reads(void)
{
    int16_t samples[LANE_FRAMES];
    struct ring_host_span span;
    struct stall s = stall_begin();
    size_t n = ring_host_peek(host, samples, LANE_FRAMES, &span);

    check_block(samples, &span);
    ring_host_advance(host, n);
    lane_note_stall(stall_end(&s, 0));
    read_frames += n;
    lost_frames += span.lost_frames;
    LANE_EXPECT(read_frames + lost_frames == ring_host_position(host),
                "the gateway read %llu and lost %llu of %llu frames",
                (unsigned long long)read_frames,
                (unsigned long long)lost_frames,
                (unsigned long long)ring_host_position(host));
    return n;
}

static void
gateway_reads_all(void)
{
    while (ring_host_readable(host) > 0)
        gateway_reads();
    LANE_EXPECT(!ring_host_damaged(host), "the ring is damaged");
}

static bool
bell_has_rung(void)
{
    struct pollfd bell = {.fd = ring_host_bell_fd(host), .events = POLLIN};

    return poll(&bell, 1, 0) == 1;
}

/* ---- a round ----------------------------------------------------------- */

/* The next producer: attaches at once and writes more than the ring holds. */
static void
heir(void *arg)
{
    struct stall s = stall_begin();
    struct vr_writer *w = open_writer();

    (void)arg;
    lane_note_stall(stall_end(&s, 0));
    atomic_store(&lane.board->phase, 11);
    LANE_AWAIT(atomic_load(&lane.board->phase) == 12, "the gateway looked");
    for (int i = 0; i < ROUND_FRAMES; i += BLOCK_FRAMES) {
        if (vr_wait_space(w, BLOCK_FRAMES, 10000) != VR_OK)
            lane_fail("a producer gets no room: %s", vr_writer_error(w));
        s = stall_begin();
        write_known(w, BLOCK_FRAMES, 0);
        lane_note_stall(stall_end(&s, 0));
    }
    vr_writer_close(&w);
    atomic_store(&lane.board->phase, 13);
}

/* Everything works as if nobody had died. */
static void
full_round(void)
{
    uint64_t before = ring_host_head(host), lost = lost_frames;
    pid_t pid = lane_fork(heir, NULL);

    LANE_AWAIT(atomic_load(&lane.board->phase) == 11 ||
                   (lane_asleep(pid), false),
               "the next producer attaches");
    LANE_EXPECT(bell_has_rung(), "the next producer has not rung");
    LANE_EXPECT(ring_host_has_producer(host), "nobody holds the lease");
    atomic_store(&lane.board->phase, 12);
    while (atomic_load(&lane.board->phase) != 13)
        if (gateway_reads() == 0)
            lane_pause();
    LANE_EXPECT(!doom_reap(pid), "the next producer was killed");
    gateway_reads_all();
    LANE_EXPECT(ring_host_position(host) == before + ROUND_FRAMES &&
                    lost_frames == lost,
                "a round of %d frames brought %llu and lost %llu", ROUND_FRAMES,
                (unsigned long long)(ring_host_position(host) - before),
                (unsigned long long)(lost_frames - lost));
    LANE_EXPECT(!ring_host_has_producer(host), "the lease is still held");
}

/* The reader beside the gateway: read, lost and skipped is every position. */
static void
reader_has_all(void)
{
    struct ring_record r;

    survivor_settle(CARD, reader, ring_host_head(host));
    LANE_EXPECT(survivor_record(CARD, ring_host_epoch(host), &r) &&
                    r.first + r.read + r.lost + r.skipped == r.end,
                "the reader's account is wrong");
}

static void
nothing_left_but_the_ring(void)
{
    const char *left = lane_left();

    LANE_EXPECT(strcmp(left, LANE_SESSION ".in " LANE_SESSION ".in.bell") == 0,
                "there is now: %s", left);
}

static void
before_death(void)
{
    gateway_reads_all();
    reader_has_all();
    atomic_store(&lane.board->phase, 0);
    atomic_store(&lane.board->dye_frames, 0);
    atomic_store(&lane.board->sure, ring_host_head(host));
    lane_no_news();
    ring_host_drain(host);
    LANE_EXPECT(!ring_host_arm(host, BELL_FRAMES), "there are frames already");
}

/* `published`: the dead one's last write counts. All that it published is
 * there, at once, whole; nothing else. */
static void
after_death(bool published)
{
    uint64_t head = ring_host_head(host);

    LANE_EXPECT(!ring_host_has_producer(host), "the dead one's lease is held");
    if (published) {
        lane_news_now();
        survivor_settle(CARD, reader, head);
    } else {
        atomic_store(&lane.board->dye_frames, 0);
    }
    lane_no_news();
    gateway_reads_all();
    full_round();
    reader_has_all();
    nothing_left_but_the_ring();
}

/* While a victim is about to write, its reader is made to sleep. */
static void
let_reader_sleep(pid_t pid)
{
    LANE_AWAIT(atomic_load(&lane.board->phase) == 1 ||
                   (lane_asleep(pid), false),
               "the producer is ready");
    survivor_settle(CARD, reader, ring_host_head(host));
    lane_no_news();
    atomic_store(&lane.board->phase, 2);
}

/* Where head is after the death, to the frame. */
static void
expect_head(const struct victim *v)
{
    bool writes = v->op == WRITE || v->op == COMMIT;
    uint64_t sure = atomic_load(&lane.board->sure);
    bool published =
        writes && (v->step == NULL ||
                   doom_passed(&lane.board->steps, v->step, "pen: head"));
    uint64_t expected = sure + (published ? DYED_FRAMES : 0);

    LANE_EXPECT(ring_host_head(host) == expected,
                "head is %llu, not %llu: the dead one had %s its last write",
                (unsigned long long)ring_host_head(host),
                (unsigned long long)expected,
                published ? "published" : "not published");
    after_death(published);
}

static bool
play(unsigned op, const struct doom_step *step)
{
    struct victim v = {op, step};
    bool killed;
    pid_t pid;

    before_death();
    pid = lane_fork(victim, &v);
    if (op == WRITE || op == COMMIT)
        let_reader_sleep(pid);
    killed = doom_reap(pid);
    if (!killed)
        v.step = NULL;
    expect_head(&v);
    return killed;
}

static void
kill_at_random(unsigned rounds)
{
    for (unsigned i = 1; i <= rounds; i++) {
        pid_t pid;

        lane_say_where("at random", NULL, i);
        before_death();
        pid = lane_fork(restless, NULL);
        doom_kill_after(pid, lane_random(3000000));
        after_death(false);
        lane_too_slow();
        atomic_fetch_add(&tally->random_kills, 1);
    }
}

static void
kill_at_instructions(void)
{
    enum doom_trace done = DOOM_TRACED;

    for (unsigned n = 1 + lane.index; done == DOOM_TRACED; n += lane.count) {
        uint64_t sure, head;

        lane_say_where("instruction of vr_write()", NULL, n);
        before_death();
        done = doom_kill_at(lane_fork(stepped, NULL), n);
        if (done == DOOM_NO_PTRACE) {
            atomic_store(&tally->no_ptrace, 1);
            return;
        }
        sure = atomic_load(&lane.board->sure);
        head = ring_host_head(host);
        LANE_EXPECT(head == sure || head == sure + DYED_FRAMES, "head is %llu",
                    (unsigned long long)head);
        after_death(head != sure);
        lane_too_slow();
        atomic_fetch_add(&tally->instruction_kills, 1);
    }
}

static void
life(void)
{
    struct ring_host_config config = {.runtime_dir = lane.dir,
                                      .session = LANE_SESSION,
                                      .ring = VR_RING_IN,
                                      .format = {16000, 1},
                                      .min_frames = LANE_FRAMES};
    char why[VR_ERROR_BYTES] = "";

    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        lane_fail("%s", why);
    reader = survivor_read(CARD, VR_RING_IN, VR_OTHER);
    for (unsigned op = 0; op < OPS; op++)
        lane_kill_all(op, op_names[op], play,
                      (lanes_rounds() + LANES - 1) / LANES);
    kill_at_random(lanes_rounds() / lane.count);
    kill_at_instructions();
    survivor_stop(CARD, reader);
    ring_host_close(&host);
}

static void
test_producers_die(void **state)
{
    (void)state;
    tally = lanes_memory(sizeof *tally);
    assert_true(lanes_run(LANES, life, tally));
    assert_true(lanes_tell(tally, 'W', op_names));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_producers_die),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
