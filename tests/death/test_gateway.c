/* Gateways killed at every step of what they do, and in between. Each one
 * hosts both rings of a session; a producer, a player and a recorder live on
 * from one to the next, and count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/death/lane.h"
#include "tests/death/reign.h"
#include "tests/death/survivor.h"

#define LANES 14

enum { START, READ, WRITE, FLUSH, RECREATE, CLOSE, OPS };
static const char *const op_names[OPS + 1] = {"sweep and make",
                                              "arm, peek and advance",
                                              "write",
                                              "flush",
                                              "recreate",
                                              "close",
                                              NULL};

static struct tally *tally;

/* ---- gateways ---------------------------------------------------------- */

/* How one lives and dies. */
struct fate {
    unsigned op;
    const struct doom_step *step; /* NULL: its steps are recorded */
};

/* Nobody is served from now on, and that is news. */
static void
last_words(void)
{
    atomic_store(&lane.board->up_ns, 0);
    lane_news();
}

static void
meet_doom(const struct fate *fate)
{
    if (fate->step != NULL)
        doom_at(fate->step, last_words);
    else
        doom_record(&lane.board->steps);
}

static void
operate(struct reign *reign, unsigned op)
{
    switch (op) {
    case READ:
        reign_arm(reign);
        reign_read(reign);
        break;
    case WRITE:
        reign_write(reign);
        break;
    case FLUSH:
        reign_flush(reign);
        break;
    case RECREATE:
        reign_recreate(reign);
        break;
    case CLOSE:
        reign_close(reign);
        break;
    default:
        break;
    }
}

/* Begins, proves that all works, and dies in the middle of an operation, its
 * clients asleep; or, before a doomed start, right after the proof. */
static void
rule(void *arg)
{
    const struct fate *fate = arg;
    struct reign reign;

    reign_begin(&reign);
    reign_prove(&reign);
    if (fate->op != START) {
        reign_settle(&reign);
        meet_doom(fate);
        operate(&reign, fate->op);
        doom_off();
    }
    last_words();
    _exit(0);
}

/* Comes after one that died, and dies before it is ready. */
static void
start_only(void *arg)
{
    struct reign reign;

    meet_doom(arg);
    reign_start(&reign);
    doom_off();
    last_words();
    _exit(0);
}

/* Does everything until it is killed. */
static void
restless(void *arg)
{
    struct reign reign;

    (void)arg;
    reign_begin(&reign);
    reign_prove(&reign);
    atomic_store(&lane.board->out_rushed, 1);
    atomic_store(&lane.board->phase, 1);
    for (;;) {
        unsigned op = READ + (unsigned)lane_random(3);

        if (lane_random(40) == 0) {
            /* Its readers may not find the new ring before it goes, too. */
            atomic_store(&lane.board->out_epoch, 0);
            op = RECREATE;
        }
        operate(&reign, op);
    }
}

static void
last_of_all(void *arg)
{
    struct reign reign;

    (void)arg;
    reign_begin(&reign);
    reign_prove(&reign);
    /* The lane is their parent. */
    atomic_store(&lane.board->phase, 1);
    LANE_AWAIT(atomic_load(&lane.board->phase) == 2, "the survivors ended");
    reign_close(&reign);
    LANE_EXPECT(lane_left()[0] == '\0', "left behind by the last: %s",
                lane_left());
}

/* ---- rounds ------------------------------------------------------------ */

/* What the dead one had begun was done, or not: the step tells. */
static void
settle_account(unsigned op, const struct doom_step *step)
{
    struct board *b = lane.board;
    const struct doom_list *steps = &b->steps;

    if (op == READ && step != NULL &&
        doom_passed(steps, step, "advance: position"))
        atomic_fetch_add(&b->in_next, atomic_load(&b->in_reading));
    if (op == WRITE && step != NULL && doom_passed(steps, step, "pen: head"))
        atomic_fetch_add(&b->out_head, atomic_load(&b->out_writing));
    if (op == FLUSH && step != NULL &&
        doom_passed(steps, step, "flush: counted"))
        atomic_fetch_add(&b->out_flushes, 1);
    atomic_store(&b->in_reading, 0);
    atomic_store(&b->out_writing, 0);
    atomic_store(&b->out_flushing, 0);
}

/* The next gateway comes at once, or when all have noticed. */
static void
let_time_pass(void)
{
    if (lane_random(4) != 0)
        return;
    for (unsigned i = 0; i < REIGN_SURVIVORS; i++)
        LANE_AWAIT(atomic_load(&lane.board->card[i].epoch) == 0,
                   "somebody notices that the gateway is gone");
}

static bool
play(unsigned op, const struct doom_step *step)
{
    struct fate fate = {op, step};
    bool killed = doom_reap(lane_fork(rule, &fate));

    lane_news_now();
    if (op == START) {
        let_time_pass();
        killed = doom_reap(lane_fork(start_only, &fate));
        lane_news_now();
    }
    settle_account(op, killed ? step : NULL);
    let_time_pass();
    return killed;
}

static void
kill_at_random(unsigned rounds)
{
    for (unsigned i = 1; i <= rounds; i++) {
        struct board *b = lane.board;
        pid_t pid;

        lane_say_where("at random", NULL, i);
        atomic_store(&b->phase, 0);
        pid = lane_fork(restless, NULL);
        LANE_AWAIT(atomic_load(&b->phase) == 1 || (lane_asleep(pid), false),
                   "the gateway has proved itself");
        doom_kill_after(pid, lane_random(3000000));
        atomic_store(&b->up_ns, 0);
        lane_news_now();
        atomic_fetch_add(&b->in_unsure, atomic_exchange(&b->in_reading, 0));
        let_time_pass();
        lane_too_slow();
        atomic_fetch_add(&tally->random_kills, 1);
    }
}

static void
first_of_all(void *arg)
{
    struct reign reign;

    (void)arg;
    reign_start(&reign);
    reign_up(&reign);
    atomic_store(&lane.board->phase, 1);
    LANE_AWAIT(atomic_load(&lane.board->phase) == 2, "the survivors are there");
    last_words();
}

static void
let_survivors_go(void)
{
    struct board *b = lane.board;
    pid_t pid;

    lane_say_where("the last gateway", NULL, 0);
    atomic_store(&b->phase, 0);
    pid = lane_fork(last_of_all, NULL);
    LANE_AWAIT(atomic_load(&b->phase) == 1 || (lane_asleep(pid), false),
               "the gateway has proved itself");
    for (unsigned i = 0; i < REIGN_SURVIVORS; i++)
        survivor_stop(&b->card[i], reign_survivors[i]);
    atomic_store(&b->phase, 2);
    LANE_EXPECT(!doom_reap(pid), "it was killed");
}

/* Nothing that the survivors know comes from the lane itself. */
static void
life(void)
{
    struct board *b = lane.board;
    pid_t pid = lane_fork(first_of_all, NULL);

    LANE_AWAIT(atomic_load(&b->phase) == 1, "the first gateway is up");
    reign_survivors[REIGN_PLAYER] =
        survivor_read(&b->card[REIGN_PLAYER], VR_RING_OUT, VR_PLAYER);
    reign_survivors[REIGN_OTHER] =
        survivor_read(&b->card[REIGN_OTHER], VR_RING_OUT, VR_OTHER);
    reign_survivors[REIGN_WRITER] = survivor_write(&b->card[REIGN_WRITER]);
    atomic_store(&b->phase, 2);
    LANE_EXPECT(!doom_reap(pid), "the first gateway was killed");
    for (unsigned op = 0; op < OPS; op++)
        lane_kill_all(op, op_names[op], play,
                      (lanes_rounds() + LANES - 1) / LANES);
    kill_at_random((lanes_rounds() + LANES - 1) / LANES);
    let_survivors_go();
}

static void
test_gateways_die(void **state)
{
    (void)state;
    tally = lanes_memory(sizeof *tally);
    assert_true(lanes_run(LANES, life, tally));
    assert_true(lanes_tell(tally, 'G', op_names));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gateways_die),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
