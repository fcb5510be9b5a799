/* A lane: a process with a runtime folder, and so rings, of its own, which
 * plays its share of the rounds beside the other lanes. Lanes mostly wait, so
 * several of them use the machine better than one. */
#ifndef TESTS_DEATH_LANE_H
#define TESTS_DEATH_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "ipc/ring_host.h"
#include "ipc/ring_name.h"
#include "tests/death/board.h"

#define LANE_SESSION "doomed"
#define LANE_OPS 8
#define LANE_KINDS 80
#define LANE_FRAMES 1024

/* What all lanes have done, in memory that they share. */
struct tally {
    _Atomic uint64_t kills[LANE_KINDS]; /* by the row of STEP_TABLE */
    _Atomic uint64_t op_kills[LANE_OPS];
    _Atomic uint64_t random_kills, instruction_kills, instructions;
    _Atomic uint64_t worst_ns, slow;
    _Atomic uint32_t no_ptrace;
};

/* This process' lane: the same in all of its processes. */
struct lane {
    unsigned index, count;
    char dir[64];
    char instance[RING_INSTANCE_BYTES];
    char where[160]; /* for messages */
    struct board *board;
    struct tally *tally;
};
extern struct lane lane;

/* Runs `life` in `count` lanes, and waits for them; takes away what they left,
 * whatever happened. True if none failed. [any] */
bool lanes_run(unsigned count, void (*life)(void), struct tally *tally);

/* Memory that children share. [any] */
void *lanes_memory(size_t bytes);

/* Prints a summary, and says whether each step of `letter` was killed at.
 * [any] */
bool lanes_tell(const struct tally *tally, char letter, const char *const *ops);

/* DEATH_ROUNDS (100): the kills at each step of each operation, in all lanes.
 * [any] */
unsigned lanes_rounds(void);

/* Says why, and ends the lane. [any] */
noreturn void lane_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A child that runs `life` and exits with 0; it dies with the lane. [any] */
pid_t lane_fork(void (*life)(void *), void *arg);

/* Whether a child sleeps in the kernel. Fails the lane if it has ended.
 * [any] */
bool lane_asleep(pid_t pid);

/* A moment, in loops around what has no event to wait for. [any] */
void lane_pause(void);

/* Waits until the condition holds; fails the lane after 20 s. */
#define LANE_AWAIT(condition, what)                          \
    do {                                                     \
        uint64_t await_end_ns = vr_now_ns() + LANE_LIMIT_NS; \
        while (!(condition)) {                               \
            if (vr_now_ns() > await_end_ns)                  \
                lane_fail("still waiting until %s", what);   \
            lane_pause();                                    \
        }                                                    \
    } while (0)
#define LANE_LIMIT_NS UINT64_C(20000000000)

/* Fails the lane unless the condition holds. */
#define LANE_EXPECT(condition, ...) \
    do {                            \
        if (!(condition))           \
            lane_fail(__VA_ARGS__); \
    } while (0)

/* An operation is about to be killed; the same after it was. */
void lane_say_where(const char *op, const struct doom_step *step,
                    unsigned round);
void lane_count_kill(unsigned op, const struct doom_step *step);

/* The kills of one operation: its steps are recorded by play(op, NULL),
 * then each is killed at by play(op, step), `rounds` times; a step where somebody waited too long is repeated, and fails if that
 * repeats itself. play() returns false if the step was not passed this time.
 * [any] */
typedef bool lane_play_fn(unsigned op, const struct doom_step *step);
void lane_kill_all(unsigned op, const char *name, lane_play_fn *play,
                   unsigned rounds);

/* Judges what the survivors waited in the round before. True if it was too
 * long. */
bool lane_too_slow(void);

/* A call of who has no card, for the same judgement. [any] */
void lane_note_stall(uint64_t stall_ns);

/* Whatever the survivors of this lane wait for has come. [any] */
void lane_news(void);

/* It has come now, whatever was said before: a process is dead when the kernel
 * has taken it away, which on a busy machine is some time after SIGKILL. [any]
 */
void lane_news_now(void);

/* Nothing came after all. [any] */
void lane_no_news(void);

/* Rings of this lane in /dev/shm and files in its folder, one line, sorted.
 * [any] */
const char *lane_left(void);

/* A pseudo-random number below `limit`, the same in each run. [any] */
uint64_t lane_random(uint64_t limit);

#endif
