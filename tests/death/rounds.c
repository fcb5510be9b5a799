/* Which steps are killed at, how often, and what all lanes did. */
#include <stdio.h>
#include <string.h>

#include "tests/death/lane.h"
#include "tests/death/steps.tbl.h"

/* A step is passed when a reader sleeps, and such; so it may need patience. */
#define MISSES 40
/* A stall that is real shows again in this many repetitions, at least twice. */
#define AGAIN 8
#define AGAIN_SLOW 2

struct row {
    const char *name, *letters;
};

#define STEP_ROW(name, letters) {name, letters},
static const struct row rows[] = {STEP_TABLE(STEP_ROW)};
#define ROWS (sizeof rows / sizeof rows[0])
_Static_assert(ROWS <= LANE_KINDS, "the tally holds all rows");

void
lane_say_where(const char *op, const struct doom_step *step, unsigned round)
{
    if (step == NULL)
        snprintf(lane.where, sizeof lane.where, "%s, round %u", op, round);
    else
        snprintf(lane.where, sizeof lane.where,
                 "%s, killed at \"%s\" (%u), "
                 "round %u",
                 op, step->name, step->nth, round);
}

void
lane_count_kill(unsigned op, const struct doom_step *step)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, step->name) == 0) {
            atomic_fetch_add(&lane.tally->kills[i], 1);
            atomic_fetch_add(&lane.tally->op_kills[op], 1);
            return;
        }
    lane_fail("the step \"%s\" is not in steps.tbl.h", step->name);
}

static bool
kill_once(unsigned op, const struct doom_step *step, lane_play_fn *play)
{
    for (int i = 0; i < MISSES; i++)
        if (play(op, step)) {
            lane_count_kill(op, step);
            return lane_too_slow();
        }
    lane_fail("the step was not passed in %d runs", MISSES);
}

static void
kill_and_judge(unsigned op, const struct doom_step *step, lane_play_fn *play)
{
    unsigned slow = 0;

    if (!kill_once(op, step, play))
        return;
    for (int i = 0; i < AGAIN; i++)
        slow += kill_once(op, step, play);
    LANE_EXPECT(slow < AGAIN_SLOW,
                "somebody waited too long, and again in %u of %d repetitions",
                slow, AGAIN);
}

void
lane_kill_all(unsigned op, const char *name, lane_play_fn *play,
              unsigned rounds)
{
    struct doom_list steps;

    lane_say_where(name, NULL, 0);
    play(op, NULL);
    lane_too_slow();
    steps = lane.board->steps;
    LANE_EXPECT(steps.count > 0, "no step was passed");
    for (unsigned round = 1; round <= rounds; round++)
        for (unsigned i = 0; i < steps.count; i++) {
            lane.board->steps = steps;
            lane_say_where(name, &steps.step[i], round);
            kill_and_judge(op, &steps.step[i], play);
        }
}

bool
lanes_tell(const struct tally *t, char letter, const char *const *ops)
{
    unsigned long long kills = 0, least = UINT64_MAX;
    unsigned steps = 0, missed = 0;

    for (size_t i = 0; i < ROWS; i++) {
        unsigned long long n = t->kills[i];

        kills += n;
        steps += n > 0;
        if (strchr(rows[i].letters, letter) == NULL)
            continue;
        least = n < least ? n : least;
        if (n == 0) {
            printf("Nobody was killed at \"%s\"\n", rows[i].name);
            missed++;
        }
    }
    printf("%llu kills at %u steps (each at least %llu times):", kills, steps,
           least);
    for (unsigned i = 0; ops[i] != NULL; i++)
        printf(" %s %llu", ops[i], (unsigned long long)t->op_kills[i]);
    printf("; %llu at random times, %llu at instructions; longest wait of a "
           "survivor %.1f ms, %llu over 100 ms that did not repeat\n",
           (unsigned long long)t->random_kills,
           (unsigned long long)t->instruction_kills, (double)t->worst_ns / 1e6,
           (unsigned long long)t->slow);
    if (t->no_ptrace)
        printf("skip: ptrace is not allowed here, so nobody was killed between "
               "two instructions\n");
    return missed == 0;
}
