/* One writer and 1, 4 and 15 readers, each a process: what a commit costs the
 * writer, in CPU time of its own thread. It has a CPU of its own, and all
 * readers share the others.
 *
 * Awake: the readers call vr_read() without a pause while the writer commits
 * without a pause; they are overtaken all the time. The floor is the commit's
 * floor with as many processes that look at its head and copy the newest block.
 *
 * Asleep: all are in vr_wait() at each commit, which wakes them. The floors are
 * one futex on which all of them sleep, and an eventfd for each of them. */
#include <limits.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "bench/rig.h"

#define READERS 15
#define COMMITS 200000
#define WAKES 30
#define ROUNDS 15
#define FLOOR_FRAMES (1 << 18)
#define SETTLE_NS 100000

enum mode {
    IDLE,
    RING_AWAKE,
    FLOOR_AWAKE,
    RING_ASLEEP,
    FUTEX_ASLEEP,
    EVENTFD_ASLEEP,
    MODES
};

/* How often each reader was about to sleep, or has begun in a mode. */
struct turn {
    _Alignas(64) _Atomic uint64_t count;
};

struct shared {
    _Alignas(64) _Atomic uint32_t phase; /* mode, and 16 * number of readers */
    _Alignas(64) _Atomic uint32_t bell;
    _Alignas(64) _Atomic uint64_t head;
    struct turn turns[READERS];
    _Alignas(64) int16_t target[FLOOR_FRAMES];
};

static struct shared *shared;
static int16_t block[RIG_BLOCK_FRAMES];
static int bells[READERS];
static struct vr_writer *writer;

static void
futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void
futex_wake(_Atomic uint32_t *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* ---- a reader ----------------------------------------------------------- */

static void
copy_floor(void)
{
    static uint64_t seen;
    int16_t frames[RIG_BLOCK_FRAMES];
    uint64_t at = atomic_load_explicit(&shared->head, memory_order_acquire);
    if (at == seen || at < RIG_BLOCK_FRAMES)
        return;
    seen = at;
    memcpy(frames, &shared->target[at - RIG_BLOCK_FRAMES], sizeof frames);
    __asm__ volatile("" : : "r"(frames) : "memory");
}

static void
drain_ring(struct vr_reader *reader)
{
    int16_t frames[RIG_BLOCK_FRAMES];
    while (vr_read(reader, frames, RIG_BLOCK_FRAMES, NULL) != VR_AGAIN)
        continue;
}

static void
read_awake(struct vr_reader *reader, enum mode mode)
{
    int16_t frames[RIG_BLOCK_FRAMES];
    if (mode == RING_AWAKE)
        (void)vr_read(reader, frames, RIG_BLOCK_FRAMES, NULL);
    else
        copy_floor();
}

/* One sleep. `bell` was read before the turn was counted. */
static void
read_asleep(struct vr_reader *reader, enum mode mode, unsigned self,
            uint32_t bell)
{
    uint64_t rings;
    if (mode == FUTEX_ASLEEP)
        futex_wait(&shared->bell, bell);
    else if (mode == EVENTFD_ASLEEP &&
             read(bells[self], &rings, sizeof rings) < 0)
        _exit(1);
    else if (mode == RING_ASLEEP && vr_wait(reader, -1) == VR_OK)
        drain_ring(reader);
}

static _Noreturn void
serve(unsigned self)
{
    struct vr_reader *reader =
        rig_reader("bench", VR_RING_IN, VR_OTHER, VR_START_NOW);
    struct turn *turn = &shared->turns[self];
    for (uint32_t old = IDLE;;) {
        uint32_t bell = atomic_load(&shared->bell);
        uint32_t phase = atomic_load(&shared->phase);
        enum mode mode = phase % 16;
        bool awake = mode == RING_AWAKE || mode == FLOOR_AWAKE;
        if (phase != old)
            drain_ring(reader);
        if (phase != old || !awake)
            atomic_fetch_add(&turn->count, 1);
        old = phase;
        if (mode == IDLE || self >= phase / 16)
            futex_wait(&shared->phase, phase);
        else if (awake)
            read_awake(reader, mode);
        else
            read_asleep(reader, mode, self, bell);
    }
}

/* ---- the writer --------------------------------------------------------- */

/* Wakes the readers as the mode does it. */
static void
strike(enum mode mode, unsigned readers)
{
    uint64_t one = 1;
    if (mode == FUTEX_ASLEEP)
        futex_wake(&shared->bell);
    else if (mode == RING_ASLEEP &&
             vr_write(writer, block, RIG_BLOCK_FRAMES, 1) != VR_OK)
        rig_die("write", vr_writer_error(writer));
    for (unsigned i = 0; mode == EVENTFD_ASLEEP && i < readers; i++)
        if (write(bells[i], &one, sizeof one) < 0)
            rig_die("eventfd", "cannot be written");
}

static void
note_turns(uint64_t *turns)
{
    for (unsigned i = 0; i < READERS; i++)
        turns[i] = atomic_load(&shared->turns[i].count);
}

/* Until all that were woken are about to sleep again, and then have had the
 * time to do so. */
static void
await_turns(const uint64_t *before, unsigned readers)
{
    for (unsigned i = 0; i < readers; i++)
        while (atomic_load(&shared->turns[i].count) <= before[i])
            rig_pause_ns(SETTLE_NS / 4);
    rig_pause_ns(SETTLE_NS);
}

static void
enter(enum mode mode, unsigned readers)
{
    enum mode last = atomic_load(&shared->phase) % 16;
    unsigned woken = atomic_load(&shared->phase) / 16;
    uint64_t before[READERS];
    note_turns(before);
    atomic_store(&shared->phase, mode + 16 * readers);
    strike(last, woken);
    syscall(SYS_futex, &shared->phase, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    await_turns(before, READERS);
}

static void
commit_floor(uint64_t *at)
{
    if (*at > FLOOR_FRAMES - RIG_BLOCK_FRAMES)
        *at = 0;
    memcpy(&shared->target[*at], block, sizeof block);
    *at += RIG_BLOCK_FRAMES;
    atomic_store_explicit(&shared->head, *at, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
}

static double
awake_round_ns(enum mode mode, unsigned readers)
{
    uint64_t stamp_ns = vr_now_ns(), at = 0;
    enter(mode, readers);
    uint64_t begin_ns = rig_cpu_ns();
    for (int i = 0; i < COMMITS; i++) {
        if (mode == FLOOR_AWAKE)
            commit_floor(&at);
        else if (vr_write(writer, block, RIG_BLOCK_FRAMES, stamp_ns) != VR_OK)
            rig_die("write", vr_writer_error(writer));
    }
    double took_ns = (double)(rig_cpu_ns() - begin_ns) / COMMITS;
    enter(IDLE, 0);
    return took_ns;
}

static double
asleep_round_ns(enum mode mode, unsigned readers)
{
    double costs[WAKES];
    enter(mode, readers);
    for (int i = 0; i < WAKES; i++) {
        uint64_t before[READERS];
        note_turns(before);
        uint64_t begin_ns = rig_cpu_ns();
        strike(mode, readers);
        costs[i] = (double)(rig_cpu_ns() - begin_ns);
        await_turns(before, readers);
    }
    enter(IDLE, 0);
    return rig_median(costs, WAKES) - rig_cpu_cost_ns();
}

static void
measure(unsigned readers)
{
    double took[MODES][ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        for (enum mode m = RING_AWAKE; m <= FLOOR_AWAKE; m++)
            took[m][i] = awake_round_ns(m, readers);
        for (enum mode m = RING_ASLEEP; m < MODES; m++)
            took[m][i] = asleep_round_ns(m, readers);
    }
    printf("awake_%u_ns %.1f %.1f\n", readers,
           rig_median(took[RING_AWAKE], ROUNDS),
           rig_median(took[FLOOR_AWAKE], ROUNDS));
    printf("asleep_%u_ns %.0f %.0f %.0f\n", readers,
           rig_median(took[RING_ASLEEP], ROUNDS),
           rig_median(took[FUTEX_ASLEEP], ROUNDS),
           rig_median(took[EVENTFD_ASLEEP], ROUNDS));
}

static void
bench(void)
{
    struct ring_host *ring = rig_host("bench", VR_RING_IN);
    uint64_t none[READERS] = {0};
    shared = rig_share(sizeof *shared);
    for (unsigned i = 0; i < READERS; i++)
        bells[i] = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < READERS; i++)
        if (!rig_start()) {
            rig_pin(false);
            serve(i);
        }
    rig_pin(true);
    writer = rig_writer("bench");
    await_turns(none, READERS);
    measure(1);
    measure(4);
    measure(READERS);
    rig_end_children();
    vr_writer_close(&writer);
    ring_host_close(&ring);
}

int
main(void)
{
    return rig_run(bench);
}
