/* Readers killed at every step of what they do, and in between: players in odd
 * lanes, others in even ones. The lane is the gateway and writes the `out`
 * ring; a recorder lives on in every lane, and a player where others die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "tests/death/ink.h"
#include "tests/death/lane.h"
#include "tests/death/stall.h"
#include "tests/death/survivor.h"

#define LANES 4
#define BLOCK_FRAMES 64
#define PAST_FRAMES 128
#define LEAD_FRAMES (LANE_FRAMES / 2)
#define ROUND_FRAMES (LANE_FRAMES + 3 * BLOCK_FRAMES)

enum { OPEN, READ, LAP, WAIT, CLOSE, OPS };
static const char *const op_names[OPS + 1] = {"open", "read and play", "lap",
                                              "wait", "close",         NULL};

static struct tally *tally;
static struct ring_host *host;
static pid_t survivors[2];
static unsigned survivor_count;
static enum vr_role role; /* of those who die */
static uint64_t played;   /* as the gateway saw it last */

#define CARD(i) (&lane.board->card[i])
#define HEIR_CARD CARD(2)

/* ---- the victim -------------------------------------------------------- */

struct victim {
    unsigned op;
    const struct doom_step *step; /* NULL: its steps are recorded */
};

static void
last_words(void)
{
}

static struct vr_reader *
open_reader(enum vr_start start)
{
    struct vr_options options = survivor_options();
    char why[VR_ERROR_BYTES] = "";
    struct vr_reader *r;

    options.role = role;
    options.start = start;
    options.past_frames = PAST_FRAMES;
    if (vr_reader_open(&r, LANE_SESSION, &options, why, sizeof why) != VR_OK)
        lane_fail("a reader cannot attach: %s", why);
    return r;
}

static void
meet_doom(const struct victim *v)
{
    if (v->step != NULL)
        doom_at(v->step, last_words);
    else
        doom_record(&lane.board->steps);
}

/* One read, whose frames must be right. */
static enum vr_status
read_known(struct vr_reader *r, size_t frames)
{
    int16_t samples[LANE_FRAMES];
    struct vr_block b;
    enum vr_status status = vr_read(r, samples, frames, &b);

    if (ink_right(samples, b.position, (size_t)b.frames, 0) != b.frames)
        lane_fail("a reader that is about to die got wrong frames");
    if (role == VR_PLAYER)
        vr_played(r, b.position + b.frames);
    return status;
}

static void
operate(unsigned op, struct vr_reader **r)
{
    switch (op) {
    case READ:
        LANE_EXPECT(read_known(*r, BLOCK_FRAMES) == VR_FLUSHED, "no flush");
        LANE_EXPECT(read_known(*r, BLOCK_FRAMES) == VR_OK, "no frames");
        break;
    case LAP:
        LANE_EXPECT(read_known(*r, BLOCK_FRAMES) == VR_LAPPED, "no lap");
        break;
    case WAIT:
        vr_wait(*r, 20);
        break;
    case CLOSE:
        vr_reader_close(r);
        break;
    default:
        break;
    }
}

static void
victim(void *arg)
{
    const struct victim *v = arg;
    struct vr_reader *r;

    if (v->op == OPEN)
        meet_doom(v);
    r = open_reader(v->op == READ ? VR_START_PAST : VR_START_NOW);
    atomic_store(&lane.board->phase, 1);
    if (v->op == READ || v->op == LAP)
        LANE_AWAIT(atomic_load(&lane.board->phase) == 2, "audio is there");
    if (v->op != OPEN)
        meet_doom(v);
    operate(v->op, &r);
    doom_off();
    vr_reader_close(&r);
}

/* A reader without rest. */
static void
restless(void *arg)
{
    (void)arg;
    for (;;) {
        struct vr_reader *r = open_reader((enum vr_start)lane_random(3));

        for (int i = 0; i < 30; i++)
            if (read_known(r, 1 + lane_random(200)) == VR_AGAIN)
                vr_wait(r, 1);
        vr_reader_close(&r);
    }
}

/* One read, instruction by instruction. */
static void
stepped(void *arg)
{
    struct vr_reader *r = open_reader(VR_START_PAST);
    int16_t samples[BLOCK_FRAMES];
    enum vr_status status;

    (void)arg;
    doom_trace_mark();
    status = vr_read(r, samples, BLOCK_FRAMES, NULL);
    doom_trace_mark();
    LANE_EXPECT(status == VR_OK, "a reader: %s", vr_status_name(status));
}

/* ---- the gateway ------------------------------------------------------- */

static void
gateway_writes(size_t frames)
{
    int16_t samples[BLOCK_FRAMES];

    while (frames > 0) {
        size_t n = frames < BLOCK_FRAMES ? frames : BLOCK_FRAMES;
        struct stall s;

        ink_fill(samples, ring_host_head(host), n, 0);
        lane_news();
        s = stall_begin();
        ring_host_write(host, samples, n);
        lane_note_stall(stall_end(&s, 0));
        frames -= n;
    }
}

static void
gateway_flushes(uint64_t to)
{
    struct stall s = stall_begin();

    lane_news();
    LANE_EXPECT(ring_host_flush(host, to, to), "no flush");
    lane_note_stall(stall_end(&s, 0));
}

/* The survivors have read all; read, lost and skipped is every position. */
static void
survivors_have_all(void)
{
    for (unsigned i = 0; i < survivor_count; i++) {
        struct ring_record r;

        survivor_settle(CARD(i), survivors[i], ring_host_head(host));
        LANE_EXPECT(survivor_record(CARD(i), ring_host_epoch(host), &r) &&
                        r.first + r.read + r.lost + r.skipped == r.end,
                    "the account of survivor %u is wrong", i);
    }
}

static bool
somebody_is_behind(uint64_t position)
{
    bool behind = false;

    for (unsigned i = 0; i < survivor_count; i++)
        behind |= atomic_load(&CARD(i)->position) < position;
    return behind || atomic_load(&HEIR_CARD->position) < position;
}

static bool
lease_is_held(void)
{
    if (role == VR_PLAYER)
        return ring_host_has_player(host);
    return ring_host_reader_count(host) > survivor_count;
}

/* What the dead one's word on what it played became. */
static void
check_played(void)
{
    uint64_t now = ring_host_played(host);

    LANE_EXPECT(now >= played && now <= ring_host_head(host),
                "played was %llu and is %llu of %llu",
                (unsigned long long)played, (unsigned long long)now,
                (unsigned long long)ring_host_head(host));
    played = now;
}

/* ---- a round ----------------------------------------------------------- */

/* The next reader of that kind attaches at once, and a round of more than the
 * ring holds reaches it whole. */
static void
full_round(void)
{
    uint64_t head = ring_host_head(host), end = head + ROUND_FRAMES;
    struct ring_record r;
    pid_t pid = survivor_read(HEIR_CARD, VR_RING_OUT, role);

    LANE_EXPECT(lease_is_held(), "nobody holds the lease");
    atomic_store(&HEIR_CARD->until, end);
    while (ring_host_head(host) < end) {
        LANE_AWAIT(
            !somebody_is_behind(ring_host_head(host) < LEAD_FRAMES
                                    ? 0
                                    : ring_host_head(host) - LEAD_FRAMES),
            "the readers keep up");
        gateway_writes(BLOCK_FRAMES);
    }
    LANE_EXPECT(!doom_reap(pid), "the next reader was killed");
    LANE_EXPECT(survivor_record(HEIR_CARD, ring_host_epoch(host), &r) &&
                    r.first == head && r.end == end && r.lost == 0 &&
                    r.skipped == 0 && r.read == ROUND_FRAMES,
                "a round of %d frames brought %llu, lost %llu, skipped %llu",
                ROUND_FRAMES, (unsigned long long)r.read,
                (unsigned long long)r.lost, (unsigned long long)r.skipped);
    LANE_EXPECT(!lease_is_held(), "the lease is still held");
}

static void
after_death(void)
{
    const char *left = lane_left();

    LANE_EXPECT(!lease_is_held(), "the dead one's lease is held");
    check_played();
    survivors_have_all();
    full_round();
    check_played();
    survivors_have_all();
    LANE_EXPECT(!ring_host_damaged(host), "the ring is damaged");
    LANE_EXPECT(strcmp(left, LANE_SESSION ".out") == 0, "there is now: %s",
                left);
}

static void
before_death(void)
{
    survivors_have_all();
    atomic_store(&lane.board->phase, 0);
}

/* What the victim shall find. */
static void
bring_about(unsigned op)
{
    uint64_t head;

    if (op != READ && op != LAP)
        return;
    LANE_AWAIT(atomic_load(&lane.board->phase) == 1, "the reader is ready");
    head = ring_host_head(host);
    gateway_writes(op == LAP ? 2 * LANE_FRAMES : 2 * BLOCK_FRAMES);
    if (op == READ)
        gateway_flushes(head + BLOCK_FRAMES / 2);
    atomic_store(&lane.board->phase, 2);
}

static bool
play(unsigned op, const struct doom_step *step)
{
    struct victim v = {op, step};
    bool killed;
    pid_t pid;

    before_death();
    pid = lane_fork(victim, &v);
    bring_about(op);
    killed = doom_reap(pid);
    after_death();
    return killed;
}

static void
kill_at_random(unsigned rounds)
{
    for (unsigned i = 1; i <= rounds; i++) {
        uint64_t end_ns = vr_now_ns() + lane_random(3000000);
        pid_t pid;

        lane_say_where("at random", NULL, i);
        before_death();
        pid = lane_fork(restless, NULL);
        while (vr_now_ns() < end_ns) {
            gateway_writes(1 + lane_random(2 * BLOCK_FRAMES));
            if (lane_random(4) == 0)
                gateway_flushes(ring_host_head(host));
            lane_pause();
        }
        doom_kill_after(pid, 0);
        after_death();
        lane_too_slow();
        atomic_fetch_add(&tally->random_kills, 1);
    }
}

static void
kill_at_instructions(void)
{
    unsigned step = lane.count / 2, n = 1 + lane.index / 2;
    enum doom_trace done = DOOM_TRACED;

    for (; done == DOOM_TRACED; n += step) {
        lane_say_where("instruction of vr_read()", NULL, n);
        before_death();
        done = doom_kill_at(lane_fork(stepped, NULL), n);
        if (done == DOOM_NO_PTRACE) {
            atomic_store(&tally->no_ptrace, 1);
            return;
        }
        after_death();
        lane_too_slow();
        atomic_fetch_add(&tally->instruction_kills, 1);
    }
}

static void
add_survivor(enum vr_role its_role)
{
    survivors[survivor_count] =
        survivor_read(CARD(survivor_count), VR_RING_OUT, its_role);
    survivor_count++;
}

static void
life(void)
{
    struct ring_host_config config = {.runtime_dir = lane.dir,
                                      .session = LANE_SESSION,
                                      .ring = VR_RING_OUT,
                                      .format = {24000, 1},
                                      .min_frames = LANE_FRAMES};
    char why[VR_ERROR_BYTES] = "";

    if (ring_host_open(&host, &config, why, sizeof why) != VR_OK)
        lane_fail("%s", why);
    role = lane.index % 2 == 1 ? VR_PLAYER : VR_OTHER;
    add_survivor(VR_OTHER);
    if (role == VR_OTHER)
        add_survivor(VR_PLAYER);
    gateway_writes(LANE_FRAMES);
    for (unsigned op = 0; op < OPS; op++)
        lane_kill_all(op, op_names[op], play,
                      (lanes_rounds() + LANES / 2 - 1) / (LANES / 2));
    kill_at_random(lanes_rounds() / (LANES / 2));
    kill_at_instructions();
    for (unsigned i = 0; i < survivor_count; i++)
        survivor_stop(CARD(i), survivors[i]);
    ring_host_close(&host);
}

static void
test_readers_die(void **state)
{
    (void)state;
    tally = lanes_memory(sizeof *tally);
    assert_true(lanes_run(LANES, life, tally));
    assert_true(lanes_tell(tally, 'R', op_names));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_die),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
